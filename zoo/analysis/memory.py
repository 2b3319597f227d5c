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
from zoo.layers.pooling import windows

# numbers that the optimizer keeps for each trainable one; with momentum
SLOTS = {"sgd": 1, "nesterov": 1, "rmsprop": 2, "adam": 2, "adamw": 2, "adadelta": 2}


UPDATE = 2  # numbers for each trainable parameter while the optimizer works
WASTE = 1.2  # times the bytes of activations: found with benchmarks/memory.py, not derived
START = 2  # numbers for each one of a weight, beside the weight itself, while its first values are drawn


@dataclass(frozen=True)
class Memory:
    """Bytes; of activations, the last three, for each picture and without what is wasted."""

    parameters: int
    trainable: int  # of the parameters
    largest: int  # weight of all
    kept: int  # by the forward pass for the backward one, the picture among it
    training: int  # the most that is there at one time in a training step
    inference: int  # the same without a backward pass

    def for_training(self, batch, optimizer="sgd"):
        """Return the bytes that a training step with `batch` pictures takes; `optimizer` is a key of SLOTS."""
        return self._fixed(optimizer) + _wasted(batch * self.training)

    def for_inference(self, batch):
        """Return the bytes that inference with `batch` pictures takes, the start of a new model included."""
        return self.parameters + max(START * self.largest, _wasted(batch * self.inference))

    def largest_for_training(self, limit, optimizer="sgd"):
        """Return the largest batch that trains in `limit` bytes; 0 if none does."""
        return _most(limit - self._fixed(optimizer), self.training)

    def largest_for_inference(self, limit):
        """Return the largest batch whose inference fits in `limit` bytes; 0 if none does."""
        free = limit - self.parameters
        return _most(free, self.inference) if free >= START * self.largest else 0

    def _fixed(self, optimizer):
        return self.parameters + (1 + SLOTS[optimizer] + UPDATE) * self.trainable  # 1: the gradient


def _wasted(bytes):
    return math.ceil(bytes * WASTE)


def _most(free, each):
    """Return how many times `each` there is room for in `free` bytes."""
    return max(0, int(free / WASTE) // each)


def of(calls):
    """Return the Memory of the model with the calls of `graph.calls`.

    None if a shape is not fixed, and for a model that holds another one.
    """
    if any(None in call.shape or isinstance(call.layer, keras.Model) for call in calls.values()):
        return None
    weights = {id(weight): weight for call in calls.values() if call.layer for weight in call.layer.weights}.values()
    tape = _Tape(calls)
    return Memory(sum(map(_weight, weights)), sum(_weight(each) for each in weights if each.trainable),
                  max(map(_weight, weights), default=0), sum(tape.size[each] for each in tape.kept), tape.training(),
                  tape.inference())


def _weight(variable):
    return math.prod(variable.shape) * _bytes(variable.dtype)


def _bytes(dtype):
    return 1 if dtype == "bool" else max(1, int(re.search(r"\d+", dtype)[0]) // 8)  # float32, bfloat16, int8


# ------------------------------------------------------------------------------------------- what a layer does with it

def _does(call):
    """Return the Conduct of a call."""
    layer = call.layer
    if layer is None:
        return Conduct("io")
    if isinstance(layer, layers.Activation):
        return Conduct(**ACTIVATIONS.get(layer.activation, UNKNOWN), in_place=True)
    conduct = next((found for kind, found in CONDUCT.items() if isinstance(layer, kind)), Conduct("io"))
    return conduct(call) if callable(conduct) else conduct


@dataclass(frozen=True)
class Conduct:
    """What a call does with memory."""

    keeps: str = ""  # for the backward pass: "i" its inputs, "o" its output
    more: int = 0  # bytes of what it makes inside and keeps
    in_place: bool = False  # it can write over its first input
    view: bool = False  # its output is its input
    view_in_inference: bool = False
    workspace: int = 0  # bytes of what is there while it works


VIEW = {"view": True, "view_in_inference": True}
UNKNOWN = {"keeps": "io"}
ACTIVATIONS = {
    keras.activations.linear: VIEW,
    **dict.fromkeys((keras.activations.relu, keras.activations.tanh, keras.activations.sigmoid,
                     keras.activations.softmax), {"keeps": "o"}),
}


def _size(call):
    return math.prod(call.shape) * _bytes(call.dtype)


def _read(call, which=0):
    return math.prod(call.inputs[which]) * _bytes(call.dtype)


def _weighted(keeps="i", more=lambda call: 0, workspace=lambda call: 0):
    """Of a layer with an activation: its own, and what its activation keeps."""
    def conduct(call):
        activation = getattr(call.layer, "activation", keras.activations.linear)
        if activation is scaled_tanh:  # keeps the tanh that it scales
            return Conduct(keeps, more(call) + _size(call), workspace=workspace(call))
        its_own = "o" if "o" in ACTIVATIONS.get(activation, UNKNOWN).get("keeps", "") else ""
        return Conduct(keeps + its_own, more(call), workspace=workspace(call))

    return conduct


def _dropout(call):
    mask = math.prod(call.shape) if call.layer.rate else 0
    return Conduct("", mask, in_place=True, view=not mask, view_in_inference=True)


def _maximum(call):
    """A byte says where in its window each maximum lies; of a grid that it pads, it keeps the padded copy."""
    places = math.prod(call.shape)
    if isinstance(call.layer, CeilMaxPooling2D):
        held = [windows(side, call.layer.pool_size, call.layer.strides) for side in call.inputs[0][:2]]
        padded = [side + pool - last[-1] for side, (pool, last) in zip(call.inputs[0][:2], held, strict=True)]
        if padded != [*call.inputs[0][:2]]:
            return Conduct("o", places + math.prod(padded) * call.shape[-1] * _bytes(call.dtype))
    return Conduct("io", places)


def _grouped(call):
    """A convolution in groups, which XLA compiles by itself, keeps what goes into its bias and its activation."""
    return 2 * _size(call) if call.layer.groups > 1 else 0


def _separable(call):
    channels = call.inputs[0][-1] * call.layer.depth_multiplier
    return math.prod(call.shape[:-1]) * channels * _bytes(call.dtype)


CONDUCT = {
    layers.Dense: _weighted(),
    (layers.Conv1D, layers.Conv2D, layers.Conv3D): _weighted(more=_grouped, workspace=_size),
    (layers.DepthwiseConv1D, layers.DepthwiseConv2D, SparseConv2D): _weighted(workspace=_size),
    (layers.SeparableConv1D, layers.SeparableConv2D): _weighted(more=_separable, workspace=_size),
    TrainableSubsampling: _weighted("", more=_size),  # the sums of the windows
    (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D, CeilMaxPooling2D): _maximum,
    (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D, Maxout): Conduct("io"),
    layers.BatchNormalization: Conduct("i", in_place=True),
    layers.ReLU: Conduct("o", in_place=True),
    layers.PReLU: lambda call: Conduct("", 2 * _size(call)),  # of both signs
    layers.Dropout: _dropout,
    LocalResponseNormalization: lambda call: Conduct("i", 3 * _size(call)),  # squares, sums and their power
    Highway: lambda call: Conduct("i", _size(call)),  # 1 - gate
    RBF: lambda call: Conduct("", _size(call) * call.inputs[0][-1]),  # the differences
    SpatialPyramidPooling2D: lambda call: Conduct("o", len(call.layer.bins) * _read(call)),  # each level's bands
    (layers.Flatten, layers.Reshape, layers.Identity): Conduct(**VIEW),
    (layers.Add, ScaledAdd): Conduct(in_place=True),
    (layers.Concatenate, layers.ZeroPadding1D, layers.ZeroPadding2D, layers.Cropping1D, layers.Cropping2D,
     layers.Rescaling, layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
     layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, CeilAveragePooling2D,
     layers.InputLayer): Conduct(),
}


# ------------------------------------------------------------------------------------------------------ a step, walked

class _Tape:
    """The calls one after another, forwards and backwards. A tensor has the name of the call that made it."""

    def __init__(self, calls):
        self.calls, self.does = calls, {node: _does(call) for node, call in calls.items()}
        self.size = {node: _size(call) for node, call in calls.items()}
        self.learns = {}  # whether a gradient is asked of it
        for node, call in calls.items():
            self.learns[node] = bool(call.layer and call.layer.trainable_weights) or any(
                self.learns[source] for source in call.read)
        read = {source for call in calls.values() for source in call.read}
        self.inputs = {node for node, call in calls.items() if not call.read}
        self.ends = {node for node in calls if node not in read}
        self.roots = self._roots(lambda does: does.view)
        self.needs = {node: self._needs(node) for node in calls}
        self.kept = self.inputs.union(*self.needs.values())

    def _roots(self, is_view):
        """Return {call: the tensor that its output is}."""
        found = {}
        for node, call in self.calls.items():
            found[node] = found[call.read[0]] if is_view(self.does[node]) and call.read else node
        return found

    def _needs(self, node):
        """Return the tensors that the backward step of a call reads."""
        call, does = self.calls[node], self.does[node]
        needed = set()
        if self.learns[node]:
            if "i" in does.keeps:
                needed |= {self.roots[source] for source in call.read}
            if "o" in does.keeps:
                needed.add(self.roots[node])
            if does.more:
                inner = (*node, "inside")
                self.size[inner] = does.more
                needed.add(inner)
        return needed

    def _forward(self, roots, stays):
        """Yield the bytes that are there while each call works; tensors in `stays` are never freed."""
        last = {roots[source]: node for node, call in self.calls.items() for source in call.read}
        live = {}
        for node, call in self.calls.items():
            does, dying = self.does[node], {roots[source] for source in call.read} - stays
            dying = {each for each in dying if last[each] == node}
            if roots[node] == node:
                if does.in_place and roots[call.read[0]] in dying:
                    live.pop(roots[call.read[0]])
                live[node] = self.size[node]
            live |= {each: self.size[each] for each in self.needs[node] & stays}
            yield sum(live.values()) + does.workspace
            for each in dying:
                live.pop(each, None)

    def inference(self):
        """Return the most bytes at one time; the pictures and the outputs stay."""
        roots = self._roots(lambda does: does.view_in_inference)
        return max(self._forward(roots, {roots[node] for node in (*self.inputs, *self.ends)}))

    def training(self):
        """Return the most bytes at one time of a step, forwards and backwards."""
        stays = self.kept | {self.roots[node] for node in self.ends}
        return max([*self._forward(self.roots, stays), *self._backward(stays)])

    def _backward(self, live):
        """Yield the bytes that are there while each call's derivatives are computed; `live` is there at its start."""
        live = {each: self.size[each] for each in live}
        frees = {}  # the call whose derivatives are the last to read a tensor
        for node in self.calls:
            for each in self.needs[node]:
                frees.setdefault(each, node)
        gradients = {self.roots[node]: self.size[self.roots[node]] for node in self.ends}
        for node, call in reversed(self.calls.items()):
            if self.learns[node] and self.roots[node] == node:
                new = {self.roots[source] for source in call.read if self.learns[source]} - {*gradients}
                if self.does[node].in_place and any(self.size[each] == self.size[node] for each in new):
                    gradients.pop(node)
                gradients |= {each: self.size[each] for each in new}
                yield sum(live.values()) + sum(gradients.values()) + self.does[node].workspace
                gradients.pop(node, None)
            for each in [each for each in live if frees.get(each) == node and each not in self.inputs]:
                live.pop(each)
