"""ResNet for ImageNet (18, 34, 50, 101 and 152 layers) and for CIFAR (20, 32, 44, 56 and 110 layers).

He, Zhang, Ren and Sun 2015, 'Deep Residual Learning for Image Recognition', arXiv:1512.03385, table 1 and section 4.2.
A block adds its input to two 3x3 convolutions (figure 5, left) or to a bottleneck of 1x1, 3x3 and 1x1 (right), each
followed by batch normalization; ReLU follows the addition. Where a stage changes the shape, the shortcut is a 1x1
convolution with the same stride in the networks for ImageNet (option B of section 3.3), and every second pixel padded
with channels of zeros in those for CIFAR (option A). At 224x224: conv1 112x112, conv2_x 56x56, conv3_x 28x28, conv4_x
14x14, conv5_x 7x7. At 32x32: conv1 and conv2_x 32x32, conv3_x 16x16, conv4_x 8x8; n blocks a stage are 6n + 2 layers.

stem="small", our own, for images of about 32x32: conv1 is 3x3 with stride 1, and there is no pool: 32x32, 16x16, 8x8,
4x4.

Other implementations: ResNet-18 and 34 equal torchvision's; 50, 101 and 152 equal keras.applications'. v1_5=True makes
these equal torchvision's, known as ResNet v1.5: the bottleneck has its stride in the 3x3 convolution, convolutions have
no biases, and epsilon is 1e-5, not 1.001e-5. Many networks for CIFAR project the shortcut, or start with 64 filters,
and are far larger.

Differences from the paper: the convolutions of ResNet-50, 101 and 152 have biases, as in keras.applications, which
batch normalization makes redundant. stem="small" is not in the paper.
"""

from typing import NamedTuple

from keras import layers

from zoo.layers.blocks import conv_symmetric, pad_shortcut, scale_width


class Constants(NamedTuple):
    """What implementations differ in."""

    use_bias: bool  # of convolutions
    momentum: float  # of batch normalization
    epsilon: float
    stride_in_3x3: bool  # of a bottleneck; else in its first 1x1 convolution, as in the paper


KERAS = Constants(use_bias=True, momentum=0.99, epsilon=1.001e-5, stride_in_3x3=False)
TORCHVISION = Constants(use_bias=False, momentum=0.9, epsilon=1e-5, stride_in_3x3=True)


def conv_bn(x, filters, kernel_size, stride=1, *, constants, name):
    x = conv_symmetric(x, filters, kernel_size, stride, use_bias=constants.use_bias, name=name)
    return layers.BatchNormalization(momentum=constants.momentum, epsilon=constants.epsilon, name=f"{name}_bn")(x)


def conv_bn_relu(x, filters, kernel_size, stride=1, *, constants, name):
    x = conv_bn(x, filters, kernel_size, stride, constants=constants, name=name)
    return layers.ReLU(name=f"{name}_relu")(x)


def imagenet_stem(image, filters, constants):
    x = conv_bn_relu(image, filters, 7, 2, constants=constants, name="conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)  # after ReLU, padding with zeros is equivalent to -inf
    return layers.MaxPooling2D(3, 2, name="pool1")(x)


def stem_3x3(image, filters, constants):
    return conv_bn_relu(image, filters, 3, constants=constants, name="conv1")


STEMS = {"paper": (imagenet_stem, 64), "small": (stem_3x3, 64), "cifar": (stem_3x3, 16)}


def basic(x, filters, stride, constants, name):
    x = conv_bn_relu(x, filters, 3, stride, constants=constants, name=f"{name}_conv1")
    return conv_bn(x, filters, 3, constants=constants, name=f"{name}_conv2")


def bottleneck(x, filters, stride, constants, name):
    inner = scale_width(filters, 1 / 4)
    strides = (1, stride) if constants.stride_in_3x3 else (stride, 1)
    x = conv_bn_relu(x, inner, 1, strides[0], constants=constants, name=f"{name}_conv1")
    x = conv_bn_relu(x, inner, 3, strides[1], constants=constants, name=f"{name}_conv2")
    return conv_bn(x, filters, 1, constants=constants, name=f"{name}_conv3")


def option_a(x, filters, stride, constants, name):
    return pad_shortcut(x, filters, stride, name=name)


def option_b(x, filters, stride, constants, name):
    return conv_bn(x, filters, 1, stride, constants=constants, name=f"{name}_shortcut")


#                          residual    shortcut    (output channels, blocks) of conv2_x to conv5_x, or conv4_x
TABLES = {"resnet18_v1": (basic,      option_b, ((64, 2),  (128, 2), (256, 2),   (512, 2))),
          "resnet34_v1": (basic,      option_b, ((64, 3),  (128, 4), (256, 6),   (512, 3))),
          "resnet50":    (bottleneck, option_b, ((256, 3), (512, 4), (1024, 6),  (2048, 3))),
          "resnet101":   (bottleneck, option_b, ((256, 3), (512, 4), (1024, 23), (2048, 3))),
          "resnet152":   (bottleneck, option_b, ((256, 3), (512, 8), (1024, 36), (2048, 3))),
          "resnet20":    (basic,      option_a, ((16, 3),  (32, 3),  (64, 3))),
          "resnet32":    (basic,      option_a, ((16, 5),  (32, 5),  (64, 5))),
          "resnet44":    (basic,      option_a, ((16, 7),  (32, 7),  (64, 7))),
          "resnet56":    (basic,      option_a, ((16, 9),  (32, 9),  (64, 9))),
          "resnet110":   (basic,      option_a, ((16, 18), (32, 18), (64, 18)))}


def backbone(image, table, *, width, stem="cifar", v1_5=False):  # the networks for CIFAR have no option
    make_residual, make_shortcut, stages = table
    constants = KERAS if make_residual is bottleneck and not v1_5 else TORCHVISION
    apply_stem, stem_filters = STEMS[stem]
    x = apply_stem(image, scale_width(stem_filters, width), constants)
    for stage, (filters, blocks) in enumerate(stages, start=2):
        for index in range(1, blocks + 1):
            name, stride = f"conv{stage}_{index}", 2 if stage > 2 and index == 1 else 1
            residual = make_residual(x, scale_width(filters, width), stride, constants, name)
            if stride > 1 or x.shape[-1] != residual.shape[-1]:
                x = make_shortcut(x, residual.shape[-1], stride, constants, name)
            x = layers.Add(name=f"{name}_add")([x, residual])
            x = layers.ReLU(name=f"{name}_relu")(x)
    return x


def head(features, table, classes, *, width):
    _, _, stages = table
    x = layers.GlobalAveragePooling2D(name=f"pool{len(stages) + 1}")(features)
    return layers.Dense(classes, name="fc")(x)
