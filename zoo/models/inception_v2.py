"""Inception v2: GoogLeNet with batch normalization.

Ioffe and Szegedy 2015, 'Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift',
arXiv:1502.03167, section 4.2.1 and figure 5 of the appendix. Each 5x5 convolution is two 3x3, the modules 3c and 4e
have stride 2 and no 1x1 branch and replace pooling layers, a module has average pooling where the table says so, and
there is no dropout. At 224x224: conv1 112x112x64, pool1 56x56x64, conv2 56x56x192, pool2 28x28x192, 3a 28x28x256, 3b
28x28x320, 3c 14x14x576, 4e 7x7x1024, 5b 7x7x1024.

scale=True adds the gamma of batch normalization (as in the paper), which is redundant before ReLU and a convolution.
stem="small", our own, for images of about 32x32 (10,190,186 parameters with 10 classes): conv1 has stride 1, pool1 and
pool2 are left out: 32x32, 16x16 after 3c, 8x8 after 4e.

Other implementations: many ports called Inception v2 are GoogLeNet with batch normalization and 5x5 branches, or the
network of table 1 of another paper (arXiv:1512.00567).

Differences from the paper: its table gives 4c and 4d a pooling projection of 128 filters, which makes 608 channels, but
prints 576; the authors' released code has 96, which makes 576, and so does ours. conv1 is a plain convolution where the
paper's is separable with a depth multiplier of 8. The text states 13.6 million parameters (section 4.2), which the
table does not give. No auxiliary classifiers.
"""

from functools import partial

from keras import layers

from zoo.layers.blocks import inception_conv
from zoo.layers.inception import apply_steps, inception_module


def inception_branches(conv1x1, reduce3x3, conv3x3, reduce_double3x3, double3x3, pool, pool_proj):
    """Return the branches of a row of figure 5 with stride 1."""
    return [[(conv1x1, 1)],
            [(reduce3x3, 1), (conv3x3, 3)],
            [(reduce_double3x3, 1), (double3x3, 3), (double3x3, 3)],
            [pool, (pool_proj, 1)]]


def reduction_branches(reduce3x3, conv3x3, reduce_double3x3, double3x3):
    """Return the branches of a row of figure 5 with stride 2, where the pooling branch has no projection."""
    return [[(reduce3x3, 1), (conv3x3, 3, 2)],
            [(reduce_double3x3, 1), (double3x3, 3), (double3x3, 3, 2)],
            ["max/2"]]


#                            #1x1 #3x3    #3x3 double #double pool
#                                 reduce       reduce #3x3         projection
TABLES = {"inception_v2": {
    "3a": inception_branches(            64,  64,     64,  64,    96,     "avg", 32),
    "3b": inception_branches(            64,  64,     96,  64,    96,     "avg", 64),
    "3c": reduction_branches(              128,    160, 64,    96),
    "4a": inception_branches(            224, 64,     96,  96,    128,    "avg", 128),
    "4b": inception_branches(            192, 96,     128, 96,    128,    "avg", 128),
    "4c": inception_branches(            160, 128,    160, 128,   160,    "avg", 96),
    "4d": inception_branches(            96,  128,    192, 160,   192,    "avg", 96),
    "4e": reduction_branches(              128,    192, 192,   256),
    "5a": inception_branches(            352, 192,    320, 160,   224,    "avg", 128),
    "5b": inception_branches(            352, 192,    320, 192,   224,    "max", 128),
}}
STEMS = {
    "paper": {"conv1": [(64, 7, 2), "max/2"], "conv2": [(64, 1), (192, 3), "max/2"]},
    "small": {"conv1": [(64, 7)], "conv2": [(64, 1), (192, 3)]},
}


def backbone(image, table, *, width, stem, scale):
    conv = partial(inception_conv, scale=scale)
    x = image
    for name, steps in STEMS[stem].items():
        x = apply_steps(x, steps, conv, width=width, name=f"{name}_")
    for name, branches in table.items():
        x = inception_module(x, branches, conv, width=width, name=name)
    return x


def head(features, table, classes, *, width):
    x = layers.GlobalAveragePooling2D(name="pool5")(features)
    return layers.Dense(classes, name="fc")(x)
