"""Szegedy et al. 2015, table 1 and figures 4 to 10, with the numbers of the authors' release."""

from papers.counting import Counter
from papers.facts import Facts


def count_all(width=1.0, per_filter=3, classes=10, aux=None):
    """`aux`: number of pixels after the auxiliary classifier's pooling, all of which its second kernel covers."""
    counter = Counter(width, per_filter)
    x = counter.chain(3, (32, 9, 149), (32, 9, 147), (64, 9, 147), (80, 1, 73), (192, 9, 71))
    counter.size = 35
    for projection in (32, 64, 64):
        x = counter.module(x, [(64, 1)], [(48, 1), (64, 25)], [(64, 1), (96, 9), (96, 9)], [(projection, 1)])
    x += counter.module(x, [(384, 9, 17)], [(64, 1), (96, 9), (96, 9, 17)])
    counter.size = 17
    for c7 in (128, 160, 160, 192):
        x = counter.module(x, [(192, 1)], [(c7, 1), (c7, 7), (192, 7)],
                           [(c7, 1), (c7, 7), (c7, 7), (c7, 7), (192, 7)], [(192, 1)])
    tap = x
    x += counter.module(x, [(192, 1), (320, 9, 8)], [(192, 1), (192, 7), (192, 7), (192, 9, 8)])
    counter.size = 8
    for _ in range(2):
        ones = counter.module(x, [(320, 1)], [(192, 1)])
        middle, double = counter.chain(x, (384, 1)), counter.chain(x, (448, 1), (384, 9))
        x = ones + sum(counter.chain(before, (384, 3)) for before in (middle, middle, double, double))
    counter.dense(x, classes)
    if aux:
        counter.dense(counter.chain(tap, (128, 1, 5), (768, aux, 1)), classes)
    return counter


def count(*arguments, **keywords):
    return count_all(*arguments, **keywords).total


FILTERS = 17_216  # of all convolutions
assert count(classes=1000) == 23_851_784
assert count_all(classes=1000).multiply_adds == 5_713_216_096
assert count(classes=1000, aux=25) == 27_179_376
assert count_all(classes=1000, aux=25).multiply_adds == 5_718_899_296
assert count_all().filters == FILTERS
assert count() == 21_823_274

FACTS = {"inception_v3": Facts(
    (299, 299, 3), 1000, (23_851_784, 23_817_352), 5_713_216_096,
    {"stem_a_3x3": (149, 149, 32), "stem_b_3x3": (147, 147, 32), "stem_c_3x3": (147, 147, 64),
     "stem_d_pool": (73, 73, 64), "stem_e_1x1": (73, 73, 80), "stem_f_3x3": (71, 71, 192),
     "stem_g_pool": (35, 35, 192), "mixed0": (35, 35, 256), "mixed1": (35, 35, 288), "mixed2": (35, 35, 288),
     "mixed3": (17, 17, 768), "mixed4": (17, 17, 768), "mixed5": (17, 17, 768), "mixed6": (17, 17, 768),
     "mixed7": (17, 17, 768), "mixed8": (8, 8, 1280), "mixed9": (8, 8, 2048), "mixed10": (8, 8, 2048),
     "pool": (2048,), "fc": (1000,), "aux1_pool": (5, 5, 768), "aux1_conv1": (5, 5, 128), "aux1_conv2": (1, 1, 768),
     "aux1_fc": (1000,)},
    "mixed10", {(28, 28): (6, 6), (32, 32): (7, 7), (64, 64): (15, 15), (96, 80): (23, 19), (171, 171): (4, 4),
                (299, 299): (8, 8)}, 2048,
    {0.5: count(0.5), 0.1: count(0.1)},
    stems={28: "small", 32: "small", 64: "small", 96: "small", 170: "small", 171: "paper", 299: "paper"},
    small=(21_823_274, 21_823_274 - 2 * FILTERS), options={"scale": False, "dropout": 0.2},
    aux_loss_weights={"aux1": 0.4}, variants=(
        ({"include_top": False}, (21_802_784, 21_768_352)),
        ({"scale": True}, (23_869_000, 23_834_568)),
        ({"aux": True}, (27_179_376, 27_143_152)),
        ({"aux": True, "scale": True}, (27_197_488, 27_161_264)),
        # 15x15 in mixed7: the pool leaves 4x4; 96x80: 47x39 leave 15x12, of which the convolution covers 5x5
        ({"input_shape": (32, 32, 3), "classes": 10, "aux": True},
         (count(aux=16), count(aux=16) - 2 * (FILTERS + 896))),
        ({"input_shape": (96, 80, 3), "classes": 10, "aux": True},
         (count(aux=25), count(aux=25) - 2 * (FILTERS + 896)))))}
