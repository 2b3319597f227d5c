"""Which of our layers is meant: keras.applications' names, and its layers that are only numbered.

Inception v3 and parts of the two others have no names of their own but Keras's automatic ones, conv2d_94, whose numbers
depend on what the process had built before. Their order in the file is that of `model.layers`, which is the same in
ours: so Keras itself pairs the files that it publishes.
"""

import re

RULES = {  # network: (pattern of their name, our name)
    "vgg16": ((r"block(\d)_conv(\d)", r"conv\1_\2"), ("fc1", "fc6"), ("fc2", "fc7"), ("predictions", "fc8")),
    "inception_v3": (("predictions", "fc"),),
    "inception_resnet_v2": ((r"(block\d+_\d+)_conv", r"\1_linear"), (r"conv_7b(_bn)?", r"conv7b\1"),
                            ("predictions", "fc")),
    "xception": (("predictions", "fc"),),
}
RULES["vgg19"] = RULES["vgg16"]
OURS = {"vgg16": r"conv\d_\d", "vgg19": r"conv\d_\d", "inception_v3": r"stem_.*|mixed\d+_.*",
        "inception_resnet_v2": r"stem_.*|mixed\w+_.*|block\d+_\d+_linear|conv7b",
        "xception": r"block\d+_shortcut"}  # of backbones: layers with weights that keras.applications has no such of
NUMBERED = {"conv2d": "Conv2D", "convolution2d": "Conv2D", "batch_normalization": "BatchNormalization",
            "batchnormalization": "BatchNormalization"}  # automatic name: class


def translated(name, network):
    """Return our name for a layer that keras.applications has named; the same where it is ours, or nobody's."""
    for pattern, ours in RULES.get(network, ()):
        if re.fullmatch(pattern, name):
            return re.sub(pattern, ours, name)
    return name


def numbered_class(name):
    """Return the class of a layer with an automatic name, conv2d or conv2d_7; None for another name."""
    return NUMBERED.get(re.sub(r"_\d+$", "", name))


def is_foreign(names, network):
    """Return whether a file whose layers with weights are so named is of keras.applications' network, not of our own.

    A head can have any name, so the backbone tells: first by what only ours has.
    """
    if network not in OURS or any(re.fullmatch(OURS[network], name) for name in names):
        return False
    return any(numbered_class(name) or translated(name, network) != name for name in names)


def is_of_backbone(name, network):
    """Return whether a layer is called as those of a network's backbone are, here or by keras.applications."""
    ours = translated(name, network)
    if ours != name:
        return ours not in ("fc", "fc6", "fc7", "fc8")
    return network in OURS and bool(re.fullmatch(OURS[network], name))


def paired(names, model, network):
    """Return {their name: our name} of the layers of a file, in its order; numbered ones where all have a place."""
    ours = {layer.name: type(layer).__name__ for layer in model.layers if layer.weights}
    found = {name: translated(name, network) for name in names if not numbered_class(name)}
    free = {}
    for name, kind in ours.items():
        if name not in found.values():
            free.setdefault(kind, []).append(name)
    for kind, waiting in free.items():
        numbered = [name for name in names if numbered_class(name) == kind]
        if len(numbered) >= len(waiting):  # with fewer it is another network's; the last of more are a head's
            found |= dict(zip(numbered, waiting, strict=False))
    return found


def counted(names, layers):
    """Return {their name: our name} by class and order: the third SeparableConv2D is the third separable_conv2d.

    names: in the order of their numbers, of which some may be missing. layers: pairs (name, class) of all of ours, in
    their order.
    """
    found = {}
    for kind in {kind for _, kind in layers}:
        ours = [name for name, each in layers if each == kind]
        theirs = [name for name in names if counted_class(name) == snake_case(kind)]
        found |= dict(zip(theirs, ours, strict=False))
    return found


def counted_class(name):
    """Return the class in the name of a layer that a file only counts: conv2d of functional/conv2d_3."""
    return re.sub(r"_\d+$", "", name.rpartition("/")[2])


def snake_case(name):
    """Return the name that Keras derives from a class: SeparableConv2D, separable_conv2d."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
