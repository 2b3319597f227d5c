"""Generate the page networks.md, each network beside its paper, from the networks themselves:

    python docs/networks.py           writes docs/networks.md
    python docs/networks.py --check   checks that docs/networks.md is up to date

The paper's columns are those that the tests compare the networks with, typed in from the papers: tests/papers/.
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
from zoo.catalogue import MODELS  # noqa: E402

START = """\
# Networks

What each paper contributed, its table beside ours, and the differences between the two. `python -m zoo summary MODEL`
prints our table and the differences for any image size.

A multiply-add (MAC) is one multiplication with its addition, for one image; biases, activations, normalization and
pooling count 0. A row of a network's table counts the layers after the previous row, up to and including the layer that
it names, which `model.get_layer(name)` returns; a dash means 0. Where the authors released a network that differs from
the paper's table, and ours follows the release, the paper's column has the sizes of the release.

<!-- python docs/networks.py writes this page -->
"""

BROUGHT = {  # module: what its paper contributed
    "lenet": """
        Convolutions with shared weights, subsampling and dense layers, trained end to end by gradient descent from the
        pixels to the classes: the structure of later networks. It read the amounts on bank cheques. This is the
        densely connected version, as it is built today.""",
    "lenet_1998": """
        LeNet-5 as published. Each feature map of C3 reads only some feature maps of S2, which saves connections and
        makes the feature maps differ; subsampling has one trainable coefficient and one bias per channel; the output is
        the distance to a drawn bitmap of each character, so that similar characters have similar codes, and an image
        that is not a character is far from all of them.""",
    "lenet_bn": """
        Batch normalization: every feature is normalized to mean 0 and variance 1 over the batch, then scaled and
        shifted by trainable parameters, so that the distribution of a layer's input is stable while the layers before
        it learn. This small network is for trying the places where it can be inserted.""",
    "alexnet": """
        It won ILSVRC-2012 by a wide margin, and computer vision turned to deep networks. ReLU instead of tanh, dropout
        in the dense layers, overlapping pooling, local response normalization over neighboring channels, and two GPUs,
        each with half of the channels, which exchange them in some layers only.""",
    "alexnet_2014": """
        AlexNet without the two towers, for GPUs with more memory: the paper is about training one network on several
        GPUs, with data parallelism for the convolutions and model parallelism for the dense layers. PyTorch users know
        this network as AlexNet.""",
    "maxout": """
        A unit that is the maximum of a few linear functions, and so learns its own convex activation. It was designed
        for dropout, whose averaging over thinned networks suits piecewise linear units.""",
    "nin": """
        Instead of a linear filter, a small network of 1x1 convolutions slides over the image, and global average
        pooling of one feature map per class replaces the dense layers. Nearly all later networks use one or the
        other.""",
    "vgg": """
        Depth from one simple building block: stacks of 3x3 convolutions, two of which have a receptive field of 5x5
        pixels and three of 7x7, with fewer weights and more nonlinearities than one large kernel, and twice the filters
        after each pooling but the last. Second in ILSVRC-2014, and for years the usual network for extracting
        features.""",
    "googlenet": """
        The Inception module: parallel 1x1, 3x3 and 5x5 convolutions and pooling, with 1x1 convolutions that reduce the
        channels before the expensive ones. It won ILSVRC-2014 with a ninth of AlexNet's parameters. Auxiliary
        classifiers supply gradients to the middle of the network.""",
    "msra": """
        PReLU, a ReLU whose negative slope is learned, and an initialization that keeps the variance of signals constant
        from layer to layer through rectifiers, with which a plain network of 30 layers converges where the earlier
        initialization stalls. The paper was the first to report a lower error on ImageNet than the one measured for a
        human.""",
    "inception_v2": """
        Batch normalization, demonstrated on GoogLeNet: with it the network trains at learning rates many times as high,
        needs neither dropout nor local response normalization, and reaches the same accuracy in a fourteenth of the
        steps. Two 3x3 convolutions replace each 5x5.""",
    "highway": """
        Layers with a learned gate, as in LSTM, between transforming their input and passing it on. Gradients flow
        through many layers: the paper trains networks of hundreds of layers directly. Residual networks, later in the
        same year, pass everything on and have no gate.""",
    "inception_v3": """
        Large kernels are factorized, 5x5 into two 3x3 and 7x7 into 1x7 and 7x1; feature maps are downsampled by a
        convolution and pooling in parallel; batch normalization in the auxiliary classifier; and label smoothing, which
        gives each incorrect class a small fraction of the target.""",
    "resnet_v1": """
        Residual learning: a block computes a correction to its input, which a shortcut without parameters adds back.
        Where plain networks become worse with depth, even on the training images, these become better: an ensemble of
        up to 152 layers won ILSVRC-2015, and a network of 1202 layers could be trained on CIFAR-10. Bottlenecks keep
        the deep ones cheaper than VGG-16.""",
    "resnet_v2": """
        ResNet-50, 101 and 152 with normalization and ReLU before the convolutions, in the form in which Keras and
        TensorFlow users know them.""",
    "resnet": """
        A residual block adds a correction to its input, which a residual connection carries past the block. This paper
        puts normalization and ReLU before the convolutions, so that nothing interrupts the residual connections from
        the first block to the last, and trains networks of 1001 layers.""",
    "inception_v4": """
        Inception redesigned, deeper and more uniform: one kind of module for each of three sizes of the feature map, a
        stem with branches, and none of the compromises that training on many small machines had required of its
        predecessors. It reaches about the accuracy of the same paper's residual networks.""",
    "inception_resnet": """
        Inception modules as residual blocks: a linear 1x1 convolution projects a module's output to the width of its
        input, and the two are added. They train faster than without residual connections. Residuals are scaled down
        before the addition, because with more than a thousand filters training otherwise became unstable early.""",
    "text_cnn": """
        A convolutional network reads sentences: a window slides over the words, and its filters learn which short
        phrases matter for the class. This is the network of lecture notes, smaller than the paper's, with one width of
        windows.""",
    "text_cnn_kim": """
        One convolution over word vectors, with windows of three widths and the maximum over the whole text of each
        filter, is as accurate at classifying sentences as much more elaborate networks of its time. The paper compares
        random, pretrained and fine-tuned word vectors; this is the network with random ones.""",
    "xception": """
        Inception taken to its limit: correlations across channels and across space are learned separately, by depthwise
        separable convolutions, in blocks with residual connections. With the parameters of Inception v3 it is slightly
        more accurate on ImageNet, and clearly more accurate on a larger dataset.""",
}


def page(describe=zoo.describe):
    """Return the text of the page; `describe` is for tests, which cache descriptions."""
    groups = [[described(spec, describe) for spec in specs]
              for _, specs in itertools.groupby(MODELS.values(), lambda spec: spec.module)]
    return "\n".join([START, *contents(groups), *(line for group in groups for line in section(group))]) + "\n"


@dataclass
class Described:
    """The descriptions of a network: as in its paper, with auxiliary classifiers, and with the small stem."""

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
        shape = spec.modality.format_shape(spec.input_shape)
        yield (f"| [{spec.name}](#{spec.name}) | {spec.format_attribution(year=True)} | {shape} | "
               f"{count(each.plain['parameters'])} | {count(each.plain['multiply_adds'])} |")


def section(group):
    """Return the lines about the networks of one module."""
    spec, description = group[0].spec, group[0].plain
    lines = ["", f"## {', '.join(each.spec.name for each in group)}", "",
             f"{spec.paper.authors} {spec.paper.year}, [{spec.paper.title}]({spec.paper.url}). In "
             f"[zoo/models/{spec.module}.py](../zoo/models/{spec.module}.py).",
             "", " ".join(BROUGHT[spec.module].split())]
    for title, part in (("Differences from the paper", "paper_differences"),
                        ("Other implementations", "implementation_differences")):
        if description[part]:
            lines += ["", f"*{title}:* {escaped(description[part])}"]
    for each in group:
        title = ["", f"### {each.spec.name}"] if len(group) > 1 else []
        lines += [*title, "", counts(each), "", *table(each)]
    return lines


def counts(each):
    spec = each.spec
    sentences = [f"{spec.modality.format_shape(spec.input_shape)}, {spec.classes} classes: {counted(each.plain)}."]
    if each.sided:
        sentences.append(f"With {' and '.join(spec.aux_loss_weights)}: {counted(each.sided)}.")
    if each.small:
        sentences.append(f"With the small stem, 32x32x3 and 10 classes: {counted(each.small)}.")
    if spec.options:
        sentences.append("Options: " + ", ".join(f"`{name}={value}`" for name, value in spec.options.items()) + ".")
    return " ".join(sentences)


def counted(description):
    every, trainable = description["parameters"], description["trainable_parameters"]
    some = f" ({count(trainable)} trainable)" if trainable != every else ""
    return f"{count(every)} parameters{some}, {count(description['multiply_adds'])} multiply-adds"


def table(each):
    """Yield the paper's rows beside ours, each with the counts of the layers after the previous row."""
    yield from ("| up to layer | paper | ours | parameters | multiply-adds |", "| --- | --- | --- | ---: | ---: |")
    stages, whole = each.paper.stages, each.sided or each.plain
    layers, has_total = [layer for stage in whole["stages"] for layer in stage["layers"]], False
    for name, shape in stages.items():
        if name.partition("_")[0] in each.spec.aux_loss_weights and not has_total:
            has_total = True
            yield total("total", each.plain)
        names = [layer["name"] for layer in layers]
        last = names.index(name)  # ValueError: the rows are not in execution order
        ours = tuple(layers[last]["shape"])
        while last + 1 < len(names) and names[last + 1].startswith(f"{name}_") and names[last + 1] not in stages:
            last += 1  # its normalization and activation
        part, layers = layers[: last + 1], layers[last + 1:]
        yield (f"| {name} | {cross(shape)} | {cross(ours) if ours == shape else f'**{cross(ours)}**'} | "
               f"{count(sum(layer['parameters'] for layer in part))} | "
               f"{count(sum(layer['multiply_adds'] for layer in part))} |")
    if any(layer["parameters"] for layer in layers):
        raise ValueError(f"{each.spec.name} has layers with weights after {name}, the last row of its table")
    yield total("total with auxiliary classifiers" if each.sided else "total", whole)


def total(title, description):
    return f"| **{title}** | | | {count(description['parameters'])} | {count(description['multiply_adds'])} |"


def cross(shape):
    return "x".join(map(str, shape))


def count(number):
    return f"{number:,}" if number else "-"


def escaped(text):
    """Return a text whose special characters Markdown shows as they are."""
    return text.replace("*", r"\*").replace("<", "&lt;")


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("error: networks.py takes no argument but --check", file=sys.stderr)
        return 2
    with devices.suppress_stderr():
        import keras  # noqa: F401, its backend prints startup messages
    text = page()
    if not arguments:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/networks.md is out of date; run python docs/networks.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
