"""ResNet with pre-activation: 18 and 34 layers for ImageNet, 110 and 164 for CIFAR.

He, Zhang, Ren and Sun 2016, 'Identity Mappings in Deep Residual Networks', arXiv:1603.05027, figure 4(e); filters and
blocks from table 1 and section 4.2 of the same authors' 'Deep Residual Learning for Image Recognition',
arXiv:1512.03385, and for ResNet-164 from their code (github.com/KaimingHe/resnet-1k-layers). The very first block reads
the stem's output, which is already activated, and the last stage ends with BN-ReLU. Where the paper is silent this
follows the authors' published Torch code: a block that changes the shape takes its shortcut after BN-ReLU. It projects
it, but in ResNet-110, which has no parameters in shortcuts: every second pixel, padded with channels of zeros (option A
of the earlier paper). At 224x224: conv1 112x112, conv2_x 56x56, conv3_x 28x28, conv4_x 14x14, conv5_x 7x7. At 32x32,
ResNet-110 and 164: conv1 and conv2_x 32x32, conv3_x 16x16, conv4_x 8x8.

stem="small", our own, for ResNet-18 and 34 and images of about 32x32 (11,179,978 and 21,295,562 parameters with 10
classes): conv1 is 3x3 with stride 1, there is no pool, and every block activates its own input: 32x32, 16x16, 8x8, 4x4.

Other implementations: kuangliu's and weiaicunzai's lack the last BN-ReLU; torchvision's normalizes after the
convolutions; others project the shortcut before BN-ReLU, or use the stem for large images on small ones.

Differences from the paper: it has basic blocks only in networks for CIFAR (ResNet-110, with 16 to 64 filters) and
bottlenecks in those for ImageNet; ResNet-18 and 34 have basic blocks in the stages of table 1.
"""

from keras import layers

from zoo.layers.blocks import bn_relu, conv_no_bias, pad_shortcut, scale_width


def paper_stem(image, filters):
    x = conv_no_bias(image, filters, 7, 2, name="conv1")
    x = bn_relu(x, name="conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)  # after ReLU, padding with zeros is equivalent to -inf
    return layers.MaxPooling2D(3, 2, name="pool1")(x)


def small_stem(image, filters):
    return conv_no_bias(image, filters, 3, name="conv1")


def cifar_stem(image, filters):
    x = conv_no_bias(image, filters, 3, name="conv1")
    return bn_relu(x, name="conv1")


def basic(activated, filters, stride, name):
    x = conv_no_bias(activated, filters, 3, stride, name=f"{name}_conv1")
    x = bn_relu(x, name=f"{name}_conv1")
    return conv_no_bias(x, filters, 3, name=f"{name}_conv2")


def bottleneck(activated, filters, stride, name):
    inner = scale_width(filters, 1 / 4)
    x = conv_no_bias(activated, inner, 1, stride, name=f"{name}_conv1")
    x = bn_relu(x, name=f"{name}_conv1")
    x = conv_no_bias(x, inner, 3, name=f"{name}_conv2")
    x = bn_relu(x, name=f"{name}_conv2")
    return conv_no_bias(x, filters, 1, name=f"{name}_conv3")


def project(activated, filters, stride, *, name):
    return conv_no_bias(activated, filters, 1, stride, name=f"{name}_shortcut")


#                           residual    shortcut      (output channels, blocks) of conv2_x to conv5_x, or conv4_x
TABLES = {"resnet18":     (basic,      project,      ((64, 2), (128, 2), (256, 2), (512, 2))),
          "resnet34":     (basic,      project,      ((64, 3), (128, 4), (256, 6), (512, 3))),
          "resnet110_v2": (basic,      pad_shortcut, ((16, 18), (32, 18), (64, 18))),
          "resnet164_v2": (bottleneck, project,      ((64, 18), (128, 18), (256, 18)))}


def preact_block(x, filters, stride, name, make_residual, make_shortcut):
    activated = bn_relu(x, name=f"{name}_preact")
    return add_residual(x, activated, filters, stride, name, make_residual, make_shortcut)


def block_after_stem(x, filters, stride, name, make_residual, make_shortcut):
    return add_residual(x, x, filters, stride, name, make_residual, make_shortcut)


def add_residual(x, activated, filters, stride, name, make_residual, make_shortcut):
    if stride > 1 or x.shape[-1] != filters:
        x = make_shortcut(activated, filters, stride, name=name)
    return layers.Add(name=f"{name}_add")([x, make_residual(activated, filters, stride, name)])


STEMS = {"paper": (paper_stem, 64, block_after_stem), "small": (small_stem, 64, preact_block),
         "cifar": (cifar_stem, 16, block_after_stem)}


def backbone(image, table, *, width, stem="cifar"):  # the networks for CIFAR have no other stem
    make_residual, make_shortcut, stages = table
    apply_stem, stem_filters, first_block = STEMS[stem]
    x = apply_stem(image, scale_width(stem_filters, width))
    for stage, (filters, blocks) in enumerate(stages, start=2):
        for index in range(1, blocks + 1):
            apply_block = first_block if (stage, index) == (2, 1) else preact_block
            stride = 2 if stage > 2 and index == 1 else 1
            x = apply_block(x, scale_width(filters, width), stride, f"conv{stage}_{index}", make_residual,
                            make_shortcut)
    return bn_relu(x, name=f"conv{len(stages) + 1}")


def head(features, table, classes, *, width):
    _, _, stages = table
    x = layers.GlobalAveragePooling2D(name=f"pool{len(stages) + 1}")(features)
    return layers.Dense(classes, name="fc")(x)
