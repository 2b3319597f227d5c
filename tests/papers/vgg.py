"""Simonyan and Zisserman 2014, table 1, configurations D and E."""

from papers.facts import Facts

D = (64, 64, 128, 128, *[256] * 3, *[512] * 3, *[512] * 3)
E = (64, 64, 128, 128, *[256] * 4, *[512] * 4, *[512] * 4)


def count(convolutions, dense):
    """All parameters at 32x32x3 with 10 classes: the backbone ends with 1x1."""
    chain = [3, *convolutions]
    backbone = sum((9 * before + 1) * after for before, after in zip(chain, convolutions, strict=False))
    return backbone + (convolutions[-1] + 1) * dense + (dense + 1) * dense + (dense + 1) * 10


assert count(D, 4096) == 33_638_218


def narrow(column):
    return {0.5: count([filters // 2 for filters in column], 2048),
            0.1: count([{64: 6, 128: 12, 256: 25, 512: 51}[filters] for filters in column], 409)}


def stages(depth):
    """`depth` is the number of convolutions in each of the last three stages."""
    return {"conv1_2": (224, 224, 64), "pool1": (112, 112, 64), "conv2_2": (112, 112, 128), "pool2": (56, 56, 128),
            f"conv3_{depth}": (56, 56, 256), "pool3": (28, 28, 256), f"conv4_{depth}": (28, 28, 512),
            "pool4": (14, 14, 512), f"conv5_{depth}": (14, 14, 512), "pool5": (7, 7, 512), "fc6": (4096,),
            "fc7": (4096,), "fc8": (1000,)}


GRIDS = {(16, 16): (1, 1), (28, 28): (1, 1), (32, 32): (1, 1), (64, 64): (2, 2), (96, 80): (3, 2), (16, 64): (1, 2),
         (150, 150): (4, 4), (224, 224): (7, 7)}
OPTIONS = {"batch_norm": False, "dropout": 0.5}
SMALL = {"input_shape": (32, 32, 3), "classes": 100}

FACTS = {
    "vgg16": Facts(
        (224, 224, 3), 1000, (138_357_544, 138_357_544), 15_470_264_320, stages(3), "pool5", GRIDS, 512, narrow(D),
        options=OPTIONS, variants=(
            ({"include_top": False}, (14_714_688, 14_714_688)),
            (SMALL, (34_006_948, 34_006_948)),
            ({**SMALL, "batch_norm": True}, (34_023_844, 34_015_396)),
            ({**SMALL, "classes": 10}, (33_638_218, 33_638_218)))),
    "vgg19": Facts(
        (224, 224, 3), 1000, (143_667_240, 143_667_240), 19_632_062_464, stages(4), "pool5", GRIDS, 512, narrow(E),
        options=OPTIONS, variants=(
            ({"include_top": False}, (20_024_384, 20_024_384)),
            (SMALL, (39_316_644, 39_316_644)),
            ({**SMALL, "batch_norm": True}, (39_338_660, 39_327_652)))),
}
