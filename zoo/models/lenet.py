"""LeNet-5 after LeCun et al. 1998, with ReLU, max pooling and dense connections.

LeCun, Bottou, Bengio and Haffner 1998, 'Gradient-Based Learning Applied to Document Recognition', 10.1109/5.726791,
figure 2 and section II-B. Layers keep the paper's names; the shapes are those for a 28x28 image (the paper pads it to
32x32):

    C1  5x5 convolution    28x28x6       C5  120 units (5x5 over the whole of S4)
    S2  2x2 pool           14x14x6       F6   84 units
    C3  5x5 convolution    10x10x16      output  one unit per class
    S4  2x2 pool             5x5x16

Differences from the paper: every channel of C3 reads all six channels of S2; S2 and S4 are max pooling where the paper
sums, scales and squashes; ReLU instead of the scaled tanh; a linear output instead of the radial basis functions. C1
zero-pads images smaller than 32 pixels, where the paper pads the image itself.
"""

from keras import layers

from zoo.layers.blocks import conv_relu, scale_width

#                    C1  C3   C5  F6   (filters, filters, units, units)
TABLES = {"lenet5": (6, 16, 120, 84)}


def backbone(image, table, *, width):
    c1, c3 = (scale_width(filters, width) for filters in table[:2])
    padding = "same" if min(image.shape[1:3]) < 32 else "valid"
    x = conv_relu(image, c1, 5, padding=padding, name="C1")
    x = layers.MaxPooling2D(2, name="S2")(x)
    x = conv_relu(x, c3, 5, padding="valid", name="C3")
    return layers.MaxPooling2D(2, name="S4")(x)


def head(features, table, classes, *, width):
    c5, f6 = (scale_width(units, width) for units in table[2:])
    x = layers.Flatten(name="flatten")(features)
    x = layers.Dense(c5, activation="relu", name="C5")(x)
    x = layers.Dense(f6, activation="relu", name="F6")(x)
    return layers.Dense(classes, name="output")(x)
