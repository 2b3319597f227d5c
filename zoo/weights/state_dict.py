"""PyTorch files, read without PyTorch and without executing anything: since PyTorch 1.6 a ZIP archive of a pickle and
raw data, before that consecutive pickles followed by the data.
"""

import io
import zipfile

import numpy as np

from zoo.errors import UserError
from zoo.weights.lazy_array import LazyArray, UnsupportedFileError, count_elements
from zoo.weights.torch_pickle import (MAX_PICKLE_BYTES, OpaqueObject, PickledStorage, PickledTensor, STORAGE_DTYPES,
                                      UnsafeTorchFileError, safe_unpickle)
from zoo.weights.safetensors import widen_bfloat16

# Keys under which training programs store the weights; the trained ones come before their moving average
WRAPPER_KEYS = ("state_dict", "model_state_dict", "model", "net", "params", "model_state", "network", "module",
                "weights", "ema", "model_ema", "state_dict_ema", "params_ema", "ema_state_dict")
MAX_WRAPPER_DEPTH = 3  # nesting of wrappers
# Functions that rebuild arrays which are not read: quantized and sparse tensors, and NumPy arrays
TENSOR_FUNCTIONS = ("torch._utils._rebuild_", "numpy.core.multiarray.", "numpy._core.multiarray.")
HEADER_BYTES = 24  # enough to detect the format
BIG_ENDIAN = "has big-endian data; load it with PyTorch on a little-endian machine, and save it there"
# First pickle of a file from before PyTorch 1.6, without its protocol bytes
LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def is_legacy_torch_file(header):
    """Return whether a file that begins with `header` was written by PyTorch 1.5 or older."""
    return LEGACY_MAGIC in header[:HEADER_BYTES]


def read_state_dict(path):
    """Return ({name: LazyArray} for the float tensors in a .pt or .pth file, the wrapper that they were in or "").

    Raise ValueError for any other file, and UserError for an intact one that has no state dict.
    """
    with open(path, "rb") as file:
        legacy = is_legacy_torch_file(file.read(HEADER_BYTES))
    content, make_array = unpickle_legacy_file(path) if legacy else unpickle_archive(path)
    state_dict, wrapper = find_state_dict(content, path)
    if state_dict is None:
        raise UserError(f"{path} {describe_object(content, path)}")
    return {str(name): make_array(value) for name, value in state_dict.items()
            if isinstance(name, (str, int)) and is_float_tensor(value)}, wrapper


def unpickle_archive(path):
    """Return (the unpickled content of a ZIP archive, a function that makes the LazyArray of a PickledTensor)."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ValueError("it is a ZIP archive, but was not written by PyTorch")
        if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
            raise UnsafeTorchFileError("its table of tensors is too large")
        content, _ = safe_unpickle(io.BytesIO(read_member(archive, members[pickles[0]])))
        root = pickles[0].rpartition("/")[0]
        byteorder = members.get(f"{root}/byteorder")
        if byteorder and read_member(archive, byteorder, len("little")) != b"little":
            raise UnsupportedFileError(BIG_ENDIAN)
    return content, lambda tensor: make_lazy_tensor(path, f"{root}/data/{tensor.storage.key}", members, tensor)


def read_member(archive, info, size=-1):
    """Return the first `size` bytes of a member of a ZIP archive, by default all.

    PyTorch writes the CRC 0 where torch.serialization.set_crc32_options(False) disables it.
    """
    if info.CRC == 0:
        info.CRC = None  # zipfile does not check it
    with archive.open(info) as member:
        return member.read(size)


def unpickle_legacy_file(path):
    """Return the same for a file of PyTorch 1.5 or older.

    It has five pickles, the last two of which are the table of tensors and the order of the storages, then the data of
    each storage, preceded by its number of elements in eight bytes.
    """
    file_size = path.stat().st_size
    with open(path, "rb") as file:
        (_, _), (_, _), (system, _) = (safe_unpickle(file) for _ in range(3))
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise UnsupportedFileError(BIG_ENDIAN)
        content, unpickler = safe_unpickle(file)
        keys, _ = safe_unpickle(file)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise ValueError("its list of storages is damaged")
        if not {*keys} <= {*unpickler.storages} or len({*keys}) < len(keys):
            raise ValueError("it has storages of an unknown type")
        offsets = {}
        for key in keys:
            storage = unpickler.storages[key]
            count, offsets[key] = int.from_bytes(file.read(8), "little", signed=True), file.tell()
            end = offsets[key] + storage.count * np.dtype(STORAGE_DTYPES[storage.dtype]).itemsize
            if count != storage.count or end > file_size:
                raise ValueError(f"storage {key} is truncated, or has the wrong size; download the file again")
            file.seek(end)

    def make_array(tensor):
        check_tensor_bounds(tensor)
        storage, offset = tensor.storage, offsets.get(tensor.storage.key)
        if offset is None:
            raise ValueError(f"storage {storage.key} is missing; download the file again")
        return make_strided_array(tensor, lambda: np.fromfile(path, STORAGE_DTYPES[storage.dtype], storage.count,
                                                              offset=offset))

    return content, make_array


def find_state_dict(value, path):
    """Return (the dict of tensors in an unpickled file, or None; the keys of the wrappers around it).

    A wrapper can have tensors of its own, such as an accuracy, so the dicts in it come first. Raise UserError for
    several networks.
    """
    items, wrappers = get_items(value), []
    for _ in range(MAX_WRAPPER_DEPTH):
        key = find_wrapper_key(items, wrappers, path)
        if key is None:
            break
        items = get_items(items[key])
        wrappers.append(key)
    return (items, ".".join(wrappers)) if any(map(is_float_tensor, items.values())) else (None, "")


def find_wrapper_key(items, wrappers, path):
    """Return the key of the state dict, or of a wrapper around it, among `items`; None if they are one themselves.

    wrappers: the keys that lead to `items`.
    """
    keys = list_networks(items)
    known_key = next((key for key in WRAPPER_KEYS if key in keys or list_networks(get_items(items.get(key)))), None)
    if known_key is not None:
        return known_key
    keys = [key for key in keys if count_kernels(get_items(items[key])) >= count_kernels(items)]
    if len(keys) > 1:
        subscripts = "".join(f"[{key!r}]" for key in (*wrappers, keys[0]))
        raise UserError(f"{path} has several networks, {', '.join(map(repr, keys[:4]))}; save the state dict of one: "
                        f"import torch; torch.save(torch.load({str(path)!r}, map_location='cpu'){subscripts}, "
                        "'weights.pt')")
    return keys[0] if keys else None


def list_networks(items):
    """Return the keys of the dicts among `items` that have kernels, themselves or under WRAPPER_KEYS."""
    def has_kernels(value, depth):
        inner = get_items(value)
        return count_kernels(inner) > 0 or depth > 0 and any(has_kernels(inner.get(key), depth - 1)
                                                             for key in WRAPPER_KEYS)

    return [key for key, value in items.items() if isinstance(key, str) and has_kernels(value, MAX_WRAPPER_DEPTH)]


def count_kernels(items):
    """Return the number of tensors in a dict that can be kernels: a state dict has some, a dict of metrics has none."""
    return sum(is_float_tensor(value) and len(value.shape) > 1 for value in items.values())


def get_items(value):
    """Return the items of an unpickled dict, or of an object that is filled like one; {} for anything else."""
    if isinstance(value, OpaqueObject):
        return value.items
    return value if isinstance(value, dict) else {}


def describe_object(value, path):
    """Return a message that says what a file has instead of a state dict, and the Python that extracts one."""
    content, subscript = value() if isinstance(value, type) else value, ""
    if isinstance(value, dict):
        objects = {key: item for key, item in value.items() if isinstance(item, OpaqueObject)}
        key = next((key for key in (*WRAPPER_KEYS, *objects) if key in objects), None)
        content, subscript = objects.get(key), f"[{key!r}]" if isinstance(key, str) else ""
    if not isinstance(content, OpaqueObject):
        return "has no state dict; write one with torch.save(model.state_dict(), FILE)"
    load = f"torch.load({str(path)!r}, map_location='cpu', weights_only=False){subscript}"
    if content.name.startswith("__torch__"):  # TorchScript
        load = f"torch.jit.load({path.name!r}, map_location='cpu')"
    name = "".join(letter if letter.isprintable() else "?" for letter in content.name[:80])
    if isinstance(value, dict) and content.name.startswith(TENSOR_FUNCTIONS):
        load = f"torch.load({str(path)!r}, map_location='cpu', weights_only=False)"
        return (f"has arrays that are not plain float tensors ({name}); if you trust the file, two lines convert them: "
                "import torch; torch.save({name: torch.as_tensor(array).to_dense().dequantize().float() for name, "
                f'array in {load}.items()}}, "weights.pt")')
    return (f"has {name} instead of a state dict; loading it would execute its code, which was not done; if you trust "
            f'the file, two lines extract the weights: import torch; torch.save({load}.state_dict(), "weights.pt")')


def is_float_tensor(value):
    """Return whether `value` is a PickledTensor of float16, bfloat16, float32 or float64."""
    return isinstance(value, PickledTensor) and isinstance(value.storage, PickledStorage) and value.storage.dtype in (
        "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage")


def make_lazy_tensor(path, member, members, tensor):
    """Return the LazyArray of a tensor whose data is a member of the archive; raise ValueError if it does not fit."""
    dtype, info = np.dtype(STORAGE_DTYPES[tensor.storage.dtype]), members.get(member)
    if info is None or info.file_size != tensor.storage.count * dtype.itemsize:
        raise ValueError(f"{member} is missing or has the wrong size; download the file again")
    check_tensor_bounds(tensor)

    def read():
        if info.file_size > 100 * max(info.compress_size, 1):
            raise UnsafeTorchFileError("a small member decompresses to a large one")
        with zipfile.ZipFile(path) as archive:
            return np.frombuffer(read_member(archive, info), dtype)

    return make_strided_array(tensor, read)


def check_tensor_bounds(tensor):
    """Raise UnsafeTorchFileError unless a tensor lies within its storage."""
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(number) is int and number >= 0 for number in numbers) or len(tensor.shape) != len(tensor.strides):
        raise UnsafeTorchFileError("the shape, strides or offset of a tensor are not valid")
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if count_elements(tensor.shape) > tensor.storage.count or (count_elements(tensor.shape)
                                                               and last >= tensor.storage.count):
        raise UnsafeTorchFileError("a tensor is larger than its storage")


def make_strided_array(tensor, read_storage):
    """Return the LazyArray of a checked tensor; `read_storage` returns its whole storage as a flat array."""
    def read():
        flat = read_storage()
        if flat.size != tensor.storage.count:
            raise ValueError("a storage is truncated; download the file again")
        strides = [stride * flat.itemsize for stride in tensor.strides]
        array = np.lib.stride_tricks.as_strided(flat[tensor.offset:], tensor.shape, strides)
        return widen_bfloat16(np.ascontiguousarray(array)) if tensor.storage.dtype == "BFloat16Storage" else array

    return LazyArray(tensor.shape, read)
