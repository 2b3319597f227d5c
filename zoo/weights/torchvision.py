"""Map torchvision's parameter names (as in its source, 0.20) to zoo's: alexnet (zoo's alexnet_2014), vgg16, vgg19,
inception_v3, resnet18 and resnet34 (zoo's resnet18_v1 and resnet34_v1), resnet50, resnet101, resnet152. Also those of
timm, which are the same but for the head of VGG, of kuangliu/pytorch-cifar, which has ResNets for small images with
other names for the shortcuts and the head, and of the ResNets of Hugging Face's transformers.
"""

import os
import re

from zoo.errors import UserError
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


# timm's VGG has convolutions, 7x7 and 1x1, for the first two dense layers
TIMM_VGG_HEAD = {"pre_logits.fc1": "fc6", "pre_logits.fc2": "fc7", "head.fc": "fc8"}


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
        return {**layers, "classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8", **TIMM_VGG_HEAD}

    return map_vgg


ALEXNET_LAYERS = {"features.0": "conv1", "features.3": "conv2", "features.6": "conv3", "features.8": "conv4",
                  "features.10": "conv5", "classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "fc8"}


def map_alexnet(modules):
    """Return {torchvision module: zoo layer} for AlexNet."""
    return ALEXNET_LAYERS


RESNET_PARTS = {**{f"conv{index}": f"conv{index}" for index in (1, 2, 3)},
                **{f"bn{index}": f"conv{index}_bn" for index in (1, 2, 3)},
                **{f"{name}.{index}": f"shortcut{suffix}" for name in ("downsample", "shortcut")
                   for index, suffix in enumerate(("", "_bn"))}}


def map_resnet(modules):
    """Return {torchvision module: zoo layer} for a ResNet: layer1.0.conv2 is conv2_1_conv2."""
    if "embedder.embedder.convolution" in modules:
        return map_transformers_resnet(modules)
    layers = {"conv1": "conv1", "bn1": "conv1_bn", "fc" if "fc" in modules else "linear": "fc"}
    for module in modules:
        match = re.fullmatch(r"layer(\d)\.(\d+)\.(\w+(?:\.\d)?)", module)
        if match and match[3] in RESNET_PARTS:
            layers[module] = f"conv{int(match[1]) + 1}_{int(match[2]) + 1}_{RESNET_PARTS[match[3]]}"
    return layers


def map_transformers_resnet(modules):
    """Return {module of transformers: zoo layer} for a ResNet: encoder.stages.0.layers.0.layer.1 is conv2_1_conv2."""
    suffixes = {"convolution": "", "normalization": "_bn"}
    layers = {f"embedder.embedder.{kind}": f"conv1{suffix}" for kind, suffix in suffixes.items()}
    for module in modules:
        match = re.fullmatch(r"encoder\.stages\.(\d)\.layers\.(\d+)\.(?:layer\.(\d)|shortcut)\.(\w+)", module)
        if match and match[4] in suffixes:
            part = "shortcut" if match[3] is None else f"conv{int(match[3]) + 1}"
            layers[module] = f"conv{int(match[1]) + 2}_{int(match[2]) + 1}_{part}{suffixes[match[4]]}"
    return layers | {"classifier.1": "fc"}


NAME_MAPS = {"alexnet_2014": map_alexnet, "vgg16": make_vgg_map("vgg16"), "vgg19": make_vgg_map("vgg19"),
             "inception_v3": map_inception_v3,
             **dict.fromkeys(("resnet18_v1", "resnet34_v1", "resnet50", "resnet101", "resnet152"), map_resnet)}
# Models of zoo with the names of torchvision's: those that torchvision's are
OTHER_MODELS = {"alexnet": "alexnet_2014", "resnet18": "resnet18_v1", "resnet34": "resnet34_v1"}

# Modules that PyTorch puts around a model or a part of it: data parallelism, torch.compile, FSDP, checkpointing
WRAPPER_MODULES = ("module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
NAME_PREFIXES = ("model.", "backbone.", "encoder.", "net.")  # of training programs
# The children of a ResNet in an nn.Sequential: 2, 3 and 8 are without parameters
SEQUENTIAL_RESNET = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
# A parameter of each family of backbones, most specific first: whatever precedes it is the module that the backbone is
# in; and the names of that module's children, where they are not torchvision's
BACKBONE_PARAMETERS = {"layer1.0.conv1.weight": {}, "4.0.conv1.weight": SEQUENTIAL_RESNET,
                       "embedder.embedder.convolution.weight": {}, "Conv2d_1a_3x3.conv.weight": {},
                       "features.0.weight": {}}
TORCHVISION_CHILDREN = re.compile(r"features|classifier|conv1|bn1|layer\d|fc|linear|Conv2d_\w+|Mixed_\w+|AuxLogits")
COUNTERS = ("num_batches_tracked", "total_ops", "total_params")  # floats if a program converts or adds them


def group_by_module(path, kind, tensors):
    """Return the WeightsFile of {parameter name: LazyArray}, grouped by module, in PyTorch's layout.

    Raise UserError if they are of two networks.
    """
    prefix, children = find_backbone(path, kind, tensors)
    inside, outside = {}, {}  # {module: {variable: array}} of the backbone's module, and of the others
    names = {}  # {(whether it is in the backbone's module, module, variable): name}
    for name, array in tensors.items():
        stripped = strip_wrappers(name)
        if prefix is None:
            modules, (module, variable) = inside, split_name(strip_prefix(stripped), children)
        elif stripped.startswith(prefix):
            modules, (module, variable) = inside, split_name(stripped.removeprefix(prefix), children)
        else:
            modules, (module, _, variable) = outside, stripped.rpartition(".")
        other_name = names.setdefault((modules is inside, module, variable), name)
        if other_name != name:
            raise make_two_networks_error(path, kind, other_name, name)
        modules.setdefault(module, {})[variable] = array
    outer_names = {}
    for module in outside:
        name = strip_prefix(f"{module}.")[:-1]
        is_taken = name in inside or name in outer_names.values()
        outer_names[module] = f"{module} (outside {prefix[:-1]})" if is_taken else name
    modules = inside | {outer_names[module]: arrays for module, arrays in outside.items()}
    return WeightsFile(kind, "torch", {module: [arrays[variable] for variable in VARIABLE_ORDER if variable in arrays]
                                       for module, arrays in modules.items()}, frozenset(outer_names.values()))


def split_name(name, children):
    """Return (module, variable) of a parameter, with torchvision's names of the children of a model.

    A parameter that no layer of torchvision has, such as a mask or a scale, but in a part of one of its models, is the
    weight of a module of its own, so that it is not overlooked.
    """
    module, _, variable = name.rpartition(".")
    child, dot, rest = module.partition(".")
    child = children.get(child, child)
    if variable not in (*VARIABLE_ORDER, *COUNTERS) and TORCHVISION_CHILDREN.fullmatch(child):
        return f"{child}{dot}{rest}.{variable}", "weight"
    return child + dot + rest, variable


def strip_wrappers(name):
    """Return a parameter name without the modules that PyTorch puts around a model or a part of it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPER_MODULES)


def strip_prefix(name):
    """Return a parameter name without the prefixes of training programs."""
    prefix = next((prefix for prefix in NAME_PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else strip_prefix(name.removeprefix(prefix))


def find_backbone(path, kind, names):
    """Return (what precedes a parameter of BACKBONE_PARAMETERS in the names, such as "teacher."; the renamed children).

    The prefix, without wrappers, is None if there is none. Raise UserError if there are several.
    """
    stripped = {name: strip_wrappers(name) for name in names}
    for parameter, children in BACKBONE_PARAMETERS.items():
        prefixes = {name.removesuffix(parameter): full_name for full_name, name in stripped.items()
                    if name == parameter or name.endswith(f".{parameter}")}
        if len(prefixes) > 1:
            raise make_two_networks_error(path, kind, *[*prefixes.values()][:2])
        if prefixes:
            return next(iter(prefixes)), children
    return None, {}


def make_two_networks_error(path, kind, name, other_name):
    """Return the UserError for a file with two networks, in which a parameter has two names; it says what to type."""
    message = f"{path} has two networks, to which {name} and {other_name} belong; give a file with the weights of one"
    match = re.fullmatch(r"a PyTorch state dict(?: under '(.*)')?", kind)
    if match is None:
        return UserError(message)
    keys = "".join(f"[{key!r}]" for key in (match[1] or "").split(".") if key)
    parts = [text.split(".") for text in (name, other_name)]
    num_shared = len(os.path.commonprefix([part[::-1] for part in parts]))
    prefix = max((".".join([*part[:-num_shared], ""]) for part in parts), key=len)  # that of one can begin the other
    return UserError(f"{message}: import torch; torch.save({{name: tensor for name, tensor in "
                     f"torch.load({str(path)!r}, map_location='cpu'){keys}.items() if name.startswith({prefix!r})}}, "
                     "'weights.pt')")


def pair_torch_modules(names, model_name):
    """Return {module name: zoo layer name}; names that torchvision does not use are unchanged."""
    name_map = NAME_MAPS[model_name](names) if model_name in NAME_MAPS else {}
    return {name: name_map.get(name, name) for name in names}


def convert_to_keras_layout(arrays, num_axes, flattened_shape):
    """Return the arrays of a PyTorch module in Keras's layout.

    Args:
        num_axes: Number of axes of the Keras kernel: 2 for a dense layer, which can be a convolution in the file.
        flattened_shape: (height, width, channels) of the feature map flattened for a dense layer; None elsewhere.
    """
    kernel, *others = arrays
    if len(kernel.shape) == 4:
        kernel = kernel.transpose(2, 3, 1, 0)  # from filters, channels, height, width
        kernel = kernel.flatten_kernel() if num_axes == 2 else kernel
    elif len(kernel.shape) == 2:
        kernel = kernel.transpose(1, 0)
        if flattened_shape is not None and kernel.shape[0] == count_elements(flattened_shape):
            kernel = kernel.reorder_flattened(flattened_shape[2], *flattened_shape[:2])
    return [kernel, *others]
