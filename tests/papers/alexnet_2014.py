"""Krizhevsky 2014 as torchvision has it: one tower."""

from papers.alexnet import count
from papers.facts import Facts


def at_32(*widths):
    """Parameters with a 5x5 first kernel and feature maps of 32, 15, 7 and 3."""
    return count(*widths, first=5, groups=1, grid=3, classes=10)


WIDTHS = (64, 192, 384, 256, 256, 4096, 4096)
assert count(*WIDTHS, first=11, groups=1, grid=6, classes=1000) == 61_100_840  # and torchvision's
assert at_32(*WIDTHS) == 28_714_826

FACTS = {"alexnet_2014": Facts(
    (224, 224, 3), 1000, (61_100_840, 61_100_840), 714_188_480,
    {"conv1": (55, 55, 64), "pool1": (27, 27, 64), "conv2": (27, 27, 192), "pool2": (13, 13, 192),
     "conv3": (13, 13, 384), "conv4": (13, 13, 256), "conv5": (13, 13, 256), "pool5": (6, 6, 256), "fc6": (4096,),
     "fc7": (4096,), "fc8": (1000,)},
    "pool5", {(16, 16): (1, 1), (28, 28): (2, 2), (32, 32): (3, 3), (64, 64): (7, 7), (96, 80): (11, 9),
              (158, 158): (18, 18), (159, 159): (4, 4), (224, 224): (6, 6), (256, 227): (7, 6)}, 256,
    {0.5: at_32(32, 96, 192, 128, 128, 2048, 2048), 0.1: at_32(6, 19, 38, 25, 25, 409, 409)},
    stems={28: "small", 32: "small", 64: "small", 96: "small", 158: "small", 159: "paper", 224: "paper"},
    small=(28_714_826, 28_714_826), options={"dropout": 0.5})}
