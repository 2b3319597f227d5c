"""Weights files, whose format is detected from the contents, never from the extension."""

import contextlib
import errno
import io
import json
import zipfile
import zlib

from zoo.errors import UserError
from zoo.utils.io import describe_file_kind, expand_user
from zoo.weights import npz, safetensors, state_dict, torchvision
from zoo.weights.layer_names import strip_layer_number, to_snake_case
from zoo.weights.lazy_array import UnsupportedFileError

HDF5_MAGIC, ZIP_MAGIC, PICKLE_MAGIC = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x80"
OTHER_FILES = {  # the beginnings of files that are often downloaded instead: what they are
    b"version https://git-lfs": "a pointer to a file in Git LFS; fetch the file itself, with git lfs pull",
    b"{": "a JSON file, such as the index of weights in several files; give a file with the weights",
    b"<!doctype": "a web page, not a weights file; download the file itself",
    b"<html": "a web page, not a weights file; download the file itself",
    b"<?xml": "an XML text, such as the error message of a file server, not a weights file; download the file itself",
    b"\x93numpy": "a single NumPy array, without the names of layers; save the weights with model.save_weights("
                  "'x.weights.h5') in Keras, or torch.save(model.state_dict(), 'x.pt') in PyTorch",
    b"\x1f\x8b": "compressed by gzip; unpack it first", b"bzh": "compressed by bzip2; unpack it first",
    b"\xfd7zxz\0": "compressed by xz; unpack it first", b"\x28\xb5\x2f\xfd": "compressed by Zstandard; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it first", b"rar!\x1a": "a RAR archive; unpack it first"}
TAR_MAGIC, TAR_MAGIC_OFFSET = b"ustar", 257
WEIGHTS_SUFFIXES = (".h5", ".hdf5", ".keras", ".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz")
MAX_CONFIG_BYTES, MAX_WEIGHTS_BYTES = 64 * 2**20, 4 * 2**30  # bytes
BEST_CHECKPOINT = "checkpoints/best.npz"  # in a run directory
KERAS_WEIGHTS_MEMBER = "model.weights.h5"


def resolve_weights_path(weights):
    """Return the path of the weights file: `weights` itself, or the best checkpoint of a run directory."""
    path = expand_user(weights)
    if path.is_dir():
        if not all((path / name).is_file() for name in ("run.json", BEST_CHECKPOINT)):
            raise UserError(f"{path} is a folder, but not a run with a finished epoch; give a weights file or a run")
        return path / BEST_CHECKPOINT
    if not path.is_file():
        kind = describe_file_kind(path.stat().st_mode) if path.exists() else "not found"
        raise UserError(f"the weights file {path} is {kind}")
    return path


@contextlib.contextmanager
def open_weights_file(path):
    """Yield the WeightsFile read from `path`; its arrays can be read until the block ends.

    Raise a one-line UserError if the file cannot be read or is unsafe, also for damage that is detected in the block.
    """
    try:
        with contextlib.ExitStack() as stack:
            yield read_weights_file(path, stack)
    except UserError:
        raise
    except UnsupportedFileError as error:
        raise UserError(f"{path} {error}") from None
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; change its permissions, or give a copy") from None
    except MemoryError:
        raise UserError(f"{path} needs more memory than is available") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, IndexError, RuntimeError,
            OverflowError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is damaged, or not a weights file: {reason}") from None
    except Exception as error:  # unpickling can raise anything, such as pickle.UnpicklingError
        raise UserError(f"{path} is damaged, or not a weights file: {type(error).__name__}: "
                        f"{' '.join(str(error).split())}") from None


def read_weights_file(path, stack):
    """Return the WeightsFile read from `path`; files that must stay open for its arrays are entered into `stack`."""
    with open(path, "rb") as file:
        start = file.read(TAR_MAGIC_OFFSET + len(TAR_MAGIC))
    if not start:
        raise UnsupportedFileError("is empty; download or copy it again")
    if start[TAR_MAGIC_OFFSET:] == TAR_MAGIC:
        raise UnsupportedFileError("is a tar archive; unpack it first")
    if start.startswith(HDF5_MAGIC):
        return read_hdf5_file(path, stack)
    if start.startswith(ZIP_MAGIC):
        return read_zip_file(path, stack)
    if start[8:9] == b"{":
        return torchvision.group_by_module(path, "safetensors", safetensors.read_safetensors(path))
    if state_dict.is_legacy_torch_file(start):
        return read_torch_file(path)
    if start.startswith(PICKLE_MAGIC):
        raise UserError(f"{path} is a bare pickle, which is not opened, because unpickling can execute code; if you "
                        "trust it, two lines convert a state dict in it to a readable file: import pickle, torch; "
                        f"torch.save(pickle.load(open({path.name!r}, 'rb')), 'weights.pt')")
    hint = next((hint for text, hint in OTHER_FILES.items() if start.lower().startswith(text)), None)
    if hint:
        raise UserError(f"{path} is {hint}")
    raise ValueError("unknown format; expected HDF5 (.h5, .weights.h5), .keras, .safetensors, .pt or .npz")


def read_torch_file(path):
    tensors, wrapper = state_dict.read_state_dict(path)
    kind = "a PyTorch state dict" + (f" under {wrapper!r}" if wrapper else "")
    return torchvision.group_by_module(path, kind, tensors)


def read_hdf5_file(file, stack):
    import h5py

    from zoo.weights import hdf5

    try:
        opened_file = h5py.File(file, "r")
    except OSError as error:
        if not is_lock_error(error):
            raise
        if "already open" in str(error) or f"errno = {errno.EAGAIN}," in str(error) or error.errno == errno.EAGAIN:
            raise UserError(f"another process has {file} open, and may be writing to it; close it there, or give a "
                            "copy of the finished file") from None
        opened_file = h5py.File(file, "r", locking=False)  # the file system has no locks
    return hdf5.read_hdf5_weights(stack.enter_context(opened_file))


def is_lock_error(error):
    return "lock file" in str(error) or "already open" in str(error)


def read_zip_file(path, stack):
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if KERAS_WEIGHTS_MEMBER in members:
            config = json.loads(read_bounded_member(archive, members.get("config.json"), MAX_CONFIG_BYTES))
            reject_lambda_layers(config)
            data = read_bounded_member(archive, members[KERAS_WEIGHTS_MEMBER], MAX_WEIGHTS_BYTES)
            return add_layer_names(read_hdf5_file(io.BytesIO(data), stack), config)
    if members and all(name.endswith(".npy") for name in members):
        return npz.read_npz_weights(path)
    packed = next((name for name in members if name.lower().endswith(WEIGHTS_SUFFIXES)), None)
    if packed and not any(name.endswith("/data.pkl") for name in members):
        raise UnsupportedFileError(f"is a ZIP archive; unpack it first, and give {packed}, which is in it")
    return read_torch_file(path)


def add_layer_names(weights_file, config):
    """Return the WeightsFile of a .keras file; layers without names get those in its config.json."""
    if weights_file.naming != "counted":
        return weights_file

    from zoo.weights import hdf5

    def list_containers(config):
        """Return the lists of layers (name, class) of a model and of the models in it."""
        layers = [layer for layer in config["config"]["layers"] if isinstance(layer, dict)]
        nested = [layer for layer in layers if is_model(layer)]
        own = [(str(layer["config"].get("name")), str(layer.get("class_name"))) for layer in layers
               if isinstance(layer.get("config"), dict)]
        return [own, *(container for model in nested for container in list_containers(model))]

    def is_model(config):
        return isinstance(config.get("config"), dict) and isinstance(config["config"].get("layers"), list)

    classes = {strip_layer_number(key) for key in weights_file.layers}
    containers = sorted(list_containers(config), key=len, reverse=True) if is_model(config) else []  # as in the file
    return hdf5.rename_layers(weights_file, [(name, class_name) for container in containers
                                             for name, class_name in container
                                             if to_snake_case(class_name) in classes])


def read_bounded_member(archive, info, max_bytes):
    """Return the bytes of a member of a ZIP archive; raise ValueError for a decompression bomb."""
    if info is None:
        return b"{}"
    if info.file_size > max_bytes or info.file_size > 100 * max(info.compress_size, 2**16):
        raise ValueError(f"{info.filename} decompresses to {info.file_size:,} bytes, which is too many")
    return archive.read(info)


def reject_lambda_layers(config):
    """Raise UnsupportedFileError if the config of a .keras file has a Lambda layer: code that Keras would execute."""
    def check(value):
        if isinstance(value, dict):
            if value.get("class_name") in ("Lambda", "__lambda__"):
                raise UnsupportedFileError("has a Lambda layer, which contains Python code; none of it was executed; "
                                           "save its weights with model.save_weights('x.weights.h5')")
            value = [*value.values()]
        for item in value if isinstance(value, list) else ():
            check(item)

    check(config)
