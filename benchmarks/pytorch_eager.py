"""Convert a functional Keras model to plain eager PyTorch: the same layers, as one would write them by hand.

Used by throughput.py; supports only the layers of its models. Weights have PyTorch's own initialization; no Keras code
runs in it. Inputs and outputs are channels-first tensors.
"""

import torch
from torch import nn
from torch.nn import functional

from zoo.analysis import graph


class EagerModel(nn.Module):
    """The layer calls of `model`, in topological order."""

    def __init__(self, model):
        super().__init__()
        calls = graph.get_layer_calls(model)
        self.layers = nn.ModuleDict({name: CONVERTERS[call.class_name](call.layer) for (name, _), call in calls.items()
                                     if call.class_name != "InputLayer"})
        self.layer_inputs = {name: [source for source, _ in call.input_calls] for (name, _), call in calls.items()}
        self.input_name = next(name for (name, _), call in calls.items() if call.class_name == "InputLayer")

    def forward(self, image):
        outputs = {self.input_name: image}
        for name, module in self.layers.items():
            outputs[name] = module(*(outputs[source] for source in self.layer_inputs[name]))
        return outputs[name]


class Lambda(nn.Module):
    """A module that calls a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class SamePadding(nn.Module):
    """Keras's `same` padding for strided layers: an odd pixel of padding goes to the right or the bottom."""

    def __init__(self, inner, window, stride, value=0.0):
        super().__init__()
        self.inner, self.window, self.stride, self.value = inner, window, stride, value

    def forward(self, x):
        height, width = (max((-(-size // stride) - 1) * stride + window - size, 0)
                         for size, stride, window in zip(x.shape[2:], self.stride, self.window, strict=True))
        padding = width // 2, width - width // 2, height // 2, height - height // 2
        return self.inner(functional.pad(x, padding, value=self.value))


def to_pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def add_activation(module, layer):
    """Return `module` followed by the activation of `layer`, ReLU or none."""
    return nn.Sequential(module, nn.ReLU()) if layer.activation.__name__ == "relu" else module


def convert_convolution(layer):
    window, stride = to_pair(layer.kernel_size), to_pair(layer.strides)
    is_symmetric = layer.padding == "same" and stride == (1, 1)  # PyTorch's own padding suffices
    conv = nn.Conv2d(layer.kernel.shape[2] * layer.groups, layer.filters, window, stride, groups=layer.groups,
                     bias=layer.use_bias, padding=tuple(size // 2 for size in window) if is_symmetric else 0)
    if layer.padding == "same" and not is_symmetric:
        conv = SamePadding(conv, window, stride)
    return add_activation(conv, layer)


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
    # PyTorch's alpha scales the mean of the squares, the paper's their sum
    "LocalResponseNormalization": lambda layer: nn.LocalResponseNorm(layer.depth, layer.alpha * layer.depth, layer.beta,
                                                                     layer.bias),
}
