"""He et al. 2016; table 1 of He et al. 2015 (arXiv:1512.03385), and the arithmetic of the authors' Torch code."""

from papers.counting import Counter
from papers.facts import Facts


def count(blocks, widths):
    """All parameters of the small stem's network with 10 classes: batch normalization has four per channel."""
    total, before = 9 * 3 * widths[0], widths[0]
    for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
        for index in range(depth):
            total += 4 * before + 9 * before * width + 4 * width + 9 * width * width
            total += before * width if index == 0 and stage > 0 else 0  # the 1x1 projection
            before = width
    return total + 4 * before + (before + 1) * 10


assert count((3, 4, 6, 3), (64, 128, 256, 512)) == 21_295_562
assert count((2, 2, 2, 2), (64, 128, 256, 512)) == 11_179_978


def multiply_adds(blocks):
    """At 224x224 with 1000 classes."""
    total = 112**2 * 49 * 3 * 64
    for stage, (width, depth) in enumerate(zip((64, 128, 256, 512), blocks, strict=True)):
        pixels = (56 >> stage) ** 2
        total += pixels * 9 * width * width * (2 * depth)
        if stage:  # the first convolution reads half of the channels, beside it the projection
            total += pixels * (width // 2 * width - 9 * width // 2 * width)
    return total + 512_000


assert multiply_adds((3, 4, 6, 3)) == 3_663_761_408

GRIDS = {(28, 28): (4, 4), (32, 32): (4, 4), (64, 64): (8, 8), (96, 80): (12, 10), (97, 97): (4, 4),
         (224, 224): (7, 7), (97, 96): (13, 12)}
STEMS = {28: "small", 32: "small", 64: "small", 96: "small", 97: "paper", 224: "paper"}
STAGES = {"conv1": (112, 112, 64), "pool1": (56, 56, 64), "conv2": (56, 56, 64), "conv3": (28, 28, 128),
          "conv4": (14, 14, 256), "conv5": (7, 7, 512), "conv5_relu": (7, 7, 512), "pool5": (512,), "fc": (1000,)}


def stages(*blocks):
    """Table 1; a stage ends with the addition of its last block."""
    last = {f"conv{stage}": f"conv{stage}_{depth}_add" for stage, depth in enumerate(blocks, start=2)}
    return {last.get(name, name): shape for name, shape in STAGES.items()}


def count_cifar(bottleneck, width=1.0):
    """Return the Counter of ResNet-110 or 164: 18 blocks in each of three stages, normalization before convolutions."""
    counter = Counter(per_filter=4, size=32)
    before = counter.chain(3, (max(1, int(16 * width)), 9))  # its normalization is the first block's
    for stage, channels in enumerate((64, 128, 256) if bottleneck else (16, 32, 64)):
        counter.size, channels = 32 >> stage, max(1, int(channels * width))
        inner = max(1, channels // 4)
        for index in range(18):
            after = counter.chain(before, *([(inner, 1), (inner, 9), (channels, 1)] if bottleneck else
                                            [(channels, 9), (channels, 9)]))
            if bottleneck and index == 0:
                counter.chain(before, (channels, 1))
                counter.total, counter.filters = counter.total - 4 * channels, counter.filters - channels
            before = after
    counter.dense(before, 10)
    return counter


def cifar_facts(parameters, bottleneck):
    channels = (64, 128, 256) if bottleneck else (16, 32, 64)
    assert (count_cifar(bottleneck).total, count_cifar(bottleneck).total - 2 * count_cifar(bottleneck).filters
            ) == parameters
    return Facts(
        (32, 32, 3), 10, parameters, count_cifar(bottleneck).multiply_adds,
        {"conv1": (32, 32, 16), "conv2_18_add": (32, 32, channels[0]), "conv3_18_add": (16, 16, channels[1]),
         "conv4_18_add": (8, 8, channels[2]), "conv4_relu": (8, 8, channels[2]), "pool4": (channels[2],), "fc": (10,)},
        "conv4_relu", {(28, 28): (7, 7), (32, 32): (8, 8), (33, 32): (9, 8), (64, 64): (16, 16)}, channels[2],
        {width: count_cifar(bottleneck, width).total for width in (0.5, 0.1)})


FACTS = {
    "resnet18": Facts(
        (224, 224, 3), 1000, (11_695_528, 11_687_720), multiply_adds((2, 2, 2, 2)), stages(2, 2, 2, 2), "conv5_relu",
        GRIDS, 512, {0.5: count((2, 2, 2, 2), (32, 64, 128, 256)), 0.1: count((2, 2, 2, 2), (6, 12, 25, 51))},
        stems=STEMS, small=(11_179_978, 11_172_170)),
    "resnet34": Facts(
        (224, 224, 3), 1000, (21_811_112, 21_795_880), 3_663_761_408, stages(3, 4, 6, 3), "conv5_relu",
        GRIDS, 512, {0.5: count((3, 4, 6, 3), (32, 64, 128, 256)), 0.1: count((3, 4, 6, 3), (6, 12, 25, 51)),
                     1e-9: count((3, 4, 6, 3), (1, 1, 1, 1))},
        stems=STEMS, small=(21_295_562, 21_280_330), variants=(
            ({"input_shape": (32, 32, 3), "classes": 100}, (21_341_732, 21_326_500)),)),
    # both 1.7 M
    "resnet110_v2": cifar_facts((1_736_058, 1_727_962), bottleneck=False),
    "resnet164_v2": cifar_facts((1_727_482, 1_703_258), bottleneck=True),
}
