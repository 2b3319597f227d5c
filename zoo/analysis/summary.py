"""What a network consists of, layer by layer and stage by stage, as plain data.

A multiply-add is one multiplication and the addition that goes with it, for one picture. Biases, activations,
normalisation, pools and sums count nothing. A layer with weights that is not known here, and a product of tensors, has
None for its multiply-adds; the totals leave it out, and `uncounted` names it.
"""

import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
from keras import layers

from zoo.analysis import graph, memory, receptive_field as receptive
from zoo.errors import UserError
from zoo.layers import RBF, SparseConv2D, TrainableSubsampling
from zoo.models import builder


@dataclass(frozen=True)
class Layer:
    """A layer, or an operation, in all its uses. Shapes are without the number of pictures; None in one: not fixed."""

    name: str
    kind: str  # its class
    shape: tuple  # of its output; of several the first
    parameters: int
    trainable_parameters: int
    multiply_adds: int | None  # None: not known
    filters: int | None = None  # or units
    kernel: tuple | None = None  # or the window of a pool
    strides: tuple | None = None
    groups: int | None = None  # of a convolution
    activation: str | None = None  # of the layer itself, after its own work; None: none
    reads: tuple = ()  # names of the layers whose outputs it reads, each once, in the order of its calls' arguments
    receptive_field: tuple | str | None = None  # pixels of the picture that an output sees, "all", or None: not known
    output_stride: tuple | None = None  # pixels of the picture from one output to the next; None: no grid, or not known


@dataclass(frozen=True)
class Stage:
    """The layers whose names are the same up to the first '_': conv2_1_conv1 and conv2_1_conv2 are of conv2."""

    name: str
    shape: tuple  # of its last output
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    receptive_field: tuple | str | None  # this and the next: of its last output
    output_stride: tuple | None
    layers: tuple  # their names


@dataclass(frozen=True)
class Anatomy:
    """Layers and stages in the order of the flow, branch by branch; what only a side output needs comes last."""

    layers: tuple
    stages: tuple  # without the inputs
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    uncounted: tuple  # names of the layers whose multiply-adds are not known
    memory: memory.Memory | None  # None: a shape is not fixed, or a layer is a model of its own


def of_network(blueprint):
    """Return the Anatomy of a Blueprint's network: in about a second at most, and without memory for its weights.

    Inside a StatelessScope Keras makes variables without values, and notes them for the next scope that ends, which
    would allocate them after all. Each thread has its own note: this one's ends with it.
    """
    def build_and_read():
        with keras.StatelessScope(initialize_variables=False):
            return read(builder.build(blueprint))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(build_and_read).result()


def read(model):
    """Return the Anatomy of a functional keras.Model, or of a sequential one that is built.

    UserError for a model of another kind: its flow is code.
    """
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs)  # of the same layers
    if not isinstance(model, keras.Function):
        raise UserError(f"{model.name!r}, a {type(model).__name__}, says in code alone what its layers read: give a "
                        "functional model, keras.Model(inputs, outputs), or a keras.Sequential that is built")
    made = graph.calls(model)
    seen = receptive.of(made)
    found, inputs = [], set()
    for name, nodes in graph.by_layer(made).items():
        found.append(_layer(name, [made[node] for node in nodes], seen[nodes[-1]]))
        if not made[nodes[0]].read:
            inputs.add(name)
    return Anatomy(tuple(found), _stages([layer for layer in found if layer.name not in inputs]), **_sums(found),
                   uncounted=tuple(layer.name for layer in found if layer.multiply_adds is None),
                   memory=memory.of(made))


def _layer(name, calls, sight):
    kind, layer = calls[0].kind, calls[0].layer
    weights, trainable = (layer.weights, layer.trainable_weights) if layer else ((), ())
    return Layer(name, kind, calls[-1].shape, _size(weights), _size(trainable), _multiply_adds(kind, layer, calls),
                 getattr(layer, "filters", getattr(layer, "units", None)), _sides(layer, "kernel_size", "pool_size"),
                 _sides(layer, "strides"), getattr(layer, "groups", None), _activation(layer),
                 tuple(dict.fromkeys(name for call in calls for name, _ in call.read)), sight.field, sight.stride)


def _activation(layer):
    """Return the name of the function that a layer applies to what it has worked out; None if there is none."""
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", type(function).__name__) if function else "linear"
    return None if name == "linear" else name


def _stages(found):
    members = defaultdict(list)
    for layer in found:
        members[layer.name.partition("_")[0]].append(layer)
    last = {layer.name: place for place, layer in enumerate(found)}
    return tuple(Stage(name, group[-1].shape, **_sums(group), receptive_field=group[-1].receptive_field,
                       output_stride=group[-1].output_stride, layers=tuple(layer.name for layer in group))
                 for name, group in sorted(members.items(), key=lambda item: last[item[1][-1].name]))


def _sums(found):
    return {what: sum(getattr(layer, what) or 0 for layer in found)
            for what in ("parameters", "trainable_parameters", "multiply_adds")}


def _size(weights):
    return sum(math.prod(each.shape) for each in weights)


def _sides(layer, *names):
    """Return a kernel's or a window's sides; one number is that of a square."""
    value = next((getattr(layer, name) for name in names if hasattr(layer, name)), None)
    return (value, value) if isinstance(value, int) else value


# --------------------------------------------------------------------------------------------------- multiply-adds

def _multiply_adds(kind, layer, calls):
    """Return the multiply-adds of all uses of a layer; None if they are not known."""
    if kind in PRODUCTS:
        return None
    if layer is None:
        return 0
    if isinstance(layer, (keras.Function, keras.Sequential)):
        inside = read(layer)
        return None if inside.uncounted else inside.multiply_adds * len(calls)
    count = next((COUNTED[kind] for kind in type(layer).__mro__ if kind in COUNTED), None)
    if count is None:
        return None if layer.weights else 0
    counts = [count(layer, call) for call in calls]
    return None if None in counts else sum(counts)


def _kernels(*names, where=lambda call: call.shape):
    """The weights of the kernels, all of them, at each place of the output's grid: whatever groups and strides are."""
    def count(layer, call):
        places = _places(layer, where(call))
        return None if None in places else math.prod(places) * sum(_size([getattr(layer, name)]) for name in names)

    return count


def _places(layer, shape):
    return shape[1:] if getattr(layer, "data_format", None) == "channels_first" else shape[:-1]


def _none(layer, call):
    return 0


def _one_an_output(layer, call):
    return None if None in call.shape else math.prod(call.shape)


_KERNEL = _kernels("kernel")
_TRANSPOSED = _kernels("kernel", where=lambda call: call.inputs[0])
_SEPARABLE = _kernels("depthwise_kernel", "pointwise_kernel")

PRODUCTS = {"Dot", "Attention", "AdditiveAttention", "Matmul", "Tensordot", "Einsum", "Vdot", "Inner", "Outer"}
COUNTED = {  # of one use; layers without weights count nothing
    **dict.fromkeys((layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D,
                     layers.DepthwiseConv2D, SparseConv2D), _KERNEL),
    **dict.fromkeys((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _TRANSPOSED),
    **dict.fromkeys((layers.SeparableConv1D, layers.SeparableConv2D), _SEPARABLE),
    RBF: _kernels("codes"),
    TrainableSubsampling: _one_an_output,
    **dict.fromkeys((layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization,
                     layers.Normalization, layers.PReLU, layers.Embedding), _none),
}
