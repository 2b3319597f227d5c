"""He et al. 2016 as in keras.applications: its counts, table 1 of He et al. 2015 (arXiv:1512.03385), and arithmetic."""

from papers.counting import Counter
from papers.facts import Facts

OUTPUTS = (256, 512, 1024, 2048)
DEPTHS = {"resnet50_v2": (3, 4, 6, 3), "resnet101_v2": (3, 4, 23, 3), "resnet152_v2": (3, 8, 36, 3)}


def count(depths, *, size=32, width=1.0, kernel=3, classes=10):
    """Return (all parameters, trainable ones, multiply-adds); `size`: of conv2_1."""
    kernels, channels = Counter(per_filter=0), max(1, int(64 * width))
    kernels.chain(3, (channels, kernel**2, 112 if kernel == 7 else size))
    biases, normalized = channels, 0
    for stage, (depth, filters) in enumerate(zip(depths, OUTPUTS, strict=True)):
        filters = max(1, int(filters * width))
        inner = max(1, filters // 4)
        for index in range(depth):
            before, kernels.size = channels, size >> stage  # the last block of a stage halves the feature map
            after = size >> min(stage + (index == depth - 1), 3)
            channels = kernels.chain(before, (inner, 1), (inner, 9, after), (filters, 1, after))
            biases, normalized = biases + filters, normalized + before + 2 * inner
            if index == 0:
                kernels.chain(before, (filters, 1))
                biases += filters
    normalized += channels
    kernels.dense(channels, classes)
    trainable = kernels.total + biases + 2 * normalized
    return trainable + 2 * normalized, trainable, kernels.multiply_adds


def make_facts(name):
    depths = DEPTHS[name]
    *parameters, multiply_adds = count(depths, size=56, kernel=7, classes=1000)
    stages = {f"conv{stage}_{depth}_add": (size, size, channels) for stage, depth, size, channels in
              zip(range(2, 6), depths, (28, 14, 7, 7), OUTPUTS, strict=True)}
    assert tuple(parameters) == PARAMETERS[name]
    return Facts(
        (224, 224, 3), 1000, PARAMETERS[name], multiply_adds,
        {"conv1": (112, 112, 64), "pool1": (56, 56, 64), **stages, "conv5_relu": (7, 7, 2048), "pool5": (2048,),
         "fc": (1000,)}, "conv5_relu", GRIDS, 2048, {width: count(depths, width=width)[0] for width in (0.5, 0.1)},
        stems=STEMS, small=count(depths)[:2])


PARAMETERS = {"resnet50_v2": (25_613_800, 25_568_360), "resnet101_v2": (44_675_560, 44_577_896),
              "resnet152_v2": (60_380_648, 60_236_904)}  # of keras.applications
GRIDS = {(28, 28): (4, 4), (32, 32): (4, 4), (64, 64): (8, 8), (97, 97): (4, 4), (224, 224): (7, 7), (97, 96): (13, 12)}
STEMS = {28: "small", 32: "small", 64: "small", 96: "small", 97: "paper", 224: "paper"}
FACTS = {name: make_facts(name) for name in DEPTHS}

assert FACTS["resnet50_v2"].multiply_adds == 3_482_255_360
