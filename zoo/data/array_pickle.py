"""Reading the pickled arrays of published datasets, CIFAR and IMDB, without executing any code in them.

A pickle is a program: it names functions and calls them. Here the only names it can access are the
stand-ins below, which store their arguments. The array is created afterwards, from the bytes.
"""

import io
import pickle

import numpy as np

from zoo.errors import UserError


class UnsafePickleError(Exception):
    """The pickle requested a global that is not in SAFE_GLOBALS."""


class PickledArray:
    """Stand-in for numpy.ndarray; __setstate__ receives the shape, the dtype, the memory order and the bytes."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.fortran_order, self.data = state


class PickledDtype:
    """Stand-in for numpy.dtype, with its code, such as "u1"."""

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        """Ignore byte order and alignment, which single bytes do not have."""


def reconstruct_array(*_):
    """Stand in for numpy's _reconstruct(ndarray, (0,), "b"): return an array whose state is set next."""
    return PickledArray()


def build_from_buffer(data, dtype, shape, order):
    """Stand in for numpy's _frombuffer, which protocol 5 uses."""
    array = PickledArray()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def encode_text(text, encoding):
    """Stand in for _codecs.encode, with which Python 3 writes bytes in the old protocols."""
    if encoding not in ("latin1", b"latin1"):
        raise UnsafePickleError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


SAFE_GLOBALS = {
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
        if (module, name) not in SAFE_GLOBALS:
            raise UnsafePickleError(f"{module}.{name}")
        return SAFE_GLOBALS[module, name]


def read_cifar_batch(data, name):
    """Return the dict in the pickle `data` (bytes), with str keys and PickledArray arrays.

    Raises a UserError that begins with `name`, the file name, if it is not such a pickle or requests other globals.
    """
    try:
        batch = RestrictedUnpickler(io.BytesIO(data), encoding="bytes").load()
        return {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
    except UnsafePickleError as error:
        raise UserError(f"{name} is not a batch of CIFAR: it requests execution of {error}, which was refused; "
                        f"download the file again from the authors") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{name} is not a batch of CIFAR, or is damaged "
                        f"({type(error).__name__}: {' '.join(str(error).split())}); download the file again") from None


def convert_to_byte_array(value, name):
    """Return a PickledArray as a uint8 array; raise UserError for any other value."""
    try:
        if value.dtype.code not in ("u1", b"u1"):
            raise ValueError(f"dtype {value.dtype.code!r}")
        array = np.frombuffer(value.data, np.uint8)
        return array.reshape(value.shape, order="F" if value.fortran_order else "C")
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{name} does not contain a uint8 array of images ({error}); "
                        f"download the file again") from None


def read_object_array(data, name):
    """Return the elements of a one-dimensional array of Python objects in the pickle `data` (bytes), a list.

    Raises a UserError that begins with `name`, the file name, if it is not such a pickle or requests other globals.
    """
    try:
        array = RestrictedUnpickler(io.BytesIO(data), encoding="bytes").load()
        elements = array.data
        if not isinstance(elements, list) or array.shape != (len(elements),):
            raise ValueError("it is not a one-dimensional array of lists")
        return elements
    except UnsafePickleError as error:
        raise UserError(f"{name} requests execution of {error}, which was refused; download the file again") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{name} is damaged ({type(error).__name__}: {' '.join(str(error).split())}); download the "
                        "file again") from None
