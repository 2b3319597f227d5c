"""LeCun et al. 1998, figure 2, table I and section II-B."""

from papers.facts import Facts

# What the paper prints: 156, 12, 1,516, 32, 48,120 and 10,164 trainable ones, in sum its 60,000; the codes are fixed.
C1, S2, C3, S4, C5, F6 = 26 * 6, 2 * 6, 60 * 25 + 16, 2 * 16, (25 * 16 + 1) * 120, (120 + 1) * 84
CODES = 10 * 84
TRAINABLE = C1 + S2 + C3 + S4 + C5 + F6
assert (C1, S2, C3, S4, C5, F6, TRAINABLE) == (156, 12, 1_516, 32, 48_120, 10_164, 60_000)

# Subsampling multiplies each sum once; a distance takes a multiplication for each of its 84 differences.
MULTIPLY_ADDS = (28 * 28 * 25 * 6 + 14 * 14 * 6 + 10 * 10 * 25 * 60 + 5 * 5 * 16 + 25 * 16 * 120 + 120 * 84 + 10 * 84)
assert MULTIPLY_ADDS == 328_096

FACTS = {
    "lenet5_1998": Facts(
        input_shape=(32, 32, 1),
        classes=10,
        parameters=(TRAINABLE + CODES, 60_000),
        multiply_adds=328_096,
        stages={"C1": (28, 28, 6), "S2": (14, 14, 6), "C3": (10, 10, 16), "S4": (5, 5, 16), "C5": (1, 1, 120),
                "F6": (84,), "output": (10,)},
        features="S4",
        grids=dict.fromkeys([(28, 28), (28, 32), (30, 29), (31, 31), (32, 32)], (5, 5)),
        width=16,
        narrow={},
        stems={28: "paper", 30: "paper", 32: "paper"},
        variants=(
            ({"input_shape": (28, 28, 1)}, (60_840, 60_000)),
            ({"input_shape": (32, 32, 3)}, (60_840 + 2 * 25 * 6, 60_000 + 2 * 25 * 6)),
            ({"classes": 3}, (60_000 + 3 * 84, 60_000)),
            ({"include_top": False}, (156 + 12 + 1_516 + 32,) * 2),
        ),
    ),
}
