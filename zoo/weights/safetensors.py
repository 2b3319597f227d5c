"""safetensors: eight bytes with the length of the header, a JSON header, the data.

https://github.com/huggingface/safetensors, section Format.
"""

import json
import math

import numpy as np

from zoo.weights.lazy_array import LazyArray, count_elements

MAX_HEADER_BYTES = 16 * 2**20  # bytes; ImageNet models have about 50,000
SAFETENSORS_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


def read_safetensors(path):
    """Return {name: LazyArray} for the float tensors in a file; raise ValueError with the reason if it is damaged."""
    file_size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, file_size - 8):
            raise ValueError(f"its header claims to have {length:,} bytes")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is not a table of tensors")
    data_start, arrays = 8 + length, {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
            raise ValueError(f"the shape or data offsets of {name} are not non-negative integers")
        if entry["dtype"] not in SAFETENSORS_DTYPES:
            continue  # such as num_batches_tracked
        dtype = np.dtype(SAFETENSORS_DTYPES[entry["dtype"]])
        if not begin <= end <= file_size - data_start or end - begin != count_elements(shape) * dtype.itemsize:
            raise ValueError(f"{name} extends beyond the end of the file, or its size does not match its shape")
        arrays[name] = LazyArray(shape, make_reader(path, data_start + begin, shape, dtype, entry["dtype"] == "BF16"))
    return arrays


def make_reader(path, offset, shape, dtype, is_bfloat16):
    """Return a function that reads an array at an offset in a file."""
    def read():
        array = np.fromfile(path, dtype, math.prod(shape), offset=offset).reshape(shape)
        return widen_bfloat16(array) if is_bfloat16 else array

    return read


def widen_bfloat16(bits):
    """Return bfloat16 values, given as uint16 bits, as float32, whose lower 16 bits are zero."""
    return (bits.astype("<u4") << 16).view("<f4")
