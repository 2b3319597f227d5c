"""He, Zhang, Ren and Sun 2015, table 3. Its complexity column says 1.90e10 and 2.32e10."""

from papers.facts import Facts

FILTERS = (96, 256, 512, 512)


def count(depth, kernel, filters=FILTERS, dense=4096, channels=3, classes=1000):
    """All parameters: weights, biases, and a slope for every channel and every unit but the last."""
    total, before = 0, channels
    for kernel_size, after in [(kernel, filters[0])] + [(3, after) for after in filters[1:] for _ in range(depth)]:
        total += kernel_size * kernel_size * before * after + 2 * after
        before = after
    pyramid = (7 * 7 + 3 * 3 + 2 * 2 + 1) * before
    return total + pyramid * dense + 2 * dense + dense * dense + 2 * dense + (dense + 1) * classes


def multiply_adds(depth):
    total = 112 * 112 * 49 * 3 * 96
    for size, before, after in ((56, 96, 256), (28, 256, 512), (14, 512, 512)):
        total += size * size * 9 * (before * after + (depth - 1) * after * after)
    return total + 63 * 512 * 4096 + 4096 * 4096 + 4096 * 1000


A, B = count(5, 7), count(6, 7)
SLOPES = 96 + 5 * 256 + 10 * 512 + 2 * 4096, 96 + 6 * 256 + 12 * 512 + 2 * 4096
assert (A - SLOPES[0], B - SLOPES[1], *SLOPES) == (178_017_384, 183_327_080, 14_688, 15_968)
assert (multiply_adds(5), multiply_adds(6)) == (19_058_106_368, 23_219_904_512)


def make_facts(depth, parameters, small, macs):
    """Return the facts that A and B share; `depth`: layers of a stage."""
    dense = 63 * 512 * 4096 + 2 * 4096 + 4096 * 4096 + 2 * 4096 + 4097 * 1000
    return Facts(
        input_shape=(224, 224, 3),
        classes=1000,
        parameters=(parameters, parameters),
        multiply_adds=macs,
        stages={"conv1": (112, 112, 96), "conv1_prelu": (112, 112, 96), "pool1": (56, 56, 96),
                f"conv2_{depth}": (56, 56, 256), "pool2": (28, 28, 256), f"conv3_{depth}": (28, 28, 512),
                "pool3": (14, 14, 512), f"conv4_{depth}": (14, 14, 512), f"conv4_{depth}_prelu": (14, 14, 512),
                "spp": (63 * 512,), "fc6": (4096,), "fc6_prelu": (4096,), "fc7": (4096,), "fc7_prelu": (4096,),
                "fc8": (1000,)},
        features=f"conv4_{depth}_prelu",
        grids={(16, 16): (4, 4), (28, 28): (7, 7), (32, 32): (8, 8), (62, 62): (15, 15), (63, 63): (4, 4),
               (64, 64): (4, 4), (96, 80): (6, 5), (97, 131): (6, 8), (224, 224): (14, 14)},
        width=512,
        narrow={0.5: count(depth, 3, (48, 128, 256, 256), 2048, classes=10),
                0.1: count(depth, 3, (9, 25, 51, 51), 409, classes=10)},
        stems={28: "small", 32: "small", 62: "small", 63: "paper", 64: "paper", 96: "paper", 224: "paper"},
        small=(small, small),
        options={"dropout": 0.5},
        variants=(
            ({"include_top": False}, (parameters - dense,) * 2),
            ({"input_shape": (96, 80, 1)}, (parameters - 2 * 49 * 96,) * 2),  # the same whatever the size
            ({"input_shape": (32, 32, 3), "classes": 100}, (small + 90 * 4097,) * 2),
            ({"input_shape": (32, 32, 3), "classes": 10, "stem": "paper"}, (count(depth, 7, classes=10),) * 2),
        ),
    )


assert (count(5, 3, classes=10), count(6, 3, classes=10)) == (173_964_522, 179_275_498)

FACTS = {
    "msra_a": make_facts(5, 178_032_072, 173_964_522, 19_058_106_368),
    "msra_b": make_facts(6, 183_343_048, 179_275_498, 23_219_904_512),
}
assert (A, B) == tuple(network.parameters[0] for network in FACTS.values())
