"""Keras HDF5 files, which are safe to read once links that lead out of them are refused.

Three layouts (observed with Keras 3.15): the legacy `model.save("x.h5")` has the layers as groups of /model_weights;
the files that keras.applications downloads have them at the top level, without that group; `.weights.h5` has numbered
classes under /layers, or in 2023 under /_layer_checkpoint_dependencies, and since about Keras 3.9 also the name of each
layer. A nested model is a single layer with the arrays of all its layers in the first two, and a group of groups in the
third: its layers are returned as if they belonged to the outer model.
"""

import itertools
import re
from collections import Counter

import h5py
import numpy as np

from zoo.weights.lazy_array import LazyArray, UnsupportedFileError, WeightsFile, count_elements, is_float_dtype
from zoo.weights.layer_names import strip_layer_number, to_snake_case
from zoo.weights.safetensors import widen_bfloat16

CONTAINER_GROUPS = ("layers", "_layers", "_layer_checkpoint_dependencies")  # groups that contain layers
NON_LAYER_GROUPS = ("optimizer", "metrics", "vars")  # at the top level of a file
MAX_GROUP_DEPTH = 12  # nesting of groups
MAX_LAYERS = 20_000
MAX_CHUNK_SLACK = 2**20  # extra elements of a chunk beyond its array: more is a decompression bomb


class UnsafeHDF5Error(ValueError):
    """The file is malicious, or looks like it."""


def read_hdf5_weights(file):
    """Return the WeightsFile of an open h5py.File; raise ValueError for any other kind of HDF5 file."""
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return WeightsFile("weights in Keras's legacy HDF5 layout", "keras", read_legacy_layout(file))
    if "model_weights" in file:
        return WeightsFile("a model in Keras's legacy HDF5 layout", "keras",
                           read_legacy_layout(get_member(file, "model_weights")))
    weights_file = read_keras3_layout(file)
    if not weights_file.layers:
        raise ValueError("it is an HDF5 file, but has no layers in a Keras layout")
    return weights_file


def read_legacy_layout(group):
    """Return {layer name: its LazyArrays} from the legacy layout, where attributes give the order."""
    if decode_text(group.attrs.get("backend", "")) == "theano":  # Keras 2 turned them back, if it had TensorFlow
        raise UnsupportedFileError("was written by Keras with Theano, whose convolution kernels are rotated by 180 "
                                   "degrees; load it in Keras 2 with TensorFlow, and save it again there")
    layers = {}
    for name in read_names(group, "layer_names"):
        layer, arrays_by_owner = get_member(group, name), {}
        for path in read_names(layer, "weight_names"):
            owner = path.split("/")[-2] if "/" in path else name
            arrays_by_owner.setdefault(owner, []).append(make_lazy_array(get_member(layer, path)))
        if len(arrays_by_owner) < 2:  # otherwise it is a nested model, or a layer composed of layers
            arrays_by_owner = {name: [array for arrays in arrays_by_owner.values() for array in arrays]}
        for owner, arrays in arrays_by_owner.items():
            key = owner if owner not in layers else f"{name}/{owner}"
            layers[key] = [array for array in arrays if array is not None]
    return layers


def read_keras3_layout(file):
    """Return the WeightsFile of the Keras 3 layout, with layer names if the file has them."""
    layers, names = {}, {}
    groups = [*walk_variable_groups(file)]
    sizes = Counter(get_parent(path) for path, _ in groups)
    # The largest model first: it is the backbone, and layers that are only numbered belong to it before the head
    for path, variables in sorted(groups, key=lambda group: -sizes[get_parent(group[0])]):
        arrays = [make_lazy_array(get_member(variables, key)) for key in sorted(variables, key=make_natural_key)]
        arrays = [array for array in arrays if array is not None]
        if arrays:
            key = "/".join(part for part in re.split(r"[/\\]", path) if part and part not in CONTAINER_GROUPS)
            layers[key], names[key] = arrays, decode_text(variables.attrs.get("name", ""))
    if layers and all(names.values()):
        counts = Counter(names.values())
        return WeightsFile("Keras 3 weights", "keras", {names[key] if counts[names[key]] == 1 else key: arrays
                                                        for key, arrays in layers.items()})
    return WeightsFile("Keras 3 weights without layer names", "counted", layers)


def get_parent(path):
    return path.rpartition("/")[0]


def walk_variable_groups(group, path="", depth=0, counter=None):
    """Yield (layer path, group of its variables) for all layers, in the order of their numbers."""
    counter = itertools.count() if counter is None else counter
    if depth > MAX_GROUP_DEPTH:
        raise UnsafeHDF5Error("its groups are nested too deeply")
    for key in sorted(group, key=make_natural_key):
        if next(counter) > 4 * MAX_LAYERS:  # groups can contain each other
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
    """Return `weights_file` with its numbered layers renamed, or unchanged if they do not match `layers`.

    Args:
        layers: Pairs (name, class), in model order.
    """
    names = {}
    for class_name in {class_name for _, class_name in layers}:
        layer_names = [name for name, layer_class in layers if layer_class == class_name]
        keys = [key for key in weights_file.layers if strip_layer_number(key) == to_snake_case(class_name)]
        if len(layer_names) == len(keys):
            names |= dict(zip(keys, layer_names, strict=True))
    if {*names} != {*weights_file.layers} or len({*names.values()}) < len(names):
        return weights_file
    return WeightsFile("Keras 3 weights", "keras", {names[key]: arrays for key, arrays in weights_file.layers.items()})


def get_member(group, path):
    """Return the group or dataset at `path` below a group; soft and external links are refused."""
    for part in filter(None, path.split("/")):
        if not isinstance(group, h5py.Group) or part not in group:
            raise ValueError(f"{path} is not found")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise UnsafeHDF5Error(f"{path} is a soft or external link")
        group = group[part]
    return group


def make_lazy_array(dataset):
    """Return the LazyArray of a float dataset stored in this very file; None for integers, which are counters."""
    if isinstance(dataset, h5py.Dataset) and dataset.dtype.kind in "iub":
        return None
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or not (is_float_dtype(dataset.dtype)
                                                                              or is_bfloat16(dataset)):
        raise ValueError("it has something other than an array of floats where weights should be")
    if dataset.external or dataset.is_virtual:
        raise UnsafeHDF5Error("its data is in another file")
    if dataset.chunks and count_elements(dataset.chunks) > count_elements(dataset.shape) + MAX_CHUNK_SLACK:
        raise UnsafeHDF5Error("a small array decompresses to a large one")
    if is_bfloat16(dataset):
        return LazyArray(tuple(dataset.shape), lambda: widen_bfloat16(np.array(dataset[()]).view("<u2")))
    return LazyArray(tuple(dataset.shape), lambda: dataset[()])


def is_bfloat16(dataset):
    """Return whether a dataset has bfloat16 numbers, which HDF5 lacks: Keras writes bytes, and names the type."""
    return dataset.attrs.get("dtype") == "bfloat16" and dataset.dtype.itemsize == 2


def read_names(group, name):
    """Return a list of names from an attribute; long lists are split into NAME0, NAME1, ..."""
    if name in group.attrs:
        names = [*group.attrs[name]]
    else:
        parts = sorted((key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)), key=make_natural_key)
        names = [text for key in parts for text in group.attrs[key]]
    if len(names) > MAX_LAYERS:
        raise UnsafeHDF5Error(f"{len(names):,} names are too many")
    return [decode_text(text) for text in names]


def decode_text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def make_natural_key(name):
    """Return a sort key that places conv2d_10 after conv2d_9, and conv2d first."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
