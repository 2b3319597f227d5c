"""Szegedy et al. 2016: figures 10 to 15 (v1), the authors' release (v2), figures 15 to 19 (v2 as in the paper)."""

from papers.counting import Counter
from papers.facts import Facts


def residuals(counter, x, times, *chains):
    """Add modules of chains, each followed by a 1x1 convolution with biases back to the channels of x."""
    for _ in range(times):
        joined = counter.module(x, *chains)
        counter.total += (joined + 1) * x
        counter.multiply_adds += joined * x * counter.size**2
    return x


def v1(width=1.0, per_filter=3, classes=10):
    counter = Counter(width, per_filter)
    x = counter.chain(3, (32, 9, 149), (32, 9, 147), (64, 9, 147), (80, 1, 73), (192, 9, 71), (256, 9, 35))
    counter.size = 35
    residuals(counter, x, 5, [(32, 1)], [(32, 1), (32, 9)], [(32, 1), (32, 9), (32, 9)])
    x += counter.module(x, [(384, 9, 17)], [(192, 1), (192, 9), (256, 9, 17)])
    counter.size = 17
    residuals(counter, x, 10, [(128, 1)], [(128, 1), (128, 7), (128, 7)])
    x += counter.module(x, [(256, 1), (384, 9, 8)], [(256, 1), (256, 9, 8)], [(256, 1), (256, 9), (256, 9, 8)])
    counter.size = 8
    residuals(counter, x, 5, [(192, 1)], [(192, 1), (192, 3), (192, 3)])
    counter.dense(x, classes)
    return counter


def v2_modules(counter, x, a, b, c):
    counter.size = 35
    residuals(counter, x, a, [(32, 1)], [(32, 1), (32, 9)], [(32, 1), (48, 9), (64, 9)])
    x += counter.module(x, [(384, 9, 17)], [(256, 1), (256, 9), (384, 9, 17)])
    counter.size = 17
    residuals(counter, x, b, [(192, 1)], [(128, 1), (160, 7), (192, 7)])
    x += counter.module(x, [(256, 1), (384, 9, 8)], [(256, 1), (288, 9, 8)], [(256, 1), (288, 9), (320, 9, 8)])
    counter.size = 8
    return residuals(counter, x, c, [(192, 1)], [(192, 1), (224, 3), (256, 3)])


def v2(width=1.0, per_filter=3, classes=10):
    counter = Counter(width, per_filter)
    x = counter.chain(3, (32, 9, 149), (32, 9, 147), (64, 9, 147), (80, 1, 73), (192, 9, 71))
    counter.size = 35
    x = counter.module(x, [(96, 1)], [(48, 1), (64, 25)], [(64, 1), (96, 9), (96, 9)], [(64, 1)])
    counter.dense(counter.chain(v2_modules(counter, x, 10, 20, 10), (1536, 1)), classes)
    return counter


def v2_paper(width=1.0, per_filter=3, classes=10):
    counter = Counter(width, per_filter)
    x = counter.chain(3, (32, 9, 149), (32, 9, 147), (64, 9, 147))
    x += counter.chain(x, (96, 9, 73))
    counter.size = 73
    x = counter.module(x, [(64, 1), (96, 9, 71)], [(64, 1), (64, 7), (64, 7), (96, 9, 71)])
    x += counter.chain(x, (192, 9, 35))
    counter.dense(v2_modules(counter, x, 5, 10, 5), classes)
    return counter


assert v1(classes=1000).total == 22_769_848
assert v2(classes=1000).total == 55_873_736
assert v2(classes=1000, per_filter=4).total == 55_904_008
assert v2(classes=1000).multiply_adds == 13_155_794_016
assert v2_paper(classes=1000).total == 32_450_360
assert v2_paper(classes=1000, per_filter=4).total == 32_466_792
assert v2_paper(classes=1000).multiply_adds == 9_257_953_632

STEM = {"stem_a_3x3": (149, 149, 32), "stem_b_3x3": (147, 147, 32), "stem_c_3x3": (147, 147, 64)}
STEM_V3 = {**STEM, "stem_d_pool": (73, 73, 64), "stem_e_1x1": (73, 73, 80), "stem_f_3x3": (71, 71, 192)}
STEM_V4 = {**STEM, "stem_d": (73, 73, 160), "stem_e": (71, 71, 192), "stem_f": (35, 35, 384)}
GRIDS = {(28, 28): (6, 6), (32, 32): (7, 7), (64, 64): (15, 15), (96, 80): (23, 19), (171, 171): (4, 4),
         (299, 299): (8, 8)}
STEMS = {28: "small", 32: "small", 64: "small", 96: "small", 170: "small", 171: "paper", 299: "paper"}
OPTIONS = {"scale": False, "dropout": 0.2}

FACTS = {
    "inception_resnet_v1": Facts(
        (299, 299, 3), 1000, (22_769_848, 22_742_808), v1(classes=1000).multiply_adds,
        {**STEM_V3, "stem_g_3x3": (35, 35, 256), "A_5": (35, 35, 256), "reductionA": (17, 17, 896),
         "B_10": (17, 17, 896), "reductionB": (8, 8, 1792), "C_5": (8, 8, 1792), "pool": (1792,), "fc": (1000,)},
        "C_5", GRIDS, 1792, {0.5: v1(0.5).total, 0.1: v1(0.1).total}, stems=STEMS,
        small=(v1().total, v1().total - 2 * v1().filters), options=OPTIONS),
    "inception_resnet_v2": Facts(
        (299, 299, 3), 1000, (55_873_736, 55_813_192), 13_155_794_016,
        {**STEM_V3, "stem_g_pool": (35, 35, 192), "mixed5b": (35, 35, 320), "block35_10": (35, 35, 320),
         "mixed6a": (17, 17, 1088), "block17_20": (17, 17, 1088), "mixed7a": (8, 8, 2080), "block8_9": (8, 8, 2080),
         "block8_10_add": (8, 8, 2080), "conv7b_relu": (8, 8, 1536), "pool": (1536,), "fc": (1000,)},
        "conv7b_relu", GRIDS, 1536, {0.5: v2(0.5).total, 0.1: v2(0.1).total, 1 / 8: v2(1 / 8).total}, stems=STEMS,
        small=(v2().total, v2().total - 2 * v2().filters), options=OPTIONS, variants=(
            ({"include_top": False}, (54_336_736, 54_276_192)),
            ({"scale": True}, (55_904_008, 55_843_464)))),
    "inception_resnet_v2_paper": Facts(
        (299, 299, 3), 1000, (32_450_360, 32_417_496), 9_257_953_632,
        {**STEM_V4, "A_5": (35, 35, 384), "reductionA": (17, 17, 1152), "B_10": (17, 17, 1152),
         "reductionB": (8, 8, 2144), "C_5": (8, 8, 2144), "pool": (2144,), "fc": (1000,)},
        "C_5", GRIDS, 2144, {0.5: v2_paper(0.5).total, 0.1: v2_paper(0.1).total}, stems=STEMS,
        small=(v2_paper().total, v2_paper().total - 2 * v2_paper().filters), options=OPTIONS, variants=(
            ({"scale": True}, (32_466_792, 32_433_928)),)),
}
