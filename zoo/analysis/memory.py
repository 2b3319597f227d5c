"""How much memory a network takes: by arithmetic on the graph, with assumptions that are said here.

A training step holds the parameters, their gradients, the optimizer's slots and, for each picture, what the forward
pass keeps for the backward one and what is underway in either. Inference holds the parameters and, for each picture,
the outputs that a later layer still reads. Assumed, after what TensorFlow does on the CPU:

- A layer keeps what the derivatives of its operations read: a convolution its input, ReLU its output, a maximum both,
  batch normalisation its input, dropout a mask of bytes, a sum nothing. A tensor that two layers keep is there once. A
  layer that is not known here keeps its inputs and its output.
- What works number by number writes over what it reads, where nobody else reads or keeps that; flattening moves
  nothing.
- A convolution has its output twice while it works, once in another layout.
- The optimizer's update makes two numbers for each parameter on its way; a weight is there three times while its first
  values are drawn.
- Activations take a fifth more than that, which the allocator cannot use in between.
- What the backend itself takes is not counted. benchmarks/memory.csv has estimates beside measured peaks.

Numbers are bytes; those of activations for one picture.
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
    Highway,
    LocalResponseNormalization,
    Maxout,
    ScaledAdd,
    SparseConv2D,
    SpatialPyramidPooling2D,
    TrainableSubsampling,
    scaled_tanh,
)
from zoo.layers.pooling import compute_ceil_windows

# numbers that the optimizer keeps for each trainable one; with momentum
OPTIMIZER_SLOTS = {"sgd": 1, "nesterov": 1, "rmsprop": 2, "adam": 2, "adamw": 2, "adadelta": 2}


UPDATE_BUFFERS = 2  # numbers for each trainable parameter while the optimizer works
ALLOCATOR_OVERHEAD = 1.2  # times the bytes of activations: found with benchmarks/memory.py, not derived
INIT_COPIES = 2  # numbers for each one of a weight, beside the weight itself, while its first values are drawn


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes; of activations, the last three, for each picture and without what is wasted."""

    parameters: int
    trainable_parameters: int  # of the parameters
    largest_weight: int  # weight of all
    saved_activations: int  # by the forward pass for the backward one, the picture among it
    training_peak: int  # the most that is there at one time in a training step
    inference_peak: int  # the same without a backward pass

    def estimate_training(self, batch_size, optimizer="sgd"):
        """Return the bytes that a training step with `batch` pictures takes; `optimizer` is a key of SLOTS."""
        return self._compute_fixed_bytes(optimizer) + _add_overhead(batch_size * self.training_peak)

    def estimate_inference(self, batch_size):
        """Return the bytes that inference with `batch` pictures takes, the start of a new model included."""
        return self.parameters + max(INIT_COPIES * self.largest_weight, _add_overhead(batch_size * self.inference_peak))

    def compute_max_training_batch(self, memory_limit, optimizer="sgd"):
        """Return the largest batch that trains in `limit` bytes; 0 if none does."""
        return _compute_max_batch_size(memory_limit - self._compute_fixed_bytes(optimizer), self.training_peak)

    def compute_max_inference_batch(self, memory_limit):
        """Return the largest batch whose inference fits in `limit` bytes; 0 if none does."""
        free = memory_limit - self.parameters
        return _compute_max_batch_size(free, self.inference_peak) if free >= INIT_COPIES * self.largest_weight else 0

    def _compute_fixed_bytes(self, optimizer):
        return self.parameters + (1 + OPTIMIZER_SLOTS[optimizer]
                                  + UPDATE_BUFFERS) * self.trainable_parameters  # 1: the gradient


def _add_overhead(size):
    return math.ceil(size * ALLOCATOR_OVERHEAD)


def _compute_max_batch_size(free_bytes, bytes_per_image):
    """Return how many times `each` there is room for in `free` bytes."""
    return max(0, int(free_bytes / ALLOCATOR_OVERHEAD) // bytes_per_image)


def estimate_memory(calls):
    """Return the Memory of the model with the calls of `graph.calls`.

    None if a shape is not fixed, and for a model that holds another one.
    """
    if any(None in call.shape or isinstance(call.layer, keras.Model) for call in calls.values()):
        return None
    weights = {id(weight): weight for call in calls.values() if call.layer for weight in call.layer.weights}.values()
    tape = _MemoryTape(calls)
    return MemoryEstimate(sum(map(_compute_weight_bytes, weights)),
                          sum(_compute_weight_bytes(each) for each in weights if each.trainable),
                          max(map(_compute_weight_bytes, weights), default=0),
                          sum(tape.sizes[each] for each in tape.all_saved_tensors), tape.compute_training_peak(),
                          tape.compute_inference_peak())


def _compute_weight_bytes(variable):
    return math.prod(variable.shape) * _get_itemsize(variable.dtype)


def _get_itemsize(dtype):
    return 1 if dtype == "bool" else max(1, int(re.search(r"\d+", dtype)[0]) // 8)  # float32, bfloat16, int8


# ------------------------------------------------------------------------------------------- what a layer does with it

def _get_layer_memory(call):
    """Return the LayerMemory of a call."""
    layer = call.layer
    if layer is None:
        return LayerMemory("io")
    if isinstance(layer, layers.Activation):
        return LayerMemory(**ACTIVATION_KWARGS.get(layer.activation, UNKNOWN_ACTIVATION_KWARGS), is_in_place=True)
    conduct = next((found for kind, found in LAYER_MEMORY_RULES.items() if isinstance(layer, kind)), LayerMemory("io"))
    return conduct(call) if callable(conduct) else conduct


@dataclass(frozen=True)
class LayerMemory:
    """What a call does with memory."""

    saves: str = ""  # for the backward pass: "i" its inputs, "o" its output
    extra_saved_bytes: int = 0  # bytes of what it makes inside and keeps
    is_in_place: bool = False  # it can write over its first input
    is_view: bool = False  # its output is its input
    is_view_in_inference: bool = False
    workspace_bytes: int = 0  # bytes of what is there while it works


VIEW_KWARGS = {"is_view": True, "is_view_in_inference": True}
UNKNOWN_ACTIVATION_KWARGS = {"saves": "io"}
ACTIVATION_KWARGS = {
    keras.activations.linear: VIEW_KWARGS,
    **dict.fromkeys((keras.activations.relu, keras.activations.tanh, keras.activations.sigmoid,
                     keras.activations.softmax), {"saves": "o"}),
}


def _compute_output_bytes(call):
    return math.prod(call.shape) * _get_itemsize(call.dtype)


def _compute_input_bytes(call, index=0):
    return math.prod(call.input_shapes[index]) * _get_itemsize(call.dtype)


def _make_weighted_rule(saves="i", compute_extra_bytes=lambda call: 0, compute_workspace_bytes=lambda call: 0):
    """Of a layer with an activation: its own, and what its activation keeps."""
    def conduct(call):
        activation = getattr(call.layer, "activation", keras.activations.linear)
        if activation is scaled_tanh:  # keeps the tanh that it scales
            return LayerMemory(saves, compute_extra_bytes(call) + _compute_output_bytes(call),
                               workspace_bytes=compute_workspace_bytes(call))
        its_own = "o" if "o" in ACTIVATION_KWARGS.get(activation, UNKNOWN_ACTIVATION_KWARGS).get("saves", "") else ""
        return LayerMemory(saves + its_own, compute_extra_bytes(call), workspace_bytes=compute_workspace_bytes(call))

    return conduct


def _get_dropout_memory(call):
    mask = math.prod(call.shape) if call.layer.rate else 0
    return LayerMemory("", mask, is_in_place=True, is_view=not mask, is_view_in_inference=True)


def _get_max_pooling_memory(call):
    """A byte says where in its window each maximum lies; of a grid that it pads, it keeps the padded copy."""
    places = math.prod(call.shape)
    if isinstance(call.layer, CeilMaxPooling2D):
        held = [compute_ceil_windows(side, call.layer.pool_size, call.layer.strides)
                for side in call.input_shapes[0][:2]]
        padded = [side + pool - last[-1] for side, (pool, last) in zip(call.input_shapes[0][:2], held, strict=True)]
        if padded != [*call.input_shapes[0][:2]]:
            return LayerMemory("o", places + math.prod(padded) * call.shape[-1] * _get_itemsize(call.dtype))
    return LayerMemory("io", places)


def _compute_grouped_bytes(call):
    """A convolution in groups, which XLA compiles by itself, keeps what goes into its bias and its activation."""
    return 2 * _compute_output_bytes(call) if call.layer.groups > 1 else 0


def _compute_separable_bytes(call):
    channels = call.input_shapes[0][-1] * call.layer.depth_multiplier
    return math.prod(call.shape[:-1]) * channels * _get_itemsize(call.dtype)


LAYER_MEMORY_RULES = {
    layers.Dense: _make_weighted_rule(),
    (layers.Conv1D, layers.Conv2D, layers.Conv3D): _make_weighted_rule(compute_extra_bytes=_compute_grouped_bytes,
                                                                       compute_workspace_bytes=_compute_output_bytes),
    (layers.DepthwiseConv1D, layers.DepthwiseConv2D,
     SparseConv2D): _make_weighted_rule(compute_workspace_bytes=_compute_output_bytes),
    (layers.SeparableConv1D, layers.SeparableConv2D): _make_weighted_rule(compute_extra_bytes=_compute_separable_bytes, compute_workspace_bytes=_compute_output_bytes),
    TrainableSubsampling: _make_weighted_rule("", compute_extra_bytes=_compute_output_bytes),  # the sums of the windows
    (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D, CeilMaxPooling2D): _get_max_pooling_memory,
    (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D, Maxout): LayerMemory("io"),
    layers.BatchNormalization: LayerMemory("i", is_in_place=True),
    layers.ReLU: LayerMemory("o", is_in_place=True),
    layers.PReLU: lambda call: LayerMemory("", 2 * _compute_output_bytes(call)),  # of both signs
    layers.Dropout: _get_dropout_memory,
    LocalResponseNormalization: lambda call: LayerMemory("i", 3 * _compute_output_bytes(call)),  # squares, sums and their power
    Highway: lambda call: LayerMemory("i", _compute_output_bytes(call)),  # 1 - gate
    RBF: lambda call: LayerMemory("", _compute_output_bytes(call) * call.input_shapes[0][-1]),  # the differences
    # Each level's bands
    SpatialPyramidPooling2D: lambda call: LayerMemory("o", len(call.layer.bins) * _compute_input_bytes(call)),
    (layers.Flatten, layers.Reshape, layers.Identity): LayerMemory(**VIEW_KWARGS),
    (layers.Add, ScaledAdd): LayerMemory(is_in_place=True),
    (layers.Concatenate, layers.ZeroPadding1D, layers.ZeroPadding2D, layers.Cropping1D, layers.Cropping2D,
     layers.Rescaling, layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
     layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, CeilAveragePooling2D,
     layers.InputLayer): LayerMemory(),
}


# ------------------------------------------------------------------------------------------------------ a step, walked

class _MemoryTape:
    """The calls one after another, forwards and backwards. A tensor has the name of the call that made it."""

    def __init__(self, calls):
        self.calls, self.layer_memory = calls, {node: _get_layer_memory(call) for node, call in calls.items()}
        self.sizes = {node: _compute_output_bytes(call) for node, call in calls.items()}
        self.requires_gradient = {}  # whether a gradient is asked of it
        for node, call in calls.items():
            self.requires_gradient[node] = bool(call.layer and call.layer.trainable_weights) or any(
                self.requires_gradient[source] for source in call.input_calls)
        read = {source for call in calls.values() for source in call.input_calls}
        self.inputs = {node for node, call in calls.items() if not call.input_calls}
        self.outputs = {node for node in calls if node not in read}
        self.roots = self._find_roots(lambda does: does.is_view)
        self.saved_tensors = {node: self._find_saved_tensors(node) for node in calls}
        self.all_saved_tensors = self.inputs.union(*self.saved_tensors.values())

    def _find_roots(self, is_view):
        """Return {call: the tensor that its output is}."""
        found = {}
        for node, call in self.calls.items():
            found[node] = found[call.input_calls[0]] if is_view(self.layer_memory[node]) and call.input_calls else node
        return found

    def _find_saved_tensors(self, node):
        """Return the tensors that the backward step of a call reads."""
        call, does = self.calls[node], self.layer_memory[node]
        needed = set()
        if self.requires_gradient[node]:
            if "i" in does.saves:
                needed |= {self.roots[source] for source in call.input_calls}
            if "o" in does.saves:
                needed.add(self.roots[node])
            if does.extra_saved_bytes:
                inner = (*node, "inside")
                self.sizes[inner] = does.extra_saved_bytes
                needed.add(inner)
        return needed

    def _walk_forward(self, roots, persistent):
        """Yield the bytes that are there while each call works; tensors in `stays` are never freed."""
        last = {roots[source]: node for node, call in self.calls.items() for source in call.input_calls}
        live = {}
        for node, call in self.calls.items():
            does, dying = self.layer_memory[node], {roots[source] for source in call.input_calls} - persistent
            dying = {each for each in dying if last[each] == node}
            if roots[node] == node:
                if does.is_in_place and roots[call.input_calls[0]] in dying:
                    live.pop(roots[call.input_calls[0]])
                live[node] = self.sizes[node]
            live |= {each: self.sizes[each] for each in self.saved_tensors[node] & persistent}
            yield sum(live.values()) + does.workspace_bytes
            for each in dying:
                live.pop(each, None)

    def compute_inference_peak(self):
        """Return the most bytes at one time; the pictures and the outputs stay."""
        roots = self._find_roots(lambda does: does.is_view_in_inference)
        return max(self._walk_forward(roots, {roots[node] for node in (*self.inputs, *self.outputs)}))

    def compute_training_peak(self):
        """Return the most bytes at one time of a step, forwards and backwards."""
        stays = self.all_saved_tensors | {self.roots[node] for node in self.outputs}
        return max([*self._walk_forward(self.roots, stays), *self._walk_backward(stays)])

    def _walk_backward(self, live):
        """Yield the bytes that are there while each call's derivatives are computed; `live` is there at its start."""
        live = {each: self.sizes[each] for each in live}
        frees = {}  # the call whose derivatives are the last to read a tensor
        for node in self.calls:
            for each in self.saved_tensors[node]:
                frees.setdefault(each, node)
        gradients = {self.roots[node]: self.sizes[self.roots[node]] for node in self.outputs}
        for node, call in reversed(self.calls.items()):
            if self.requires_gradient[node] and self.roots[node] == node:
                new = {self.roots[source] for source in call.input_calls
                       if self.requires_gradient[source]} - {*gradients}
                if self.layer_memory[node].is_in_place and any(self.sizes[each] == self.sizes[node] for each in new):
                    gradients.pop(node)
                gradients |= {each: self.sizes[each] for each in new}
                yield sum(live.values()) + sum(gradients.values()) + self.layer_memory[node].workspace_bytes
                gradients.pop(node, None)
            for each in [each for each in live if frees.get(each) == node and each not in self.inputs]:
                live.pop(each)
