"""Pickles of CIFAR's Python version, read without executing anything that they ask for.

A pickle is a program: it names functions and calls them. Here the only names it can get hold of are the
stand-ins below, which keep what they are given. An array is made afterwards, of bytes.
"""

import io
import pickle

import numpy as np

from zoo.errors import UserError


class UnsafePickleError(Exception):
    """The pickle asked for something that is not in STAND_INS."""


class PickledArray:
    """What numpy.ndarray is pickled as; __setstate__ gets the shape, the dtype, the memory order and the bytes."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.fortran_order, self.data = state


class PickledDtype:
    """What numpy.dtype is pickled as: its code, such as "u1"."""

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        """Byte order and alignment, which single bytes do not have."""


def reconstruct_array(*_):
    """In the place of numpy's _reconstruct(ndarray, (0,), "b"): an array whose state comes next."""
    return PickledArray()


def build_from_buffer(data, dtype, shape, order):
    """In the place of numpy's _frombuffer, which protocol 5 names."""
    array = PickledArray()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def encode_text(text, encoding):
    """In the place of _codecs.encode: Python 3 writes bytes so in the old protocols."""
    if encoding not in ("latin1", b"latin1"):
        raise UnsafePickleError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


SAFE_CIFAR_GLOBALS = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): PickledDtype,
    ("numpy.core.multiarray", "_reconstruct"): reconstruct_array,
    ("numpy._core.multiarray", "_reconstruct"): reconstruct_array,
    ("numpy.core.numeric", "_frombuffer"): build_from_buffer,
    ("numpy._core.numeric", "_frombuffer"): build_from_buffer,
    ("_codecs", "encode"): encode_text,
}


class RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in SAFE_CIFAR_GLOBALS:
            raise UnsafePickleError(f"{module}.{name}")
        return SAFE_CIFAR_GLOBALS[module, name]


def read_cifar_batch(data, name):
    """Return the dict that the pickle `data` (bytes) holds, its keys str, its arrays PickledArray.

    Raises a UserError that begins with `name`, the file's, when it is no such pickle or asks for more.
    """
    try:
        batch = RestrictedUnpickler(io.BytesIO(data), encoding="bytes").load()
        return {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
    except UnsafePickleError as error:
        raise UserError(f"{name} is not a batch of CIFAR: it asks Python to run {error}, which was not done; "
                        f"fetch the file again from the authors") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{name} is not a batch of CIFAR, or is damaged "
                        f"({type(error).__name__}: {' '.join(str(error).split())}); fetch the file again") from None


def convert_to_byte_array(value, name):
    """Return the uint8 array that a PickledArray stands for; a UserError for every other kind of value."""
    try:
        if value.dtype.code not in ("u1", b"u1"):
            raise ValueError(f"dtype {value.dtype.code!r}")
        array = np.frombuffer(value.data, np.uint8)
        return array.reshape(value.shape, order="F" if value.fortran_order else "C")
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{name} holds no array of bytes where the pictures should be ({error}); "
                        f"fetch the file again") from None
