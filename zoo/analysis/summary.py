"""A summary of a model by layer and by stage, as plain data.

A multiply-add (MAC) is one multiplication and the addition that goes with it, for one image. Biases, activations,
normalization, pooling and sums count as zero. An unknown layer with weights, or a product of tensors, has None for its
multiply-adds; the totals exclude it, and `uncounted_layers` lists it.
"""

import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
from keras import layers

from zoo.analysis import graph, memory, receptive_field
from zoo.errors import UserError
from zoo.layers import RBF, ScaledAdd, SparseConv2D, TrainableSubsampling
from zoo.models import builder


@dataclass(frozen=True)
class LayerSummary:
    """A layer, or an operation, over all its calls. Shapes exclude the batch axis; None in a shape: not fixed."""

    name: str
    class_name: str
    shape: tuple  # of the output; the first of several
    parameters: int
    trainable_parameters: int
    multiply_adds: int | None  # None: unknown
    filters: int | None = None  # or units
    kernel_size: tuple | None = None  # or the pool size
    strides: tuple | None = None
    groups: int | None = None  # of a convolution
    activation: str | None = None  # the layer's own activation; None: none
    inputs: tuple = ()  # names of the layers whose outputs it takes, without duplicates, in argument order
    receptive_field: tuple | str | None = None  # in pixels of the image; "all"; None: unknown
    output_stride: tuple | None = None  # pixels of the image between outputs; None: not a feature map, or unknown
    residual_scale: float | None = None  # the factor of a ScaledAdd
    dilation_rate: tuple | None = None
    padding: str | None = None  # "same", "valid" or "causal"
    use_bias: bool | None = None


@dataclass(frozen=True)
class StageSummary:
    """The layers with the same name up to the first '_': conv2_1_conv1 and conv2_1_conv2 belong to conv2."""

    name: str
    shape: tuple  # of the last output
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    receptive_field: tuple | str | None  # this and the next: of the last output
    output_stride: tuple | None
    layers: tuple  # layer names


@dataclass(frozen=True)
class ModelSummary:
    """Layers and stages in topological order, branch by branch; layers of auxiliary outputs only come last."""

    layers: tuple
    stages: tuple  # excluding the inputs
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    uncounted_layers: tuple  # names of the layers whose multiply-adds are unknown
    memory: memory.MemoryEstimate | None  # None: a shape is not fixed, a tensor holds strings, or a layer is a model


def summarize_model_config(model_config):
    """Return the ModelSummary of a ModelConfig's model, in about a second at most and without allocating its weights.

    Inside a StatelessScope Keras creates variables without values, and registers them for the next scope that exits,
    which would allocate them after all. The registry is thread-local: that of this thread is discarded with it.
    """
    def build_and_summarize():
        with keras.StatelessScope(initialize_variables=False):
            return summarize_model(builder.build_model(model_config))

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(build_and_summarize).result()


def summarize_model(model):
    """Return the ModelSummary of a functional keras.Model, or of a built keras.Sequential.

    UserError for a model of another kind, whose connections are defined in code.
    """
    graph.check_has_input(model)
    if not isinstance(model, keras.Function | keras.Sequential) or graph.defines_call(model):
        raise UserError(f"{model.name!r}, a {type(model).__name__}, defines the connections of its layers in code; "
                        "give a functional model, keras.Model(inputs, outputs), or a built keras.Sequential")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs)  # of the same layers
    calls = graph.get_layer_calls(model)
    receptive_fields = receptive_field.compute_receptive_fields(calls)
    layer_summaries, input_names = [], set()
    for name, keys in graph.group_by_layer(calls).items():
        layer_summaries.append(_summarize_layer(name, [calls[key] for key in keys], receptive_fields[keys[-1]]))
        if not calls[keys[0]].input_calls:
            input_names.add(name)
    return ModelSummary(tuple(layer_summaries),
                        _summarize_stages([layer for layer in layer_summaries if layer.name not in input_names]),
                        **_sum_counts(layer_summaries),
                        uncounted_layers=tuple(layer.name for layer in layer_summaries if layer.multiply_adds is None),
                        memory=memory.estimate_memory(calls))


def _summarize_layer(name, calls, field):
    class_name, layer = calls[0].class_name, calls[0].layer
    weights, trainable_weights = (layer.weights, layer.trainable_weights) if layer else ((), ())
    return LayerSummary(name, class_name, calls[-1].shape, _count_weights(weights), _count_weights(trainable_weights),
                        _count_multiply_adds(class_name, layer, calls),
                        getattr(layer, "filters", getattr(layer, "units", None)),
                        _get_window_size(layer, "kernel_size", "pool_size"), _get_window_size(layer, "strides"),
                        getattr(layer, "groups", None), _get_activation_name(layer),
                        tuple(dict.fromkeys(name for call in calls for name, _ in call.input_calls)), field.size,
                        field.stride, layer.scale if isinstance(layer, ScaledAdd) else None,
                        _get_window_size(layer, "dilation_rate"), _get_value(layer, "padding", str),
                        _get_value(layer, "use_bias", bool))


def _get_value(layer, name, value_type):
    """Return an attribute of a layer; None if it has none of this type."""
    value = getattr(layer, name, None)
    return value if isinstance(value, value_type) else None


def _get_activation_name(layer):
    """Return the name of the activation function that a layer applies to its output; None if there is none."""
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", type(function).__name__) if function else "linear"
    return None if name == "linear" else name


def _summarize_stages(layer_summaries):
    layers_by_stage = defaultdict(list)
    for layer in layer_summaries:
        layers_by_stage[layer.name.partition("_")[0]].append(layer)
    layer_indices = {layer.name: index for index, layer in enumerate(layer_summaries)}
    return tuple(StageSummary(name, group[-1].shape, **_sum_counts(group), receptive_field=group[-1].receptive_field,
                              output_stride=group[-1].output_stride, layers=tuple(layer.name for layer in group))
                 for name, group in sorted(layers_by_stage.items(), key=lambda item: layer_indices[item[1][-1].name]))


def _sum_counts(layer_summaries):
    return {field: sum(getattr(layer, field) or 0 for layer in layer_summaries)
            for field in ("parameters", "trainable_parameters", "multiply_adds")}


def _count_weights(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def _get_window_size(layer, *names):
    """Return the (height, width) of a kernel or window; an int stands for a square."""
    value = next((getattr(layer, name) for name in names if hasattr(layer, name)), None)
    if isinstance(value, int):
        return value, value
    return tuple(value) if isinstance(value, (tuple, list)) else None


# --------------------------------------------------------------------------------------------------- multiply-adds

def _count_multiply_adds(class_name, layer, calls):
    """Return the multiply-adds of all calls of a layer; None if unknown."""
    if class_name in PRODUCT_CLASSES:
        return None
    if layer is None:
        return 0
    if isinstance(layer, (keras.Function, keras.Sequential)):
        submodel_summary = summarize_model(layer)
        return None if submodel_summary.uncounted_layers else submodel_summary.multiply_adds * len(calls)
    counter = next((MULTIPLY_ADD_COUNTERS[layer_class] for layer_class in type(layer).__mro__
                    if layer_class in MULTIPLY_ADD_COUNTERS), None)
    if counter is None:
        return None if layer.weights else 0
    counts = [counter(layer, call) for call in calls]
    return None if None in counts else sum(counts)


def _make_kernel_counter(*names, get_shape=lambda call: call.shape):
    """Return a counter: all weights of the kernels times the output positions, whatever the groups and strides."""
    def count(layer, call):
        spatial_shape = _get_spatial_shape(layer, get_shape(call))
        if None in spatial_shape:
            return None
        return math.prod(spatial_shape) * sum(_count_weights([getattr(layer, name)]) for name in names)

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
MULTIPLY_ADD_COUNTERS = {  # per call; layers without weights count as zero
    **dict.fromkeys((layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D,
                     layers.DepthwiseConv2D, SparseConv2D), _KERNEL_COUNTER),
    **dict.fromkeys((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _TRANSPOSED_COUNTER),
    **dict.fromkeys((layers.SeparableConv1D, layers.SeparableConv2D), _SEPARABLE_COUNTER),
    RBF: _make_kernel_counter("codes"),
    TrainableSubsampling: _count_outputs,
    **dict.fromkeys((layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization,
                     layers.Normalization, layers.PReLU, layers.Embedding), _count_nothing),
}
