"""PyTorch's files, read without PyTorch and without executing anything: since 1.6 a ZIP archive of a pickle and raw
numbers, before that pickles in a row and the numbers behind them.
"""

import io
import zipfile

import numpy as np

from zoo.errors import UserError
from zoo.weights.lazy_array import Stored, size
from zoo.weights.pickled import MOST_PICKLE, TYPES, Opaque, Refused, Storage, Tensor, unpickle
from zoo.weights.safetensors import widened

# under which training programs keep the weights; those of the training before their moving average
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "ema", "model_ema", "state_dict_ema")
DEPTH = 3  # of wrappers in one another
BEGINNING = 24  # bytes that tell
LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the first pickle of a file of before PyTorch 1.6, after its protocol


def is_legacy(start):
    """Return whether a file begins, with the bytes `start`, as PyTorch until 1.5 wrote it."""
    return LEGACY in start[:BEGINNING]


def tensors(path):
    """Return ({name: Stored} of the tensors of floats in a .pt or .pth file, which wrapper they were in or "").

    ValueError in words for another file, UserError for a sound one that holds something else.
    """
    with open(path, "rb") as file:
        legacy = is_legacy(file.read(BEGINNING))
    found, stored_of = of_legacy(path) if legacy else of_archive(path)
    state, wrapper = state_dict_of(found)
    if state is None:
        raise UserError(f"{path} {describe(found, path)}")
    return {str(name): stored_of(each) for name, each in state.items() if is_weights(each)}, wrapper


def of_archive(path):
    """Return (what the pickle in a ZIP archive holds, function from a Tensor of it to its Stored)."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ValueError("it is a ZIP archive, but none that PyTorch wrote")
        if members[pickles[0]].file_size > MOST_PICKLE:
            raise Refused("its table of tensors is too large")
        found, _ = unpickle(io.BytesIO(archive.read(pickles[0])))
        root = pickles[0].rpartition("/")[0]
        if f"{root}/byteorder" in members and archive.read(f"{root}/byteorder")[:8] != b"little":
            raise ValueError("its numbers are big-endian; save it on a machine of today")
    return found, lambda tensor: stored(path, f"{root}/data/{tensor.storage.key}", members, tensor)


def of_legacy(path):
    """Return the same of a file of PyTorch until 1.5: four pickles, among them the table and the order of the storages,
    then of each storage how many numbers it has, in eight bytes, and these.
    """
    whole = path.stat().st_size
    with open(path, "rb") as file:
        (_, _), (_, _), (system, _) = (unpickle(file) for _ in range(3))
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ValueError("its numbers are big-endian; save it on a machine of today")
        found, unpickler = unpickle(file)
        keys, _ = unpickle(file)
        if not isinstance(keys, list) or not {*keys} <= {*unpickler.storages} or len({*keys}) < len(keys):
            raise ValueError("it has storages of a type that is not known")
        offsets = {}
        for key in keys:
            storage = unpickler.storages[key]
            count, offsets[key] = int.from_bytes(file.read(8), "little", signed=True), file.tell()
            end = offsets[key] + storage.count * np.dtype(TYPES[storage.dtype]).itemsize
            if count != storage.count or end > whole:
                raise ValueError(f"storage {key} is cut off, or of another size; fetch the file again")
            file.seek(end)

    def stored_of(tensor):
        check(tensor)
        storage, offset = tensor.storage, offsets.get(tensor.storage.key)
        if offset is None:
            raise ValueError(f"storage {storage.key} is missing; fetch the file again")
        return strided(tensor, lambda: np.fromfile(path, TYPES[storage.dtype], storage.count, offset=offset))

    return found, stored_of


def state_dict_of(found):
    """Return (the dict of tensors in what a file holds, None without one; the names of the wrappers around it)."""
    wrappers = []
    for _ in range(DEPTH + 1):
        if not isinstance(found, dict):
            break
        if any(isinstance(each, Tensor) for each in found.values()):
            return found, ".".join(wrappers)
        name = next((name for name in WRAPPERS if isinstance(found.get(name), dict) and found[name]), None)
        if name is None:
            break
        wrappers.append(name)
        found = found[name]
    return None, ""


def describe(found, path):
    """Return words for what a file holds in place of a state dict, and the Python that takes one out of it."""
    inside, where = found() if isinstance(found, type) else found, ""
    if isinstance(found, dict):
        held = {name: each for name, each in found.items() if isinstance(each, Opaque)}
        name = next((name for name in (*WRAPPERS, *held) if name in held), None)
        inside, where = held.get(name), f"[{name!r}]" if isinstance(name, str) else ""
    if not isinstance(inside, Opaque):
        return "holds no state dict; write one with torch.save(model.state_dict(), FILE)"
    load = f"torch.load({path.name!r}, map_location='cpu', weights_only=False){where}"
    if inside.name.startswith("__torch__"):  # TorchScript
        load = f"torch.jit.load({path.name!r}, map_location='cpu')"
    name = "".join(letter if letter.isprintable() else "?" for letter in inside.name[:80])
    return (f"holds {name} and no state dict; it would have to be run, which was not done; if you "
            f'trust the file, two lines take the weights out: import torch; torch.save({load}.state_dict(), "weights.pt")')


def is_weights(found):
    return isinstance(found, Tensor) and isinstance(found.storage, Storage) and found.storage.dtype in (
        "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage")


def stored(path, member, members, tensor):
    """Return the Stored of a tensor, whose numbers are a member of the archive; ValueError where they cannot be."""
    dtype, info = np.dtype(TYPES[tensor.storage.dtype]), members.get(member)
    if info is None or info.file_size != tensor.storage.count * dtype.itemsize:
        raise ValueError(f"{member} is missing or of another size; fetch the file again")
    check(tensor)

    def read():
        if info.file_size > 100 * max(info.compress_size, 1):
            raise Refused("a small file unpacks to a large one")
        with zipfile.ZipFile(path) as archive:
            return np.frombuffer(archive.read(info), dtype)

    return strided(tensor, read)


def check(tensor):
    """Raise Refused unless a tensor lies within its storage."""
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(each) is int and each >= 0 for each in numbers) or len(tensor.shape) != len(tensor.strides):
        raise Refused("a tensor has no whole numbers for its shape")
    last = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides, strict=True))
    if size(tensor.shape) > tensor.storage.count or (size(tensor.shape) and last >= tensor.storage.count):
        raise Refused("a tensor is larger than its numbers")


def strided(tensor, read_storage):
    """Return the Stored of a checked tensor; `read_storage` gives all numbers of its storage in a row."""
    def read():
        flat = read_storage()
        if flat.size != tensor.storage.count:
            raise ValueError("a storage is cut off; fetch the file again")
        steps = [step * flat.itemsize for step in tensor.strides]
        array = np.lib.stride_tricks.as_strided(flat[tensor.offset:], tensor.shape, steps)
        return widened(np.ascontiguousarray(array)) if tensor.storage.dtype == "BFloat16Storage" else array

    return Stored(tensor.shape, read)
