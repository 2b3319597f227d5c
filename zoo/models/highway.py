"""Highway networks of convolutions: 19 layers for CIFAR, 10 for MNIST.

Srivastava, Greff and Schmidhuber 2015, 'Training Very Deep Networks', arXiv:1507.06228, equation 3 and section 4.2; the
configurations from its authors' files (github.com/flukeskywalker/highway-networks, examples/highways). A highway layer
gives T h + (1 - T) x: h is a 3x3 convolution with ReLU, the transform gate T one with a sigmoid, whose bias starts
under 0, so that at first the layer passes on what it gets. Plain convolutions change the width. Shapes of the stages:

    highway        conv1 and 4 highway layers  32x32x32     pool1  2x2/2  16x16x32
                   conv2 and 5                 16x16x80     pool2  2x2/2    8x8x80
                   conv3 and 5                   8x8x128    conv4  1x1      8x8x100    pool3  mean of each map
    highway_mnist  conv1 (valid) and 2         24x24x32     pool1  3x3/2  12x12x32
                                     3         12x12x32     pool2  3x3/2    6x6x32
                                     3           6x6x32     pool3  2x2/2    3x3x32

dropout=False leaves out all dropout: it stands on the picture, before later stages and before fc.

Elsewhere: the gate is told as a fixed half, for which a residual block is said to be the case; that would halve its
sum. Width is said to change by padding with zeros; here, as in the paper, plain layers do it.

Departures from the paper: conv1 of the CIFAR network starts as the other convolutions do (Caffe's 'xavier', LeCun's
uniform one, from the fan-in); the authors' file asks there for a Gaussian and leaves its deviation at Caffe's 1.
"""

from keras import initializers, layers

from zoo.nn.blocks import scaled
from zoo.nn.highway import Highway
from zoo.nn.pooling import CeilMaxPooling2D

TABLES = {  # dropout before, plain convolution (filters, kernel, padding), highway layers, max pool (side, stride)
    "highway": {"gate": -2.0, "stages": ((0.2, (32, 3, "same"), 4, (2, 2)),
                                         (0.2, (80, 3, "same"), 5, (2, 2)),
                                         (0.2, (128, 3, "same"), 5, None),
                                         (0.0, (100, 1, "same"), 0, None)),
                "read": "mean", "dropout": 0.2, "deviation": 0.05},  # fc: what it reads, before it, of its weights
    "highway_mnist": {"gate": -1.0, "stages": ((0.2, (32, 5, "valid"), 2, (3, 2)),
                                               (0.3, None, 3, (3, 2)),
                                               (0.4, None, 3, (2, 2))),
                      "read": "all", "dropout": 0.5, "deviation": 0.1},
}


def conv(x, filters, kernel, activation="relu", *, name, padding="same", bias=0.0):
    return layers.Conv2D(filters, kernel, padding=padding, activation=activation, kernel_initializer="lecun_uniform",
                         bias_initializer=initializers.Constant(bias), name=name)(x)


def highway(x, gate_bias, *, name):
    transformed = conv(x, x.shape[-1], 3, name=f"{name}_transform")
    gate = conv(x, x.shape[-1], 3, "sigmoid", bias=gate_bias, name=f"{name}_gate")
    return Highway(name=name)([x, transformed, gate])


def body(image, table, *, width, dropout):
    x = image
    for number, (rate, plain, depth, pool) in enumerate(table["stages"], start=1):
        if rate and dropout:
            x = layers.Dropout(rate, name=f"drop{number}")(x)
        if plain:
            filters, kernel, padding = plain
            x = conv(x, scaled(filters, width), kernel, padding=padding, name=f"conv{number}")
        for layer in range(1, depth + 1):
            x = highway(x, table["gate"], name=f"highway{number}_{layer}")
        if pool:
            x = CeilMaxPooling2D(*pool, name=f"pool{number}")(x)
    return x


def head(features, table, classes, *, width, dropout):
    read = layers.GlobalAveragePooling2D(name="pool3") if table["read"] == "mean" else layers.Flatten(name="flatten")
    x = read(features)
    if dropout:
        x = layers.Dropout(table["dropout"], name="drop4")(x)
    start = initializers.RandomNormal(0.0, table["deviation"])
    return layers.Dense(classes, kernel_initializer=start, name="fc")(x)
