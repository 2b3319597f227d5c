"""Network in Network, for CIFAR.

Lin, Chen and Yan 2013, 'Network In Network', arXiv:1312.4400, section 4 and figure 2; the widths, which the paper does
not print, from its authors' Caffe file (gist e56253735ef32c3c296d). Three mlpconv layers, each a convolution and two
1x1 convolutions that act as a small network on every pixel, ReLU after each of the nine, then global average pooling
gives the logits:

    mlpconv1  5x5 192, 1x1 160, 1x1 96         32x32x96     pool1  3x3/2 max      16x16x96     dropout
    mlpconv2  5x5 192, 1x1 192, 1x1 192        16x16x192    pool2  3x3/2 average    8x8x192    dropout
    mlpconv3  3x3 192, 1x1 192, 1x1 classes    8x8          pool3  global average

ReLU follows the last 1x1 too, so that no logit is below 0.

Other implementations: pool2 is max pooling in several ports, and in the authors' older cuda-convnet file; with the same
weights this changes the output by a fifth. Ports whose pooling pads both sides by 1 differ by a hundredth: Caffe pads
only right and below, as far as the last window reaches. Others add batch normalization after every convolution.

Differences from the paper: none known. Weights are initialized from N(0, 0.05) as in the authors' files, biases as 0.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.pooling import CeilAveragePooling2D, CeilMaxPooling2D

#                 kernel  filters, then those of the 1x1 convolutions
TABLES = {"nin": ((5,      192, 160,  96),
                  (5,      192, 192, 192),
                  (3,      192, 192))}  # the last 1x1 has one channel per class: it belongs to the head

POOLING_AFTER_STAGE = {1: CeilMaxPooling2D, 2: CeilAveragePooling2D}  # after mlpconv1 and mlpconv2


def conv_relu(x, filters, kernel_size, *, name):
    return layers.Conv2D(filters, kernel_size, padding="same", activation="relu",
                         kernel_initializer=initializers.RandomNormal(0.0, 0.05), name=name)(x)


def mlpconv(x, kernel_size, filters, *, name):
    x = conv_relu(x, filters[0], kernel_size, name=f"{name}_{kernel_size}x{kernel_size}")
    for index, filters_1x1 in enumerate(filters[1:], start=1):
        x = conv_relu(x, filters_1x1, 1, name=f"{name}_1x1_{index}")
    return x


def backbone(image, table, *, width, dropout):
    x = image
    for stage, (kernel, *filters) in enumerate(table, start=1):
        scaled_filters = [scale_width(width_in_paper, width) for width_in_paper in filters]
        x = mlpconv(x, kernel, scaled_filters, name=f"mlpconv{stage}")
        if stage in POOLING_AFTER_STAGE:
            x = POOLING_AFTER_STAGE[stage](3, 2, name=f"pool{stage}")(x)
            x = layers.Dropout(dropout, name=f"drop{stage}")(x)
    return x


def head(features, table, classes, *, width):
    x = conv_relu(features, classes, 1, name="mlpconv3_1x1_2")
    return layers.GlobalAveragePooling2D(name="pool3")(x)
