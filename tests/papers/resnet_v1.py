"""He et al. 2015, 'Deep Residual Learning': tables 1 and 6, section 4.2, and arithmetic."""

from papers.counting import Counter
from papers.facts import Facts

BASIC, WIDE = (64, 128, 256, 512), (256, 512, 1024, 2048)
IMAGENET = {"resnet18_v1": (2, 2, 2, 2), "resnet34_v1": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3),
            "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
CIFAR = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18}  # 6n + 2 layers


def count(blocks, outputs, stem, *, bottleneck=False, biases=False, projections=True, size=32, width=1.0, kernel=3,
          classes=10):
    """Return the Counter of a network whose stages end with `outputs` channels; `size`: of conv2_x.

    A convolution has batch normalization, four parameters per filter, and perhaps a bias.
    """
    counter = Counter(per_filter=5 if biases else 4)
    before = counter.chain(3, (max(1, int(stem * width)), kernel**2, 112 if kernel == 7 else size))
    for stage, (depth, channels) in enumerate(zip(blocks, outputs, strict=True)):
        counter.size, channels = size >> stage, max(1, int(channels * width))
        inner = max(1, channels // 4)
        for index in range(depth):
            after = counter.chain(before, *([(inner, 1), (inner, 9), (channels, 1)] if bottleneck else
                                            [(channels, 9), (channels, 9)]))
            if projections and index == 0 and (stage or bottleneck):
                counter.chain(before, (channels, 1))
            before = after
    counter.dense(before, classes)
    return counter


def count_parameters(counter):
    """Return all parameters, and those but the moving mean and variance of each filter."""
    return counter.total, counter.total - 2 * counter.filters


def make_imagenet_facts(name):
    bottleneck = name in ("resnet50", "resnet101", "resnet152")
    outputs, depths = WIDE if bottleneck else BASIC, IMAGENET[name]
    kind = {"bottleneck": bottleneck, "biases": bottleneck}
    paper = count(depths, outputs, 64, size=56, kernel=7, classes=1000, **kind)
    small = count(depths, outputs, 64, **kind)
    v1_5 = count(depths, outputs, 64, size=56, kernel=7, classes=1000, bottleneck=True)
    stages = {"conv1": (112, 112, 64), "pool1": (56, 56, 64)}
    stages |= {f"conv{stage}_{depth}_relu": (112 >> stage - 1, 112 >> stage - 1, channels)
               for stage, depth, channels in zip(range(2, 6), depths, outputs, strict=True)}
    return Facts(
        (224, 224, 3), 1000, PARAMETERS[name], paper.multiply_adds,
        {**stages, "pool5": (outputs[-1],), "fc": (1000,)}, f"conv5_{depths[-1]}_relu", GRIDS, outputs[-1],
        {scale: count(depths, outputs, 64, width=scale, **kind).total for scale in (0.5, 0.1)}, stems=STEMS,
        small=count_parameters(small), options={"v1_5": False} if bottleneck else {},
        variants=(({"v1_5": True}, count_parameters(v1_5)),) if bottleneck else ())


def make_cifar_facts(name):
    """Section 4.2: feature maps of 32, 16 and 8 pixels with 16, 32 and 64 filters; shortcuts have no parameters."""
    depth = CIFAR[name]

    def count_at(width):
        return count((depth,) * 3, (16, 32, 64), 16, projections=False, width=width)

    return Facts(
        (32, 32, 3), 10, PARAMETERS[name], count_at(1).multiply_adds,
        {"conv1": (32, 32, 16), f"conv2_{depth}_relu": (32, 32, 16), f"conv3_{depth}_relu": (16, 16, 32),
         f"conv4_{depth}_relu": (8, 8, 64), "pool4": (64,), "fc": (10,)}, f"conv4_{depth}_relu",
        {(28, 28): (7, 7), (32, 32): (8, 8), (33, 32): (9, 8), (64, 64): (16, 16)}, 64,
        {scale: count_at(scale).total for scale in (0.5, 0.1, 1e-9)})


# All and trainable: of torchvision (18, 34), keras.applications (50, 101, 152) and a PyTorch network of the paper
PARAMETERS = {"resnet18_v1": (11_699_112, 11_689_512), "resnet34_v1": (21_814_696, 21_797_672),
              "resnet50": (25_636_712, 25_583_592), "resnet101": (44_707_176, 44_601_832),
              "resnet152": (60_419_944, 60_268_520),
              "resnet20": (271_098, 269_722), "resnet32": (466_426, 464_154), "resnet44": (661_754, 658_586),
              "resnet56": (857_082, 853_018), "resnet110": (1_736_058, 1_727_962)}
GRIDS = {(28, 28): (4, 4), (32, 32): (4, 4), (64, 64): (8, 8), (97, 97): (4, 4), (224, 224): (7, 7), (97, 96): (13, 12)}
STEMS = {28: "small", 32: "small", 64: "small", 96: "small", 97: "paper", 224: "paper"}
FACTS = {**{name: make_imagenet_facts(name) for name in IMAGENET}, **{name: make_cifar_facts(name) for name in CIFAR}}

# Table 6, in millions: 1.7 for resnet110; table 1, in billions: without the projections 1.8, 3.6, 3.8, 7.6 and 11.3
assert [round(PARAMETERS[name][1] / 1e6, 2) for name in CIFAR] == [0.27, 0.46, 0.66, 0.85, 1.73]
assert [round(FACTS[name].multiply_adds / 1e9, 1) for name in IMAGENET] == [1.8, 3.7, 3.9, 7.6, 11.3]
