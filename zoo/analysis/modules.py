"""What an architecture diagram shows of a network: its modules, what is in them, and which of them repeat.

The names of layers tell: conv2_1_conv1 and conv2_1_add are of the module conv2_1, which is of the stage conv2;
mixed0_2b_5x5 is of mixed0. Where names tell nothing, what lies between two layers that all must pass is a module.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace

# Of a layer's name; conv2_block1_out is of conv2_block1 too
MODULE_NAME_PATTERN = re.compile(r"[^_]+(_(block)?\d+(?=_|$))?")
EPILOGUE_KINDS = ("normalisation", "activation")  # kinds that are drawn with the layer that they follow

LAYER_KINDS = {  # what a class of layers is drawn as
    "InputLayer": "input",
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "SparseConv2D", "SeparableConv1D", "SeparableConv2D",
                     "DepthwiseConv1D", "DepthwiseConv2D", "Conv2DTranspose"), "convolution"),
    **dict.fromkeys(("Dense", "RBF"), "dense"),
    **dict.fromkeys(("MaxPooling2D", "AveragePooling2D", "CeilMaxPooling2D", "CeilAveragePooling2D",
                     "TrainableSubsampling", "SpatialPyramidPooling2D", "GlobalAveragePooling2D",
                     "GlobalMaxPooling2D"), "pool"),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization", "GroupNormalization", "LocalResponseNormalization",
                     "Normalization", "Rescaling"), "normalisation"),
    **dict.fromkeys(("Activation", "ReLU", "PReLU", "LeakyReLU", "ELU", "Softmax", "Maxout"), "activation"),
    **dict.fromkeys(("Concatenate", "Add", "ScaledAdd", "Multiply", "Average", "Maximum", "Highway", "Subtract"),
                    "merge"),
}
LAYER_LABELS = {"Conv2D": "conv", "SparseConv2D": "sparse conv", "SeparableConv2D": "separable conv",
                "DepthwiseConv2D": "depthwise conv", "Dense": "dense", "RBF": "radial basis functions",
                "MaxPooling2D": "max pool", "CeilMaxPooling2D": "max pool", "AveragePooling2D": "average pool",
                "CeilAveragePooling2D": "average pool", "GlobalAveragePooling2D": "mean of each map",
                "GlobalMaxPooling2D": "maximum of each map", "SpatialPyramidPooling2D": "spatial pyramid pool",
                "TrainableSubsampling": "subsampling", "LocalResponseNormalization": "response norm",
                "BatchNormalization": "batch norm", "Concatenate": "concat", "Add": "add", "ScaledAdd": "scaled add",
                "Highway": "highway", "ZeroPadding2D": "pad", "Flatten": "flatten", "Dropout": "dropout",
                "InputLayer": "input", "Activation": "activation", "Softmax": "softmax"}
ACTIVATION_LABELS = {"relu": "ReLU"}  # activations whose name is not written as it is in code
UNLABELLED_ACTIVATIONS = (None, "relu", "softmax")  # the colour of a stripe says enough of these


@dataclass(frozen=True)
class FusedLayer:
    """A layer with the normalisation and activation that follow it and the padding before it."""

    name: str  # of the layer
    kind: str  # a value of KINDS, or "other"
    label: str  # 3x3 conv, 64
    shape: tuple  # of the output
    layers: tuple  # anatomy's Layers, in the order of the flow
    inputs: tuple  # names of units, in this module or outside

    @property
    def epilogue_kinds(self):
        """The kinds of what follows the layer's work, in the layer or after it: normalisation, activation."""
        head, *others = self.layers[self.main_index:]
        own = ("activation",) if head.activation and self.kind != "activation" else ()
        return (*own, *(get_layer_kind(layer) for layer in others))

    @property
    def main_index(self):
        return next(place for place, layer in enumerate(self.layers) if layer.name == self.name)


@dataclass(frozen=True)
class Module:
    """Units that belong together by name; several such in a row are one Module with `times` above 1."""

    names: tuple  # of the modules that it stands for
    fused_layers: tuple  # of the first of them
    shape: tuple  # of the output of the last
    parameters: int  # of all of them together
    multiply_adds: int
    inputs: tuple  # names of modules
    loss_weight: float | None = None  # of a side classifier

    @property
    def name(self):
        return self.names[0]

    @property
    def repeats(self):
        return len(self.names)

    @property
    def title(self):
        """A few words: block35, 5 to 12, or the only layer's own."""
        if self.repeats > 1:
            stems = {re.sub(r"_?\d+$", "", name) for name in self.names}
            if len(stems) == 1 and all("_" in name for name in self.names):
                return stems.pop()
            return f"{self.names[0]} to {self.names[-1]}"
        return self.name


@dataclass(frozen=True)
class ModuleGraph:
    modules: tuple  # in the order of the flow, side classifiers last
    consumers: dict = field(default_factory=dict)  # {name of a module: names of those that read it}
    unfolded_modules: tuple = ()  # the modules before repeats were folded


def get_layer_kind(layer):
    return LAYER_KINDS.get(layer.class_name, "other")


def format_layer(layer):
    """Return a layer in a few words: '3x3 conv, 64 /2', 'softmax'."""
    if layer.class_name == "Activation" and layer.activation:
        return _format_activation(layer.activation)
    words = LAYER_LABELS.get(layer.class_name, layer.class_name)
    side = "x".join(map(str, layer.kernel_size)) + " " if layer.kernel_size else ""
    filters = f", {layer.filters}" if layer.filters and get_layer_kind(layer) in ("convolution", "dense") else ""
    strides = set(layer.strides or (1,)) - {1}
    stride = f" /{max(strides)}" if strides and not isinstance(strides, str) else ""
    groups = f", {layer.groups} groups" if (layer.groups or 1) > 1 else ""
    activation = f", {_format_activation(layer.activation)}" if layer.activation not in UNLABELLED_ACTIVATIONS else ""
    return f"{side}{words}{filters}{stride}{groups}{activation}"


def _format_activation(name):
    return ACTIVATION_LABELS.get(name, name.replace("_", " "))


def fuse_layers(layers, group_key=None):
    """Return the layers as Units: normalisation and activation with the layer that they alone read, padding likewise.

    `part` gives of a layer's name what the layers of a unit must share; default: the module.
    """
    group_key = group_key or get_module_name
    readers = defaultdict(list)
    for layer in layers:
        for source in dict.fromkeys(layer.inputs):
            readers[source].append(layer.name)
    groups, group_of = [], {}
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        source = by_name.get(layer.inputs[0]) if len(layer.inputs) == 1 else None
        alone = source is not None and len(readers[source.name]) == 1 and source.class_name != "InputLayer" \
            and group_key(source.name) == group_key(layer.name)
        follows = alone and get_layer_kind(layer) in EPILOGUE_KINDS and layer.class_name != "LocalResponseNormalization" \
            and get_layer_kind(by_name[groups[group_of[source.name]][0].name]) != "pool"
        padded = alone and source.class_name == "ZeroPadding2D" and get_layer_kind(layer) in ("convolution", "pool")
        if follows or padded:
            group_of[layer.name] = group_of[source.name]
            groups[group_of[layer.name]].append(layer)
        else:
            group_of[layer.name] = len(groups)
            groups.append([layer])
    heads = [next((each for each in group if each.class_name != "ZeroPadding2D"), group[0]) for group in groups]
    return [FusedLayer(head.name, get_layer_kind(head), format_layer(head), group[-1].shape, tuple(group),
                       tuple(dict.fromkeys(heads[group_of[source]].name for source in group[0].inputs
                                           if source in group_of)))
            for head, group in zip(heads, groups, strict=True)]


def get_module_name(name):
    return MODULE_NAME_PATTERN.match(name)[0] if MODULE_NAME_PATTERN.match(name) else name


def build_module_graph(summary, aux_loss_weights=None):
    """Return the Plan of an ModelSummary: its modules, repeats folded.

    `sides` are side classifiers' loss weights by name.
    """
    units = fuse_layers(summary.layers)
    if _group_by_module(units) is None:
        units = fuse_layers(summary.layers, group_key=lambda name: "")
    each = group_modules(units, aux_loss_weights)
    folded = _fold_repeats(each)
    readers = defaultdict(list)
    for module in folded:
        for source in module.inputs:
            readers[source].append(module.name)
    return ModuleGraph(tuple(folded), dict(readers), tuple(each))


def group_modules(fused_layers, aux_loss_weights=None):
    """Return the Modules of Units, each for itself, in the order of the flow; see `build_module_graph`."""
    by_name = _group_by_module(fused_layers)
    named = [(get_module_name(group[0].name), group) for group in by_name] if by_name else [
        (group[-1].layers[-1].name, group) for group in _group_between_bottlenecks(fused_layers)]
    of = {unit.name: name for name, group in named for unit in group}
    return [Module((name,), tuple(group), group[-1].shape,
                   sum(layer.parameters for unit in group for layer in unit.layers),
                   sum(layer.multiply_adds or 0 for unit in group for layer in unit.layers),
                   tuple(dict.fromkeys(of[source] for unit in group for source in unit.inputs if of[source] != name)),
                   (aux_loss_weights or {}).get(name))
            for name, group in named]


def _group_by_module(fused_layers):
    """Return the units by module in the order of the flow; None where the names tell nothing."""
    groups = defaultdict(list)
    for unit in fused_layers:
        groups[get_module_name(unit.name)].append(unit)
    of = {unit.name: name for name, group in groups.items() for unit in group}
    reads = {name: {of[source] for unit in group for source in unit.inputs} - {name} for name, group in groups.items()}
    ordered = []
    while reads:  # in an order of flow, the first of those that can come next
        ready = next((name for name, sources in reads.items() if not sources & reads.keys()), None)
        if ready is None:
            return None  # modules that read one another are none
        ordered.append(groups[ready])
        del reads[ready]
    return ordered


def _group_between_bottlenecks(fused_layers):
    """Return the units in groups that end with a unit that no connection passes by."""
    place = {unit.name: number for number, unit in enumerate(fused_layers)}
    furthest = list(range(len(fused_layers)))  # that reads it
    for number, unit in enumerate(fused_layers):
        for source in unit.inputs:
            furthest[place[source]] = max(furthest[place[source]], number)
    groups, reached = [[]], 0
    for number, unit in enumerate(fused_layers):
        groups[-1].append(unit)
        if reached <= number:  # what is above it is read by nothing below it
            groups.append([])
        reached = max(reached, furthest[number])
    return [group for group in groups if group]


def compute_signature(module, include_filters=True):
    """Return what makes two modules the same: kinds, what heads do, who reads whom; and their filters, if asked."""
    place = {unit.name: number for number, unit in enumerate(module.fused_layers)}
    heads = [unit.layers[unit.main_index] for unit in module.fused_layers]
    return tuple(
        (tuple((layer.class_name, layer.activation) for layer in unit.layers), head.kernel_size, head.strides,
         head.groups, include_filters and head.filters, tuple(sorted(place.get(source, -1) for source in unit.inputs)))
        for unit, head in zip(module.fused_layers, heads, strict=True))


def _fold_repeats(modules):
    """Return the modules with those in a row that are the same as one."""
    readers = defaultdict(set)
    for module in modules:
        for source in module.inputs:
            readers[source].add(module.name)
    folded, now = [], {}
    for module in modules:
        before = folded[-1] if folded else None
        if before and module.fused_layers[0].kind != "input" and module.inputs == (before.names[-1],) \
                and readers[before.names[-1]] == {module.name} and compute_signature(before) == compute_signature(module):
            folded[-1] = replace(before, names=(*before.names, module.name), shape=module.shape,
                                 parameters=before.parameters + module.parameters,
                                 multiply_adds=before.multiply_adds + module.multiply_adds)
        else:
            folded.append(module)
        now[module.name] = folded[-1].names[0]
    return [replace(module, inputs=tuple(dict.fromkeys(now[source] for source in module.inputs))) for module in folded]


def split_main_and_aux(module_graph):
    """Return the modules on the way to the main output, and the others: side classifiers."""
    by_name = {module.name: module for module in module_graph.modules}
    ends = [module for module in module_graph.modules if not module_graph.consumers.get(module.name)]
    wanted = [next((module for module in ends if module.loss_weight is None), ends[0]).name]
    found = set()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted.extend(by_name[name].inputs)
    return ([module for module in module_graph.modules if module.name in found],
            [module for module in module_graph.modules if module.name not in found])
