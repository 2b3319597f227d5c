"""Goodfellow et al. 2013, and their files cifar10.yaml and mnist.yaml of pylearn2."""

from papers.facts import Facts


def layer(inputs, units, pieces):
    return (inputs + 1) * units * pieces


def cifar_count(first, second, third, dense, channels=3, pixels=25, classes=10):
    """`pixels`: size of the last feature map."""
    return (layer(64 * channels, first, 2) + layer(64 * first, second, 2) + layer(25 * second, third, 2)
            + layer(pixels * third, dense, 5) + layer(dense, classes, 1))


def mnist_count(first, second, third, channels=1, pixels=9, classes=10):
    return (layer(64 * channels, first, 2) + layer(64 * first, second, 2) + layer(25 * second, third, 4)
            + layer(pixels * third, classes, 1))


assert cifar_count(96, 192, 192, 500) == 16_247_830
assert mnist_count(48, 48, 24) == 418_714

FACTS = {
    "maxout": Facts(
        input_shape=(32, 32, 3),
        classes=10,
        parameters=(16_247_830, 16_247_830),
        multiply_adds=732_290_696,
        stages={"conv1": (33, 33, 192), "conv1_maxout": (33, 33, 96), "pool1": (16, 16, 96),
                "conv2": (15, 15, 384), "conv2_maxout": (15, 15, 192), "pool2": (7, 7, 192),
                "conv3": (9, 9, 384), "conv3_maxout": (9, 9, 192), "pool3": (5, 5, 192),
                "flatten": (4_800,), "fc4": (2_500,), "fc4_maxout": (500,), "fc5": (10,)},
        features="pool3",
        # A size n gives n + 1, then ceil((n - 4) / 2) + 1, less 1, the same again, plus 2, half of it rounded up.
        grids={(16, 16): (3, 3), (28, 28): (4, 4), (32, 32): (5, 5), (64, 64): (9, 9), (96, 80): (13, 11),
               (33, 47): (5, 6)},
        width=192,
        narrow={0.5: cifar_count(48, 96, 96, 250), 0.1: cifar_count(9, 19, 19, 50)},
        options={"dropout": True},
        variants=(
            ({"classes": 100}, (16_292_920, 16_292_920)),
            ({"input_shape": (28, 28, 1)}, (cifar_count(96, 192, 192, 500, channels=1, pixels=16),) * 2),
            ({"include_top": False}, (16_247_830 - layer(4_800, 500, 5) - layer(500, 10, 1),) * 2),
        ),
    ),
    "maxout_mnist": Facts(
        input_shape=(28, 28, 1),
        classes=10,
        parameters=(418_714, 418_714),
        multiply_adds=30_746_736,
        stages={"conv1": (21, 21, 96), "conv1_maxout": (21, 21, 48), "pool1": (10, 10, 48),
                "conv2": (9, 9, 96), "conv2_maxout": (9, 9, 48), "pool2": (4, 4, 48),
                "conv3": (6, 6, 96), "conv3_maxout": (6, 6, 24), "pool3": (3, 3, 24), "flatten": (216,), "fc4": (10,)},
        features="pool3",
        # A size n gives n - 7, then as above.
        grids={(16, 16): (2, 2), (28, 28): (3, 3), (32, 32): (4, 4), (64, 64): (8, 8), (96, 80): (12, 10),
               (33, 47): (4, 5)},
        width=24,
        narrow={0.5: mnist_count(24, 24, 12), 0.1: mnist_count(4, 4, 2)},
        narrow_shape=(28, 28, 1),
        options={"dropout": True},
        variants=(
            ({"input_shape": (32, 32, 3)}, (mnist_count(48, 48, 24, channels=3, pixels=16),) * 2),
            ({"include_top": False}, (418_714 - layer(216, 10, 1),) * 2),
        ),
    ),
}
