"""Inception-ResNet v1 and v2.

Szegedy, Ioffe, Vanhoucke and Alemi 2016, 'Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning', arXiv:1602.07261. The output of a module passes a linear 1x1 convolution, is scaled by 0.17, 0.10 or 0.20
(section 3.3) and added to the module's input, then ReLU. Three networks, at 299x299:

    inception_resnet_v1        figures 7, 10 to 15: stem 35x35x256, 5 x A, 17x17x896, 10 x B, 8x8x1792, 5 x C
    inception_resnet_v2        as released by the authors (tf-slim) and in keras.applications, to which this is
                               equal: stem 35x35x192, mixed5b 35x35x320, 10 x block35, 17x17x1088, 20 x block17,
                               8x8x2080, 10 x block8 (the last one neither scaled nor with ReLU), conv_7b 8x8x1536
    inception_resnet_v2_paper  figures 3, 7, 15 to 19: stem 35x35x384, 5 x A, 17x17x1152, 10 x B, 8x8x2144, 5 x C

scale=True adds the gamma of batch normalization. stem="small", our own, for images of about 32x32 (20,994,778,
54,352,106 and 30,326,810 parameters with 10 classes): the stem keeps its convolutions, with stride 1 and "same"
padding, without pools, and the pools of v2_paper's forks with stride 1: 32x32, 15x15, 7x7.

Other implementations: ports of v2 with the figures' 1154 and 2048 channels need a projection where the paper adds, or
narrower modules.

Differences from the paper: inception_resnet_v2 has the release's stem, 320, 1088 and 2080 channels, twice as many
modules and a last convolution. Figures 17 and 19 print 1154 and 2048 channels, but the modules before them give 384 +
384 + 384 = 1152 and 1152 + 384 + 288 + 320 = 2144. The paper gives 0.1 to 0.3 for the scale of the residuals; 0.17,
0.10 and 0.20 are the release's. The order of 1x7 and 7x1 is the release's.
"""

from functools import partial

from keras import layers

from zoo.layers.blocks import inception_conv, scale_width
from zoo.layers.inception import apply_steps, inception_module
from zoo.layers.residual import ScaledAdd
from zoo.models import inception_v4

V = "valid"

STEM_V1 = {  # figure 14
    "paper": [(32, 3, 2, V), (32, 3, 1, V), (64, 3), "max/2 V", (80, 1), (192, 3, 1, V), (256, 3, 2, V)],
    "small": [(32, 3), (32, 3), (64, 3), (80, 1), (192, 3), (256, 3)]}
STEM_V2 = {
    "paper": [(32, 3, 2, V), (32, 3, 1, V), (64, 3), "max/2 V", (80, 1), (192, 3, 1, V), "max/2 V"],
    "small": [(32, 3), (32, 3), (64, 3), (80, 1), (192, 3)]}

MIXED_5B = [[(96, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)], ["avg", (64, 1)]]

MODULE_A_V1 = [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (32, 3), (32, 3)]]  # figure 10
MODULE_A_V2 = [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]]  # 16
MODULE_B_V1 = [[(128, 1)], [(128, 1), (128, (1, 7)), (128, (7, 1))]]        # 11
MODULE_B_V2 = [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]]        # 17
MODULE_C_V1 = [[(192, 1)], [(192, 1), (192, (1, 3)), (192, (3, 1))]]        # 13
MODULE_C_V2 = [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]]        # 19


def reduction_a(k, l, m, n):
    """Return the branches of figure 7, with the filters of table 1."""
    return [[(n, 3, 2, V)], [(k, 1), (l, 3), (m, 3, 2, V)], ["max/2 V"]]


def reduction_b(second, third):
    """Return the branches of figures 12 and 18."""
    return [[(256, 1), (384, 3, 2, V)], [(256, 1), (second, 3, 2, V)],
            [(256, 1), (second, 3), (third, 3, 2, V)], ["max/2 V"]]


def residual_module(x, module, scale, conv, width, name):
    branches = inception_module(x, module, conv, width=width, name=f"{name}_mixed")
    linear = layers.Conv2D(x.shape[-1], 1, name=f"{name}_linear")(branches)
    return ScaledAdd(scale, name=f"{name}_add")([x, linear])


def end_as_in_paper(x, conv, width):
    """Return x: in figure 15, nothing follows the last C."""
    return x


def end_as_released(x, conv, width):
    x = residual_module(x, MODULE_C_V2, 1.0, conv, width, "block8_10")
    return conv(x, scale_width(1536, width), 1, name="conv7b")


#  stem, (name, module[, residual scale, repeats]), end
TABLES = {
    "inception_resnet_v1": (STEM_V1, (
        ("A",          MODULE_A_V1, 0.17, 5),
        ("reductionA", reduction_a(192, 192, 256, 384)),
        ("B",          MODULE_B_V1, 0.10, 10),
        ("reductionB", reduction_b(256, 256)),
        ("C",          MODULE_C_V1, 0.20, 5)), end_as_in_paper),
    "inception_resnet_v2": (STEM_V2, (
        ("mixed5b",    MIXED_5B),
        ("block35",    MODULE_A_V2, 0.17, 10),
        ("mixed6a",    reduction_a(256, 256, 384, 384)),
        ("block17",    MODULE_B_V2, 0.10, 20),
        ("mixed7a",    reduction_b(288, 320)),
        ("block8",     MODULE_C_V2, 0.20, 9)), end_as_released),
    "inception_resnet_v2_paper": (inception_v4.STEMS, (
        ("A",          MODULE_A_V2, 0.17, 5),
        ("reductionA", reduction_a(256, 256, 384, 384)),
        ("B",          MODULE_B_V2, 0.10, 10),
        ("reductionB", reduction_b(288, 320)),
        ("C",          MODULE_C_V2, 0.20, 5)), end_as_in_paper),
}


def backbone(image, table, *, width, stem, scale):
    conv = partial(inception_conv, scale=scale)
    stems, stages, end = table
    x = apply_steps(image, stems[stem], conv, width=width, name="stem_")
    for name, module, *residual in stages:
        if not residual:
            x = inception_module(x, module, conv, width=width, name=name)
            continue
        residual_scale, repeats = residual
        for index in range(1, repeats + 1):
            x = residual_module(x, module, residual_scale, conv, width, f"{name}_{index}")
            x = layers.ReLU(name=f"{name}_{index}")(x)
    return end(x, conv, width)


def head(features, table, classes, *, width, dropout):
    x = layers.GlobalAveragePooling2D(name="pool")(features)
    x = layers.Dropout(dropout, name="drop")(x)
    return layers.Dense(classes, name="fc")(x)
