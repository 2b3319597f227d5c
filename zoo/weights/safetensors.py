"""safetensors: eight bytes that say how long the header is, a header in JSON, the numbers.

https://github.com/huggingface/safetensors, section Format.
"""

import json
import math

import numpy as np

from zoo.weights.lazy_array import Stored, size

MOST_HEADER = 16 * 2**20  # bytes; ImageNet networks have some 50,000
TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


def tensors(path):
    """Return {name: Stored} of the tensors of floats in a file; ValueError in words when it is damaged."""
    whole = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MOST_HEADER, whole - 8):
            raise ValueError(f"its header claims {length:,} bytes")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no table of tensors")
    start, found = 8 + length, {}
    for name, told in header.items():
        if name == "__metadata__":
            continue
        shape, (begin, end) = tuple(told["shape"]), told["data_offsets"]
        if not all(type(each) is int and each >= 0 for each in (*shape, begin, end)):
            raise ValueError(f"{name} has no whole numbers for its shape or place")
        if told["dtype"] not in TYPES:
            continue  # counters of batches, for instance
        dtype = np.dtype(TYPES[told["dtype"]])
        if not begin <= end <= whole - start or end - begin != size(shape) * dtype.itemsize:
            raise ValueError(f"{name} reaches beyond the file, or is of another size than its shape says")
        found[name] = Stored(shape, reader(path, start + begin, shape, dtype, told["dtype"] == "BF16"))
    return found


def reader(path, offset, shape, dtype, brain):
    """Return a function that reads an array from its place in a file."""
    def read():
        array = np.fromfile(path, dtype, math.prod(shape), offset=offset).reshape(shape)
        return widened(array) if brain else array

    return read


def widened(halves):
    """Return bfloat16, given as its bits uint16, as float32: the same number has sixteen zeros more."""
    return (halves.astype("<u4") << 16).view("<f4")
