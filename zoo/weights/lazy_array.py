"""What is in a weights file, before any of it is read."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FLOAT_TYPES = ("f2", "f4", "f8")  # of NumPy, without the byte order


@dataclass(frozen=True)
class LazyArray:
    """An array that is still in its file: `shape` is known, `read()` returns it as NumPy floats."""

    shape: tuple
    read: Callable

    def transpose(self, *axes):
        """Return it with its axes in another order."""
        return LazyArray(tuple(self.shape[axis] for axis in axes), lambda: self.read().transpose(axes))

    def reorder_flattened(self, channels, height, width):
        """Return a kernel (channels * height * width, units) with its rows in the order height, width, channels."""
        def read():
            rows = self.read().reshape(channels, height, width, -1)
            return rows.transpose(1, 2, 0, 3).reshape(self.shape)

        return LazyArray(self.shape, read)


@dataclass(frozen=True)
class WeightsFile:
    """A weights file: `layers` is {name of a layer: its arrays, Stored, in Keras's order}.

    naming: "keras" names of layers; "counted" classes of layers, counted in the order of the network; "torch" names of
    modules, the arrays as PyTorch lays them out. `kind` says in words what file it is.
    """

    kind: str
    naming: str
    layers: dict


def count_elements(shape):
    """Return the number of elements."""
    return math.prod(shape)


def is_float_dtype(dtype):
    """Return whether a NumPy dtype is one of floats that weights are kept in."""
    return np.dtype(dtype).str[1:] in FLOAT_TYPES
