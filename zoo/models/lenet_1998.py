"""LeNet-5 as published: sparse C3, trainable subsampling, scaled tanh, radial basis functions.

LeCun, Bottou, Bengio and Haffner 1998, 'Gradient-Based Learning Applied to Document Recognition', doi:10.1109/5.726791,
figure 2, table I and section II-B. Every unit up to F6 has the activation 1.7159 tanh(2/3 a).

    C1      5x5 convolution                             28x28x6       156
    S2      2x2 sum, coefficient and bias per channel   14x14x6        12
    C3      5x5 convolution, sparse: table I            10x10x16    1,516
    S4      as S2                                         5x5x16       32
    C5      5x5 convolution over the whole of S4          1x1x120  48,120
    F6      dense                                              84  10,164
    output  squared distance to the code of each class         10       0, and 840 in codes, not trainable

The logits are minus the distances: the nearest code has the largest. The paper's loss for them is equation 9.

Other implementations: subsampling has a coefficient for each of the four pixels, 30 parameters in S2 instead of 12; C3
reads all channels, 2,416 parameters instead of 1,516, or is dense with a mask, which has as many; C5 is 1x1, so that F6
reads a feature map and has 161,364 parameters.

Differences from the paper: its codes are published as an image only; those in this file were redrawn, and any two of
them differ in at least 17 pixels. There are codes for ten classes; fewer classes use the first ones. Images of 28 to 31
pixels are zero-padded to 32, where the paper pads with its background.
"""

from keras import initializers, layers

from zoo.layers.blocks import pad_to_min_size
from zoo.layers.rbf import RBF
from zoo.layers.sparse import SparseConv2D
from zoo.layers.subsampling import TrainableSubsampling, scaled_tanh

# Table I: which channels of S2 (rows 0 to 5) each channel of C3 (columns 0 to 15) reads.
TABLE_I = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""

# The codes of 0 to 4 and of 5 to 9: 7x12 pixels, # is 1 and . is -1.
BITMAPS = """
    .......   .......   .......   .......   .......
    ..###..   ...##..   .#####.   #######   ....##.
    .##.##.   ..###..   ##...##   .....##   ...###.
    ##...##   .####..   .....##   ....##.   ..####.
    ##...##   ...##..   .....##   ...##..   .##.##.
    ##...##   ...##..   ....##.   ..####.   ##..##.
    ##...##   ...##..   ...##..   .....##   ##..##.
    ##...##   ...##..   ..##...   .....##   #######
    ##...##   ...##..   .##....   .....##   ....##.
    .##.##.   ...##..   ##.....   ##...##   ....##.
    ..###..   .######   #######   .#####.   ....##.
    .......   .......   .......   .......   .......

    .......   .......   .......   .......   .......
    ######.   ....##.   #######   ..###..   .#####.
    ##.....   ...##..   ##...##   .##.##.   ##...##
    ##.....   ..##...   .....##   .##.##.   ##...##
    ##.....   .##....   ....##.   .##.##.   ##...##
    #####..   ##.....   ....##.   ..###..   ##...##
    ....##.   ######.   ...##..   .##.##.   .######
    .....##   ##...##   ...##..   ##...##   .....##
    .....##   ##...##   ..##...   ##...##   ....##.
    ##..##.   ##...##   ..##...   ##...##   ...##..
    .####..   .#####.   ..##...   .#####.   ..##...
    .......   .......   .......   .......   .......
"""

# No width multiplier: table I and the codes require these numbers of channels and units.
TABLES = {"lenet5_1998": {"C1": 6, "C3": TABLE_I, "C5": 120, "F6": 84, "codes": BITMAPS}}


def parse_connections(ascii_table):
    """Return the indices of the rows with an X for each column of table I."""
    columns = zip(*(line.split() for line in ascii_table.strip().splitlines()), strict=True)
    return [[row for row, mark in enumerate(column) if mark == "X"] for column in columns]


def parse_codes(ascii_bitmaps):
    """Return the pixels of each bitmap, 1 and -1, row by row."""
    bitmaps = []
    for block in ascii_bitmaps.strip().split("\n\n"):
        bitmaps += zip(*(line.split() for line in block.splitlines()), strict=True)
    return [[1 if pixel == "#" else -1 for pixel in "".join(rows)] for rows in bitmaps]


def make_fan_in_initializer(fan_in):
    return initializers.RandomUniform(-2.4 / fan_in, 2.4 / fan_in)


def backbone(image, table, *, width):
    x = pad_to_min_size(image, 32, name="pad")
    x = layers.Conv2D(table["C1"], 5, activation=scaled_tanh,
                      kernel_initializer=make_fan_in_initializer(25 * x.shape[-1]), name="C1")(x)
    x = TrainableSubsampling(activation=scaled_tanh, name="S2")(x)
    x = SparseConv2D(parse_connections(table["C3"]), 5, activation=scaled_tanh, name="C3")(x)
    return TrainableSubsampling(activation=scaled_tanh, name="S4")(x)


def head(features, table, classes, *, width):
    fan_in = 25 * features.shape[-1]
    x = layers.Conv2D(table["C5"], 5, activation=scaled_tanh, kernel_initializer=make_fan_in_initializer(fan_in),
                      name="C5")(features)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(table["F6"], activation=scaled_tanh, kernel_initializer=make_fan_in_initializer(table["C5"]),
                     name="F6")(x)
    return RBF(parse_codes(table["codes"])[:classes], name="output")(x)
