"""Unpickle PyTorch files without executing any code in them.

A pickle is a program: it names functions and classes, and calls them. Here names resolve only to the substitutes below,
which record their arguments. Every other name becomes an `OpaqueObject`, which discards them, so that weights can be
read even next to a Namespace, a NumPy scalar or an optimizer.

Only keys whose hash is quick are kept: that of a tuple in a tuple in a tuple, and so on, can take forever, or more
stack than there is.
"""

import io
import pickle
import pickletools
from dataclasses import dataclass

from zoo.weights.lazy_array import UnsupportedFileError

MAX_PICKLE_BYTES = 16 * 2**20  # bytes
MAX_GLOBALS = 10_000  # functions and classes; a pickled model has a few hundred
ALLOWED_OPCODES = frozenset("""
    PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT LONG LONG1 BININT BININT1 BININT2 BINFLOAT FLOAT
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    EMPTY_SET ADDITEMS FROZENSET GLOBAL STACK_GLOBAL REDUCE NEWOBJ NEWOBJ_EX BUILD BINPERSID
    PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET MEMOIZE
""".split())
MAX_KEY_LENGTH = 100  # of a tuple that is a key
STORAGE_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
                  "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
                  "ByteStorage": "u1", "BoolStorage": "?", "ComplexFloatStorage": "<c8", "ComplexDoubleStorage": "<c16"}


class UnsafeTorchFileError(ValueError):
    """The pickle needs more than a table of tensors does."""


class PickledDict(dict):
    """Substitute for OrderedDict."""

    def __init__(self, items=()):
        super().__init__()
        update(self, items.items() if isinstance(items, dict) else items)

    def __setstate__(self, state):
        """Ignore it: attributes are not items."""


class OpaqueObject:
    """Substitute for any other function or class in a pickle: it can be called, filled and modified, and does nothing.

    Attributes:
        name: MODULE.NAME of the function or class.
        items: {key: value} of an object that is filled like a dict, such as one of a subclass of OrderedDict.
    """

    name = ""
    __slots__ = ("items",)

    def __new__(cls, *_, **__):
        instance = object.__new__(cls)
        instance.items = {}
        return instance

    def __init__(self, *_, **__):
        """Discard the arguments."""

    def ignore(self, *_):
        """Discard the arguments."""

    def __setitem__(self, key, value):
        """Keep the item."""
        self.items[key] = value

    __setstate__ = append = extend = add = ignore


@dataclass(frozen=True)
class PickledStorage:
    """A PyTorch storage: its type, its key and its number of elements, as given in the pickle."""

    dtype: str
    key: str
    count: int

    def __setstate__(self, state):
        """Ignore it: a storage has no further state."""


@dataclass(eq=False)  # hashable: tensors are the keys of the state of an optimizer
class PickledTensor:
    """The arguments from which a tensor is rebuilt."""

    storage: PickledStorage
    offset: int
    shape: tuple
    strides: tuple

    def __setstate__(self, state):
        """Ignore it: a tensor has no further state."""


class RebuildFunction:
    """A PyTorch function that a pickle can call, but not modify."""

    __slots__ = ("_call",)

    def __init__(self, call):
        self._call = call

    def __call__(self, *arguments):
        return self._call(*arguments)

    def __setstate__(self, state):
        """Ignore it: a function has no state."""


@RebuildFunction
def rebuild_tensor(storage, offset, shape, strides, *_):
    """Substitute for torch._utils._rebuild_tensor_v2."""
    return PickledTensor(storage, offset, tuple(shape), tuple(strides))


@RebuildFunction
def rebuild_parameter(tensor, *_):
    """Substitute for torch._utils._rebuild_parameter."""
    return tensor


@RebuildFunction
def rebuild_subclass(function, _, arguments, *__):
    """Substitute for torch._tensor._rebuild_from_type_v2."""
    return function(*arguments) if isinstance(function, RebuildFunction) else None


SAFE_TORCH_GLOBALS = {
    ("collections", "OrderedDict"): PickledDict,
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild_subclass,
    **{("torch", name): name for name in STORAGE_DTYPES},  # a string, which cannot be called
}


def is_safe_key(key):
    """Return whether the hash of a key of a dict takes neither long nor much stack."""
    items = key if isinstance(key, tuple) else (key,)
    return len(items) <= MAX_KEY_LENGTH and all(
        isinstance(item, (str, bytes, int, float, type(None), type, PickledTensor, OpaqueObject)) for item in items)


def update(target, items):
    """Add pairs (key, value) to a dict, or an object that is filled like one, unless their key is unsafe."""
    for key, value in items:
        if is_safe_key(key):
            target[key] = value


class TorchUnpickler(pickle._Unpickler):  # the one in Python: in that in C, keys cannot be checked
    """Unpickler that builds only plain containers, numbers, strings, PickledTensors and OpaqueObjects.

    Sets become OpaqueObjects, and strings of Python 2, which can be any bytes, are decoded as Latin-1.

    Attributes:
        storages: `{key: PickledStorage}` of all storages in the pickle.
        opaque_classes: `{(module, name): class}` of the OpaqueObjects.
    """

    def __init__(self, file):
        super().__init__(file, encoding="latin1")
        self.storages, self.opaque_classes = {}, {}

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        update(self.stack[-1], [(key, value)])

    def load_setitems(self):
        items = self.pop_mark()
        update(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def load_dict(self):
        items = self.pop_mark()
        self.append(PickledDict(zip(items[::2], items[1::2], strict=True)))

    def load_empty_set(self):
        self.append(OpaqueObject())

    def load_frozenset(self):
        self.pop_mark()
        self.append(OpaqueObject())

    dispatch = pickle._Unpickler.dispatch | {
        pickle.SETITEM[0]: load_setitem, pickle.SETITEMS[0]: load_setitems, pickle.DICT[0]: load_dict,
        pickle.EMPTY_SET[0]: load_empty_set, pickle.FROZENSET[0]: load_frozenset}

    def find_class(self, module, name):
        if (module, name) in SAFE_TORCH_GLOBALS:
            return SAFE_TORCH_GLOBALS[module, name]
        if len(self.opaque_classes) >= MAX_GLOBALS:
            raise UnsafeTorchFileError(f"it names more than {MAX_GLOBALS:,} functions and classes")
        if (module, name) not in self.opaque_classes:
            attributes = {"name": f"{module}.{name}", "__slots__": ()}
            self.opaque_classes[module, name] = type("Opaque", (OpaqueObject,), attributes)
        return self.opaque_classes[module, name]

    def persistent_load(self, pid):
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":
            return pid[1]  # class of a module, with its source code, in files of PyTorch 1.5 or older
        kind, storage, key, _, count, *view = pid
        if kind != "storage" or not isinstance(key, str) or type(count) is not int or count < 0:
            raise UnsafeTorchFileError("it names a storage that is unknown to PyTorch")
        if view and view[0] is not None:
            raise UnsupportedFileError("has tensors that are views of shared storages, as PyTorch before 0.4 wrote "
                                       "them; load it with PyTorch, and save it again")
        if not isinstance(storage, str) or storage not in STORAGE_DTYPES:
            return OpaqueObject()
        self.storages[key] = PickledStorage(storage, key, count)
        return self.storages[key]


def safe_unpickle(file):
    """Return (the object that the pickle at the current position of an open file builds, its TorchUnpickler).

    The file is positioned after the pickle. Raise UnsafeTorchFileError for a pickle that is not safe.
    """
    start = file.tell()
    end = start + MAX_PICKLE_BYTES
    for opcode, _, position in pickletools.genops(file):
        if position > end:
            raise UnsafeTorchFileError("its table of tensors is too large")
        if opcode.name not in ALLOWED_OPCODES:
            raise UnsafeTorchFileError(f"it has the opcode {opcode.name}, which no table of tensors needs")
    length = file.tell() - start
    if length > MAX_PICKLE_BYTES:
        raise UnsafeTorchFileError("its table of tensors is too large")
    file.seek(start)
    unpickler = TorchUnpickler(io.BytesIO(file.read(length)))
    return unpickler.load(), unpickler
