"""Krizhevsky et al. 2012, figure 2 and section 3.5."""

from papers.facts import Facts


def count(c1, c2, c3, c4, c5, fc6, fc7, *, first, groups, grid, classes):
    backbone = ((first**2 * 3 + 1) * c1 + (25 * c1 // groups + 1) * c2 + (9 * c2 + 1) * c3 + (9 * c3 // groups + 1) * c4
                + (9 * c4 // groups + 1) * c5)
    return backbone + (grid**2 * c5 + 1) * fc6 + (fc6 + 1) * fc7 + (fc7 + 1) * classes


def at_32(*widths):
    """Parameters with a 5x5 first kernel and feature maps of 32, 16, 8 and 4."""
    return count(*widths, first=5, groups=2, grid=4, classes=10)


WIDTHS = (96, 256, 384, 384, 256, 4096, 4096)
assert count(*WIDTHS, first=11, groups=2, grid=6, classes=1000) == 60_965_224
assert at_32(*WIDTHS) == 35_910_026

FACTS = {"alexnet": Facts(
    (227, 227, 3), 1000, (60_965_224, 60_965_224), 724_406_816,
    {"conv1": (55, 55, 96), "norm1": (55, 55, 96), "pool1": (27, 27, 96), "conv2": (27, 27, 256),
     "pool2": (13, 13, 256), "conv3": (13, 13, 384), "conv4": (13, 13, 384), "conv5": (13, 13, 256),
     "pool5": (6, 6, 256), "fc6": (4096,), "fc7": (4096,), "fc8": (1000,)},
    "pool5", {(28, 28): (3, 3), (32, 32): (4, 4), (64, 64): (8, 8), (96, 80): (12, 10), (33, 35): (4, 4),
              (135, 135): (4, 4), (224, 224): (6, 6), (227, 227): (6, 6)}, 256,
    {0.5: at_32(48, 128, 192, 192, 128, 2048, 2048),
     0.1: at_32(8, 24, 38, 38, 24, 409, 409)},  # multiples of the two towers
    stems={28: "small", 32: "small", 64: "small", 96: "small", 134: "small", 135: "paper", 227: "paper"},
    small=(35_910_026, 35_910_026), options={"groups": 2, "dropout": 0.5}, variants=(
        ({"groups": 1}, (62_378_344, 62_378_344)),
        ({"input_shape": (224, 224, 3)}, (60_965_224, 60_965_224))))}  # the size that the paper prints
