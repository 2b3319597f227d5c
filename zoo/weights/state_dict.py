"""PyTorch's files, a ZIP archive of a pickle and raw numbers, read without PyTorch and without executing anything.

A pickle is a program. Before it runs, its instructions are looked through, and only those that build plain containers
are let pass; the only names that it gets hold of are the stand-ins below, which keep what they are given.
"""

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from zoo.weights.lazy_array import Stored, size
from zoo.weights.safetensors import widened

MOST_PICKLE = 16 * 2**20  # bytes
WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which training programs keep it
INSTRUCTIONS = frozenset("""
    PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT LONG LONG1 BININT BININT1 BININT2 BINFLOAT FLOAT
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET MEMOIZE
""".split())
MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


class Refused(ValueError):
    """The pickle asks for more than a table of tensors needs."""


@dataclass(frozen=True)
class Storage:
    """One of PyTorch's storages: its type and what it was told in the pickle."""

    dtype: str
    key: str
    count: int


@dataclass
class Tensor:
    """What a tensor is rebuilt of."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple

    def __setstate__(self, state):
        """A tensor has no more state."""


def rebuild_tensor(storage, offset, shape, strides, *_):
    """In the place of torch._utils._rebuild_tensor_v2."""
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def rebuild_parameter(tensor, *_):
    """In the place of torch._utils._rebuild_parameter."""
    return tensor


TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
         "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
         "BoolStorage": "?"}
STAND_INS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    **{("torch", name): name for name in TYPES},  # a name, which cannot be called
}


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in STAND_INS:
            raise Refused(f"it asks Python to run {module}.{name}, which was not done")
        return STAND_INS[module, name]

    def persistent_load(self, told):
        kind, storage, key, _, count = told
        if kind != "storage" or storage not in TYPES or not isinstance(key, str) or not isinstance(count, int):
            raise Refused("it names a storage that PyTorch does not know")
        return Storage(storage, key, count)


def unpickled(data):
    """Return what the pickle `data`, bytes, builds; Refused when it is not harmless."""
    for instruction, argument, _ in pickletools.genops(data):
        if instruction.name not in INSTRUCTIONS:
            raise Refused(f"it has the instruction {instruction.name}, which no table of tensors needs")
        if instruction.name in MEMO and int(argument) > len(data):
            raise Refused("it asks for more memory than it can use")
    return Unpickler(io.BytesIO(data)).load()


def tensors(path):
    """Return {name: Stored} of the tensors of floats in a .pt or .pth file; ValueError in words for another one."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ValueError("it is a ZIP archive, but none that PyTorch wrote")
        if members[pickles[0]].file_size > MOST_PICKLE:
            raise Refused("its table of tensors is too large")
        found = unpickled(archive.read(pickles[0]))
        root = pickles[0].rpartition("/")[0]
        if f"{root}/byteorder" in members and archive.read(f"{root}/byteorder")[:8] != b"little":
            raise ValueError("its numbers are big-endian; save it on a machine of today")
    for name in WRAPPERS:
        found = found[name] if isinstance(found, dict) and isinstance(found.get(name), dict) else found
    if not isinstance(found, dict) or not any(isinstance(each, Tensor) for each in found.values()):
        raise ValueError("it holds no state dict; write one with torch.save(model.state_dict(), FILE)")
    return {str(name): stored(path, f"{root}/data/{each.storage.key}", members, each)
            for name, each in found.items() if is_weights(each)}


def is_weights(found):
    return isinstance(found, Tensor) and isinstance(found.storage, Storage) and found.storage.dtype in (
        "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage")


def stored(path, member, members, tensor):
    """Return the Stored of a tensor, whose numbers are a member of the archive; ValueError where they cannot be."""
    dtype, numbers = np.dtype(TYPES[tensor.storage.dtype]), (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(each) is int and each >= 0 for each in numbers) or len(tensor.shape) != len(tensor.strides):
        raise Refused("a tensor has no whole numbers for its shape")
    info = members.get(member)
    if info is None or info.file_size != tensor.storage.count * dtype.itemsize:
        raise ValueError(f"{member} is missing or of another size; fetch the file again")
    last = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides, strict=True))
    if size(tensor.shape) > tensor.storage.count or (size(tensor.shape) and last >= tensor.storage.count):
        raise Refused("a tensor is larger than its numbers")

    def read():
        if info.file_size > 100 * max(info.compress_size, 1):
            raise Refused("a small file unpacks to a large one")
        with zipfile.ZipFile(path) as archive:
            flat = np.frombuffer(archive.read(info), dtype)
        steps = [step * dtype.itemsize for step in tensor.strides]
        array = np.lib.stride_tricks.as_strided(flat[tensor.offset:], tensor.shape, steps)
        return widened(np.ascontiguousarray(array)) if tensor.storage.dtype == "BFloat16Storage" else array

    return Stored(tensor.shape, read)
