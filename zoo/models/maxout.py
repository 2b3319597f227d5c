"""Maxout networks of convolutions, for CIFAR and for MNIST.

Goodfellow, Warde-Farley, Mirza, Courville and Bengio 2013, 'Maxout Networks', arXiv:1302.4389, sections 3 and 5; the
configurations from its authors' cifar10.yaml and mnist.yaml (pylearn2/scripts/papers/maxout). A maxout unit is the
maximum of a few linear pieces. Feature map sizes after convolution and after pooling:

    maxout        32 -> 33 -> 16, 15 -> 7, 9 -> 5, then 500 units of 5 pieces and a softmax layer
    maxout_mnist  28 -> 21 -> 10,  9 -> 4, 6 -> 3, then a softmax layer

dropout=False leaves out all dropout. The authors also bound the norm of each unit's weights, which the recipe does.

Other implementations: pooling that rounds down where the authors' rounds up gives 4x4 and 3,072 features for the dense
layer of the CIFAR network, not 5x5 and 4,800. The count 471,994 for MNIST is with a bias per position, pylearn2's
default; here, as in the CIFAR network, there is one bias per channel: 418,714.

Differences from the paper: the authors drop a fifth of the image's values without scaling up the rest; Keras scales the
rest by 1.25 during training. Weights are initialized uniformly within 0.005, as theirs: so close to zero that gradient
descent at a learning rate of 0.1 makes no progress in its first hundred steps or more; Adam does.
"""

from keras import initializers, layers

from zoo.layers.blocks import scale_width
from zoo.layers.maxout import Maxout
from zoo.layers.pooling import CeilMaxPooling2D

TABLES = {  # padding, kernel, units, pieces, max pool (size, stride); then units and pieces of a dense layer
    "maxout": (((4, 8,  96, 2, (4, 2)),
                (3, 8, 192, 2, (4, 2)),
                (3, 5, 192, 2, (2, 2))), [(500, 5)]),
    "maxout_mnist": (((0, 8, 48, 2, (4, 2)),
                      (3, 8, 48, 2, (4, 2)),
                      (3, 5, 24, 4, (2, 2))), []),
}

INPUT_DROPOUT = 0.2  # before the first layer
HIDDEN_DROPOUT = 0.5  # before each further layer


def make_uniform_initializer():
    return initializers.RandomUniform(-0.005, 0.005)


def backbone(image, table, *, width, dropout):
    conv_layers, _ = table
    x = image
    for index, (padding, kernel, units, pieces, pool) in enumerate(conv_layers, start=1):
        if dropout:
            x = layers.Dropout(INPUT_DROPOUT if index == 1 else HIDDEN_DROPOUT, name=f"drop{index}")(x)
        if padding:
            x = layers.ZeroPadding2D(padding, name=f"conv{index}_pad")(x)
        x = layers.Conv2D(scale_width(units, width) * pieces, kernel, kernel_initializer=make_uniform_initializer(),
                          name=f"conv{index}")(x)
        x = Maxout(pieces, name=f"conv{index}_maxout")(x)
        x = CeilMaxPooling2D(*pool, name=f"pool{index}")(x)
    return x


def head(features, table, classes, *, width, dropout):
    _, dense_layers = table
    x = layers.Flatten(name="flatten")(features)
    for index, (units, pieces) in enumerate(dense_layers, start=4):
        x = dropout_dense(x, scale_width(units, width) * pieces, dropout, index)
        x = Maxout(pieces, name=f"fc{index}_maxout")(x)
    return dropout_dense(x, classes, dropout, 4 + len(dense_layers))


def dropout_dense(x, units, dropout, index):
    if dropout:
        x = layers.Dropout(HIDDEN_DROPOUT, name=f"drop{index}")(x)
    return layers.Dense(units, kernel_initializer=make_uniform_initializer(), name=f"fc{index}")(x)
