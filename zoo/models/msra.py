"""MSRA's PReLU networks, models A (19 layers) and B (22).

He, Zhang, Ren and Sun 2015, 'Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet
Classification', arXiv:1502.01852, table 3. A PReLU, max(0, y) + a min(0, y) with one slope a per channel, initialized
as 0.25, follows every layer but the last. At 224x224:

    conv1    7x7/2 96                    112x112     pool1  2x2/2  56x56
    conv2_x  3x3 256, 5 layers (B: 6)      56x56     pool2  2x2/2  28x28
    conv3_x  3x3 512, 5 layers (B: 6)      28x28     pool3  2x2/2  14x14
    conv4_x  3x3 512, 5 layers (B: 6)      14x14
    spp      max pooling over 7x7, 3x3, 2x2 and 1x1 bins: 63 x 512 features for any image size
    fc6 4096, fc7 4096, fc8 one unit per class; dropout after the first two

stem="small", our own, for images of about 32x32 (A: 173,964,522 parameters, B: 179,275,498, with 10 classes): conv1 is
3x3 with stride 1 and there is no pool1: 32x32, 16x16, 8x8.

Other implementations: Keras's PReLU has one slope per pixel unless `shared_axes` is set, and a model with such slopes
accepts images of one size only.

Differences from the paper: none known in A and B, whose multiply-adds, 1.906e10 and 2.322e10, are the table's 1.90 and
2.32. Model C is not included: its row, as we read it, gives 5.35e10 where the paper has 5.30.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.pooling import SpatialPyramidPooling2D

#                     conv2     conv3     conv4   (filters, layers)
TABLES = {"msra_a": ((256, 5), (512, 5), (512, 5)),
          "msra_b": ((256, 6), (512, 6), (512, 6))}

PYRAMID_BINS = (7, 3, 2, 1)
FULLY_CONNECTED = (4096, 4096)  # units, in both
PRELU_SLOPE = 0.25  # initial value


def make_he_initializer():
    """Return the initializer of equation 15, std sqrt(2 / ((1 + slope^2) fan_in)); for conv1 too (section 2.2)."""
    return initializers.VarianceScaling(2 / (1 + PRELU_SLOPE**2), "fan_in", "untruncated_normal")


def conv_prelu(x, filters, kernel_size, stride=1, *, padding="same", name):
    x = layers.Conv2D(filters, kernel_size, stride, padding=padding, kernel_initializer=make_he_initializer(),
                      name=name)(x)
    return layers.PReLU(initializers.Constant(PRELU_SLOPE), shared_axes=[1, 2], name=f"{name}_prelu")(x)


def paper_stem(image, filters):
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)  # symmetric
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
        for index in range(1, depth + 1):
            x = conv_prelu(x, scale_width(filters, width), 3, name=f"conv{stage}_{index}")
    return x


def head(features, table, classes, *, width, dropout):
    x = SpatialPyramidPooling2D(PYRAMID_BINS, name="spp")(features)
    for index, units in zip((6, 7), FULLY_CONNECTED, strict=True):
        x = layers.Dense(scale_width(units, width), kernel_initializer=make_he_initializer(), name=f"fc{index}")(x)
        x = layers.PReLU(initializers.Constant(PRELU_SLOPE), name=f"fc{index}_prelu")(x)
        x = layers.Dropout(dropout, name=f"drop{index}")(x)
    return layers.Dense(classes, kernel_initializer=make_he_initializer(), name="fc8")(x)
