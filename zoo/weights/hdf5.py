"""HDF5 files of Keras, which hold arrays alone once links that lead out of them are refused.

Three layouts (measured with Keras 3.15): `model.save("x.h5")` of old has the layers as groups of /model_weights; the
files that keras.applications fetches have them at the top, without that group; `.weights.h5` has classes with a number
under /layers, and since about Keras 3.9 the name of each layer beside it.
"""

import re

import h5py

from zoo.weights.lazy_array import Contents, Stored, is_float, size

MOST_LAYERS = 20_000
SLACK = 2**20  # elements that a chunk may have more than its array: more is a bomb


class Unsafe(ValueError):
    """The file is made to harm, or looks as if it were."""


def contents(file):
    """Return the Contents of an open h5py.File; ValueError in words for another kind of HDF5 file."""
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return Contents("weights in Keras's old HDF5 layout", "keras", named(file))
    if "model_weights" in file:
        return Contents("a model in Keras's old HDF5 layout", "keras", named(member(file, "model_weights")))
    if "layers" in file:
        return numbered(file)
    raise ValueError("it is HDF5, but has no layers as Keras writes them")


def named(group):
    """Return {name of a layer: its arrays} of the old layout: attributes say the order."""
    found = {}
    for name in words(group, "layer_names"):
        layer = member(group, name)
        found[name] = [array(member(layer, each)) for each in words(layer, "weight_names")]
    return found


def numbered(file):
    """Return the Contents of Keras 3's layout, with the layers' names where the file has them."""
    found, names = {}, {}
    groups = member(file, "layers")
    for key in sorted(groups, key=natural):
        layer = member(groups, key)
        values = member(layer, "vars") if "vars" in layer else {}
        if len(values):
            found[key] = [array(member(values, each)) for each in sorted(values, key=natural)]
            names[key] = text(values.attrs.get("name", ""))
    if found and all(names.values()) and len({*names.values()}) == len(names):
        return Contents("Keras 3's weights", "keras", {names[key]: found[key] for key in found})
    return Contents("Keras 3's weights without names", "counted", found)


def member(group, path):
    """Return what stands at `path` below a group; links that lead elsewhere are refused."""
    for step in filter(None, path.split("/")):
        if not isinstance(group, h5py.Group) or step not in group:
            raise ValueError(f"{path} is not there")
        if not isinstance(group.get(step, getlink=True), h5py.HardLink):
            raise Unsafe(f"{path} is a link to elsewhere")
        group = group[step]
    return group


def array(found):
    """Return the Stored of a data set that holds floats in this very file."""
    if not isinstance(found, h5py.Dataset) or found.shape is None or not is_float(found.dtype):
        raise ValueError("there is something else where numbers should be")
    if found.external or found.is_virtual:
        raise Unsafe("the numbers are in another file")
    if found.chunks and size(found.chunks) > size(found.shape) + SLACK:
        raise Unsafe("a small array unpacks to a large one")
    return Stored(tuple(found.shape), lambda: found[()])


def words(group, name):
    """Return a list of names from an attribute; long lists stand in NAME0, NAME1, ..."""
    if name in group.attrs:
        found = [*group.attrs[name]]
    else:
        parts = sorted((key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)), key=natural)
        found = [each for key in parts for each in group.attrs[key]]
    if len(found) > MOST_LAYERS:
        raise Unsafe(f"{len(found):,} names are too many")
    return [text(each) for each in found]


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def natural(name):
    """Return a key by which conv2d_10 comes after conv2d_9 and conv2d is first."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
