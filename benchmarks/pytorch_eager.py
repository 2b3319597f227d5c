"""A functional Keras model as plain PyTorch: the same layers, eager, as people write them by hand.

For throughput.py, and for the layers of its networks alone. Weights start at PyTorch's own values; nothing of Keras is
left when it runs. It takes and gives channels-first tensors.
"""

import torch
from torch import nn
from torch.nn import functional

from zoo.analysis import graph


class EagerModel(nn.Module):
    """The calls of `model` in the order of their flow."""

    def __init__(self, model):
        super().__init__()
        calls = graph.get_layer_calls(model)
        self.layers = nn.ModuleDict({name: CONVERTERS[call.class_name](call.layer) for (name, _), call in calls.items()
                                     if call.class_name != "InputLayer"})
        self.layer_inputs = {name: [read for read, _ in call.input_calls] for (name, _), call in calls.items()}
        self.input_name = next(name for (name, _), call in calls.items() if call.class_name == "InputLayer")

    def forward(self, image):
        found = {self.input_name: image}
        for name, module in self.layers.items():
            found[name] = module(*(found[each] for each in self.layer_inputs[name]))
        return found[name]


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class SamePadding(nn.Module):
    """Keras's `same` for a stride: what is missing is put to the right and the bottom first."""

    def __init__(self, inner, window, stride, value=0.0):
        super().__init__()
        self.inner, self.window, self.stride, self.value = inner, window, stride, value

    def forward(self, x):
        high, wide = (max((-(-size // step) - 1) * step + window - size, 0)
                      for size, step, window in zip(x.shape[2:], self.stride, self.window, strict=True))
        rims = wide // 2, wide - wide // 2, high // 2, high - high // 2
        return self.inner(functional.pad(x, rims, value=self.value))


def to_pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def add_activation(module, layer):
    """Return a module with the activation that a layer has inside, ReLU or none."""
    return nn.Sequential(module, nn.ReLU()) if layer.activation.__name__ == "relu" else module


def convert_convolution(layer):
    window, stride = to_pair(layer.kernel_size), to_pair(layer.strides)
    whole = layer.padding == "same" and stride == (1, 1)
    made = nn.Conv2d(layer.kernel.shape[2] * layer.groups, layer.filters, window, stride, groups=layer.groups,
                     bias=layer.use_bias, padding=tuple(side // 2 for side in window) if whole else 0)
    return add_activation(SamePadding(made, window, stride) if layer.padding == "same" and not whole else made, layer)


def convert_max_pool(layer):
    window, stride = to_pair(layer.pool_size), to_pair(layer.strides)
    if layer.padding == "valid":
        return nn.MaxPool2d(window, stride)
    if stride == (1, 1):
        return nn.MaxPool2d(window, 1, padding=window[0] // 2)
    return SamePadding(nn.MaxPool2d(window, stride), window, stride, float("-inf"))


def convert_average_pool(layer):
    window, stride = to_pair(layer.pool_size), to_pair(layer.strides)
    padding = window[0] // 2 if layer.padding == "same" else 0
    return nn.AvgPool2d(window, stride, padding=padding, count_include_pad=False)


CONVERTERS = {
    "Conv2D": convert_convolution,
    "Dense": lambda layer: add_activation(nn.Linear(layer.kernel.shape[0], layer.units, layer.use_bias), layer),
    "BatchNormalization": lambda layer: nn.BatchNorm2d(layer.moving_mean.shape[0], layer.epsilon, 1 - layer.momentum,
                                                       affine=layer.center),
    "ReLU": lambda layer: nn.ReLU(),
    "Activation": lambda layer: nn.ReLU() if layer.activation.__name__ == "relu" else nn.Identity(),
    "Rescaling": lambda layer: nn.Identity(),
    "MaxPooling2D": convert_max_pool,
    "CeilMaxPooling2D": lambda layer: nn.MaxPool2d(to_pair(layer.pool_size), to_pair(layer.strides), ceil_mode=True),
    "AveragePooling2D": convert_average_pool,
    "GlobalAveragePooling2D": lambda layer: Lambda(lambda x: x.mean((2, 3))),
    "Flatten": lambda layer: nn.Flatten(),
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "Add": lambda layer: Lambda(lambda x, y: x + y),
    "Concatenate": lambda layer: Lambda(lambda *x: torch.cat(x, 1)),
    "ZeroPadding2D": lambda layer: nn.ZeroPad2d((*layer.padding[1], *layer.padding[0])),
    "ScaledAdd": lambda layer: Lambda(lambda x, y: x + layer.scale * y),
    # PyTorch's alpha is of the mean of the squares, the paper's of their sum
    "LocalResponseNormalization": lambda layer: nn.LocalResponseNorm(layer.depth, layer.alpha * layer.depth, layer.beta,
                                                                     layer.bias),
}
