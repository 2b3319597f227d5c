"""Contents of a weights file whose arrays are read lazily."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FLOAT_TYPES = ("f2", "f4", "f8")  # NumPy dtype strings, without the byte order


class UnsupportedFileError(ValueError):
    """A weights file is intact, but cannot be read; the message continues its path, as in "has a Lambda layer"."""


@dataclass(frozen=True)
class LazyArray:
    """An array that is still in its file: `shape` is known, `read()` returns a NumPy array of floats."""

    shape: tuple
    read: Callable

    def transpose(self, *axes):
        """Return the array with its axes permuted."""
        return LazyArray(tuple(self.shape[axis] for axis in axes), lambda: self.read().transpose(axes))

    def flatten_kernel(self):
        """Return a kernel (height, width, channels, units) as that of a dense layer on the flattened feature map."""
        shape = (count_elements(self.shape[:-1]), self.shape[-1])
        return LazyArray(shape, lambda: self.read().reshape(shape))

    def reorder_flattened(self, channels, height, width):
        """Return a kernel (channels * height * width, units) with its rows reordered to height, width, channels."""
        def read():
            kernel = self.read().reshape(channels, height, width, -1)
            return kernel.transpose(1, 2, 0, 3).reshape(self.shape)

        return LazyArray(self.shape, read)


@dataclass(frozen=True)
class WeightsFile:
    """Contents of a weights file.

    Attributes:
        kind: Description of the file format, for messages.
        naming: `"keras"`: layer names; `"counted"`: layer classes, numbered in model order; `"torch"`: module names,
            with arrays in PyTorch's layout; `"paths"`: zoo's own layer names and variable paths.
        layers: `{layer name: its LazyArrays, in Keras's order}`; for `"paths"`, `{layer name: {variable: LazyArray}}`.
        outside: Names of the layers that are not in the module in which the backbone is, for `"torch"`.
    """

    kind: str
    naming: str
    layers: dict
    outside: frozenset = frozenset()


def count_elements(shape):
    """Return the number of elements of an array of this shape."""
    return math.prod(shape)


def is_float_dtype(dtype):
    """Return whether a NumPy dtype is float16, float32 or float64."""
    return np.dtype(dtype).str[1:] in FLOAT_TYPES
