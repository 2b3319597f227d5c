"""Ioffe and Szegedy 2015, figure 5, with 96 in 4c and 4d."""

from papers.counting import Counter
from papers.facts import Facts

ROWS = (  # size, #1x1, reduce and #3x3, reduce and double #3x3, projection; None: stride 2, to half of the size
    (28, 64,   (64, 64),   (64, 96),   32),
    (28, 64,   (64, 96),   (64, 96),   64),
    (28, None, (128, 160), (64, 96),   None),
    (14, 224,  (64, 96),   (96, 128),  128),
    (14, 192,  (96, 128),  (96, 128),  128),
    (14, 160,  (128, 160), (128, 160), 96),
    (14, 96,   (128, 192), (160, 192), 96),
    (14, None, (128, 192), (192, 256), None),
    (7,  352,  (192, 320), (160, 224), 128),
    (7,  352,  (192, 320), (192, 224), 128))


def count_all(width=1.0, per_filter=3, classes=10, extra=0):
    """`extra` is added to the projections of 4c and 4d: 32 gives the numbers that the paper prints."""
    counter = Counter(width, per_filter)
    x = counter.chain(3, (64, 49, 112), (64, 1, 56), (192, 9, 56))
    for size, ones, (reduce, threes), (double_reduce, double), projection in ROWS:
        after = size if ones else size // 2
        chains = [[(reduce, 1, size), (threes, 9, after)],
                  [(double_reduce, 1, size), (double, 9, size), (double, 9, after)]]
        projection = 96 + extra if projection == 96 else projection
        chains += [[(ones, 1, size)], [(projection, 1, size)]] if ones else []
        x = counter.module(x, *chains) + (0 if ones else x)  # a pool of stride 2 passes all channels
    counter.dense(x, classes)
    return counter


def count(*arguments, **keywords):
    return count_all(*arguments, **keywords).total


FILTERS = 9_952  # of all convolutions
assert count(classes=1000) == 11_204_936
assert count(classes=1000, extra=32) == 11_295_240
assert count(classes=1000, extra=32, per_filter=4) == 11_305_256
assert count(classes=1000, per_filter=4) - count(classes=1000) == FILTERS

FACTS = {"inception_v2": Facts(
    (224, 224, 3), 1000, (11_204_936, 11_204_936 - 2 * FILTERS), count_all(classes=1000).multiply_adds,
    {"conv1_a_7x7": (112, 112, 64), "conv1_b_pool": (56, 56, 64), "conv2_b_3x3": (56, 56, 192),
     "conv2_c_pool": (28, 28, 192), "3a": (28, 28, 256), "3b": (28, 28, 320), "3c": (14, 14, 576), "4a": (14, 14, 576),
     "4b": (14, 14, 576), "4c": (14, 14, 576), "4d": (14, 14, 576), "4e": (7, 7, 1024), "5a": (7, 7, 1024),
     "5b": (7, 7, 1024), "pool5": (1024,), "fc": (1000,)},
    "5b", {(28, 28): (7, 7), (32, 32): (8, 8), (64, 64): (16, 16), (96, 80): (24, 20), (97, 97): (4, 4),
           (224, 224): (7, 7)}, 1024,
    {0.5: count(0.5), 0.1: count(0.1)},
    stems={28: "small", 32: "small", 64: "small", 96: "small", 97: "paper", 224: "paper"},
    small=(10_190_186, 10_190_186 - 2 * FILTERS), options={"scale": False}, variants=(
        ({"scale": True}, (count(classes=1000, per_filter=4), count(classes=1000, per_filter=4) - 2 * FILTERS)),))}
assert count() == 10_190_186
