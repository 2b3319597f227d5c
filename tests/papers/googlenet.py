"""Szegedy et al. 2014, table 1."""

from papers.counting import Counter
from papers.facts import Facts

#         before  #1x1 reduce 3x3 reduce 5x5 proj
ROWS = {"3a": (192, 64,  96,  128, 16, 32,  32),
        "3b": (256, 128, 128, 192, 32, 96,  64),
        "4a": (480, 192, 96,  208, 16, 48,  64),
        "4b": (512, 160, 112, 224, 24, 64,  64),
        "4c": (512, 128, 128, 256, 24, 64,  64),
        "4d": (512, 112, 144, 288, 32, 64,  64),
        "4e": (528, 256, 160, 320, 32, 128, 128),
        "5a": (832, 256, 160, 320, 32, 128, 128),
        "5b": (832, 384, 192, 384, 48, 128, 128)}


def count(width=1.0, classes=10, aux_grids=()):
    """`aux_grids`: number of pixels after the auxiliary classifiers' pooling of 4a and 4d; empty without them."""
    counter = Counter(width, per_filter=1)
    x = counter.chain(3, (64, 49), (64, 1), (192, 9))
    taps = []
    for name, (before, ones, reduce3, threes, reduce5, fives, projection) in ROWS.items():
        assert x == before or width != 1
        x = counter.module(x, [(ones, 1)], [(reduce3, 1), (threes, 9)], [(reduce5, 1), (fives, 25)], [(projection, 1)])
        taps += [x] if name in ("4a", "4d") else []
    counter.dense(x, classes)
    for tap, pixels in zip(taps, aux_grids, strict=False):
        hidden = counter.dense(pixels * counter.chain(tap, (128, 1)), counter.scaled(1024))
        counter.dense(hidden, classes)
    return counter.total


assert count(classes=1000) == 6_998_552
assert count(classes=1000, aux_grids=(16, 16)) == 13_378_280

FACTS = {"googlenet": Facts(
    (224, 224, 3), 1000, (6_998_552, 6_998_552), 1_582_671_872,
    {"conv1": (112, 112, 64), "pool1": (56, 56, 64), "conv2": (56, 56, 192), "pool2": (28, 28, 192),
     "3a": (28, 28, 256), "3b": (28, 28, 480), "pool3": (14, 14, 480), "4a": (14, 14, 512), "4b": (14, 14, 512),
     "4c": (14, 14, 512), "4d": (14, 14, 528), "4e": (14, 14, 832), "pool4": (7, 7, 832), "5a": (7, 7, 832),
     "5b": (7, 7, 1024), "pool5": (1024,), "fc": (1000,),
     "aux1_pool": (4, 4, 512), "aux1_conv": (4, 4, 128), "aux1_fc1": (1024,), "aux1_fc2": (1000,),
     "aux2_pool": (4, 4, 528), "aux2_conv": (4, 4, 128), "aux2_fc1": (1024,), "aux2_fc2": (1000,)},
    "5b", {(28, 28): (7, 7), (32, 32): (8, 8), (64, 64): (16, 16), (96, 80): (24, 20), (33, 39): (8, 9),
           (127, 127): (4, 4), (224, 224): (7, 7)}, 1024,
    {0.5: count(0.5), 0.1: count(0.1)},
    stems={28: "small", 32: "small", 64: "small", 96: "small", 126: "small", 127: "paper", 224: "paper"},
    small=(5_983_802, 5_983_802), options={"dropout": 0.4, "aux_dropout": 0.7},
    aux_loss_weights={"aux1": 0.3, "aux2": 0.3}, variants=(
        ({"aux": True}, (13_378_280, 13_378_280)),
        # 16x16 in 4a and 4d: the pool leaves 4x4; at 96x80 with the small stem 48x40 leave 15x12
        ({"input_shape": (32, 32, 3), "classes": 10, "aux": True}, (count(aux_grids=(16, 16)),) * 2),
        ({"input_shape": (96, 80, 3), "classes": 10, "aux": True}, (count(aux_grids=(180, 180)),) * 2),
        ({"input_shape": (28, 28, 3), "classes": 10, "aux": True}, (count(aux_grids=(16, 16)),) * 2),
        ({"include_top": False}, (5_973_552, 5_973_552))))}  # without 1025 * 1000
