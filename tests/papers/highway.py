"""Srivastava, Greff and Schmidhuber 2015, and their files cifar10_network.prototxt and mnist_network.prototxt."""

from papers.facts import Facts


def highway_layers(count, filters):
    return count * 2 * (9 * filters + 1) * filters  # h and the gate


def cifar_count(first, second, third, last, channels=3, classes=10):
    convolutions = (9 * channels + 1) * first + (9 * first + 1) * second + (9 * second + 1) * third + (third + 1) * last
    highways = highway_layers(4, first) + highway_layers(5, second) + highway_layers(5, third)
    return convolutions + highways + (last + 1) * classes


def mnist_count(filters, channels=1, pixels=9, classes=10):
    """`pixels`: size of the last feature map."""
    return (25 * channels + 1) * filters + highway_layers(8, filters) + (pixels * filters + 1) * classes


assert cifar_count(32, 80, 128, 100) == 2_256_838  # the paper: 2.3M
assert mnist_count(32) == 151_690  # the paper: 151K
assert mnist_count(16) == 38_986  # the paper: 39K

FACTS = {
    "highway": Facts(
        input_shape=(32, 32, 3),
        classes=10,
        parameters=(2_256_838, 2_256_838),
        multiply_adds=330_826_728,
        stages={"conv1": (32, 32, 32), "highway1_4": (32, 32, 32), "pool1": (16, 16, 32),
                "conv2": (16, 16, 80), "highway2_5": (16, 16, 80), "pool2": (8, 8, 80),
                "conv3": (8, 8, 128), "highway3_5": (8, 8, 128), "conv4": (8, 8, 100), "pool3": (100,), "fc": (10,)},
        features="conv4",
        grids={(8, 8): (2, 2), (28, 28): (7, 7), (32, 32): (8, 8), (64, 64): (16, 16), (96, 80): (24, 20),
               (33, 47): (9, 12)},
        width=100,
        narrow={0.5: cifar_count(16, 40, 64, 50), 0.1: cifar_count(3, 8, 12, 10)},
        options={"dropout": True},
        variants=(
            ({"classes": 100}, (2_265_928, 2_265_928)),
            ({"input_shape": (28, 28, 1)}, (2_256_838 - 2 * 9 * 32,) * 2),
            ({"include_top": False}, (2_256_838 - 101 * 10,) * 2),
        ),
    ),
    "highway_mnist": Facts(
        input_shape=(28, 28, 1),
        classes=10,
        parameters=(151_690, 151_690),
        multiply_adds=31_650_624,
        stages={"conv1": (24, 24, 32), "highway1_2": (24, 24, 32), "pool1": (12, 12, 32), "highway2_3": (12, 12, 32),
                "pool2": (6, 6, 32), "highway3_3": (6, 6, 32), "pool3": (3, 3, 32), "flatten": (288,), "fc": (10,)},
        features="pool3",
        grids={(16, 16): (2, 2), (28, 28): (3, 3), (32, 32): (4, 4), (64, 64): (8, 8), (96, 80): (12, 10),
               (33, 47): (4, 5)},  # 96: 92, 46, 23, 12; 80: 76, 38, 19, 10; 33: 29, 14, 7, 4; 47: 43, 21, 10, 5
        width=32,
        narrow={0.5: 38_986, 0.1: mnist_count(3)},
        narrow_shape=(28, 28, 1),
        options={"dropout": True},
        variants=(
            ({"width": 0.5}, (38_986, 38_986)),
            ({"input_shape": (32, 32, 3)}, (mnist_count(32, 3, 16),) * 2),
            ({"include_top": False}, (151_690 - 289 * 10,) * 2),
        ),
    ),
}
