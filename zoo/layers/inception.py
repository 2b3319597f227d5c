"""A notation for the figures of the Inception papers: a tuple is a convolution, a string pooling, a list a fork.

A module is a fork: a list of branches that read the same tensor and are concatenated. A branch is a list of steps:

    (filters, kernel[, stride[, padding]])  convolution; kernel: size or (height, width); padding: "same" by default
    "max/2 V", ...                          pooling, see POOLING_STEPS
    [branch, branch]                        a fork within the branch

Layers are named after the module, the index of the branch, the letter of the step and the kernel: mixed0_2b_5x5 is the
second layer of the second branch of mixed0. The concatenation has the name of the module itself.
"""

from string import ascii_lowercase

from keras import layers

from zoo.layers.blocks import scale_width
from zoo.layers.pooling import CeilMaxPooling2D

POOLING_STEPS = {  # windows are 3x3
    "avg": lambda name: layers.AveragePooling2D(3, 1, padding="same", name=name),
    "max": lambda name: layers.MaxPooling2D(3, 1, padding="same", name=name),
    "max/2": lambda name: layers.MaxPooling2D(3, 2, padding="same", name=name),
    "max/2 V": lambda name: layers.MaxPooling2D(3, 2, name=name),  # V: "valid" padding, as in the papers
    "max/2 ceil": lambda name: CeilMaxPooling2D(3, 2, name=name),  # Caffe's rounding
}


def inception_module(x, module, conv, *, width, name):
    """Apply each branch of `module` to x and concatenate the outputs; see `apply_steps`."""
    branches = [apply_steps(x, branch, conv, width=width, name=f"{name}_{index}")
                for index, branch in enumerate(module, start=1)]
    return layers.Concatenate(name=name)(branches)


def apply_steps(x, steps, conv, *, width, name):
    """Apply `steps` in sequence; `conv(x, filters, kernel, stride, padding, name=...)` applies a convolution."""
    for letter, step in zip(ascii_lowercase, steps, strict=False):
        if isinstance(step, list):
            x = inception_module(x, step, conv, width=width, name=f"{name}{letter}")
        elif isinstance(step, str):
            x = POOLING_STEPS[step](f"{name}{letter}_pool")(x)
        else:
            filters, kernel, *stride_and_padding = step
            rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
            x = conv(x, scale_width(filters, width), kernel, *stride_and_padding,
                     name=f"{name}{letter}_{rows}x{columns}")
    return x
