"""AlexNet, with its two towers.

Krizhevsky, Sutskever and Hinton 2012, 'ImageNet Classification with Deep Convolutional Neural Networks',
10.1145/3065386, figure 2 and section 3.5. The two towers of the paper's two GPUs are the two groups of conv2, conv4 and
conv5; conv3 reads both. At 227x227:

    conv1  11x11/4   55x55x96    norm1, pool1  27x27x96     conv4  3x3  13x13x384
    conv2  5x5       27x27x256   norm2, pool2  13x13x256    conv5  3x3  13x13x256    pool5  6x6x256
    conv3  3x3       13x13x384                              fc6    4096    fc7  4096    fc8  one unit per class

Local response normalization has the constants of section 3.3, k=2, n=5, alpha=1e-4 times the sum and not the mean,
beta=0.75; pooling is 3x3 with stride 2 and overlaps (3.4); weights are initialized from N(0, 0.01), the biases of
conv2, conv4, conv5 and the hidden fully connected layers as 1, the others as 0 (section 5).

groups=1 merges the towers into one (62,378,344 parameters). With two, a width that the multiplier makes odd is rounded
down. stem="small", our own, for images of about 32x32 (35,910,026 parameters with 10 classes): conv1 is 5x5 with stride
1 and zero padding; feature maps of 32x32, 16x16, 8x8, 4x4.

Other implementations: torchvision's, our alexnet_2014, has neither towers nor local response normalization, and the
widths of a later paper; Caffe's has k=1, divides alpha by n, and initializes biases as 0.1.

Differences from the paper: it prints 224x224, but its numbers require 227x227. A window that extends over the edge of a
feature map takes the maximum of the pixels inside, as in the authors' cuda-convnet; at 227 none does.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.normalization import LocalResponseNormalization
from zoo.layers.pooling import CeilMaxPooling2D

#                      conv1 conv2 conv3 conv4 conv5  fc6   fc7   (filters, units)
TABLES = {"alexnet": ((96,   256,  384,  384,  256), (4096, 4096))}


def get_layer_arguments(bias):
    return {"kernel_initializer": initializers.RandomNormal(stddev=0.01),
            "bias_initializer": initializers.Constant(bias), "activation": "relu"}


def paper_stem(image, filters):
    return layers.Conv2D(filters, 11, 4, **get_layer_arguments(0), name="conv1")(image)


def small_stem(image, filters):
    return layers.Conv2D(filters, 5, padding="same", **get_layer_arguments(0), name="conv1")(image)


STEMS = {"paper": paper_stem, "small": small_stem}


def local_response_norm(x, index):
    return LocalResponseNormalization(bias=2.0, alpha=1e-4, beta=0.75, depth=5, name=f"norm{index}")(x)


def max_pool(x, index):
    return CeilMaxPooling2D(3, 2, name=f"pool{index}")(x)


def backbone(image, table, *, width, stem, groups):
    conv1, conv2, conv3, conv4, conv5 = (scale_width(filters, width, groups) for filters in table[0])
    x = max_pool(local_response_norm(STEMS[stem](image, conv1), 1), 1)
    x = layers.Conv2D(conv2, 5, padding="same", groups=groups, **get_layer_arguments(1), name="conv2")(x)
    x = max_pool(local_response_norm(x, 2), 2)
    x = layers.Conv2D(conv3, 3, padding="same", **get_layer_arguments(0), name="conv3")(x)
    x = layers.Conv2D(conv4, 3, padding="same", groups=groups, **get_layer_arguments(1), name="conv4")(x)
    x = layers.Conv2D(conv5, 3, padding="same", groups=groups, **get_layer_arguments(1), name="conv5")(x)
    return max_pool(x, 5)


def head(features, table, classes, *, width, dropout):
    x = layers.Flatten(name="flatten")(features)
    for index, units in zip((6, 7), table[1], strict=True):
        x = layers.Dense(scale_width(units, width), **get_layer_arguments(1), name=f"fc{index}")(x)
        x = layers.Dropout(dropout, name=f"drop{index}")(x)
    return layers.Dense(classes, kernel_initializer=initializers.RandomNormal(stddev=0.01), name="fc8")(x)
