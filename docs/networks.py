"""The page networks.md: each network's paper beside ours. It is written from the networks themselves:

    python docs/networks.py           writes docs/networks.md
    python docs/networks.py --check   says whether docs/networks.md is what it would write

The paper's side of the tables is what the tests hold the networks against, typed in from the papers: tests/papers/.
"""

import importlib
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "networks.md"
sys.path[:0] = [each for each in (str(ROOT), str(ROOT / "tests")) if each not in sys.path]

import zoo  # noqa: E402
from zoo import devices  # noqa: E402
from zoo.registry import MODELS  # noqa: E402

START = """\
# The networks

What each paper brought, its table beside ours, and where ours differs from it. `python -m zoo summary MODEL` tells the same
of a network at any size.

A multiply-add is one multiplication with its addition, for one picture; biases, activations, normalisation and pools
count nothing. A row of a network's table counts the layers after the row above up to the one that it names, which
`model.get_layer(name)` finds; a dash is nothing. Where a paper's authors released a network that differs from their
table, and ours follows the release, the paper's column has the release's sizes.

<!-- python docs/networks.py writes this page -->
"""

BROUGHT = {  # file: what its paper introduced
    "lenet": """
        Convolutions with shared weights, subsampling and dense layers, trained as one by gradient descent from the
        pixels to the classes: the form that later networks kept. It read the amounts on bank cheques. This is the
        dense version, as it is built today.""",
    "lenet_1998": """
        LeNet-5 as it was published. Each map of C3 sees some maps of S2 only, which saves connections and makes the
        maps differ; subsampling has one trained coefficient and one bias a map; the output is the distance to a drawn
        picture of each character, so that characters that look alike have codes that are alike, and what is no
        character is far from all.""",
    "lenet_bn": """
        Batch normalisation: every feature is brought to mean 0 and variance 1 over the batch, then scaled and shifted
        by trained numbers, so that what a layer reads keeps its distribution while the layers before it learn. This
        small network is made to try the places where it can stand.""",
    "alexnet": """
        It won ILSVRC-2012 by a wide margin, and computer vision turned to deep networks. ReLU in place of tanh, dropout
        in the dense layers, overlapping pools, responses normalised over neighbouring maps, and two GPUs, each with
        half of the maps, which exchange them in some layers only.""",
    "alexnet_2014": """
        AlexNet without the towers, for GPUs with more memory: the paper is on training one network on several of them,
        convolutions by dividing the pictures and dense layers by dividing the units. PyTorch's users know this network
        as AlexNet.""",
    "maxout": """
        A unit that is the maximum of a few linear functions, and so learns a convex activation of its own. It was made
        to go with dropout, whose averaging over thinned networks fits pieces that are linear.""",
    "nin": """
        Where a convolution has a linear filter, a small network of 1x1 convolutions slides over the picture; and the
        mean of one map a class takes the place of dense layers. Nearly all later networks have the one or the
        other.""",
    "vgg": """
        Depth from one simple part: stacks of 3x3 convolutions, two of which see 5x5 pixels and three 7x7, with fewer
        weights and more nonlinearities than one large kernel, and twice the filters after each pool but the last.
        Second in ILSVRC-2014, and for years the network from which others took their features.""",
    "googlenet": """
        The Inception module: 1x1, 3x3 and 5x5 convolutions and a pool side by side, with 1x1 convolutions that narrow
        what the costly ones read. It won ILSVRC-2014 with a ninth of AlexNet's parameters. Auxiliary classifiers bring
        gradients to the middle of the network.""",
    "msra": """
        PReLU, a ReLU whose slope under zero is learned, and an initialisation that keeps the variance of signals from
        layer to layer through rectifiers, with which a plain network of 30 layers begins to learn where the earlier
        rule stalls. The paper was the first to report a smaller error on ImageNet than the one measured for a
        person.""",
    "inception_v2": """
        Batch normalisation, shown on GoogLeNet: with it the network takes rates many times as high, needs neither
        dropout nor response normalisation, and gets to the same accuracy in a fourteenth of the steps. Two 3x3
        convolutions take the place of each 5x5.""",
    "highway": """
        Layers with a learned gate, after those of LSTM, between transforming what they read and passing it on.
        Gradients find a way through many layers: the paper trains networks of hundreds directly. Residual networks,
        later in that year, pass everything on and have no gate.""",
    "inception_v3": """
        Large kernels taken apart, 5x5 into two 3x3 and 7x7 into 1x7 and 7x1; grids that are reduced by a convolution
        and a pool side by side; batch normalization in the auxiliary classifier; and label smoothing, a target that gives
        each wrong class a small share.""",
    "resnet": """
        A residual block adds a correction to its input, and a shortcut carries the input past it. This paper puts
        normalisation and ReLU before the convolutions, so that nothing stands on the way of the shortcuts from the
        first block to the last, and trains networks of 1001 layers.""",
    "inception_v4": """
        Inception drawn anew, deeper and more uniform: one kind of module for each of three sizes of the grid, a stem
        with forks, and none of the compromises that training on many small machines had asked of its predecessors. It
        gets to about where the same paper's residual networks do.""",
    "inception_resnet": """
        Inception modules as residual blocks: a linear 1x1 convolution brings a module's output to the width of its
        input, and the two are added. They train faster than without the addition. Residuals are scaled down before it,
        as with more than a thousand filters training otherwise broke down early.""",
    "xception": """
        Inception taken to its limit: correlations between channels and correlations in space are mapped apart, by
        depthwise separable convolutions, in blocks with shortcuts. With the parameters of Inception v3 it is a little
        more accurate on ImageNet, and clearly so on a larger set of pictures.""",
}


def page(describe=zoo.describe):
    """Return the text of the page; `describe` is there for tests that have described the networks already."""
    groups = [[described(spec, describe) for spec in specs]
              for _, specs in itertools.groupby(MODELS.values(), lambda spec: spec.module)]
    return "\n".join([START, *contents(groups), *(line for group in groups for line in section(group))]) + "\n"


@dataclass
class Described:
    """A network as in its paper, and with its auxiliary classifiers and its small stem if it has them."""

    spec: object
    paper: object  # the tests' facts
    plain: dict
    sided: dict | None
    small: dict | None  # 32x32x3, 10 classes


def described(spec, describe):
    return Described(spec, importlib.import_module(f"papers.{spec.module}").FACTS[spec.name], describe(spec.name),
                     describe(spec.name, aux=True) if spec.aux_loss_weights else None,
                     describe(spec.name, (32, 32, 3), 10) if spec.small_stem_below else None)


def contents(groups):
    yield from ("| network | paper | input | parameters | multiply-adds |", "| --- | --- | --- | ---: | ---: |")
    for each in itertools.chain(*groups):
        spec = each.spec
        yield (f"| [{spec.name}](#{spec.name}) | {spec.paper.short_authors} {spec.paper.year} | {cross(spec.input_shape)} | "
               f"{count(each.plain['parameters'])} | {count(each.plain['multiply_adds'])} |")


def section(group):
    """Return the lines on the networks of one file."""
    spec, told = group[0].spec, group[0].plain
    lines = ["", f"## {', '.join(each.spec.name for each in group)}", "",
             f"{spec.paper.authors} {spec.paper.year}, [{spec.paper.title}]({spec.paper.url}). In "
             f"[zoo/models/{spec.module}.py](../zoo/models/{spec.module}.py).",
             "", " ".join(BROUGHT[spec.module].split())]
    for title, part in (("Differences from the paper", "paper_differences"),
                        ("Other implementations", "implementation_differences")):
        if told[part]:
            lines += ["", f"*{title}:* {escaped(told[part])}"]
    for each in group:
        title = ["", f"### {each.spec.name}"] if len(group) > 1 else []
        lines += [*title, "", counts(each), "", *table(each)]
    return lines


def counts(each):
    spec = each.spec
    sentences = [f"{cross(spec.input_shape)}, {spec.classes} classes: {counted(each.plain)}."]
    if each.sided:
        sentences.append(f"With {' and '.join(spec.aux_loss_weights)}: {counted(each.sided)}.")
    if each.small:
        sentences.append(f"With the small stem, 32x32x3 and 10 classes: {counted(each.small)}.")
    if spec.options:
        sentences.append("Options: " + ", ".join(f"`{name}={value}`" for name, value in spec.options.items()) + ".")
    return " ".join(sentences)


def counted(told):
    every, trainable = told["parameters"], told["trainable_parameters"]
    some = f" ({count(trainable)} trainable)" if trainable != every else ""
    return f"{count(every)} parameters{some}, {count(told['multiply_adds'])} multiply-adds"


def table(each):
    """Yield the paper's rows beside ours, each with the counts of the layers since the row above."""
    yield from ("| up to | paper | ours | parameters | multiply-adds |", "| --- | --- | --- | ---: | ---: |")
    stages, whole = each.paper.stages, each.sided or each.plain
    layers, has_total = [layer for stage in whole["stages"] for layer in stage["layers"]], False
    for name, shape in stages.items():
        if name.partition("_")[0] in each.spec.aux_loss_weights and not has_total:
            has_total = True
            yield total("total", each.plain)
        names = [layer["name"] for layer in layers]
        last = names.index(name)  # ValueError: the rows are in the order of the flow
        ours = tuple(layers[last]["shape"])
        while last + 1 < len(names) and names[last + 1].startswith(f"{name}_") and names[last + 1] not in stages:
            last += 1  # its normalisation, its activation
        part, layers = layers[: last + 1], layers[last + 1:]
        yield (f"| {name} | {cross(shape)} | {cross(ours) if ours == shape else f'**{cross(ours)}**'} | "
               f"{count(sum(layer['parameters'] for layer in part))} | "
               f"{count(sum(layer['multiply_adds'] for layer in part))} |")
    if any(layer["parameters"] for layer in layers):
        raise ValueError(f"{each.spec.name} has layers with weights after {name}, the last row of its table")
    yield total("total with auxiliary classifiers" if each.sided else "total", whole)


def total(title, told):
    return f"| **{title}** | | | {count(told['parameters'])} | {count(told['multiply_adds'])} |"


def cross(shape):
    return "x".join(map(str, shape))


def count(number):
    return f"{number:,}" if number else "-"


def escaped(text):
    """Return prose in which Markdown sees no marks of its own."""
    return text.replace("*", r"\*").replace("<", "&lt;")


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("error: networks.py takes nothing, or --check", file=sys.stderr)
        return 2
    with devices.suppress_stderr():
        import keras  # noqa: F401, its backend reports at length
    text = page()
    if not arguments:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/networks.md is not what python docs/networks.py writes; run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
