"""NumPy's archives of zoo's own: the checkpoints of a run, and the weights that come with the package."""

import zipfile

import numpy as np

from zoo.weights.lazy_array import Contents, Stored, is_float, size

PREFIX = "weights/"  # in a checkpoint, which has more
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
BESIDE = 4096  # bytes of a member that are not numbers, at most


def contents(path):
    """Return the Contents of an archive of LAYER/VARIABLE, or of weights/LAYER/VARIABLE among others."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if any(name.startswith(PREFIX) for name in members):
            members = {name.removeprefix(PREFIX): info for name, info in members.items() if name.startswith(PREFIX)}
        layers = {}
        for name, info in members.items():
            layer, slash, variable = name.partition("/")
            if not slash or not info.filename.endswith(".npy"):
                raise ValueError(f"{info.filename} is no variable of a layer")
            layers.setdefault(layer, {})[variable] = stored(path, archive, info)
    return Contents("zoo's own weights", "paths", layers)


def stored(path, archive, info):
    """Return the Stored of a member, of which only the header is read now."""
    with archive.open(info) as file:
        shape, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
    if not is_float(dtype) or not 0 <= info.file_size - size(shape) * dtype.itemsize <= BESIDE:
        raise ValueError(f"{info.filename} is no array of floats, or not all of it is there")

    def read():
        with zipfile.ZipFile(path) as opened, opened.open(info) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    return Stored(tuple(shape), read)
