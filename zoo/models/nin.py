"""Network in Network, for CIFAR.

Lin, Chen and Yan 2013, 'Network In Network', arXiv:1312.4400, section 4 and figure 2; the widths, which the paper does
not print, from its authors' Caffe file (gist e56253735ef32c3c296d). Three mlpconv layers, each a convolution and two of
1x1 that work as a small network on every pixel, ReLU after each of the nine, then the mean of every map is a logit:

    mlpconv1  5x5 192, 1x1 160, 1x1 96         32x32x96     pool1  3x3/2 maximum  16x16x96     dropout
    mlpconv2  5x5 192, 1x1 192, 1x1 192        16x16x192    pool2  3x3/2 mean       8x8x192    dropout
    mlpconv3  3x3 192, 1x1 192, 1x1 a class    8x8          pool3  mean of each map

ReLU follows the last 1x1 too, so that no logit is under 0.

Elsewhere: pool2 is a maximum in several ports, and in the authors' older cuda-convnet file; with equal weights that
changes the output by a fifth. Ports that pad both sides of the pools by 1 differ by a hundredth: Caffe pads only right
and below, as far as the last window reaches. Others add batch normalisation after every convolution.

Departures from the paper: none known. Weights start from N(0, 0.05) as in the authors' files; biases from zero.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.pooling import CeilAveragePooling2D, CeilMaxPooling2D

#                  kernel  filters, then those of 1x1
TABLES = {"nin": ((5,      192, 160,  96),
                  (5,      192, 192, 192),
                  (3,      192, 192))}  # the last 1x1 has a map a class: it belongs to the head

POOLING_AFTER_STAGE = {1: CeilMaxPooling2D, 2: CeilAveragePooling2D}  # after mlpconv1 and mlpconv2


def conv_relu(x, filters, kernel_size, *, name):
    start = initializers.RandomNormal(0.0, 0.05)
    return layers.Conv2D(filters, kernel_size, padding="same", activation="relu", kernel_initializer=start,
                         name=name)(x)


def mlpconv(x, kernel_size, filters, *, name):
    x = conv_relu(x, filters[0], kernel_size, name=f"{name}_{kernel_size}x{kernel_size}")
    for number, each in enumerate(filters[1:], start=1):
        x = conv_relu(x, each, 1, name=f"{name}_1x1_{number}")
    return x


def backbone(image, table, *, width, dropout):
    x = image
    for number, (kernel, *filters) in enumerate(table, start=1):
        x = mlpconv(x, kernel, [scale_width(each, width) for each in filters], name=f"mlpconv{number}")
        if number in POOLING_AFTER_STAGE:
            x = POOLING_AFTER_STAGE[number](3, 2, name=f"pool{number}")(x)
            x = layers.Dropout(dropout, name=f"drop{number}")(x)
    return x


def head(features, table, classes, *, width):
    x = conv_relu(features, classes, 1, name="mlpconv3_1x1_2")
    return layers.GlobalAveragePooling2D(name="pool3")(x)
