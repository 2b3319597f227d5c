"""Highway networks of convolutions: 19 layers for CIFAR, 10 for MNIST.

Srivastava, Greff and Schmidhuber 2015, 'Training Very Deep Networks', arXiv:1507.06228, equation 3 and tables 1 and 2;
the configurations from its authors' files (github.com/flukeskywalker/highway-networks, examples/highways). A highway
layer gives T h + (1 - T) x: h is a 3x3 convolution with ReLU, the gate T one with a sigmoid, whose bias is initialized
below 0, so that at first the layer passes its input on. Plain convolutions change the width. Stage shapes:

    highway        conv1 and 4 highway layers  32x32x32     pool1  2x2/2  16x16x32
                   conv2 and 5                 16x16x80     pool2  2x2/2    8x8x80
                   conv3 and 5                   8x8x128    conv4  1x1      8x8x100    pool3  global average
    highway_mnist  conv1 (valid) and 2         24x24x32     pool1  3x3/2  12x12x32
                                     3         12x12x32     pool2  3x3/2    6x6x32
                                     3           6x6x32     pool3  2x2/2    3x3x32

dropout=False leaves out all dropout, which is applied to the image, before the later stages and before fc.

Other implementations: some call a residual block a highway layer whose gate is fixed at one half, which would be half
of its sum; and some change the width by zero padding, where the paper uses plain layers.

Differences from the paper: conv1 of the CIFAR network is initialized like the other convolutions, as in He et al. 2015
(arXiv:1502.01852, which the authors' Caffe does under the name "xavier"); their file names another filler there and
leaves its standard deviation at 1. Their file for ten classes has a hundred outputs; here there is one per class.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.highway import Highway
from zoo.layers.pooling import CeilMaxPooling2D

#         dropout  plain convolution  highway  max pool
#          before  (filters, kernel)   layers  (size, stride)
CIFAR_STAGES = ((  0.2,    (32, 3, "same"),     4,     (2, 2)),
                (  0.2,    (80, 3, "same"),     5,     (2, 2)),
                (  0.2,   (128, 3, "same"),     5,     None),
                (  0.0,   (100, 1, "same"),     0,     None))
MNIST_STAGES = ((  0.2,    (32, 5, "valid"),    2,     (3, 2)),
                (  0.3,    None,                3,     (3, 2)),
                (  0.4,    None,                3,     (2, 2)))

#                           stages    gate bias  fc input  dropout before fc  std of weights of fc
TABLES = {"highway":       (CIFAR_STAGES,     -2.0,     "pool3",       0.2,           0.05),
          "highway_mnist": (MNIST_STAGES,     -1.0,     "flatten",     0.5,           0.1)}

HEAD_INPUT_LAYERS = {"pool3": layers.GlobalAveragePooling2D, "flatten": layers.Flatten}


def conv(x, filters, kernel_size, activation="relu", *, name, padding="same", bias=0.0):
    he_initializer = initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
    return layers.Conv2D(filters, kernel_size, padding=padding, activation=activation,
                         kernel_initializer=he_initializer, bias_initializer=initializers.Constant(bias), name=name)(x)


def highway_layer(x, gate_bias, *, name):
    transformed = conv(x, x.shape[-1], 3, name=f"{name}_transform")
    gate = conv(x, x.shape[-1], 3, "sigmoid", bias=gate_bias, name=f"{name}_gate")
    return Highway(name=name)([x, transformed, gate])


def backbone(image, table, *, width, dropout):
    stages, gate_bias, *_ = table
    x = image
    for stage, (dropout_rate, plain_conv, num_highway_layers, pool) in enumerate(stages, start=1):
        if dropout_rate and dropout:
            x = layers.Dropout(dropout_rate, name=f"drop{stage}")(x)
        if plain_conv:
            filters, kernel, padding = plain_conv
            x = conv(x, scale_width(filters, width), kernel, padding=padding, name=f"conv{stage}")
        for index in range(1, num_highway_layers + 1):
            x = highway_layer(x, gate_bias, name=f"highway{stage}_{index}")
        if pool:
            x = CeilMaxPooling2D(*pool, name=f"pool{stage}")(x)
    return x


def head(features, table, classes, *, width, dropout):
    *_, input_layer, dropout_rate, stddev = table
    x = HEAD_INPUT_LAYERS[input_layer](name=input_layer)(features)
    if dropout:
        x = layers.Dropout(dropout_rate, name="drop4")(x)
    return layers.Dense(classes, kernel_initializer=initializers.RandomNormal(0.0, stddev), name="fc")(x)
