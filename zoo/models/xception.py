"""Xception.

Chollet 2016, 'Xception: Deep Learning with Depthwise Separable Convolutions', arXiv:1610.02357, figure 5; equal to
keras.applications', with its layer names. Convolutions have no bias and are followed by batch normalization; separable
ones have nothing between the depthwise and the pointwise part. At 299x299:

    entry flow   block1 147x147x64   block2 74x74x128   block3 37x37x256   block4 19x19x728
    middle flow  block5 to block12 19x19x728
    exit flow    block13 10x10x1024   block14 10x10x2048

stem="small", our own, for images of about 32x32 (20,881,970 parameters with 10 classes): block1 has stride 1 and zero
padding, block4 stride 1: 32x32, 16x16, 8x8, 8x8, 4x4.

Other implementations: timm's has an epsilon of 1e-5 and pads its pooling symmetrically; others' shortcuts have biases.

Differences from the paper: none in figure 5; the optional fully connected layers are left out, as they are from the
paper's count. The dropout of 0.5 is the paper's for ImageNet (section 4.3).
"""

from keras import layers

from zoo.layers.blocks import scale_width

#                       block1    block2 block3 block4   block5-12   block13      block14
TABLES = {"xception": ((32, 64), (128,   256,   728),   (728, 8),   (728, 1024), (1536, 2048))}

#         block1: stride, padding    blocks 2, 3 and 4: strides
STEMS = {"paper": (2, "valid",               (2, 2, 2)),
         "small": (1, "same",                (2, 2, 1))}


def batch_norm(x, name):
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(x)


def relu(x, name):
    return layers.ReLU(name=f"{name}_act")(x)


def entry_conv(x, filters, stride, padding, name):
    x = layers.Conv2D(filters, 3, stride, padding=padding, use_bias=False, name=name)(x)
    return relu(batch_norm(x, name), name)


def sepconv_bn(x, filters, name):
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return batch_norm(x, name)


def downsample_block(x, activated, filters, stride, name):
    """Apply two separable convolutions and max pooling, with a 1x1 shortcut; `activated` is x, or x after ReLU."""
    shortcut = layers.Conv2D(filters[-1], 1, stride, use_bias=False, name=f"{name}_shortcut")(x)
    shortcut = batch_norm(shortcut, f"{name}_shortcut")
    y = sepconv_bn(activated, filters[0], f"{name}_sepconv1")
    y = sepconv_bn(relu(y, f"{name}_sepconv2"), filters[1], f"{name}_sepconv2")
    y = layers.MaxPooling2D(3, stride, padding="same", name=f"{name}_pool")(y)
    return layers.Add(name=f"{name}_add")([y, shortcut])


def middle_flow_block(x, filters, name):
    shortcut = x
    for index in (1, 2, 3):
        x = relu(x, f"{name}_sepconv{index}")
        x = sepconv_bn(x, filters, f"{name}_sepconv{index}")
    return layers.Add(name=f"{name}_add")([x, shortcut])


def backbone(image, table, *, width, stem):
    block1, entry, (middle_filters, repeats), block13, block14 = table
    stride, padding, strides = STEMS[stem]
    x = entry_conv(image, scale_width(block1[0], width), stride, padding, "block1_conv1")
    x = entry_conv(x, scale_width(block1[1], width), 1, padding, "block1_conv2")
    for index, (filters, stride) in enumerate(zip(entry, strides, strict=True), start=2):
        activated = x if index == 2 else relu(x, f"block{index}_sepconv1")
        x = downsample_block(x, activated, [scale_width(filters, width)] * 2, stride, f"block{index}")
    for index in range(5, 5 + repeats):
        x = middle_flow_block(x, scale_width(middle_filters, width), f"block{index}")
    activated = relu(x, "block13_sepconv1")
    x = downsample_block(x, activated, [scale_width(filters, width) for filters in block13], 2, "block13")
    for index, filters in enumerate(block14, start=1):
        x = relu(sepconv_bn(x, scale_width(filters, width), f"block14_sepconv{index}"), f"block14_sepconv{index}")
    return x


def head(features, table, classes, *, width, dropout):
    x = layers.GlobalAveragePooling2D(name="avg_pool")(features)
    x = layers.Dropout(dropout, name="drop")(x)
    return layers.Dense(classes, name="fc")(x)
