"""safetensors: eight bytes that say how long the header is, a header in JSON, the numbers.

https://github.com/huggingface/safetensors, section Format.
"""

import json
import math

import numpy as np

from zoo.weights.lazy_array import LazyArray, count_elements

MAX_HEADER_BYTES = 16 * 2**20  # bytes; ImageNet networks have some 50,000
SAFETENSORS_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


def read_safetensors(path):
    """Return {name: Stored} of the tensors of floats in a file; ValueError in words when it is damaged."""
    whole = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, whole - 8):
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
        if told["dtype"] not in SAFETENSORS_DTYPES:
            continue  # counters of batches, for instance
        dtype = np.dtype(SAFETENSORS_DTYPES[told["dtype"]])
        if not begin <= end <= whole - start or end - begin != count_elements(shape) * dtype.itemsize:
            raise ValueError(f"{name} reaches beyond the file, or is of another size than its shape says")
        found[name] = LazyArray(shape, make_reader(path, start + begin, shape, dtype, told["dtype"] == "BF16"))
    return found


def make_reader(path, offset, shape, dtype, is_bfloat16):
    """Return a function that reads an array from its place in a file."""
    def read():
        array = np.fromfile(path, dtype, math.prod(shape), offset=offset).reshape(shape)
        return widen_bfloat16(array) if is_bfloat16 else array

    return read


def widen_bfloat16(bits):
    """Return bfloat16, given as its bits uint16, as float32: the same number has sixteen zeros more."""
    return (bits.astype("<u4") << 16).view("<f4")
