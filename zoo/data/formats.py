"""The file formats in which the sets are published: each reader turns the files of a Place into the same arrays.

A reader takes (place, facts) and returns {"training": (labels, images), "test": (labels, images)}: labels uint8
(n, columns), one column per label byte of a record; images uint8 (n, height, width, channels). Whatever is wrong
with a file is a UserError that names it. How many records there are, and which, is for checks.py.
"""

import math
import struct
import tokenize
import zipfile
import zlib

import numpy as np

from zoo.data.archives import most_bytes, read_unpacked, too_much
from zoo.data.unpickle import PickledArray, as_bytes_array, read_batch
from zoo.errors import UserError
from zoo.utils.io import open_regular


def read_idx(place, facts):
    """Read MNIST's own format, plain or gzipped: images magic 2051, labels magic 2049, big-endian counts."""
    return {"training": idx_pair(place, place.training, facts), "test": idx_pair(place, place.test, facts)}


def idx_pair(place, names, facts):
    images_path, labels_path = (place.file(name) for name in names)
    most = most_bytes(facts)
    images = idx_array(images_path, facts.shape[:2], most)
    labels = idx_array(labels_path, (), most)
    return paired(labels, images, facts, labels_path, images_path)


def idx_array(path, item_shape, most):
    """Return the uint8 array in one IDX file whose items have `item_shape`."""
    data, whole = read_unpacked(path, most)
    dimensions = 1 + len(item_shape)
    header = 4 + 4 * dimensions
    if len(data) >= 4:
        magic, wanted = int.from_bytes(data[:4], "big"), 0x0800 + dimensions
        if magic != wanted:
            raise UserError(f"{path} is not the file it is named as: magic number {wanted} expected, {magic} found")
    if len(data) < header:
        raise cut_off(path, header, len(data))
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dimensions, 4))
    if shape[1:] != item_shape:
        raise UserError(f"{path} holds pictures of {shape[1]}x{shape[2]} pixels where "
                        f"{item_shape[0]}x{item_shape[1]} are expected")
    if len(data) != header + math.prod(shape) or not whole:
        raise cut_off(path, header + math.prod(shape), len(data))
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_npz(place, facts):
    """Read Keras's mnist.npz: the arrays x_train, y_train, x_test, y_test."""
    training, test = npz_arrays(place.path, (place.training, place.test), most_bytes(facts))
    return {"training": npz_pair(*training, facts, place.path), "test": npz_pair(*test, facts, place.path)}


# What zipfile and NumPy raise for a damaged .npz file, besides an OSError.
DAMAGED_NPZ = (ValueError, EOFError, KeyError, TypeError, RuntimeError, MemoryError, OverflowError, SyntaxError,
               struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error)


def npz_sizes(path):
    """Return {name: bytes of its file when unpacked} of the arrays in the .npz file at `path`; nothing is unpacked."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
    except DAMAGED_NPZ:
        raise UserError(f"{path} is cut off, or no .npz file, at {path.stat().st_size:,} bytes; "
                        f"fetch it again") from None


def npz_arrays(path, groups, most):
    """Return the arrays in the .npz file at `path`, in groups as their names are."""
    sizes = npz_sizes(path)
    missing = [name for names in groups for name in names if name not in sizes]
    if missing:
        raise UserError(f"{path} lacks the arrays {', '.join(missing)}; fetch it again")
    if sum(sizes.values()) > most:
        raise too_much(path, most)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [[arrays[name] for name in names] for names in groups]
    except DAMAGED_NPZ as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())}); fetch it again") from None


def npz_pair(images, labels, facts, path):
    if images.dtype != np.uint8 or images.shape[1:] != facts.shape[:2]:
        raise UserError(f"{path} holds {images.dtype} pictures of shape {images.shape[1:]} where uint8 of "
                        f"{facts.shape[:2]} are expected")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise UserError(f"{path} holds labels of type {labels.dtype} and shape {labels.shape} where whole numbers "
                        f"in one row are expected")
    return paired(labels, images, facts, path, path)


def read_cifar_binary(place, facts):
    """Read CIFAR's binary version: records of the label byte(s), then the red, green and blue plane of 32x32."""
    files = place.contents(most_bytes(facts))
    return {"training": joined([binary_part(*files[name], facts) for name in place.training], facts),
            "test": joined([binary_part(*files[name], facts) for name in place.test], facts)}


def binary_part(name, data, facts):
    columns = len(facts.columns)
    size = columns + math.prod(facts.shape)
    if not data or len(data) % size:
        whole = max(1, -(-len(data) // size))
        raise UserError(f"{name} is cut off, or not a file of {facts.name}: {whole * size:,} bytes expected for "
                        f"{whole:,} records of {size:,} bytes, {len(data):,} found; fetch it again")
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    labels = records[:, :columns]
    check_labels(labels, facts, name)
    return labels, records[:, columns:]


# What the authors call a record's label bytes in the Python version, in the order of the binary version.
PICKLED_LABELS = {1: ("labels",), 2: ("coarse_labels", "fine_labels")}


def read_cifar_python(place, facts):
    """Read CIFAR's Python version: pickled dicts of an array "data" (n, 3072) and lists of labels."""
    files = place.contents(most_bytes(facts))
    return {"training": joined([python_part(*files[name], facts) for name in place.training], facts),
            "test": joined([python_part(*files[name], facts) for name in place.test], facts)}


def python_part(name, data, facts):
    batch = read_batch(data, name)
    keys = PICKLED_LABELS[len(facts.columns)]
    missing = [key for key in ("data", *keys) if key not in batch]
    if missing:
        raise UserError(f"{name} is not a batch of {facts.name}: it lacks {', '.join(missing)}")
    planes = as_bytes_array(batch["data"], name)
    if planes.ndim != 2 or planes.shape[1] != math.prod(facts.shape):
        raise UserError(f"{name} holds an array of shape {planes.shape} where (pictures, {math.prod(facts.shape)}) "
                        f"is expected")
    columns = [label_column(batch[key], name) for key in keys]
    for column in columns:
        check_counts(len(column), len(planes), name, name)
    labels = np.stack(columns, axis=1)
    check_labels(labels, facts, name)
    return labels.astype(np.uint8), planes


def label_column(values, name):
    if isinstance(values, PickledArray):
        return as_bytes_array(values, name).astype(np.int64)
    if not isinstance(values, list) or not all(type(value) is int and abs(value) < 2**31 for value in values):
        raise UserError(f"{name} holds no list of whole numbers where the labels should be; fetch it again")
    return np.array(values, np.int64)


def joined(parts, facts):
    """Put the parts (labels, planes (n, channels * height * width)) of one split together, channels last."""
    height, width, channels = facts.shape
    count = sum(len(labels) for labels, _ in parts)
    images = np.empty((count, height, width, channels), np.uint8)
    start = 0
    for labels, planes in parts:
        stop = start + len(labels)
        images[start:stop] = planes.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        start = stop
    return np.concatenate([labels for labels, _ in parts]), images


def paired(labels, images, facts, labels_name, images_name):
    """Return checked (labels (n, 1), images (n, height, width, 1)) of a set with one label and one channel."""
    check_counts(len(labels), len(images), labels_name, images_name)
    labels = labels[:, None]
    check_labels(labels, facts, labels_name)
    return labels.astype(np.uint8), images[..., None]


def check_counts(labels, images, labels_name, images_name):
    if labels != images:
        raise UserError(f"{labels_name} holds {labels:,} labels, but {images_name} {images:,} pictures; "
                        f"they do not belong together")


def check_labels(labels, facts, name):
    wrong = np.argwhere((labels < 0) | (labels >= np.array(facts.columns)))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(f"{name} has labels out of range: record {row:,} has {labels[row, column]}, but {facts.name} "
                        f"has only 0 to {facts.columns[column] - 1} there; is it a file of another data set?")


def cut_off(path, expected, found):
    return UserError(f"{path} is cut off or damaged: {expected:,} bytes expected, {found:,} found; fetch it again")


READERS = {"idx": read_idx, "npz": read_npz, "cifar binary": read_cifar_binary, "cifar python": read_cifar_python}
