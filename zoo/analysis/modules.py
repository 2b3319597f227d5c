"""The module graph of an architecture diagram: modules, their layers, and repeated modules.

Modules follow from layer names: conv2_1_conv1 and conv2_1_add belong to the module conv2_1 of the stage conv2;
mixed0_2b_5x5 belongs to mixed0. If names do not determine modules, the layers between two bottlenecks form a module.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, replace

from zoo.analysis.branches import merge_other_branches, sum_counts

# The module name in a layer name; conv2_block1_out belongs to conv2_block1 too
MODULE_NAME_PATTERN = re.compile(r"[^_]+(_(block)?\d+(?=_|$))?")
EPILOGUE_KINDS = ("normalization", "activation")  # kinds that are drawn together with the layer before them
MODULE_KIND = "module"  # the kind of a module of several layers

LAYER_KINDS = {  # layer class: the kind that it is drawn as
    "InputLayer": "input",
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "SparseConv2D", "SeparableConv1D", "SeparableConv2D",
                     "DepthwiseConv1D", "DepthwiseConv2D", "Conv2DTranspose"), "convolution"),
    **dict.fromkeys(("Dense", "RBF"), "dense"),
    **dict.fromkeys(("MaxPooling2D", "AveragePooling2D", "CeilMaxPooling2D", "CeilAveragePooling2D",
                     "TrainableSubsampling", "SpatialPyramidPooling2D", "GlobalAveragePooling2D",
                     "GlobalMaxPooling2D", "MaxPooling1D", "AveragePooling1D", "GlobalAveragePooling1D",
                     "GlobalMaxPooling1D"), "pool"),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization", "GroupNormalization", "LocalResponseNormalization",
                     "Normalization", "Rescaling", "PixelScaling"), "normalization"),
    **dict.fromkeys(("Activation", "ReLU", "PReLU", "LeakyReLU", "ELU", "Softmax", "Maxout"), "activation"),
    **dict.fromkeys(("Concatenate", "Add", "ScaledAdd", "Multiply", "Average", "Maximum", "Highway", "Subtract"),
                    "merge"),
}
LAYER_LABELS = {"Conv1D": "conv", "MaxPooling1D": "max pool", "AveragePooling1D": "average pool",
                "GlobalAveragePooling1D": "global average pool", "GlobalMaxPooling1D": "global max pool",
                "Embedding": "embedding",
                "Conv2D": "conv", "SparseConv2D": "sparse conv", "SeparableConv2D": "separable conv",
                "DepthwiseConv2D": "depthwise conv", "Dense": "dense", "RBF": "radial basis functions",
                "MaxPooling2D": "max pool", "CeilMaxPooling2D": "max pool", "AveragePooling2D": "average pool",
                "CeilAveragePooling2D": "average pool", "GlobalAveragePooling2D": "global average pool",
                "GlobalMaxPooling2D": "global max pool", "SpatialPyramidPooling2D": "spatial pyramid pool",
                "TrainableSubsampling": "subsampling", "LocalResponseNormalization": "LRN",
                "BatchNormalization": "batch norm", "Concatenate": "concat", "Add": "add", "ScaledAdd": "add",
                "Highway": "highway", "ZeroPadding2D": "pad", "ChannelPadding": "pad channels",
                "Flatten": "flatten", "Dropout": "dropout",
                "InputLayer": "input", "Activation": "activation", "Softmax": "softmax"}
ACTIVATION_LABELS = {"relu": "ReLU"}  # activations whose label differs from the name in code
UNLABELED_ACTIVATIONS = (None, "relu", "softmax")  # shown by the color of a stripe alone


@dataclass(frozen=True)
class FusedLayer:
    """A layer fused with the normalization and activation that follow it and the padding before it."""

    name: str  # of the main layer
    kind: str  # a value of LAYER_KINDS, or "other"
    label: str  # such as '3x3 conv, 64'
    shape: tuple  # of the output
    layers: tuple  # LayerSummary objects in topological order
    inputs: tuple  # names of fused layers, in this module or outside

    @property
    def epilogue_kinds(self):
        """The kinds applied after the main operation, in the layer or after it: normalization, activation."""
        main_layer, *following_layers = self.layers[self.main_index:]
        own_kinds = ("activation",) if main_layer.activation and self.kind != "activation" else ()
        return (*own_kinds, *(get_layer_kind(layer) for layer in following_layers))

    @property
    def main_index(self):
        return next(index for index, layer in enumerate(self.layers) if layer.name == self.name)

    @property
    def main_layer(self):
        return self.layers[self.main_index]


@dataclass(frozen=True)
class Module:
    """Fused layers that belong together by name; identical consecutive ones are one Module with `repeats` above 1."""

    names: tuple  # of the modules that it represents
    fused_layers: tuple  # of the first module
    shape: tuple  # of the output of the last module
    parameters: int  # of all modules together
    multiply_adds: int | None  # None: unknown for a layer
    inputs: tuple  # names of modules
    loss_weight: float | None = None  # of an auxiliary classifier

    @property
    def name(self):
        return self.names[0]

    @property
    def repeats(self):
        return len(self.names)

    @property
    def layers(self):
        """The LayerSummary objects of the first module."""
        return [layer for fused_layer in self.fused_layers for layer in fused_layer.layers]

    @property
    def kind(self):
        """The kind of the only fused layer, or MODULE_KIND."""
        return self.fused_layers[0].kind if len(self.fused_layers) == 1 else MODULE_KIND

    @property
    def name_range(self):
        """The name of one module, or the first and the last name: 'conv2_2 to conv2_3'."""
        return self.name if self.repeats == 1 else f"{self.names[0]} to {self.names[-1]}"

    @property
    def title(self):
        """A short title: '10 x block35' for block35_1 to block35_10, 'conv2_2 to conv2_3', or the name of one module.

        conv1 of conv1_1 and conv1_2 is no layer, but a stage: single layers, and some modules of a stage, are a range.
        """
        prefix = self.name.rpartition("_")[0]
        if self.repeats > 1 and prefix and len(self.fused_layers) > 1 and \
                self.names == tuple(f"{prefix}_{number}" for number in range(1, self.repeats + 1)):
            return f"{self.repeats} x {prefix}"
        return self.name_range


@dataclass(frozen=True)
class ModuleGraph:
    modules: tuple  # in topological order, auxiliary classifiers last
    unfolded_modules: tuple  # the modules before repeats were folded


def get_layer_kind(layer):
    return LAYER_KINDS.get(layer.class_name, "other")


def format_layer(layer):
    """Return a short label of a layer: '3x3 conv, 64 /2', '3 conv, 16, dilation 2', 'softmax'."""
    if layer.class_name == "Activation" and layer.activation:
        return _format_activation(layer.activation)
    label = LAYER_LABELS.get(layer.class_name, layer.class_name)
    kernel_size = "x".join(map(str, layer.kernel_size)) + " " if layer.kernel_size else ""
    filters = f", {layer.filters}" if layer.filters and get_layer_kind(layer) in ("convolution", "dense") else ""
    stride, dilation = _format_factor(" /", layer.strides), _format_factor(", dilation ", layer.dilation_rate)
    groups = f", {layer.groups} groups" if (layer.groups or 1) > 1 else ""
    activation = f", {_format_activation(layer.activation)}" if layer.activation not in UNLABELED_ACTIVATIONS else ""
    scale = "" if layer.residual_scale in (None, 1) else f", residual x {layer.residual_scale:g}"
    return f"{kernel_size}{label}{filters}{stride}{dilation}{groups}{scale}{activation}"


def _format_factor(prefix, values):
    """Return strides or dilation rates after a prefix: '2' for 2 along each axis, '1x2'; "" for 1 or None."""
    if values is None or set(values) == {1}:
        return ""
    return prefix + (str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values)))


def _format_activation(name):
    return ACTIVATION_LABELS.get(name, name.replace("_", " "))


def fuse_layers(layers, group_key=None):
    """Return the FusedLayers: normalization, activation and padding are fused with a layer if they alone read it.

    `group_key` maps a layer name to a key that fused layers must share; default: the module name.
    """
    group_key = group_key or get_module_name
    consumers = defaultdict(list)
    for layer in layers:
        for source in dict.fromkeys(layer.inputs):
            consumers[source].append(layer.name)
    groups, group_indices = [], {}
    layers_by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        source = layers_by_name.get(layer.inputs[0]) if len(layer.inputs) == 1 else None
        is_only_consumer = source is not None and len(consumers[source.name]) == 1 \
            and source.class_name != "InputLayer" and group_key(source.name) == group_key(layer.name)
        is_epilogue = is_only_consumer and get_layer_kind(layer) in EPILOGUE_KINDS \
            and layer.class_name != "LocalResponseNormalization" \
            and get_layer_kind(layers_by_name[groups[group_indices[source.name]][0].name]) != "pool"
        is_padded = is_only_consumer and source.class_name == "ZeroPadding2D" \
            and get_layer_kind(layer) in ("convolution", "pool")
        if is_epilogue or is_padded:
            group_indices[layer.name] = group_indices[source.name]
            groups[group_indices[layer.name]].append(layer)
        else:
            group_indices[layer.name] = len(groups)
            groups.append([layer])
    main_layers = [next((layer for layer in group if layer.class_name != "ZeroPadding2D"), group[0])
                   for group in groups]
    return [FusedLayer(main_layer.name, get_layer_kind(main_layer), format_layer(main_layer), group[-1].shape,
                       tuple(group),
                       tuple(dict.fromkeys(main_layers[group_indices[source]].name for source in group[0].inputs
                                           if source in group_indices)))
            for main_layer, group in zip(main_layers, groups, strict=True)]


def get_module_name(name):
    return MODULE_NAME_PATTERN.match(name)[0] if MODULE_NAME_PATTERN.match(name) else name


def build_module_graph(summary, aux_loss_weights=None):
    """Return the ModuleGraph of a ModelSummary, with repeated modules folded.

    `aux_loss_weights` are the loss weights of the auxiliary classifiers by name.
    """
    fused_layers = fuse_layers(summary.layers)
    if _group_by_module(fused_layers) is None:
        fused_layers = fuse_layers(summary.layers, group_key=lambda name: "")
    unfolded_modules = group_modules(fused_layers, aux_loss_weights)
    return ModuleGraph(tuple(_fold_repeats(unfolded_modules)), tuple(unfolded_modules))


def group_modules(fused_layers, aux_loss_weights=None):
    """Return the unfolded Modules of FusedLayers in topological order; see `build_module_graph`."""
    groups = _group_by_module(fused_layers)
    named_groups = [(get_module_name(group[0].name), group) for group in groups] if groups else [
        (group[-1].layers[-1].name, group) for group in _group_between_bottlenecks(fused_layers)]
    module_names = {fused_layer.name: name for name, group in named_groups for fused_layer in group}
    modules = [Module((name,), tuple(group), group[-1].shape,
                      sum(layer.parameters for fused_layer in group for layer in fused_layer.layers),
                      sum_counts(layer.multiply_adds for fused_layer in group for layer in fused_layer.layers),
                      tuple(dict.fromkeys(module_names[source] for fused_layer in group for source in fused_layer.inputs
                                          if module_names[source] != name)),
                      (aux_loss_weights or {}).get(name))
               for name, group in named_groups]
    return merge_other_branches(modules)


def _group_by_module(fused_layers):
    """Return the fused layers by module in topological order; None if the names do not determine modules."""
    groups = defaultdict(list)
    for fused_layer in fused_layers:
        groups[get_module_name(fused_layer.name)].append(fused_layer)
    module_names = {fused_layer.name: name for name, group in groups.items() for fused_layer in group}
    remaining_inputs = {name: {module_names[source] for fused_layer in group for source in fused_layer.inputs} - {name}
                        for name, group in groups.items()}
    ordered_groups = []
    while remaining_inputs:  # topological sort: the first module whose inputs are done
        next_name = next((name for name, sources in remaining_inputs.items() if not sources & remaining_inputs.keys()),
                         None)
        if next_name is None:
            return None  # a cycle: the groups are not modules
        ordered_groups.append(groups[next_name])
        del remaining_inputs[next_name]
    return ordered_groups


def _group_between_bottlenecks(fused_layers):
    """Return the fused layers in groups, each of which ends with one that no connection bypasses."""
    indices = {fused_layer.name: index for index, fused_layer in enumerate(fused_layers)}
    last_consumers = list(range(len(fused_layers)))  # index of the last fused layer that reads each
    for index, fused_layer in enumerate(fused_layers):
        for source in fused_layer.inputs:
            last_consumers[indices[source]] = max(last_consumers[indices[source]], index)
    groups, last_consumer = [[]], 0
    for index, fused_layer in enumerate(fused_layers):
        groups[-1].append(fused_layer)
        if last_consumer <= index:  # nothing below reads anything above it
            groups.append([])
        last_consumer = max(last_consumer, last_consumers[index])
    return [group for group in groups if group]


def compute_signature(module, include_filters=True):
    """Return a signature, equal for identical modules: classes, main layers, connections, and optionally filters."""
    indices = {fused_layer.name: index for index, fused_layer in enumerate(module.fused_layers)}
    main_layers = [fused_layer.main_layer for fused_layer in module.fused_layers]
    return tuple(
        (tuple((layer.class_name, layer.activation) for layer in fused_layer.layers), main_layer.kernel_size,
         main_layer.strides, main_layer.groups, main_layer.dilation_rate, main_layer.padding, main_layer.use_bias,
         include_filters and main_layer.filters,
         tuple(sorted(indices.get(source, -1) for source in fused_layer.inputs)))
        for fused_layer, main_layer in zip(module.fused_layers, main_layers, strict=True))


def _fold_repeats(modules):
    """Return the modules with identical consecutive ones folded into one."""
    consumers = defaultdict(set)
    for module in modules:
        for source in module.inputs:
            consumers[source].add(module.name)
    folded_modules, folded_names = [], {}
    for module in modules:
        previous = folded_modules[-1] if folded_modules else None
        if previous and module.fused_layers[0].kind != "input" and module.inputs == (previous.names[-1],) \
                and consumers[previous.names[-1]] == {module.name} \
                and compute_signature(previous) == compute_signature(module):
            folded_modules[-1] = replace(previous, names=(*previous.names, module.name), shape=module.shape,
                                         parameters=previous.parameters + module.parameters,
                                         multiply_adds=sum_counts((previous.multiply_adds, module.multiply_adds)))
        else:
            folded_modules.append(module)
        folded_names[module.name] = folded_modules[-1].names[0]
    return [replace(module, inputs=tuple(dict.fromkeys(folded_names[source] for source in module.inputs)))
            for module in folded_modules]
