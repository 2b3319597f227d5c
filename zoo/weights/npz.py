"""NumPy archives: zoo's checkpoints of runs and bundled weights, and PyTorch state dicts as arrays."""

import zipfile

import numpy as np

from zoo.data.arrays import find_image_arrays, format_array_names
from zoo.data.npy import read_npy_header
from zoo.errors import UserError
from zoo.weights import torchvision
from zoo.weights.lazy_array import WeightsFile, LazyArray, is_float_dtype, count_elements

CHECKPOINT_PREFIX = "weights/"  # in a checkpoint, which also has other arrays
MAX_NPY_HEADER_BYTES = 4096  # maximum bytes of a member before its data


def read_npz_weights(path):
    """Return the WeightsFile of an archive with members LAYER/VARIABLE, or weights/LAYER/VARIABLE in a checkpoint.

    Members MODULE.weight and the like are a PyTorch state dict, whose integers are ignored.
    """
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if not any("/" in name for name in members):
            check_names(path, archive, members)
            arrays = {name: make_lazy_member(path, archive, info) for name, info in members.items()
                      if is_float_dtype(read_header(archive, info)[1])}
            return torchvision.group_by_module(path, "a PyTorch state dict in an .npz file", arrays)
        if any(name.startswith(CHECKPOINT_PREFIX) for name in members):
            members = {name.removeprefix(CHECKPOINT_PREFIX): info for name, info in members.items()
                       if name.startswith(CHECKPOINT_PREFIX)}
        layers = {}
        for name, info in members.items():
            layer, slash, variable = name.partition("/")
            if not slash or not info.filename.endswith(".npy"):
                raise ValueError(f"{info.filename} is not a variable of a layer")
            layers.setdefault(layer, {})[variable] = make_lazy_member(path, archive, info)
    return WeightsFile("zoo's own weights", "paths", layers)


def check_names(path, archive, members):
    """Raise UserError, with what to type instead, unless members without layer names are a PyTorch state dict."""
    names = format_array_names([*members])
    pickled = next((name for name, info in members.items() if read_header(archive, info)[1].hasobject), None)
    if pickled is not None:
        raise UserError(f"{path} has an array of Python objects, {pickled}.npy, which is not opened, because "
                        "unpickling can execute code; if you trust it, two lines convert a state dict in it to a "
                        "readable file: "
                        f"import numpy, torch; torch.save({{name: torch.tensor(array) for name, array in numpy.load("
                        f"{path.name!r}, allow_pickle=True)[{pickled!r}].item().items()}}, 'weights.pt')")
    if find_image_arrays(members):
        raise UserError(f"{path} has images and labels ({names}), not weights; give it as dataset=...")
    if not any(name.endswith(".weight") for name in members):
        raise UserError(f"{path} has arrays whose names do not say which layers they belong to ({names}); save the "
                        "weights with model.save_weights('x.weights.h5') in Keras, or torch.save(model.state_dict(), "
                        "'x.pt') in PyTorch")


def read_header(archive, info):
    """Return (shape, dtype) of a member."""
    with archive.open(info) as file:
        shape, _, dtype = read_npy_header(file)
    return shape, dtype


def make_lazy_member(path, archive, info):
    """Return the LazyArray of a member; only its header is read now."""
    shape, dtype = read_header(archive, info)
    header_bytes = info.file_size - count_elements(shape) * dtype.itemsize
    if not is_float_dtype(dtype) or not 0 <= header_bytes <= MAX_NPY_HEADER_BYTES:
        raise ValueError(f"{info.filename} is not an array of floats, or is truncated")

    def read():
        with zipfile.ZipFile(path) as archive, archive.open(info) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    return LazyArray(tuple(shape), read)
