"""Which of our layers is meant: keras.applications' names, and its layers that are only numbered.

Inception v3 and parts of the two others have no names of their own but Keras's automatic ones, conv2d_94, whose numbers
depend on what the process had built before. Their order in the file is that of `model.layers`, which is the same in
ours: so Keras itself pairs the files that it publishes.
"""

import re

LAYER_NAME_RULES = {  # network: (pattern of their name, our name)
    "vgg16": ((r"block(\d)_conv(\d)", r"conv\1_\2"), ("fc1", "fc6"), ("fc2", "fc7"), ("predictions", "fc8")),
    "inception_v3": (("predictions", "fc"),),
    "inception_resnet_v2": ((r"(block\d+_\d+)_conv", r"\1_linear"), (r"conv_7b(_bn)?", r"conv7b\1"),
                            ("predictions", "fc")),
    "xception": (("predictions", "fc"),),
}
LAYER_NAME_RULES["vgg19"] = LAYER_NAME_RULES["vgg16"]
ZOO_NAME_PATTERNS = {"vgg16": r"conv\d_\d", "vgg19": r"conv\d_\d", "inception_v3": r"stem_.*|mixed\d+_.*",
                     "inception_resnet_v2": r"stem_.*|mixed\w+_.*|block\d+_\d+_linear|conv7b",
                     "xception": r"block\d+_shortcut"}  # of backbones: layers with weights that keras.applications has no such of
AUTOMATIC_NAMES = {"conv2d": "Conv2D", "convolution2d": "Conv2D", "batch_normalization": "BatchNormalization",
                   "batchnormalization": "BatchNormalization"}  # automatic name: class


def translate_layer_name(name, model_name):
    """Return our name for a layer that keras.applications has named; the same where it is ours, or nobody's."""
    for pattern, ours in LAYER_NAME_RULES.get(model_name, ()):
        if re.fullmatch(pattern, name):
            return re.sub(pattern, ours, name)
    return name


def get_automatic_class(name):
    """Return the class of a layer with an automatic name, conv2d or conv2d_7; None for another name."""
    return AUTOMATIC_NAMES.get(re.sub(r"_\d+$", "", name))


def is_keras_applications(names, model_name):
    """Return whether a file whose layers with weights are so named is of keras.applications' network, not of our own.

    A head can have any name, so the backbone tells: first by what only ours has.
    """
    if model_name not in ZOO_NAME_PATTERNS or any(re.fullmatch(ZOO_NAME_PATTERNS[model_name], name) for name in names):
        return False
    return any(get_automatic_class(name) or translate_layer_name(name, model_name) != name for name in names)


def is_backbone_name(name, model_name):
    """Return whether a layer is called as those of a network's backbone are, here or by keras.applications."""
    ours = translate_layer_name(name, model_name)
    if ours != name:
        return ours not in ("fc", "fc6", "fc7", "fc8")
    return model_name in ZOO_NAME_PATTERNS and bool(re.fullmatch(ZOO_NAME_PATTERNS[model_name], name))


def pair_keras_layers(names, model, model_name):
    """Return {their name: our name} of the layers of a file, in its order; numbered ones where all have a place."""
    ours = {layer.name: type(layer).__name__ for layer in model.layers if layer.weights}
    found = {name: translate_layer_name(name, model_name) for name in names if not get_automatic_class(name)}
    free = {}
    for name, kind in ours.items():
        if name not in found.values():
            free.setdefault(kind, []).append(name)
    for kind, waiting in free.items():
        numbered = [name for name in names if get_automatic_class(name) == kind]
        if len(numbered) >= len(waiting):  # with fewer it is another network's; the last of more are a head's
            found |= dict(zip(numbered, waiting, strict=False))
    return found


def pair_by_class(names, layers):
    """Return {their name: our name} by class and order: the third SeparableConv2D is the third separable_conv2d.

    names: in the order of their numbers, of which some may be missing. layers: pairs (name, class) of all of ours, in
    their order.
    """
    found = {}
    for kind in {kind for _, kind in layers}:
        ours = [name for name, each in layers if each == kind]
        theirs = [name for name in names if strip_layer_number(name) == to_snake_case(kind)]
        found |= dict(zip(theirs, ours, strict=False))
    return found


def strip_layer_number(name):
    """Return the class in the name of a layer that a file only counts: conv2d of functional/conv2d_3."""
    return re.sub(r"_\d+$", "", name.rpartition("/")[2])


def to_snake_case(name):
    """Return the name that Keras derives from a class: SeparableConv2D, separable_conv2d."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
