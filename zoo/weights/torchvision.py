"""Map torchvision's parameter names (as in its source, 0.20) to zoo's: alexnet (zoo's alexnet_2014), vgg16, vgg19,
inception_v3, resnet18 and resnet34 (zoo's resnet18_v1 and resnet34_v1), resnet50, resnet101, resnet152.
"""

import re

from zoo.weights.lazy_array import WeightsFile, count_elements

VARIABLE_ORDER = ("weight", "bias", "running_mean", "running_var")  # the order in Keras layers

# torchvision's branch name: suffix of zoo's layer name
INCEPTION_A = {"branch1x1": "1a_1x1", "branch5x5_1": "2a_1x1", "branch5x5_2": "2b_5x5", "branch3x3dbl_1": "3a_1x1",
               "branch3x3dbl_2": "3b_3x3", "branch3x3dbl_3": "3c_3x3", "branch_pool": "4b_1x1"}
INCEPTION_B = {"branch3x3": "1a_3x3", "branch3x3dbl_1": "2a_1x1", "branch3x3dbl_2": "2b_3x3",
               "branch3x3dbl_3": "2c_3x3"}
INCEPTION_C = {"branch1x1": "1a_1x1", "branch7x7_1": "2a_1x1", "branch7x7_2": "2b_1x7", "branch7x7_3": "2c_7x1",
               "branch7x7dbl_1": "3a_1x1", "branch7x7dbl_2": "3b_7x1", "branch7x7dbl_3": "3c_1x7",
               "branch7x7dbl_4": "3d_7x1", "branch7x7dbl_5": "3e_1x7", "branch_pool": "4b_1x1"}
INCEPTION_D = {"branch3x3_1": "1a_1x1", "branch3x3_2": "1b_3x3", "branch7x7x3_1": "2a_1x1", "branch7x7x3_2": "2b_1x7",
               "branch7x7x3_3": "2c_7x1", "branch7x7x3_4": "2d_3x3"}
INCEPTION_E = {"branch1x1": "1a_1x1", "branch3x3_1": "2a_1x1", "branch3x3_2a": "2b_1a_1x3", "branch3x3_2b": "2b_2a_3x1",
               "branch3x3dbl_1": "3a_1x1", "branch3x3dbl_2": "3b_3x3", "branch3x3dbl_3a": "3c_1a_1x3",
               "branch3x3dbl_3b": "3c_2a_3x1", "branch_pool": "4b_1x1"}
INCEPTION_MODULES = {"Mixed_5b": INCEPTION_A, "Mixed_5c": INCEPTION_A, "Mixed_5d": INCEPTION_A, "Mixed_6a": INCEPTION_B,
                     "Mixed_6b": INCEPTION_C, "Mixed_6c": INCEPTION_C, "Mixed_6d": INCEPTION_C, "Mixed_6e": INCEPTION_C,
                     "Mixed_7a": INCEPTION_D, "Mixed_7b": INCEPTION_E, "Mixed_7c": INCEPTION_E}  # mixed0 to mixed10
INCEPTION_STEM = {"Conv2d_1a_3x3": "stem_a_3x3", "Conv2d_2a_3x3": "stem_b_3x3", "Conv2d_2b_3x3": "stem_c_3x3",
                  "Conv2d_3b_1x1": "stem_e_1x1", "Conv2d_4a_3x3": "stem_f_3x3"}
INCEPTION_AUX = {"AuxLogits.conv0": "aux1_conv1", "AuxLogits.conv1": "aux1_conv2"}


def map_inception_v3(modules):
    """Return {torchvision module: zoo layer} for Inception v3."""
    branches = {f"{module}.{branch}": f"mixed{index}_{suffix}"
                for index, (module, suffixes) in enumerate(INCEPTION_MODULES.items())
                for branch, suffix in suffixes.items()}
    convolutions = {**INCEPTION_STEM, **INCEPTION_AUX, **branches}
    layers = {f"{module}.{part}": layer + suffix
              for module, layer in convolutions.items() for part, suffix in (("conv", ""), ("bn", "_bn"))}
    return {**layers, "AuxLogits.fc": "aux1_fc", "fc": "fc"}


def make_vgg_map(name):
    """Return the function that maps torchvision's modules of a VGG to zoo's layers."""
    def map_vgg(modules):
        # Layers without parameters are numbered too; the batch_norm variant has a BatchNorm layer per convolution
        from zoo.models.vgg import TABLES  # imports Keras, which would delay error messages of the command line

        has_batch_norm = "features.1" in modules
        layers, index = {}, 0
        for stage, (_, depth) in enumerate(TABLES[name], start=1):
            for layer in range(1, depth + 1):
                layers[f"features.{index}"] = f"conv{stage}_{layer}"
                if has_batch_norm:
                    layers[f"features.{index + 1}"] = f"conv{stage}_{layer}_bn"
                index += 3 if has_batch_norm else 2
            index += 1  # max pooling
        return {**layers, "classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}

    return map_vgg


ALEXNET_LAYERS = {"features.0": "conv1", "features.3": "conv2", "features.6": "conv3", "features.8": "conv4",
                  "features.10": "conv5", "classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "fc8"}


def map_alexnet(modules):
    """Return {torchvision module: zoo layer} for AlexNet."""
    return ALEXNET_LAYERS


RESNET_PARTS = {**{f"conv{index}": f"conv{index}" for index in (1, 2, 3)},
                **{f"bn{index}": f"conv{index}_bn" for index in (1, 2, 3)},
                "downsample.0": "shortcut", "downsample.1": "shortcut_bn"}


def map_resnet(modules):
    """Return {torchvision module: zoo layer} for a ResNet: layer1.0.conv2 is conv2_1_conv2."""
    layers = {"conv1": "conv1", "bn1": "conv1_bn", "fc": "fc"}
    for module in modules:
        match = re.fullmatch(r"layer(\d)\.(\d+)\.(\w+(?:\.\d)?)", module)
        if match and match[3] in RESNET_PARTS:
            layers[module] = f"conv{int(match[1]) + 1}_{int(match[2]) + 1}_{RESNET_PARTS[match[3]]}"
    return layers


NAME_MAPS = {"alexnet_2014": map_alexnet, "vgg16": make_vgg_map("vgg16"), "vgg19": make_vgg_map("vgg19"),
             "inception_v3": map_inception_v3,
             **dict.fromkeys(("resnet18_v1", "resnet34_v1", "resnet50", "resnet101", "resnet152"), map_resnet)}


# Prefixes that torch.compile, DataParallel and training programs add to the module names of a model
NAME_PREFIXES = ("_orig_mod.", "module.", "model.", "backbone.", "encoder.", "net.")
FIRST_MODULES = ("features", "Conv2d_1a_3x3")  # of torchvision's models: whatever precedes them is a prefix, too


def group_by_module(kind, tensors):
    """Return the WeightsFile of {parameter name: LazyArray}, grouped by module, in PyTorch's layout."""
    modules, own_prefix = {}, find_own_prefix([*map(strip_prefix, tensors)])
    for name, array in tensors.items():
        stripped_name = strip_prefix(name).removeprefix(own_prefix)
        module, _, variable = stripped_name.rpartition(".")
        if variable in modules.setdefault(module, {}):
            raise ValueError(f"it has two networks: {stripped_name} occurs more than once, also as {name}; "
                             "save the state dict of one")
        modules[module][variable] = array
    return WeightsFile(kind, "torch", {module: [arrays[variable] for variable in VARIABLE_ORDER if variable in arrays]
                                       for module, arrays in modules.items()})


def strip_prefix(name):
    """Return a parameter name without the prefixes of wrappers around the model."""
    prefix = next((prefix for prefix in NAME_PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else strip_prefix(name.removeprefix(prefix))


def find_own_prefix(names):
    """Return what precedes one of FIRST_MODULES in the parameter names, such as "teacher."; "" if they have none."""
    prefixes = {}
    for name in names:
        parts = name.split(".")
        index = max((index for index, part in enumerate(parts[:-1]) if part in FIRST_MODULES), default=None)
        if index is not None:
            prefixes.setdefault(".".join([*parts[:index], ""]), name)
    if len(prefixes) > 1:
        first, second = [*prefixes.values()][:2]
        raise ValueError(f"it has two networks, to which {first} and {second} belong; save the state dict of one")
    return next(iter(prefixes), "")


def pair_torch_modules(names, model_name):
    """Return {module name: zoo layer name}; names that torchvision does not use are unchanged."""
    name_map = NAME_MAPS[model_name](names) if model_name in NAME_MAPS else {}
    return {name: name_map.get(name, name) for name in names}


def convert_to_keras_layout(arrays, flattened_shape):
    """Return the arrays of a PyTorch module in Keras's layout.

    Args:
        flattened_shape: (height, width, channels) of the feature map flattened for a dense layer; None elsewhere.
    """
    kernel, *others = arrays
    if len(kernel.shape) == 4:
        kernel = kernel.transpose(2, 3, 1, 0)  # from filters, channels, height, width
    elif len(kernel.shape) == 2:
        kernel = kernel.transpose(1, 0)
        if flattened_shape is not None and kernel.shape[0] == count_elements(flattened_shape):
            kernel = kernel.reorder_flattened(flattened_shape[2], *flattened_shape[:2])
    return [kernel, *others]
