"""Chollet 2016, figure 5."""

from papers.facts import Facts


def count_all(width=1.0, classes=10, sizes=(149, 147, 74, 37, 19, 10)):
    """All parameters and multiply-adds; batch normalization has four parameters per channel."""
    def scaled(filters):
        return max(1, int(filters * width))

    block1, block2, *entry, exit_flow = sizes
    total = multiply_adds = 0

    def add(weights, filters, size):
        nonlocal total, multiply_adds
        total += weights + 4 * filters
        multiply_adds += weights * size**2

    def separable(before, after, size):
        add(9 * before + before * after, after, size)
        return after

    x, after = scaled(32), scaled(64)
    add(27 * x, x, block1)
    add(9 * x * after, after, block2)
    x = after
    before = block2
    for filters, size in zip((128, 256, 728), entry, strict=True):
        filters = scaled(filters)
        add(x * filters, filters, size)  # the shortcut
        x = separable(separable(x, filters, before), filters, before)
        before = size
    for _ in range(8 * 3):
        x = separable(x, x, before)
    last = scaled(1024)
    add(x * last, last, exit_flow)
    x = separable(separable(x, x, before), last, before)
    x = separable(separable(x, scaled(1536), exit_flow), scaled(2048), exit_flow)
    return total + (x + 1) * classes, multiply_adds + x * classes


assert count_all(classes=1000) == (22_910_480, 8_357_403_496)

FACTS = {"xception": Facts(
    (299, 299, 3), 1000, (22_910_480, 22_855_952), 8_357_403_496,
    {"block1_conv1": (149, 149, 32), "block1_conv2": (147, 147, 64), "block2_add": (74, 74, 128),
     "block3_add": (37, 37, 256), "block4_add": (19, 19, 728), "block12_add": (19, 19, 728),
     "block13_add": (10, 10, 1024), "block14_sepconv1": (10, 10, 1536), "block14_sepconv2": (10, 10, 2048),
     "avg_pool": (2048,), "fc": (1000,)},
    "block14_sepconv2_act", {(28, 28): (4, 4), (32, 32): (4, 4), (64, 64): (8, 8), (96, 80): (12, 10),
                             (103, 103): (4, 4), (299, 299): (10, 10)}, 2048,
    {0.5: count_all(0.5)[0], 0.1: count_all(0.1)[0]},
    stems={28: "small", 32: "small", 64: "small", 96: "small", 102: "small", 103: "paper", 299: "paper"},
    small=(count_all()[0], count_all()[0] - 54_528), options={"dropout": 0.5}, variants=(
        ({"include_top": False}, (20_861_480, 20_806_952)),))}
