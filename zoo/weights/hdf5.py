"""HDF5 files of Keras, which hold arrays alone once links that lead out of them are refused.

Three layouts (measured with Keras 3.15): `model.save("x.h5")` of old has the layers as groups of /model_weights; the
files that keras.applications fetches have them at the top, without that group; `.weights.h5` has classes with a number
under /layers, or in 2023 under /_layer_checkpoint_dependencies, and since about Keras 3.9 the name of each layer beside
it. A model within the model is a layer with the arrays of all of its own in the first two, and a group with groups in
the third: its layers are found as if they stood in the model itself.
"""

import itertools
import re
from collections import Counter

import h5py

from zoo.weights.lazy_array import WeightsFile, LazyArray, is_float_dtype, count_elements
from zoo.weights.layer_names import strip_layer_number, to_snake_case

CONTAINER_GROUPS = ("layers", "_layers", "_layer_checkpoint_dependencies")  # groups that hold layers, and are none
NON_LAYER_GROUPS = ("optimizer", "vars")  # at the top of a file
MAX_GROUP_DEPTH = 12  # of groups in one another
MAX_LAYERS = 20_000
MAX_CHUNK_SLACK = 2**20  # elements that a chunk may have more than its array: more is a bomb


class UnsafeHDF5Error(ValueError):
    """The file is made to harm, or looks as if it were."""


def read_hdf5_weights(file):
    """Return the Contents of an open h5py.File; ValueError in words for another kind of HDF5 file."""
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return WeightsFile("weights in Keras's old HDF5 layout", "keras", read_legacy_layout(file))
    if "model_weights" in file:
        return WeightsFile("a model in Keras's old HDF5 layout", "keras",
                           read_legacy_layout(get_member(file, "model_weights")))
    found = read_keras3_layout(file)
    if not found.layers:
        raise ValueError("it is HDF5, but has no layers as Keras writes them")
    return found


def read_legacy_layout(group):
    """Return {name of a layer: its arrays} of the old layout: attributes say the order."""
    found = {}
    for name in read_names(group, "layer_names"):
        layer, rows = get_member(group, name), {}
        for path in read_names(layer, "weight_names"):
            owner = path.split("/")[-2] if "/" in path else name
            rows.setdefault(owner, []).append(make_lazy_array(get_member(layer, path)))
        if len(rows) < 2:  # otherwise it is a model in the model, or a layer made of layers
            rows = {name: [each for row in rows.values() for each in row]}
        for owner, row in rows.items():
            found[owner if owner not in found else f"{name}/{owner}"] = [each for each in row if each is not None]
    return found


def read_keras3_layout(file):
    """Return the Contents of Keras 3's layout, with the layers' names where the file has them."""
    found, names = {}, {}
    for path, values in walk_variable_groups(file):
        row = [make_lazy_array(get_member(values, each)) for each in sorted(values, key=make_natural_key)]
        row = [each for each in row if each is not None]
        if row:
            key = "/".join(step for step in re.split(r"[/\\]", path) if step and step not in CONTAINER_GROUPS)
            found[key], names[key] = row, decode_text(values.attrs.get("name", ""))
    if found and all(names.values()):
        counts = Counter(names.values())
        return WeightsFile("Keras 3's weights", "keras", {names[key] if counts[names[key]] == 1 else key: row
                                                          for key, row in found.items()})
    return WeightsFile("Keras 3's weights without names", "counted", found)


def walk_variable_groups(group, path="", depth=0, counter=None):
    """Yield (path of a layer, the group of its variables) of all layers, in the order of their numbers."""
    counter = itertools.count() if counter is None else counter
    if depth > MAX_GROUP_DEPTH:
        raise UnsafeHDF5Error("its groups lie too deep in one another")
    for key in sorted(group, key=make_natural_key):
        if next(counter) > 4 * MAX_LAYERS:  # groups can hold one another
            raise UnsafeHDF5Error("it has too many groups")
        if depth == 0 and key in NON_LAYER_GROUPS:
            continue
        child = get_member(group, key)
        if not isinstance(child, h5py.Group):
            continue
        if key == "vars":
            yield path, child
        else:
            yield from walk_variable_groups(child, f"{path}/{key}", depth + 1, counter)


def rename_layers(weights_file, layers):
    """Return the Contents of a file without names with those of `layers`, pairs (name, class) in the model's order.

    The same where they do not go together.
    """
    names = {}
    for kind in {kind for _, kind in layers}:
        ours = [name for name, each in layers if each == kind]
        theirs = [key for key in weights_file.layers if strip_layer_number(key) == to_snake_case(kind)]
        if len(ours) == len(theirs):
            names |= dict(zip(theirs, ours, strict=True))
    if {*names} != {*weights_file.layers} or len({*names.values()}) < len(names):
        return weights_file
    return WeightsFile("Keras 3's weights", "keras", {names[key]: row for key, row in weights_file.layers.items()})


def get_member(group, path):
    """Return what stands at `path` below a group; links that lead elsewhere are refused."""
    for step in filter(None, path.split("/")):
        if not isinstance(group, h5py.Group) or step not in group:
            raise ValueError(f"{path} is not there")
        if not isinstance(group.get(step, getlink=True), h5py.HardLink):
            raise UnsafeHDF5Error(f"{path} is a link to elsewhere")
        group = group[step]
    return group


def make_lazy_array(dataset):
    """Return the Stored of a data set that holds floats in this very file; None for whole numbers, which count."""
    if isinstance(dataset, h5py.Dataset) and dataset.dtype.kind in "iub":
        return None
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or not is_float_dtype(dataset.dtype):
        raise ValueError("there is something else where numbers should be")
    if dataset.external or dataset.is_virtual:
        raise UnsafeHDF5Error("the numbers are in another file")
    if dataset.chunks and count_elements(dataset.chunks) > count_elements(dataset.shape) + MAX_CHUNK_SLACK:
        raise UnsafeHDF5Error("a small array unpacks to a large one")
    return LazyArray(tuple(dataset.shape), lambda: dataset[()])


def read_names(group, name):
    """Return a list of names from an attribute; long lists stand in NAME0, NAME1, ..."""
    if name in group.attrs:
        found = [*group.attrs[name]]
    else:
        parts = sorted((key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)), key=make_natural_key)
        found = [each for key in parts for each in group.attrs[key]]
    if len(found) > MAX_LAYERS:
        raise UnsafeHDF5Error(f"{len(found):,} names are too many")
    return [decode_text(each) for each in found]


def decode_text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def make_natural_key(name):
    """Return a key by which conv2d_10 comes after conv2d_9 and conv2d is first."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
