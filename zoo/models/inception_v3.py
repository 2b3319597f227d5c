"""Inception v3.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015, 'Rethinking the Inception Architecture for Computer Vision',
arXiv:1512.00567, as released by the authors (tf-slim) and in keras.applications, to which this is equal. At 299x299:
stem 35x35x192 (149, 147, 147, 73, 73, 71, 35), mixed0 35x35x256, mixed1 and mixed2 35x35x288, mixed3 to mixed7
17x17x768, mixed8 8x8x1280, mixed9 and mixed10 8x8x2048.

The auxiliary classifier reads mixed7 (section 4, figure 8), with batch normalization: 5x5 average pooling with stride
3, 1x1 convolution with 128 filters, one with 768 over the remaining 5x5; its loss has weight 0.4. Larger inputs are
averaged globally at the end; for fewer than 5 rows or columns, the pooling window and the kernel shrink to fit.

scale=True adds the gamma of batch normalization. stem="small", our own, for images of about 32x32 (21,823,274
parameters with 10 classes): the stem keeps its convolutions, with stride 1 and "same" padding, without pools: 32x32,
15x15 after mixed3, 7x7 after mixed8.

Other implementations: the average pooling of torchvision's and timm's counts the padding; some ports omit the reduction
modules, make the pooling projection 3x3, or drop 80% where the authors keep 80%.

Differences from the paper: table 1 has three 3x3 convolutions where the release has a 1x1 with 80 filters, a 3x3 with
192 and pooling; the 5x5 convolutions of the first three modules stay (figure 4, not 5), and mixed0 has 256 channels; of
the table's five modules at 17x17 the first is the reduction, mixed3; dropout of 0.2 and the auxiliary loss weight of
0.4 are the release's, the paper gives neither.
"""

from functools import partial

from keras import layers

from zoo.layers.blocks import inception_conv, scale_width
from zoo.layers.inception import apply_steps, inception_module

V = "valid"

STEMS = {
    "paper": [(32, 3, 2, V), (32, 3, 1, V), (64, 3), "max/2 V", (80, 1), (192, 3, 1, V), "max/2 V"],
    "small": [(32, 3), (32, 3), (64, 3), (80, 1), (192, 3)],
}


def branches_35x35(pool_proj):
    """Return the branches of figure 4."""
    return [[(64, 1)],
            [(48, 1), (64, 5)],
            [(64, 1), (96, 3), (96, 3)],
            ["avg", (pool_proj, 1)]]


def branches_17x17(c7):
    """Return the branches of figure 6 with n = 7."""
    return [[(192, 1)],
            [(c7, 1), (c7, (1, 7)), (192, (7, 1))],
            [(c7, 1), (c7, (7, 1)), (c7, (1, 7)), (c7, (7, 1)), (192, (1, 7))],
            ["avg", (192, 1)]]


BRANCHES_8X8 = [[(320, 1)],  # figure 7
                [(384, 1), [[(384, (1, 3))], [(384, (3, 1))]]],
                [(448, 1), (384, 3), [[(384, (1, 3))], [(384, (3, 1))]]],
                ["avg", (192, 1)]]

REDUCTION_TO_17X17 = [[(384, 3, 2, V)],  # figure 10
                      [(64, 1), (96, 3), (96, 3, 2, V)],
                      ["max/2 V"]]

REDUCTION_TO_8X8 = [[(192, 1), (320, 3, 2, V)],
                    [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, V)],
                    ["max/2 V"]]

TABLES = {"inception_v3": (
    branches_35x35(32), branches_35x35(64), branches_35x35(64),              # mixed0 to mixed2
    REDUCTION_TO_17X17,                                                      # mixed3
    branches_17x17(128), branches_17x17(160), branches_17x17(160), branches_17x17(192),
    REDUCTION_TO_8X8,                                                        # mixed8
    BRANCHES_8X8, BRANCHES_8X8)}
AUX_INPUT_INDEX = 7  # the last 17x17 module


def backbone(image, table, *, width, stem, scale):
    conv = partial(inception_conv, scale=scale)
    x = apply_steps(image, STEMS[stem], conv, width=width, name="stem_")
    feature_maps = []
    for index, module in enumerate(table):
        x = inception_module(x, module, conv, width=width, name=f"mixed{index}")
        feature_maps.append(x)
    return x, {"aux1": feature_maps[AUX_INPUT_INDEX]}


def head(features, table, classes, *, width, dropout):
    x = layers.GlobalAveragePooling2D(name="pool")(features)
    x = layers.Dropout(dropout, name="drop")(x)
    return layers.Dense(classes, name="fc")(x)


def aux_head(x, table, classes, *, width, scale, name):
    x = layers.AveragePooling2D([min(5, size) for size in x.shape[1:3]], 3, name=f"{name}_pool")(x)
    x = inception_conv(x, scale_width(128, width), 1, scale=scale, name=f"{name}_conv1")
    kernel = [min(5, size) for size in x.shape[1:3]]
    x = inception_conv(x, scale_width(768, width), kernel, padding=V, scale=scale, name=f"{name}_conv2")
    x = layers.GlobalAveragePooling2D(name=f"{name}_pool2")(x)
    return layers.Dense(classes, name=f"{name}_fc")(x)
