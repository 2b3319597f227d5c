"""Inception v4.

Szegedy, Ioffe, Vanhoucke and Alemi 2016, 'Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning', arXiv:1602.07261, figures 3 to 9, with the branches in the order of the authors' release (tf-slim). At
299x299: stem 35x35x384 (149, 147, 147, 73, 71, 35), 4 x A 35x35x384, reductionA 17x17x1024, 7 x B 17x17x1024,
reductionB 8x8x1536, 3 x C 8x8x1536.

scale=False leaves out the gamma of batch normalization. stem="small", our own, for images of about 32x32 (41,221,354
parameters with 10 classes): the stem's convolutions and pools have stride 1 and "same" padding: 32x32, 15x15, 7x7.

Other implementations: small ports have 4/7/3 modules of other widths, and the average pooling of some counts the
padding.

Differences from the paper: the order of 1x7 and 7x1, and of 1x3 and 3x1, is the release's; figure 3 has the opposite
order in the stem. The counts are the same.
"""

from functools import partial

from keras import layers

from zoo.layers.blocks import inception_conv
from zoo.layers.inception import apply_steps, inception_module

V = "valid"

STEMS = {  # figure 3
    "paper": [(32, 3, 2, V), (32, 3, 1, V), (64, 3),
              [["max/2 V"],
               [(96, 3, 2, V)]],
              [[(64, 1), (96, 3, 1, V)],
               [(64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, V)]],
              [[(192, 3, 2, V)],
               ["max/2 V"]]],
    "small": [(32, 3), (32, 3), (64, 3),
              [["max"],
               [(96, 3)]],
              [[(64, 1), (96, 3)],
               [(64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3)]],
              [[(192, 3)],
               ["max"]]],
}

MODULE_A = [[(96, 1)],  # figure 4
            [(64, 1), (96, 3)],
            [(64, 1), (96, 3), (96, 3)],
            ["avg", (96, 1)]]

REDUCTION_A = [[(384, 3, 2, V)],  # figure 7, with k, l, m, n = 192, 224, 256, 384 of table 1
               [(192, 1), (224, 3), (256, 3, 2, V)],
               ["max/2 V"]]

MODULE_B = [[(384, 1)],  # figure 5
            [(192, 1), (224, (1, 7)), (256, (7, 1))],
            [(192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))],
            ["avg", (128, 1)]]

REDUCTION_B = [[(192, 1), (192, 3, 2, V)],  # figure 8
               [(256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, V)],
               ["max/2 V"]]

MODULE_C = [[(256, 1)],  # figure 6
            [(384, 1), [[(256, (1, 3))], [(256, (3, 1))]]],
            [(384, 1), (448, (3, 1)), (512, (1, 3)), [[(256, (1, 3))], [(256, (3, 1))]]],
            ["avg", (256, 1)]]

#                          figure 9: module, repeats, name
TABLES = {"inception_v4": ((MODULE_A,    4, "A"),
                           (REDUCTION_A, 1, "reductionA"),
                           (MODULE_B,    7, "B"),
                           (REDUCTION_B, 1, "reductionB"),
                           (MODULE_C,    3, "C"))}


def backbone(image, table, *, width, stem, scale):
    conv = partial(inception_conv, scale=scale)
    x = apply_steps(image, STEMS[stem], conv, width=width, name="stem_")
    for module, repeats, name in table:
        for index in range(1, repeats + 1):
            x = inception_module(x, module, conv, width=width, name=f"{name}_{index}" if repeats > 1 else name)
    return x


def head(features, table, classes, *, width, dropout):
    x = layers.GlobalAveragePooling2D(name="pool")(features)
    x = layers.Dropout(dropout, name="drop")(x)
    return layers.Dense(classes, name="fc")(x)
