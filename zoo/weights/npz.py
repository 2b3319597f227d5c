"""zoo's own NumPy archives: checkpoints of runs, and the bundled weights."""

import zipfile

import numpy as np

from zoo.weights.lazy_array import WeightsFile, LazyArray, is_float_dtype, count_elements

CHECKPOINT_PREFIX = "weights/"  # in a checkpoint, which also has other arrays
NPY_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
MAX_NPY_HEADER_BYTES = 4096  # maximum bytes of a member before its data


def read_npz_weights(path):
    """Return the WeightsFile of an archive with members LAYER/VARIABLE, or weights/LAYER/VARIABLE in a checkpoint."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
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


def make_lazy_member(path, archive, info):
    """Return the LazyArray of a member; only its header is read now."""
    with archive.open(info) as file:
        shape, _, dtype = NPY_HEADER_READERS[np.lib.format.read_magic(file)](file)
    header_bytes = info.file_size - count_elements(shape) * dtype.itemsize
    if not is_float_dtype(dtype) or not 0 <= header_bytes <= MAX_NPY_HEADER_BYTES:
        raise ValueError(f"{info.filename} is not an array of floats, or is truncated")

    def read():
        with zipfile.ZipFile(path) as archive, archive.open(info) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    return LazyArray(tuple(shape), read)
