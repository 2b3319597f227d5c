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
class LayerSummary:
    """A layer, or an operation, in all its uses. Shapes are without the number of pictures; None in one: not fixed."""

    name: str
    class_name: str  # its class
    shape: tuple  # of its output; of several the first
    parameters: int
    trainable_parameters: int
    multiply_adds: int | None  # None: not known
    filters: int | None = None  # or units
    kernel_size: tuple | None = None  # or the window of a pool
    strides: tuple | None = None
    groups: int | None = None  # of a convolution
    activation: str | None = None  # of the layer itself, after its own work; None: none
    inputs: tuple = ()  # names of the layers whose outputs it reads, each once, in the order of its calls' arguments
    receptive_field: tuple | str | None = None  # pixels of the picture that an output sees, "all", or None: not known
    output_stride: tuple | None = None  # pixels of the picture from one output to the next; None: no grid, or not known


@dataclass(frozen=True)
class StageSummary:
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
class ModelSummary:
    """Layers and stages in the order of the flow, branch by branch; what only a side output needs comes last."""

    layers: tuple
    stages: tuple  # without the inputs
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    uncounted_layers: tuple  # names of the layers whose multiply-adds are not known
    memory: memory.MemoryEstimate | None  # None: a shape is not fixed, or a layer is a model of its own


def summarize_model_config(model_config):
    """Return the ModelSummary of a ModelConfig's network: in about a second at most, and without memory for its
    weights.

    Inside a StatelessScope Keras makes variables without values, and notes them for the next scope that ends, which
    would allocate them after all. Each thread has its own note: this one's ends with it.
    """
    def build_and_read():
        with keras.StatelessScope(initialize_variables=False):
            return summarize_model(builder.build_model(model_config))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(build_and_read).result()


def summarize_model(model):
    """Return the ModelSummary of a functional keras.Model, or of a sequential one that is built.

    UserError for a model of another kind: its flow is code.
    """
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs)  # of the same layers
    if not isinstance(model, keras.Function):
        raise UserError(f"{model.name!r}, a {type(model).__name__}, says in code alone what its layers read: give a "
                        "functional model, keras.Model(inputs, outputs), or a keras.Sequential that is built")
    made = graph.get_layer_calls(model)
    seen = receptive.compute_receptive_fields(made)
    found, inputs = [], set()
    for name, nodes in graph.group_by_layer(made).items():
        found.append(_summarize_layer(name, [made[node] for node in nodes], seen[nodes[-1]]))
        if not made[nodes[0]].input_calls:
            inputs.add(name)
    return ModelSummary(tuple(found), _summarize_stages([layer for layer in found if layer.name not in inputs]),
                        **_sum_counts(found),
                        uncounted_layers=tuple(layer.name for layer in found if layer.multiply_adds is None),
                        memory=memory.estimate_memory(made))


def _summarize_layer(name, calls, field):
    kind, layer = calls[0].class_name, calls[0].layer
    weights, trainable = (layer.weights, layer.trainable_weights) if layer else ((), ())
    return LayerSummary(name, kind, calls[-1].shape, _count_weights(weights), _count_weights(trainable),
                        _count_multiply_adds(kind, layer, calls),
                        getattr(layer, "filters", getattr(layer, "units", None)),
                        _get_window_size(layer, "kernel_size", "pool_size"), _get_window_size(layer, "strides"),
                        getattr(layer, "groups", None), _get_activation_name(layer),
                        tuple(dict.fromkeys(name for call in calls for name, _ in call.input_calls)), field.size,
                        field.stride)


def _get_activation_name(layer):
    """Return the name of the function that a layer applies to what it has worked out; None if there is none."""
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", type(function).__name__) if function else "linear"
    return None if name == "linear" else name


def _summarize_stages(layer_summaries):
    members = defaultdict(list)
    for layer in layer_summaries:
        members[layer.name.partition("_")[0]].append(layer)
    last = {layer.name: place for place, layer in enumerate(layer_summaries)}
    return tuple(StageSummary(name, group[-1].shape, **_sum_counts(group), receptive_field=group[-1].receptive_field,
                              output_stride=group[-1].output_stride, layers=tuple(layer.name for layer in group))
                 for name, group in sorted(members.items(), key=lambda item: last[item[1][-1].name]))


def _sum_counts(layer_summaries):
    return {what: sum(getattr(layer, what) or 0 for layer in layer_summaries)
            for what in ("parameters", "trainable_parameters", "multiply_adds")}


def _count_weights(weights):
    return sum(math.prod(each.shape) for each in weights)


def _get_window_size(layer, *names):
    """Return a kernel's or a window's sides; one number is that of a square."""
    value = next((getattr(layer, name) for name in names if hasattr(layer, name)), None)
    return (value, value) if isinstance(value, int) else value


# --------------------------------------------------------------------------------------------------- multiply-adds

def _count_multiply_adds(class_name, layer, calls):
    """Return the multiply-adds of all uses of a layer; None if they are not known."""
    if class_name in PRODUCT_CLASSES:
        return None
    if layer is None:
        return 0
    if isinstance(layer, (keras.Function, keras.Sequential)):
        inside = summarize_model(layer)
        return None if inside.uncounted_layers else inside.multiply_adds * len(calls)
    count = next((MULTIPLY_ADD_COUNTERS[kind] for kind in type(layer).__mro__ if kind in MULTIPLY_ADD_COUNTERS), None)
    if count is None:
        return None if layer.weights else 0
    counts = [count(layer, call) for call in calls]
    return None if None in counts else sum(counts)


def _make_kernel_counter(*names, get_shape=lambda call: call.shape):
    """The weights of the kernels, all of them, at each place of the output's grid: whatever groups and strides are."""
    def count(layer, call):
        places = _get_spatial_shape(layer, get_shape(call))
        return None if None in places else math.prod(places) * sum(_count_weights([getattr(layer, name)])
                                                                   for name in names)

    return count


def _get_spatial_shape(layer, shape):
    return shape[1:] if getattr(layer, "data_format", None) == "channels_first" else shape[:-1]


def _count_nothing(layer, call):
    return 0


def _count_outputs(layer, call):
    return None if None in call.shape else math.prod(call.shape)


_KERNEL_COUNTER = _make_kernel_counter("kernel")
_TRANSPOSED_COUNTER = _make_kernel_counter("kernel", get_shape=lambda call: call.input_shapes[0])
_SEPARABLE_COUNTER = _make_kernel_counter("depthwise_kernel", "pointwise_kernel")

PRODUCT_CLASSES = {"Dot", "Attention", "AdditiveAttention", "Matmul", "Tensordot", "Einsum", "Vdot", "Inner", "Outer"}
MULTIPLY_ADD_COUNTERS = {  # of one use; layers without weights count nothing
    **dict.fromkeys((layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D,
                     layers.DepthwiseConv2D, SparseConv2D), _KERNEL_COUNTER),
    **dict.fromkeys((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _TRANSPOSED_COUNTER),
    **dict.fromkeys((layers.SeparableConv1D, layers.SeparableConv2D), _SEPARABLE_COUNTER),
    RBF: _make_kernel_counter("codes"),
    TrainableSubsampling: _count_outputs,
    **dict.fromkeys((layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization,
                     layers.Normalization, layers.PReLU, layers.Embedding), _count_nothing),
}
