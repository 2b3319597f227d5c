"""A functional Keras model as plain PyTorch: the same layers, eager, as people write them by hand.

For throughput.py, and for the layers of its networks alone. Weights start at PyTorch's own values; nothing of Keras is
left when it runs. It takes and gives channels-first tensors.
"""

import torch
from torch import nn
from torch.nn import functional

from zoo.analysis import graph


class Eager(nn.Module):
    """The calls of `model` in the order of their flow."""

    def __init__(self, model):
        super().__init__()
        calls = graph.calls(model)
        self.made = nn.ModuleDict({name: MAKERS[call.kind](call.layer) for (name, _), call in calls.items()
                                   if call.kind != "InputLayer"})
        self.reads = {name: [read for read, _ in call.read] for (name, _), call in calls.items()}
        self.image = next(name for (name, _), call in calls.items() if call.kind == "InputLayer")

    def forward(self, image):
        found = {self.image: image}
        for name, module in self.made.items():
            found[name] = module(*(found[each] for each in self.reads[name]))
        return found[name]


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Same(nn.Module):
    """Keras's `same` for a stride: what is missing is put to the right and the bottom first."""

    def __init__(self, inner, window, stride, value=0.0):
        super().__init__()
        self.inner, self.window, self.stride, self.value = inner, window, stride, value

    def forward(self, x):
        high, wide = (max((-(-size // step) - 1) * step + window - size, 0)
                      for size, step, window in zip(x.shape[2:], self.stride, self.window, strict=True))
        rims = wide // 2, wide - wide // 2, high // 2, high - high // 2
        return self.inner(functional.pad(x, rims, value=self.value))


def pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def activated(module, layer):
    """Return a module with the activation that a layer has inside, ReLU or none."""
    return nn.Sequential(module, nn.ReLU()) if layer.activation.__name__ == "relu" else module


def convolution(layer):
    window, stride = pair(layer.kernel_size), pair(layer.strides)
    whole = layer.padding == "same" and stride == (1, 1)
    made = nn.Conv2d(layer.kernel.shape[2] * layer.groups, layer.filters, window, stride, groups=layer.groups,
                     bias=layer.use_bias, padding=tuple(side // 2 for side in window) if whole else 0)
    return activated(Same(made, window, stride) if layer.padding == "same" and not whole else made, layer)


def maximum(layer):
    window, stride = pair(layer.pool_size), pair(layer.strides)
    if layer.padding == "valid":
        return nn.MaxPool2d(window, stride)
    if stride == (1, 1):
        return nn.MaxPool2d(window, 1, padding=window[0] // 2)
    return Same(nn.MaxPool2d(window, stride), window, stride, float("-inf"))


def average(layer):
    window, stride = pair(layer.pool_size), pair(layer.strides)
    padding = window[0] // 2 if layer.padding == "same" else 0
    return nn.AvgPool2d(window, stride, padding=padding, count_include_pad=False)


MAKERS = {
    "Conv2D": convolution,
    "Dense": lambda layer: activated(nn.Linear(layer.kernel.shape[0], layer.units, layer.use_bias), layer),
    "BatchNormalization": lambda layer: nn.BatchNorm2d(layer.moving_mean.shape[0], layer.epsilon, 1 - layer.momentum,
                                                       affine=layer.center),
    "ReLU": lambda layer: nn.ReLU(),
    "Activation": lambda layer: nn.ReLU() if layer.activation.__name__ == "relu" else nn.Identity(),
    "Rescaling": lambda layer: nn.Identity(),
    "MaxPooling2D": maximum,
    "CeilMaxPooling2D": lambda layer: nn.MaxPool2d(pair(layer.pool_size), pair(layer.strides), ceil_mode=True),
    "AveragePooling2D": average,
    "GlobalAveragePooling2D": lambda layer: Call(lambda x: x.mean((2, 3))),
    "Flatten": lambda layer: nn.Flatten(),
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "Add": lambda layer: Call(lambda x, y: x + y),
    "Concatenate": lambda layer: Call(lambda *x: torch.cat(x, 1)),
    "ZeroPadding2D": lambda layer: nn.ZeroPad2d((*layer.padding[1], *layer.padding[0])),
    "ScaledAdd": lambda layer: Call(lambda x, y: x + layer.scale * y),
    # PyTorch's alpha is of the mean of the squares, the paper's of their sum
    "LocalResponseNormalization": lambda layer: nn.LocalResponseNorm(layer.depth, layer.alpha * layer.depth, layer.beta,
                                                                     layer.bias),
}
