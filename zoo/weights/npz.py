"""NumPy's archives of zoo's own: the checkpoints of a run, and the weights that come with the package."""

import zipfile

import numpy as np

from zoo.weights.lazy_array import WeightsFile, LazyArray, is_float_dtype, count_elements

CHECKPOINT_PREFIX = "weights/"  # in a checkpoint, which has more
NPY_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
MAX_NPY_HEADER_BYTES = 4096  # bytes of a member that are not numbers, at most


def read_npz_weights(path):
    """Return the Contents of an archive of LAYER/VARIABLE, or of weights/LAYER/VARIABLE among others."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if any(name.startswith(CHECKPOINT_PREFIX) for name in members):
            members = {name.removeprefix(CHECKPOINT_PREFIX): info for name, info in members.items()
                       if name.startswith(CHECKPOINT_PREFIX)}
        layers = {}
        for name, info in members.items():
            layer, slash, variable = name.partition("/")
            if not slash or not info.filename.endswith(".npy"):
                raise ValueError(f"{info.filename} is no variable of a layer")
            layers.setdefault(layer, {})[variable] = make_lazy_member(path, archive, info)
    return WeightsFile("zoo's own weights", "paths", layers)


def make_lazy_member(path, archive, info):
    """Return the Stored of a member, of which only the header is read now."""
    with archive.open(info) as file:
        shape, _, dtype = NPY_HEADER_READERS[np.lib.format.read_magic(file)](file)
    if not is_float_dtype(dtype) or not 0 <= info.file_size - count_elements(shape) * dtype.itemsize <= MAX_NPY_HEADER_BYTES:
        raise ValueError(f"{info.filename} is no array of floats, or not all of it is there")

    def read():
        with zipfile.ZipFile(path) as opened, opened.open(info) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    return LazyArray(tuple(shape), read)
