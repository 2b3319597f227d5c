"""torchvision's names of parameters, as its source has them (0.20): alexnet, which is our alexnet_2014, vgg16, vgg19,
inception_v3.
"""

from zoo.weights.lazy_array import Contents

VARIABLES = ("weight", "bias", "running_mean", "running_var")  # Keras's order, of normalisation and of all others

# module of torchvision: the start of our names, {branch: the end of ours}
GRID35 = {"branch1x1": "1a_1x1", "branch5x5_1": "2a_1x1", "branch5x5_2": "2b_5x5", "branch3x3dbl_1": "3a_1x1",
          "branch3x3dbl_2": "3b_3x3", "branch3x3dbl_3": "3c_3x3", "branch_pool": "4b_1x1"}
TO_GRID17 = {"branch3x3": "1a_3x3", "branch3x3dbl_1": "2a_1x1", "branch3x3dbl_2": "2b_3x3", "branch3x3dbl_3": "2c_3x3"}
GRID17 = {"branch1x1": "1a_1x1", "branch7x7_1": "2a_1x1", "branch7x7_2": "2b_1x7", "branch7x7_3": "2c_7x1",
          "branch7x7dbl_1": "3a_1x1", "branch7x7dbl_2": "3b_7x1", "branch7x7dbl_3": "3c_1x7",
          "branch7x7dbl_4": "3d_7x1", "branch7x7dbl_5": "3e_1x7", "branch_pool": "4b_1x1"}
TO_GRID8 = {"branch3x3_1": "1a_1x1", "branch3x3_2": "1b_3x3", "branch7x7x3_1": "2a_1x1", "branch7x7x3_2": "2b_1x7",
            "branch7x7x3_3": "2c_7x1", "branch7x7x3_4": "2d_3x3"}
GRID8 = {"branch1x1": "1a_1x1", "branch3x3_1": "2a_1x1", "branch3x3_2a": "2b_1a_1x3", "branch3x3_2b": "2b_2a_3x1",
         "branch3x3dbl_1": "3a_1x1", "branch3x3dbl_2": "3b_3x3", "branch3x3dbl_3a": "3c_1a_1x3",
         "branch3x3dbl_3b": "3c_2a_3x1", "branch_pool": "4b_1x1"}
MODULES = {"Mixed_5b": GRID35, "Mixed_5c": GRID35, "Mixed_5d": GRID35, "Mixed_6a": TO_GRID17, "Mixed_6b": GRID17,
           "Mixed_6c": GRID17, "Mixed_6d": GRID17, "Mixed_6e": GRID17, "Mixed_7a": TO_GRID8, "Mixed_7b": GRID8,
           "Mixed_7c": GRID8}  # mixed0 to mixed10
STEM = {"Conv2d_1a_3x3": "stem_a_3x3", "Conv2d_2a_3x3": "stem_b_3x3", "Conv2d_2b_3x3": "stem_c_3x3",
        "Conv2d_3b_1x1": "stem_e_1x1", "Conv2d_4a_3x3": "stem_f_3x3"}
SIDE = {"AuxLogits.conv0": "aux1_conv1", "AuxLogits.conv1": "aux1_conv2"}


def inception_v3(modules):
    units = {**STEM, **SIDE, **{f"{module}.{branch}": f"mixed{number}_{end}"
                                for number, (module, branches) in enumerate(MODULES.items())
                                for branch, end in branches.items()}}
    both = {f"{theirs}.{part}": ours + end
            for theirs, ours in units.items() for part, end in (("conv", ""), ("bn", "_bn"))}
    return {**both, "AuxLogits.fc": "aux1_fc", "fc": "fc"}


def vgg(name):
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


ALEXNET = {"features.0": "conv1", "features.3": "conv2", "features.6": "conv3", "features.8": "conv4",
           "features.10": "conv5", "classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "fc8"}


def alexnet(modules):
    return ALEXNET


MAPS = {"alexnet_2014": alexnet, "vgg16": vgg("vgg16"), "vgg19": vgg("vgg19"), "inception_v3": inception_v3}


# what torch.compile, DataParallel and training programs put in front of the names of a network's modules
PREFIXES = ("_orig_mod.", "module.", "model.", "backbone.", "encoder.", "net.")


def contents(kind, tensors):
    """Return the Contents of {name of a parameter: Stored}: grouped by module, laid out as PyTorch does."""
    modules = {}
    for name, stored in tensors.items():
        module, _, variable = bare(name).rpartition(".")
        if variable in modules.setdefault(module, {}):
            raise ValueError(f"it holds two networks: {bare(name)} is there more than once, as {name} among others; "
                             "save the state dict of one")
        modules[module][variable] = stored
    return Contents(kind, "torch", {module: [found[each] for each in VARIABLES if each in found]
                                    for module, found in modules.items()})


def bare(name):
    """Return the name of a parameter without what stands in front of its network's."""
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else bare(name.removeprefix(prefix))


def paired(names, network):
    """Return {name of a module: our layer}; names that torchvision does not have stay as they are."""
    known = MAPS[network](names) if network in MAPS else {}
    return {name: known.get(name, name) for name in names}


def laid_out(stored, before):
    """Return the arrays of a PyTorch module as Keras lays them out.

    before: (height, width, channels) of the grid that was flattened in front of a dense layer, None elsewhere.
    """
    kernel, *others = stored
    if len(kernel.shape) == 4:
        kernel = kernel.transposed(2, 3, 1, 0)  # units, channels, height, width
    elif len(kernel.shape) == 2:
        kernel = kernel.transposed(1, 0)
        if before is not None and kernel.shape[0] == before[0] * before[1] * before[2]:
            kernel = kernel.rows_from(before[2], *before[:2])
    return [kernel, *others]
