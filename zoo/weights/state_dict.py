"""PyTorch's files, read without PyTorch and without executing anything: since 1.6 a ZIP archive of a pickle and raw
numbers, before that pickles in a row and the numbers behind them.
"""

import io
import zipfile

import numpy as np

from zoo.errors import UserError
from zoo.weights.lazy_array import LazyArray, count_elements
from zoo.weights.torch_pickle import (MAX_PICKLE_BYTES, OpaqueObject, PickledStorage, PickledTensor, STORAGE_DTYPES,
                                      UnsafeTorchFileError, safe_unpickle)
from zoo.weights.safetensors import widen_bfloat16

# under which training programs keep the weights; those of the training before their moving average
WRAPPER_KEYS = ("state_dict", "model_state_dict", "model", "net", "ema", "model_ema", "state_dict_ema")
MAX_WRAPPER_DEPTH = 3  # of wrappers in one another
HEADER_BYTES = 24  # bytes that tell
# The first pickle of a file of before PyTorch 1.6, after its protocol
LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def is_legacy_torch_file(header):
    """Return whether a file begins, with the bytes `start`, as PyTorch until 1.5 wrote it."""
    return LEGACY_MAGIC in header[:HEADER_BYTES]


def read_state_dict(path):
    """Return ({name: Stored} of the tensors of floats in a .pt or .pth file, which wrapper they were in or "").

    ValueError in words for another file, UserError for a sound one that holds something else.
    """
    with open(path, "rb") as file:
        legacy = is_legacy_torch_file(file.read(HEADER_BYTES))
    found, stored_of = unpickle_legacy_file(path) if legacy else unpickle_archive(path)
    state, wrapper = find_state_dict(found)
    if state is None:
        raise UserError(f"{path} {describe_object(found, path)}")
    return {str(name): stored_of(each) for name, each in state.items() if is_float_tensor(each)}, wrapper


def unpickle_archive(path):
    """Return (what the pickle in a ZIP archive holds, function from a Tensor of it to its Stored)."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ValueError("it is a ZIP archive, but none that PyTorch wrote")
        if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
            raise UnsafeTorchFileError("its table of tensors is too large")
        found, _ = safe_unpickle(io.BytesIO(archive.read(pickles[0])))
        root = pickles[0].rpartition("/")[0]
        if f"{root}/byteorder" in members and archive.read(f"{root}/byteorder")[:8] != b"little":
            raise ValueError("its numbers are big-endian; save it on a machine of today")
    return found, lambda tensor: make_lazy_tensor(path, f"{root}/data/{tensor.storage.key}", members, tensor)


def unpickle_legacy_file(path):
    """Return the same of a file of PyTorch until 1.5: four pickles, among them the table and the order of the storages,
    then of each storage how many numbers it has, in eight bytes, and these.
    """
    whole = path.stat().st_size
    with open(path, "rb") as file:
        (_, _), (_, _), (system, _) = (safe_unpickle(file) for _ in range(3))
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ValueError("its numbers are big-endian; save it on a machine of today")
        found, unpickler = safe_unpickle(file)
        keys, _ = safe_unpickle(file)
        if not isinstance(keys, list) or not {*keys} <= {*unpickler.storages} or len({*keys}) < len(keys):
            raise ValueError("it has storages of a type that is not known")
        offsets = {}
        for key in keys:
            storage = unpickler.storages[key]
            count, offsets[key] = int.from_bytes(file.read(8), "little", signed=True), file.tell()
            end = offsets[key] + storage.count * np.dtype(STORAGE_DTYPES[storage.dtype]).itemsize
            if count != storage.count or end > whole:
                raise ValueError(f"storage {key} is cut off, or of another size; fetch the file again")
            file.seek(end)

    def stored_of(tensor):
        check_tensor_bounds(tensor)
        storage, offset = tensor.storage, offsets.get(tensor.storage.key)
        if offset is None:
            raise ValueError(f"storage {storage.key} is missing; fetch the file again")
        return make_strided_array(tensor, lambda: np.fromfile(path, STORAGE_DTYPES[storage.dtype], storage.count,
                                                              offset=offset))

    return found, stored_of


def find_state_dict(value):
    """Return (the dict of tensors in what a file holds, None without one; the names of the wrappers around it)."""
    wrappers = []
    for _ in range(MAX_WRAPPER_DEPTH + 1):
        if not isinstance(value, dict):
            break
        if any(isinstance(each, PickledTensor) for each in value.values()):
            return value, ".".join(wrappers)
        name = next((name for name in WRAPPER_KEYS if isinstance(value.get(name), dict) and value[name]), None)
        if name is None:
            break
        wrappers.append(name)
        value = value[name]
    return None, ""


def describe_object(value, path):
    """Return words for what a file holds in place of a state dict, and the Python that takes one out of it."""
    inside, where = value() if isinstance(value, type) else value, ""
    if isinstance(value, dict):
        held = {name: each for name, each in value.items() if isinstance(each, OpaqueObject)}
        name = next((name for name in (*WRAPPER_KEYS, *held) if name in held), None)
        inside, where = held.get(name), f"[{name!r}]" if isinstance(name, str) else ""
    if not isinstance(inside, OpaqueObject):
        return "holds no state dict; write one with torch.save(model.state_dict(), FILE)"
    load = f"torch.load({path.name!r}, map_location='cpu', weights_only=False){where}"
    if inside.name.startswith("__torch__"):  # TorchScript
        load = f"torch.jit.load({path.name!r}, map_location='cpu')"
    name = "".join(letter if letter.isprintable() else "?" for letter in inside.name[:80])
    return (f"holds {name} and no state dict; it would have to be run, which was not done; if you "
            f'trust the file, two lines take the weights out: import torch; torch.save({load}.state_dict(), "weights.pt")')


def is_float_tensor(value):
    return isinstance(value, PickledTensor) and isinstance(value.storage, PickledStorage) and value.storage.dtype in (
        "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage")


def make_lazy_tensor(path, member, members, tensor):
    """Return the Stored of a tensor, whose numbers are a member of the archive; ValueError where they cannot be."""
    dtype, info = np.dtype(STORAGE_DTYPES[tensor.storage.dtype]), members.get(member)
    if info is None or info.file_size != tensor.storage.count * dtype.itemsize:
        raise ValueError(f"{member} is missing or of another size; fetch the file again")
    check_tensor_bounds(tensor)

    def read():
        if info.file_size > 100 * max(info.compress_size, 1):
            raise UnsafeTorchFileError("a small file unpacks to a large one")
        with zipfile.ZipFile(path) as archive:
            return np.frombuffer(archive.read(info), dtype)

    return make_strided_array(tensor, read)


def check_tensor_bounds(tensor):
    """Raise Refused unless a tensor lies within its storage."""
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(each) is int and each >= 0 for each in numbers) or len(tensor.shape) != len(tensor.strides):
        raise UnsafeTorchFileError("a tensor has no whole numbers for its shape")
    last = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides, strict=True))
    if count_elements(tensor.shape) > tensor.storage.count or (count_elements(tensor.shape)
                                                               and last >= tensor.storage.count):
        raise UnsafeTorchFileError("a tensor is larger than its numbers")


def make_strided_array(tensor, read_storage):
    """Return the Stored of a checked tensor; `read_storage` gives all numbers of its storage in a row."""
    def read():
        flat = read_storage()
        if flat.size != tensor.storage.count:
            raise ValueError("a storage is cut off; fetch the file again")
        steps = [step * flat.itemsize for step in tensor.strides]
        array = np.lib.stride_tricks.as_strided(flat[tensor.offset:], tensor.shape, steps)
        return widen_bfloat16(np.ascontiguousarray(array)) if tensor.storage.dtype == "BFloat16Storage" else array

    return LazyArray(tensor.shape, read)
