"""GoogLeNet, the first Inception network.

Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich 2014, 'Going Deeper with Convolutions',
arXiv:1409.4842, table 1 and figure 3; where the paper is silent, as BVLC's Caffe model, to which this is equal. At
224x224: conv1 112x112x64, pool1 56x56x64, conv2 56x56x192, pool2 28x28x192, inception (3b) 28x28x480, (4a) 14x14x512,
(4e) 14x14x832, (5b) 7x7x1024.

Auxiliary classifiers, for training only, are attached to 4a and 4d (section 5): 5x5 average pooling with stride 3, 1x1
convolution with 128 filters, 1024 units, dropout of 0.7; each loss has weight 0.3.

stem="small", our own, for images of about 32x32 (5,983,802 parameters with 10 classes): conv1 has stride 1, pool1 and
pool2 are gone: 32x32 up to 3b, then 16x16 and 8x8. On feature maps with fewer than 5 rows or columns, the pooling
window of the auxiliary classifiers shrinks to fit.

Other implementations: torchvision's and slim's 5x5 branch is 3x3, kuangliu's two 3x3, and all three have batch
normalization instead of local response normalization; 'same' padding pads conv1 by 2 and 3 where Caffe pads 3 and 3,
and zero padding shifts the windows of pooling by a pixel.

Differences from the paper: local response normalization, for which the paper gives only the position, has BVLC's
constants k=1, n=5, alpha=1e-4/n, beta=0.75; the initialization is BVLC's too: weights uniform within sqrt(3 / fan-in),
which Caffe calls "xavier", and biases 0.2, but 0 before a softmax. The table's parameter counts are those of a network
without biases, and rounded (conv1: '2.7K' for 9,408).
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.inception import inception_module
from zoo.layers.normalization import LocalResponseNormalization
from zoo.layers.pooling import CeilMaxPooling2D

#                       #1x1 #3x3   #3x3 #5x5   #5x5 pool
#                            reduce      reduce      proj
TABLES = {"googlenet": {
    "3a": (64,  96,  128, 16, 32,  32),
    "3b": (128, 128, 192, 32, 96,  64),
    "4a": (192, 96,  208, 16, 48,  64),
    "4b": (160, 112, 224, 24, 64,  64),
    "4c": (128, 128, 256, 24, 64,  64),
    "4d": (112, 144, 288, 32, 64,  64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}}
POOL_AFTER = {"3b": "pool3", "4e": "pool4"}
AUX_INPUTS = {"aux1": "4a", "aux2": "4d"}


def get_initializers(bias):
    return {"kernel_initializer": initializers.VarianceScaling(1.0, "fan_in", "uniform"),
            "bias_initializer": initializers.Constant(bias)}


def conv_relu(x, filters, kernel_size, stride=1, padding="same", *, name):
    return layers.Conv2D(filters, kernel_size, stride, padding=padding, activation="relu", **get_initializers(0.2),
                         name=name)(x)


def local_response_norm(x, index):
    return LocalResponseNormalization(bias=1.0, alpha=1e-4 / 5, beta=0.75, depth=5, name=f"norm{index}")(x)


def conv1(image, width, stride):
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    return conv_relu(x, scale_width(64, width), 7, stride, "valid", name="conv1")


def conv2(x, width):
    x = conv_relu(x, scale_width(64, width), 1, name="conv2_reduce")
    return conv_relu(x, scale_width(192, width), 3, name="conv2")


def paper_stem(image, width):
    x = CeilMaxPooling2D(3, 2, name="pool1")(conv1(image, width, 2))
    x = local_response_norm(conv2(local_response_norm(x, 1), width), 2)
    return CeilMaxPooling2D(3, 2, name="pool2")(x)


def small_stem(image, width):
    return local_response_norm(conv2(local_response_norm(conv1(image, width, 1), 1), width), 2)


STEMS = {"paper": paper_stem, "small": small_stem}


def inception_branches(conv1x1, reduce3x3, conv3x3, reduce5x5, conv5x5, pool_proj):
    """Return the branches of figure 2(b)."""
    return [[(conv1x1, 1)],
            [(reduce3x3, 1), (conv3x3, 3)],
            [(reduce5x5, 1), (conv5x5, 5)],
            ["max", (pool_proj, 1)]]


def backbone(image, table, *, width, stem):
    x = STEMS[stem](image, width)
    feature_maps = {}
    for name, filters in table.items():
        x = inception_module(x, inception_branches(*filters), conv_relu, width=width, name=name)
        feature_maps[name] = x
        if name in POOL_AFTER:
            x = CeilMaxPooling2D(3, 2, name=POOL_AFTER[name])(x)
    return x, {aux: feature_maps[name] for aux, name in AUX_INPUTS.items()}


def head(features, table, classes, *, width, dropout):
    x = layers.GlobalAveragePooling2D(name="pool5")(features)
    x = layers.Dropout(dropout, name="drop5")(x)
    return layers.Dense(classes, **get_initializers(0), name="fc")(x)


def aux_head(x, table, classes, *, width, aux_dropout, name):
    x = layers.AveragePooling2D([min(5, size) for size in x.shape[1:3]], 3, name=f"{name}_pool")(x)
    x = conv_relu(x, scale_width(128, width), 1, name=f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(scale_width(1024, width), activation="relu", **get_initializers(0.2), name=f"{name}_fc1")(x)
    x = layers.Dropout(aux_dropout, name=f"{name}_drop")(x)
    return layers.Dense(classes, **get_initializers(0), name=f"{name}_fc2")(x)
