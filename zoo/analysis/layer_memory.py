"""The memory that a layer needs: what it saves for the backward pass, and what it holds while it runs.

A layer saves what the gradients of its operations read: a convolution its input, ReLU its output, a maximum (max
pooling, maxout) both, batch normalization its input, dropout a mask of bytes, a sum nothing. An unknown layer saves its
inputs and its output. A convolution holds its output twice while it runs, once in another layout.
"""

import math
import re
from dataclasses import dataclass

import keras
from keras import layers

from zoo.layers import (
    RBF,
    CeilAveragePooling2D,
    CeilMaxPooling2D,
    ChannelPadding,
    Highway,
    LocalResponseNormalization,
    Maxout,
    PixelScaling,
    ScaledAdd,
    SparseConv2D,
    SpatialPyramidPooling2D,
    TrainableSubsampling,
    scaled_tanh,
)
from zoo.layers.pooling import compute_ceil_windows


@dataclass(frozen=True)
class LayerMemory:
    """The memory behavior of a call."""

    saves: str = ""  # tensors saved for the backward pass: "i" its inputs, "o" its output
    extra_saved_bytes: int = 0  # bytes of intermediate tensors that it saves
    is_in_place: bool = False  # whether it can overwrite its first input
    is_view: bool = False  # whether its output is its input, without a copy
    is_view_in_inference: bool = False  # the same in inference
    workspace_bytes: int = 0  # bytes of temporary tensors while it runs


VIEW_KWARGS = {"is_view": True, "is_view_in_inference": True}
UNKNOWN_ACTIVATION_KWARGS = {"saves": "io"}
ACTIVATION_KWARGS = {
    keras.activations.linear: VIEW_KWARGS,
    **dict.fromkeys((keras.activations.relu, keras.activations.tanh, keras.activations.sigmoid,
                     keras.activations.softmax), {"saves": "o"}),
}


def get_layer_memory(call):
    """Return the LayerMemory of a call."""
    layer = call.layer
    if layer is None:
        return LayerMemory("io")
    if isinstance(layer, layers.Activation):
        return LayerMemory(**ACTIVATION_KWARGS.get(layer.activation, UNKNOWN_ACTIVATION_KWARGS), is_in_place=True)
    layer_memory = next((rule for layer_classes, rule in LAYER_MEMORY_RULES.items()
                         if isinstance(layer, layer_classes)), LayerMemory("io"))
    return layer_memory(call) if callable(layer_memory) else layer_memory


def compute_output_bytes(call):
    """Return the bytes of a call's output for one image."""
    return math.prod(call.shape) * get_itemsize(call.dtype)


def get_itemsize(dtype):
    """Return the bytes of a value of a dtype, such as 'bfloat16'."""
    return 1 if dtype == "bool" else max(1, int(re.search(r"\d+", dtype)[0]) // 8)  # float32, bfloat16, int8


def _compute_input_bytes(call):
    return math.prod(call.input_shapes[0]) * get_itemsize(call.dtype)


def _make_weighted_rule(saves="i", compute_extra_bytes=lambda call: 0, compute_workspace_bytes=lambda call: 0):
    """Return the rule of a layer with an activation: its own memory, and what its activation saves."""
    def compute_layer_memory(call):
        activation = getattr(call.layer, "activation", keras.activations.linear)
        if activation is scaled_tanh:  # saves the tanh that it scales
            return LayerMemory(saves, compute_extra_bytes(call) + compute_output_bytes(call),
                               workspace_bytes=compute_workspace_bytes(call))
        activation_kwargs = ACTIVATION_KWARGS.get(activation, UNKNOWN_ACTIVATION_KWARGS)
        activation_saves = "o" if "o" in activation_kwargs.get("saves", "") else ""
        return LayerMemory(saves + activation_saves, compute_extra_bytes(call),
                           workspace_bytes=compute_workspace_bytes(call))

    return compute_layer_memory


def _get_dropout_memory(call):
    mask = math.prod(call.shape) if call.layer.rate else 0
    return LayerMemory("", mask, is_in_place=True, is_view=not mask, is_view_in_inference=True)


def _get_max_pooling_memory(call):
    """Return the memory of max pooling: an argmax mask of bytes, and a padded copy of an input that needs padding."""
    mask_bytes = math.prod(call.shape)
    if isinstance(call.layer, CeilMaxPooling2D):
        windows = [compute_ceil_windows(size, call.layer.pool_size, call.layer.strides)
                   for size in call.input_shapes[0][:2]]
        padded_shape = [size + window_size - starts[-1]
                        for size, (window_size, starts) in zip(call.input_shapes[0][:2], windows, strict=True)]
        if padded_shape != [*call.input_shapes[0][:2]]:
            return LayerMemory("o", mask_bytes + math.prod(padded_shape) * call.shape[-1] * get_itemsize(call.dtype))
    return LayerMemory("io", mask_bytes)


def _compute_grouped_bytes(call):
    """Return the bytes that a grouped convolution, compiled by XLA, saves: the inputs of its bias and activation."""
    return 2 * compute_output_bytes(call) if call.layer.groups > 1 else 0


def _compute_separable_bytes(call):
    channels = call.input_shapes[0][-1] * call.layer.depth_multiplier
    return math.prod(call.shape[:-1]) * channels * get_itemsize(call.dtype)


LAYER_MEMORY_RULES = {
    layers.Dense: _make_weighted_rule(),
    (layers.Conv1D, layers.Conv2D, layers.Conv3D): _make_weighted_rule(compute_extra_bytes=_compute_grouped_bytes,
                                                                       compute_workspace_bytes=compute_output_bytes),
    (layers.DepthwiseConv1D, layers.DepthwiseConv2D,
     SparseConv2D): _make_weighted_rule(compute_workspace_bytes=compute_output_bytes),
    (layers.SeparableConv1D, layers.SeparableConv2D): _make_weighted_rule(
        compute_extra_bytes=_compute_separable_bytes, compute_workspace_bytes=compute_output_bytes),
    TrainableSubsampling: _make_weighted_rule("", compute_extra_bytes=compute_output_bytes),  # window sums
    (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D, CeilMaxPooling2D): _get_max_pooling_memory,
    (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D, Maxout): LayerMemory("io"),
    layers.BatchNormalization: LayerMemory("i", is_in_place=True),
    layers.ReLU: LayerMemory("o", is_in_place=True),
    layers.PReLU: lambda call: LayerMemory("", 2 * compute_output_bytes(call)),  # positive and negative part
    layers.Dropout: _get_dropout_memory,
    # Squares, sums and their power
    LocalResponseNormalization: lambda call: LayerMemory("i", 3 * compute_output_bytes(call)),
    Highway: lambda call: LayerMemory("i", compute_output_bytes(call)),  # 1 - gate
    RBF: lambda call: LayerMemory("", compute_output_bytes(call) * call.input_shapes[0][-1]),  # differences
    # The bands of each level
    SpatialPyramidPooling2D: lambda call: LayerMemory("o", len(call.layer.bins) * _compute_input_bytes(call)),
    layers.Embedding: LayerMemory("i"),
    (layers.Flatten, layers.Reshape, layers.Identity): LayerMemory(**VIEW_KWARGS),
    (layers.Add, ScaledAdd): LayerMemory(is_in_place=True),
    (layers.Concatenate, layers.ZeroPadding1D, layers.ZeroPadding2D, layers.Cropping1D, layers.Cropping2D,
     layers.Rescaling, layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
     layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, CeilAveragePooling2D,
     ChannelPadding, PixelScaling, layers.InputLayer): LayerMemory(),
}
