"""Map layer names of keras.applications, and layers that are only numbered, to zoo's layer names.

Inception v3, and parts of Inception-ResNet v2 and Xception, have only Keras's automatic names, such as conv2d_94, whose
numbers depend on what the process built before. Their order in the file is that of `model.layers`, which is the same in
zoo: Keras itself matches its published files this way.
"""

import re

LAYER_NAME_RULES = {  # model: (regular expression of the keras.applications name, zoo name)
    "vgg16": ((r"block(\d)_conv(\d)", r"conv\1_\2"), ("fc1", "fc6"), ("fc2", "fc7"), ("predictions", "fc8")),
    "inception_v3": (("predictions", "fc"),),
    "inception_resnet_v2": ((r"(block\d+_\d+)_conv", r"\1_linear"), (r"conv_7b(_bn)?", r"conv7b\1"),
                            ("predictions", "fc")),
    "xception": (("predictions", "fc"),),
    "resnet50": (("conv1_conv", "conv1"), (r"(conv\d)_block(\d+)_0_conv", r"\1_\2_shortcut"),
                 (r"(conv\d)_block(\d+)_0_bn", r"\1_\2_shortcut_bn"),
                 (r"(conv\d)_block(\d+)_(\d)_conv", r"\1_\2_conv\3"),
                 (r"(conv\d)_block(\d+)_(\d)_bn", r"\1_\2_conv\3_bn"),
                 (r"(conv\d)_block(\d+)_preact_bn", r"\1_\2_preact_bn"), ("post_bn", "conv5_bn"),  # in the v2
                 ("predictions", "fc")),
}
RESNETS = ("resnet50", "resnet101", "resnet152", "resnet50_v2", "resnet101_v2", "resnet152_v2")
LAYER_NAME_RULES |= {"vgg19": LAYER_NAME_RULES["vgg16"], **dict.fromkeys(RESNETS, LAYER_NAME_RULES["resnet50"])}
# Backbone layers with weights whose names keras.applications does not use
ZOO_NAME_PATTERNS = {"vgg16": r"conv\d_\d", "vgg19": r"conv\d_\d", "inception_v3": r"stem_.*|mixed\d+_.*",
                     "inception_resnet_v2": r"stem_.*|mixed\w+_.*|block\d+_\d+_linear|conv7b",
                     "xception": r"block\d+_shortcut", **dict.fromkeys(RESNETS, r"conv\d_\d+_.*")}
AUTOMATIC_NAMES = {"conv2d": "Conv2D", "convolution2d": "Conv2D", "batch_normalization": "BatchNormalization",
                   "batchnormalization": "BatchNormalization"}  # automatic name: layer class


def translate_layer_name(name, model_name):
    """Return zoo's name for a layer of keras.applications; any other name is returned unchanged."""
    for pattern, replacement in LAYER_NAME_RULES.get(model_name, ()):
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    return name


def get_automatic_class(name):
    """Return the class of a layer with an automatic name, such as conv2d or conv2d_7; None for any other name."""
    return AUTOMATIC_NAMES.get(re.sub(r"_\d+$", "", name))


def is_keras_applications(names, model_name):
    """Return whether the names of a file's layers with weights are those of keras.applications, not zoo's.

    A head can have any names, so the backbone decides; names that only zoo uses are checked first.
    """
    if model_name not in ZOO_NAME_PATTERNS or any(re.fullmatch(ZOO_NAME_PATTERNS[model_name], name) for name in names):
        return False
    return any(get_automatic_class(name) or translate_layer_name(name, model_name) != name for name in names)


def is_backbone_name(name, model_name):
    """Return whether a layer name belongs to the model's backbone, in zoo or in keras.applications."""
    zoo_name = translate_layer_name(name, model_name)
    if zoo_name != name:
        return zoo_name not in ("fc", "fc6", "fc7", "fc8")
    return model_name in ZOO_NAME_PATTERNS and bool(re.fullmatch(ZOO_NAME_PATTERNS[model_name], name))


def get_stage(name):
    """Return the numbered stage in the name of a layer, such as conv2 in conv2_block1_se; None if there is none."""
    stage = name.partition("_")[0]
    return stage if re.search(r"\d", stage) and not get_automatic_class(name) else None


def pair_keras_layers(names, layers, model_name):
    """Return {file name: zoo name} for the layers of a file, in file order.

    Numbered layers are paired only if the file has enough of their class.

    Args:
        names: Names in the file.
        layers: Pairs (name, class) of all layers of the model, in model order.
    """
    pairs = {name: translate_layer_name(name, model_name) for name in names if not get_automatic_class(name)}
    unpaired = {}
    for name, class_name in layers:
        if name not in pairs.values():
            unpaired.setdefault(class_name, []).append(name)
    for class_name, zoo_names in unpaired.items():
        numbered = [name for name in names if get_automatic_class(name) == class_name]
        if len(numbered) >= len(zoo_names):  # fewer: another model; more: the last ones belong to a head
            pairs |= dict(zip(numbered, zoo_names, strict=False))
    return pairs


def pair_by_class(names, layers):
    """Return {file name: zoo name} by class and order: the third separable_conv2d is the third SeparableConv2D.

    Args:
        names: Names in the file, in the order of their numbers, some of which may be missing.
        layers: Pairs (name, class) of all layers of the model, in model order.
    """
    pairs = {}
    for class_name in {class_name for _, class_name in layers}:
        zoo_names = [name for name, layer_class in layers if layer_class == class_name]
        file_names = [name for name in names if strip_layer_number(name) == to_snake_case(class_name)]
        pairs |= dict(zip(file_names, zoo_names, strict=False))
    return pairs


def strip_layer_number(name):
    """Return the class in the name of a numbered layer: functional/conv2d_3 becomes conv2d."""
    return re.sub(r"_\d+$", "", name.rpartition("/")[2])


def to_snake_case(name):
    """Return the name that Keras derives from a class: SeparableConv2D becomes separable_conv2d."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
