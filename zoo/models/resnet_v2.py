"""ResNet-50, 101 and 152 with pre-activation, as in keras.applications (ResNet50V2, ResNet101V2, ResNet152V2).

He, Zhang, Ren and Sun 2016, 'Identity Mappings in Deep Residual Networks', arXiv:1603.05027, figure 4(e); channels and
blocks from table 1 of the same authors' 'Deep Residual Learning for Image Recognition', arXiv:1512.03385. Batch
normalization and ReLU precede each convolution of a bottleneck, and nothing follows the addition; the last stage ends
with BN-ReLU. At 224x224: conv1 112x112, pool1 56x56; the last block of a stage has stride 2: conv2_x 28x28, conv3_x
14x14, conv4_x and conv5_x 7x7.

stem="small", our own, for images of about 32x32: conv1 is 3x3 with stride 1, and there is no pool: 32x32, and after the
stages 16x16, 8x8, 4x4, 4x4.

Other implementations: timm's and the authors' Torch code reduce the feature map in the first block of a stage.

Differences from the paper: a stage reduces the feature map in its last block, in the 3x3 convolution, and the shortcut
beside it takes every second pixel, a 1x1 max pool with stride 2; table 1 reduces it in the first block of conv3_x,
conv4_x and conv5_x. Nothing activates conv1, where the paper has BN-ReLU, so that padding pool1 with zeros is not
equivalent to -inf. conv1, projections and the last convolution of a block have biases. All of this is as in
keras.applications. The paper's own networks for ImageNet have 152 and 200 layers. stem="small" is not in the paper.
"""

from keras import layers

from zoo.layers.blocks import bn_relu, conv_no_bias, conv_symmetric, scale_width

#                           conv2_x   conv3_x   conv4_x     conv5_x   (output channels, blocks)
TABLES = {"resnet50_v2":  ((256, 3), (512, 4), (1024, 6),  (2048, 3)),
          "resnet101_v2": ((256, 3), (512, 4), (1024, 23), (2048, 3)),
          "resnet152_v2": ((256, 3), (512, 8), (1024, 36), (2048, 3))}

NORM = {"momentum": 0.99, "epsilon": 1.001e-5}  # keras.applications' constants


def paper_stem(image, filters):
    x = conv_symmetric(image, filters, 7, 2, use_bias=True, name="conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, 2, name="pool1")(x)


def small_stem(image, filters):
    return conv_symmetric(image, filters, 3, use_bias=True, name="conv1")


STEMS = {"paper": paper_stem, "small": small_stem}


def residual_branch(activated, filters, stride, name):
    inner = scale_width(filters, 1 / 4)
    x = conv_no_bias(activated, inner, 1, name=f"{name}_conv1")
    x = bn_relu(x, **NORM, name=f"{name}_conv1")
    x = conv_no_bias(x, inner, 3, stride, name=f"{name}_conv2")
    x = bn_relu(x, **NORM, name=f"{name}_conv2")
    return conv_symmetric(x, filters, 1, use_bias=True, name=f"{name}_conv3")


def first_block(x, filters, stride, name):
    activated = bn_relu(x, **NORM, name=f"{name}_preact")
    residual = residual_branch(activated, filters, stride, name)
    shortcut = conv_symmetric(activated, residual.shape[-1], 1, stride, use_bias=True, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([shortcut, residual])


def identity_block(x, filters, stride, name):
    activated = bn_relu(x, **NORM, name=f"{name}_preact")
    if stride > 1:
        x = layers.MaxPooling2D(1, stride, name=f"{name}_subsample")(x)  # windows of one pixel
    return layers.Add(name=f"{name}_add")([x, residual_branch(activated, filters, stride, name)])


def backbone(image, table, *, width, stem):
    x = STEMS[stem](image, scale_width(64, width))
    for stage, (filters, blocks) in enumerate(table, start=2):
        for index in range(1, blocks + 1):
            apply_block = first_block if index == 1 else identity_block
            stride = 2 if stage < 5 and index == blocks else 1
            x = apply_block(x, scale_width(filters, width), stride, f"conv{stage}_{index}")
    return bn_relu(x, **NORM, name="conv5")


def head(features, table, classes, *, width):
    x = layers.GlobalAveragePooling2D(name="pool5")(features)
    return layers.Dense(classes, name="fc")(x)
