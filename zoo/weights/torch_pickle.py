"""Pickles of PyTorch, read without executing anything that they ask for.

A pickle is a program: it names functions and classes, and calls them. Here the only names that it gets hold of are the
stand-ins below, which keep what they are given. Every other name becomes an `OpaqueObject`, which keeps nothing: so
weights
can be read beside a Namespace, a NumPy number or an optimizer.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from dataclasses import dataclass

MAX_PICKLE_BYTES = 16 * 2**20  # bytes
MAX_GLOBALS = 10_000  # of functions and classes; a whole model has some hundred
ALLOWED_OPCODES = frozenset("""
    PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT LONG LONG1 BININT BININT1 BININT2 BINFLOAT FLOAT
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    EMPTY_SET ADDITEMS FROZENSET GLOBAL STACK_GLOBAL REDUCE NEWOBJ NEWOBJ_EX BUILD BINPERSID
    PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET MEMOIZE
""".split())
MEMO_OPCODES = ("PUT", "BINPUT", "LONG_BINPUT")
STORAGE_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
                  "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
                  "ByteStorage": "u1", "BoolStorage": "?", "ComplexFloatStorage": "<c8", "ComplexDoubleStorage": "<c16"}


class UnsafeTorchFileError(ValueError):
    """The pickle asks for more than a table of tensors needs."""


class OpaqueObject:
    """In the place of whatever else a pickle names: it can be called, filled and changed, and does nothing.

    name: MODULE.NAME of the function or class.
    """

    name = ""
    __slots__ = ()

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __init__(self, *_, **__):
        """What it is made of is not kept."""

    def ignore(self, *_):
        """What it is given is not kept."""

    __setstate__ = __setitem__ = append = extend = add = ignore


@dataclass(frozen=True)
class PickledStorage:
    """One of PyTorch's storages: its type and what it was told in the pickle."""

    dtype: str
    key: str
    count: int


@dataclass
class PickledTensor:
    """What a tensor is rebuilt of."""

    storage: PickledStorage
    offset: int
    shape: tuple
    strides: tuple

    def __setstate__(self, state):
        """A tensor has no more state."""


class RebuildFunction:
    """A function of PyTorch's that a pickle may call; it cannot change it."""

    __slots__ = ("_call",)

    def __init__(self, call):
        self._call = call

    def __call__(self, *arguments):
        return self._call(*arguments)

    def __setstate__(self, state):
        """It has none."""


@RebuildFunction
def rebuild_tensor(storage, offset, shape, strides, *_):
    """In the place of torch._utils._rebuild_tensor_v2."""
    return PickledTensor(storage, offset, tuple(shape), tuple(strides))


@RebuildFunction
def rebuild_parameter(tensor, *_):
    """In the place of torch._utils._rebuild_parameter."""
    return tensor


@RebuildFunction
def rebuild_subclass(function, _, arguments, *__):
    """In the place of torch._tensor._rebuild_from_type_v2."""
    return function(*arguments) if isinstance(function, RebuildFunction) else None


SAFE_TORCH_GLOBALS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild_subclass,
    **{("torch", name): name for name in STORAGE_DTYPES},  # a name, which cannot be called
}


class TorchUnpickler(pickle.Unpickler):
    """What it builds holds plain containers, numbers, text, Tensors and Opaques.

    storages: {key: Storage} of all that it was told of. names: {(module, name): class} of the Opaques.
    """

    def __init__(self, file):
        super().__init__(file)
        self.storages, self.opaque_classes = {}, {}

    def find_class(self, module, name):
        if (module, name) in SAFE_TORCH_GLOBALS:
            return SAFE_TORCH_GLOBALS[module, name]
        if len(self.opaque_classes) >= MAX_GLOBALS:
            raise UnsafeTorchFileError(f"it names more than {MAX_GLOBALS:,} functions and classes")
        if (module, name) not in self.opaque_classes:
            self.opaque_classes[module,
                                name] = type("Opaque", (OpaqueObject,), {"name": f"{module}.{name}", "__slots__": ()})
        return self.opaque_classes[module, name]

    def persistent_load(self, pid):
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":
            return pid[1]  # the class of a module, with its source code, in files of PyTorch until 1.5
        kind, storage, key, _, count, *view = pid
        if kind != "storage" or not isinstance(key, str) or type(count) is not int or count < 0:
            raise UnsafeTorchFileError("it names a storage that PyTorch does not know")
        if view and view[0] is not None:
            raise ValueError("its tensors share parts of one another, as PyTorch before 0.4 wrote them; load it there, "
                             "and save it again")
        if storage not in STORAGE_DTYPES:
            return OpaqueObject()
        self.storages[key] = PickledStorage(storage, key, count)
        return self.storages[key]


def safe_unpickle(file):
    """Return (what the pickle at the place of an open file builds, the TorchUnpickler that did it).

    The file stands behind the pickle afterwards. Refused when it is not harmless.
    """
    start = file.tell()
    end = start + MAX_PICKLE_BYTES
    for instruction, argument, place in pickletools.genops(file):
        if place > end:
            raise UnsafeTorchFileError("its table of tensors is too large")
        if instruction.name not in ALLOWED_OPCODES:
            raise UnsafeTorchFileError(f"it has the instruction {instruction.name}, which no table of tensors needs")
        if instruction.name in MEMO_OPCODES and int(argument) > place - start + 1:
            raise UnsafeTorchFileError("it asks for more memory than it can use")
    length = file.tell() - start
    if length > MAX_PICKLE_BYTES:
        raise UnsafeTorchFileError("its table of tensors is too large")
    file.seek(start)
    unpickler = TorchUnpickler(io.BytesIO(file.read(length)))
    return unpickler.load(), unpickler
