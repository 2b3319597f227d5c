"""Lin, Chen and Yan 2013, and the widths of its authors' Caffe file."""

from papers.facts import Facts


def count(first, second, third, channels=3, classes=10):
    """All parameters; a stage is the filters of its convolution and of its 1x1 convolutions."""
    total, before = 0, channels
    for kernel, stage in ((5, first), (5, second), (3, (*third, classes))):
        for index, filters in enumerate(stage):
            kernel_size = kernel if index == 0 else 1
            total += (kernel_size * kernel_size * before + 1) * filters
            before = filters
    return total


PAPER = (192, 160, 96), (192, 192, 192), (192, 192)
assert count(*PAPER) == (14_592 + 30_880 + 15_456) + (460_992 + 37_056 + 37_056) + (331_968 + 37_056 + 1_930) == 966_986
assert count(*PAPER, classes=100) == 984_356

FACTS = {
    "nin": Facts(
        input_shape=(32, 32, 3),
        classes=10,
        parameters=(966_986, 966_986),
        multiply_adds=222_486_528,
        stages={"mlpconv1_5x5": (32, 32, 192), "mlpconv1_1x1_1": (32, 32, 160), "mlpconv1_1x1_2": (32, 32, 96),
                "pool1": (16, 16, 96),
                "mlpconv2_5x5": (16, 16, 192), "mlpconv2_1x1_1": (16, 16, 192), "mlpconv2_1x1_2": (16, 16, 192),
                "pool2": (8, 8, 192),
                "mlpconv3_3x3": (8, 8, 192), "mlpconv3_1x1_1": (8, 8, 192), "mlpconv3_1x1_2": (8, 8, 10),
                "pool3": (10,)},
        features="mlpconv3_1x1_1",
        grids={(8, 8): (2, 2), (28, 28): (7, 7), (32, 32): (8, 8), (64, 64): (16, 16), (96, 80): (24, 20),
               (33, 47): (8, 11)},  # 33: 16, 8; 47: 23, 11
        width=192,
        narrow={0.5: count((96, 80, 48), (96, 96, 96), (96, 96)), 0.1: count((19, 16, 9), (19, 19, 19), (19, 19))},
        options={"dropout": 0.5},
        variants=(
            ({"classes": 100}, (984_356, 984_356)),
            ({"input_shape": (28, 28, 1)}, (966_986 - 2 * 25 * 192,) * 2),
            ({"include_top": False}, (966_986 - 193 * 10,) * 2),
        ),
    ),
}
