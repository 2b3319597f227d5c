"""MSRA's PReLU networks, models A (19 layers) and B (22).

He, Zhang, Ren and Sun 2015, 'Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet
Classification', arXiv:1502.01852, table 3. A PReLU, max(0, y) + a min(0, y) with one slope a for each channel that
starts at 0.25, follows every layer but the last. At 224x224:

    conv1    7x7/2 96                    112x112     pool1  2x2/2  56x56
    conv2_x  3x3 256, 5 layers (B: 6)      56x56     pool2  2x2/2  28x28
    conv3_x  3x3 512, 5 layers (B: 6)      28x28     pool3  2x2/2  14x14
    conv4_x  3x3 512, 5 layers (B: 6)      14x14
    spp      maxima of 7x7, 3x3, 2x2 and 1x1 bins, 63 x 512 numbers, whatever the size of the picture
    fc6 4096, fc7 4096, fc8 a unit a class; dropout after the first two

stem="small", our own for pictures of about 32x32 (A: 173,964,522 parameters, B: 179,275,498, with 10 classes): conv1 is
3x3 with stride 1 and there is no pool1: 32x32, 16x16, 8x8.

Elsewhere: Keras's PReLU has a slope for each pixel unless it is told to share them, and a model with such slopes takes
pictures of one size only.

Departures from the paper: none known in A and B, whose multiply-adds, 1.906e10 and 2.322e10, are the table's 1.90 and
2.32. Model C is not here: its row, as we have it, gives 5.35e10 where the paper has 5.30.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.pooling import SpatialPyramidPooling2D

#                     conv2     conv3     conv4   (filters, layers)
TABLES = {"msra_a": ((256, 5), (512, 5), (512, 5)),
          "msra_b": ((256, 6), (512, 6), (512, 6))}

PYRAMID_BINS = (7, 3, 2, 1)
FULLY_CONNECTED = (4096, 4096)  # units, in both
PRELU_SLOPE = 0.25  # of PReLU, at the start


def make_he_initializer():
    """Equation 15: deviation sqrt(2 / ((1 + slope^2) n)), n the fan-in; also in conv1, as section 2.2 has it."""
    return initializers.VarianceScaling(2 / (1 + PRELU_SLOPE**2), "fan_in", "untruncated_normal")


def conv_prelu(x, filters, kernel_size, stride=1, *, padding="same", name):
    x = layers.Conv2D(filters, kernel_size, stride, padding=padding, kernel_initializer=make_he_initializer(),
                      name=name)(x)
    return layers.PReLU(initializers.Constant(PRELU_SLOPE), shared_axes=[1, 2], name=f"{name}_prelu")(x)


def paper_stem(image, filters):
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)  # on both sides alike
    x = conv_prelu(x, filters, 7, 2, padding="valid", name="conv1")
    return layers.MaxPooling2D(2, name="pool1")(x)


def small_stem(image, filters):
    return conv_prelu(image, filters, 3, name="conv1")


STEMS = {"paper": paper_stem, "small": small_stem}


def backbone(image, table, *, width, stem):
    x = STEMS[stem](image, scale_width(96, width))
    for stage, (filters, depth) in enumerate(table, start=2):
        if stage > 2:
            x = layers.MaxPooling2D(2, name=f"pool{stage - 1}")(x)
        for layer in range(1, depth + 1):
            x = conv_prelu(x, scale_width(filters, width), 3, name=f"conv{stage}_{layer}")
    return x


def head(features, table, classes, *, width, dropout):
    x = SpatialPyramidPooling2D(PYRAMID_BINS, name="spp")(features)
    for number, units in zip((6, 7), FULLY_CONNECTED, strict=True):
        x = layers.Dense(scale_width(units, width), kernel_initializer=make_he_initializer(), name=f"fc{number}")(x)
        x = layers.PReLU(initializers.Constant(PRELU_SLOPE), name=f"fc{number}_prelu")(x)
        x = layers.Dropout(dropout, name=f"drop{number}")(x)
    return layers.Dense(classes, kernel_initializer=make_he_initializer(), name="fc8")(x)
