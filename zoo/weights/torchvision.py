"""torchvision's names of parameters, as its source has them (0.20): alexnet, which is our alexnet_2014, vgg16, vgg19,
inception_v3.
"""

from zoo.weights.lazy_array import WeightsFile

VARIABLE_ORDER = ("weight", "bias", "running_mean", "running_var")  # Keras's order, of normalisation and of all others

# module of torchvision: the start of our names, {branch: the end of ours}
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
    units = {**INCEPTION_STEM, **INCEPTION_AUX, **{f"{module}.{branch}": f"mixed{number}_{end}" for number,
                                                   (module, branches) in enumerate(INCEPTION_MODULES.items())
                                                   for branch, end in branches.items()}}
    both = {f"{theirs}.{part}": ours + end
            for theirs, ours in units.items() for part, end in (("conv", ""), ("bn", "_bn"))}
    return {**both, "AuxLogits.fc": "aux1_fc", "fc": "fc"}


def make_vgg_map(name):
    def made(modules):
        """Layers count in a row, also those without parameters; with batch normalisation each convolution has one."""
        from zoo.models.vgg import TABLES  # Keras, which a mistake on the command line does not wait for

        normalised = "features.1" in modules
        found, place = {}, 0
        for stage, (_, depth) in enumerate(TABLES[name], start=1):
            for layer in range(1, depth + 1):
                found[f"features.{place}"] = f"conv{stage}_{layer}"
                if normalised:
                    found[f"features.{place + 1}"] = f"conv{stage}_{layer}_bn"
                place += 3 if normalised else 2
            place += 1  # the pool
        return {**found, "classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}

    return made


ALEXNET_LAYERS = {"features.0": "conv1", "features.3": "conv2", "features.6": "conv3", "features.8": "conv4",
                  "features.10": "conv5", "classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "fc8"}


def map_alexnet(modules):
    return ALEXNET_LAYERS


NAME_MAPS = {"alexnet_2014": map_alexnet, "vgg16": make_vgg_map("vgg16"), "vgg19": make_vgg_map("vgg19"),
             "inception_v3": map_inception_v3}


# what torch.compile, DataParallel and training programs put in front of the names of a network's modules
NAME_PREFIXES = ("_orig_mod.", "module.", "model.", "backbone.", "encoder.", "net.")


def group_by_module(kind, tensors):
    """Return the Contents of {name of a parameter: Stored}: grouped by module, laid out as PyTorch does."""
    modules = {}
    for name, stored in tensors.items():
        module, _, variable = strip_prefix(name).rpartition(".")
        if variable in modules.setdefault(module, {}):
            raise ValueError(f"it holds two networks: {strip_prefix(name)} is there more than once, as {name} among others; "
                             "save the state dict of one")
        modules[module][variable] = stored
    return WeightsFile(kind, "torch", {module: [found[each] for each in VARIABLE_ORDER if each in found]
                                       for module, found in modules.items()})


def strip_prefix(name):
    """Return the name of a parameter without what stands in front of its network's."""
    prefix = next((prefix for prefix in NAME_PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else strip_prefix(name.removeprefix(prefix))


def pair_torch_modules(names, model_name):
    """Return {name of a module: our layer}; names that torchvision does not have stay as they are."""
    known = NAME_MAPS[model_name](names) if model_name in NAME_MAPS else {}
    return {name: known.get(name, name) for name in names}


def convert_to_keras_layout(arrays, flattened_shape):
    """Return the arrays of a PyTorch module as Keras lays them out.

    before: (height, width, channels) of the grid that was flattened in front of a dense layer, None elsewhere.
    """
    kernel, *others = arrays
    if len(kernel.shape) == 4:
        kernel = kernel.transpose(2, 3, 1, 0)  # units, channels, height, width
    elif len(kernel.shape) == 2:
        kernel = kernel.transpose(1, 0)
        if flattened_shape is not None and kernel.shape[0] == flattened_shape[0] * flattened_shape[1] * flattened_shape[2]:
            kernel = kernel.reorder_flattened(flattened_shape[2], *flattened_shape[:2])
    return [kernel, *others]
