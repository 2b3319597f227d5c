"""Szegedy et al. 2016, figures 3 to 9."""

from papers.counting import Counter
from papers.facts import Facts


def count_all(width=1.0, per_filter=4, classes=10):
    counter = Counter(width, per_filter)
    x = counter.chain(3, (32, 9, 149), (32, 9, 147), (64, 9, 147))
    x += counter.chain(x, (96, 9, 73))
    counter.size = 73
    x = counter.module(x, [(64, 1), (96, 9, 71)], [(64, 1), (64, 7), (64, 7), (96, 9, 71)])
    x += counter.chain(x, (192, 9, 35))
    counter.size = 35
    for _ in range(4):
        x = counter.module(x, [(96, 1)], [(64, 1), (96, 9)], [(64, 1), (96, 9), (96, 9)], [(96, 1)])
    x += counter.module(x, [(384, 9, 17)], [(192, 1), (224, 9), (256, 9, 17)])
    counter.size = 17
    for _ in range(7):
        x = counter.module(x, [(384, 1)], [(192, 1), (224, 7), (256, 7)],
                           [(192, 1), (192, 7), (224, 7), (224, 7), (256, 7)], [(128, 1)])
    x += counter.module(x, [(192, 1), (192, 9, 8)], [(256, 1), (256, 7), (320, 7), (320, 9, 8)])
    counter.size = 8
    for _ in range(3):
        ones = counter.module(x, [(256, 1)], [(256, 1)])
        middle, double = counter.chain(x, (384, 1)), counter.chain(x, (384, 1), (448, 3), (512, 3))
        x = ones + sum(counter.chain(before, (256, 3)) for before in (middle, middle, double, double))
    counter.dense(x, classes)
    return counter


def count(*arguments, **keywords):
    return count_all(*arguments, **keywords).total


FILTERS = 31_584  # of all convolutions
assert count(classes=1000) == 42_742_984
assert count(classes=1000, per_filter=3) == 42_711_400
assert count_all(classes=1000).multiply_adds == 12_253_974_624
assert count_all().filters == FILTERS
assert count() == 41_221_354

FACTS = {"inception_v4": Facts(
    (299, 299, 3), 1000, (42_742_984, 42_679_816), 12_253_974_624,
    {"stem_a_3x3": (149, 149, 32), "stem_b_3x3": (147, 147, 32), "stem_c_3x3": (147, 147, 64), "stem_d": (73, 73, 160),
     "stem_e": (71, 71, 192), "stem_f": (35, 35, 384), "A_4": (35, 35, 384), "reductionA": (17, 17, 1024),
     "B_7": (17, 17, 1024), "reductionB": (8, 8, 1536), "C_3": (8, 8, 1536), "pool": (1536,), "fc": (1000,)},
    "C_3", {(28, 28): (6, 6), (32, 32): (7, 7), (64, 64): (15, 15), (96, 80): (23, 19), (171, 171): (4, 4),
            (299, 299): (8, 8)}, 1536,
    {0.5: count(0.5), 0.1: count(0.1)},
    stems={28: "small", 32: "small", 64: "small", 96: "small", 170: "small", 171: "paper", 299: "paper"},
    small=(41_221_354, 41_221_354 - 2 * FILTERS), options={"scale": True, "dropout": 0.2}, variants=(
        ({"scale": False}, (42_711_400, 42_648_232)),))}
