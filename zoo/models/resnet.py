"""ResNet-18 and ResNet-34 with pre-activation.

He, Zhang, Ren and Sun 2016, 'Identity Mappings in Deep Residual Networks', arXiv:1603.05027, figure 4(e); filters and
blocks from table 1 of the same authors' 'Deep Residual Learning for Image Recognition', arXiv:1512.03385. The very
first block reads the stem's output, which is already activated, and the last stage ends with BN-ReLU. Where the paper
is silent this follows the authors' published Torch code: a block that changes the shape projects its shortcut after
BN-ReLU. At 224x224: conv1 112x112, conv2_x 56x56, conv3_x 28x28, conv4_x 14x14, conv5_x 7x7.

stem="small", our own, for images of about 32x32 (11,179,978 and 21,295,562 parameters with 10 classes): conv1 is 3x3
with stride 1, there is no pool, and every block activates its own input: 32x32, 16x16, 8x8, 4x4.

Other implementations: kuangliu's and weiaicunzai's lack the last BN-ReLU; torchvision's normalizes after the
convolutions; others project the shortcut before BN-ReLU, or use the stem for large images on small ones.

Differences from the paper: it has basic blocks only in networks for CIFAR (ResNet-110, with 16 to 64 filters) and
bottlenecks in those for ImageNet; these two have basic blocks in the stages of table 1.
"""

from keras import layers

from zoo.layers.blocks import bn_relu, conv_no_bias, scale_width

#                      conv2_x  conv3_x   conv4_x   conv5_x   (filters, blocks)
TABLES = {"resnet18": ((64, 2), (128, 2), (256, 2), (512, 2)),
          "resnet34": ((64, 3), (128, 4), (256, 6), (512, 3))}


def paper_stem(image, filters):
    x = conv_no_bias(image, filters, 7, 2, name="conv1")
    x = bn_relu(x, name="conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)  # after ReLU, padding with zeros is equivalent to -inf
    return layers.MaxPooling2D(3, 2, name="pool1")(x)


def small_stem(image, filters):
    return conv_no_bias(image, filters, 3, name="conv1")


def residual_branch(activated, filters, stride, name):
    x = conv_no_bias(activated, filters, 3, stride, name=f"{name}_conv1")
    x = bn_relu(x, name=f"{name}_conv1")
    return conv_no_bias(x, filters, 3, name=f"{name}_conv2")


def preact_block(x, filters, stride, name):
    activated = bn_relu(x, name=f"{name}_preact")
    if stride > 1 or x.shape[-1] != filters:
        x = conv_no_bias(activated, filters, 1, stride, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([x, residual_branch(activated, filters, stride, name)])


def block_after_pool(x, filters, stride, name):
    return layers.Add(name=f"{name}_add")([x, residual_branch(x, filters, stride, name)])


STEMS = {"paper": (paper_stem, block_after_pool), "small": (small_stem, preact_block)}


def backbone(image, table, *, width, stem):
    apply_stem, first_block = STEMS[stem]
    x = apply_stem(image, scale_width(64, width))
    for stage, (filters, blocks) in enumerate(table, start=2):
        for index in range(1, blocks + 1):
            apply_block = first_block if (stage, index) == (2, 1) else preact_block
            stride = 2 if stage > 2 and index == 1 else 1
            x = apply_block(x, scale_width(filters, width), stride, f"conv{stage}_{index}")
    return bn_relu(x, name="conv5")


def head(features, table, classes, *, width):
    x = layers.GlobalAveragePooling2D(name="pool5")(features)
    return layers.Dense(classes, name="fc")(x)
