"""The file formats of published datasets: each reader converts the files of a FileLayout to the same arrays.

A reader takes (layout, info) and returns {"training": (labels, images), "test": (labels, images)}: labels uint8
(n, columns), one column per label byte of a record; images uint8 (n, height, width, channels). Any problem with a file
raises a UserError that names it. The number and contents of the records are verified in checks.py.
"""

import math
import struct
import tokenize
import zipfile
import zlib

import numpy as np

from zoo.data.archives import compute_max_bytes, read_unpacked, make_too_large_error
from zoo.data.array_pickle import PickledArray, convert_to_byte_array, read_cifar_batch
from zoo.data.npy import read_npy_header
from zoo.errors import UserError
from zoo.utils.io import open_regular_file


def read_idx(layout, info):
    """Read MNIST's own format, plain or gzipped: images magic 2051, labels magic 2049, big-endian counts."""
    return {"training": read_idx_pair(layout, layout.train_files, info),
            "test": read_idx_pair(layout, layout.test_files, info)}


def read_idx_pair(layout, names, info):
    images_path, labels_path = (layout.find_file(name) for name in names)
    max_bytes = compute_max_bytes(info)
    images = read_idx_array(images_path, info.shape[:2], max_bytes)
    labels = read_idx_array(labels_path, (), max_bytes)
    return check_label_image_pair(labels, images, info, labels_path, images_path)


def read_idx_array(path, item_shape, max_bytes):
    """Return the uint8 array of an IDX file whose items are of shape `item_shape`."""
    data, is_complete = read_unpacked(path, max_bytes)
    dimensions = 1 + len(item_shape)
    header = 4 + 4 * dimensions
    if len(data) >= 4:
        magic, expected_magic = int.from_bytes(data[:4], "big"), 0x0800 + dimensions
        if magic != expected_magic:
            raise UserError(f"{path} does not match its file name: expected magic number {expected_magic}, got {magic}")
    if len(data) < header:
        raise make_truncated_error(path, header, len(data))
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dimensions, 4))
    if shape[1:] != item_shape:
        raise UserError(f"{path} contains images of {shape[1]}x{shape[2]} pixels; "
                        f"expected {item_shape[0]}x{item_shape[1]}")
    if len(data) != header + math.prod(shape):
        raise make_truncated_error(path, header + math.prod(shape), len(data))
    if not is_complete:
        raise UserError(f"{path} is truncated: its end, which holds the checksum, is missing; download it again")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_mnist_npz(layout, info):
    """Read Keras's mnist.npz: the arrays x_train, y_train, x_test, y_test."""
    training, test = read_npz_arrays(layout.path, (layout.train_files, layout.test_files), compute_max_bytes(info))
    return {"training": check_npz_pair(*training, info, layout.path), "test": check_npz_pair(*test, info, layout.path)}


# Exceptions of zipfile and NumPy for a damaged .npz file, besides OSError.
NPZ_ERRORS = (ValueError, EOFError, KeyError, TypeError, RuntimeError, MemoryError, OverflowError, SyntaxError,
              struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error)


def read_npz_sizes(path):
    """Return {name: uncompressed size in bytes} of the arrays in an .npz file, without decompressing any."""
    try:
        with open_regular_file(path) as file, zipfile.ZipFile(file) as archive:
            return {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
    except NPZ_ERRORS:
        raise UserError(f"{path} is truncated or not an .npz file ({path.stat().st_size:,} bytes); "
                        f"download it again") from None


def read_npz_shapes(path):
    """Return {name: shape} of the arrays in an .npz file, read from their headers."""
    shapes = {}
    try:
        with open_regular_file(path) as file, zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as header:
                    shape, _, _ = read_npy_header(header)
                shapes[member.filename.removesuffix(".npy")] = shape
    except NPZ_ERRORS as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())}); download it again") from None
    return shapes


def read_npz_arrays(path, groups, max_bytes):
    """Return the arrays of an .npz file as lists, grouped like their names in `groups`."""
    sizes = read_npz_sizes(path)
    missing = [name for names in groups for name in names if name not in sizes]
    if missing:
        raise UserError(f"the arrays {', '.join(missing)} are missing from {path}; download it again")
    if sum(sizes.values()) > max_bytes:
        raise make_too_large_error(path, max_bytes)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [[arrays[name] for name in names] for names in groups]
    except NPZ_ERRORS as error:
        if "allow_pickle" in str(error):
            raise UserError(f"{path} contains an array of Python objects, which are not loaded, because they can "
                            "execute code; save arrays of numbers, all images of one shape, or texts as token ids "
                            "padded to one length") from None
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())}); download it again") from None


def check_npz_pair(images, labels, info, path):
    if images.dtype != np.uint8 or images.shape[1:] != info.shape[:2]:
        raise UserError(f"{path} contains {images.dtype} images of shape {images.shape[1:]}; expected uint8 "
                        f"of shape {info.shape[:2]}")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise UserError(f"{path} contains labels of dtype {labels.dtype} and shape {labels.shape}; expected a "
                        f"1-D array of integers")
    return check_label_image_pair(labels, images, info, path, path)


def read_cifar_binary(layout, info):
    """Read CIFAR's binary version: records of the label byte(s), then the red, green and blue plane of 32x32."""
    files = layout.read_contents(compute_max_bytes(info))
    return {"training": concatenate_records([parse_cifar_binary(*files[name], info) for name in layout.train_files],
                                            info),
            "test": concatenate_records([parse_cifar_binary(*files[name], info) for name in layout.test_files], info)}


def parse_cifar_binary(name, data, info):
    columns = len(info.classes_per_column)
    size = columns + math.prod(info.shape)
    if not data or len(data) % size:
        count = max(1, -(-len(data) // size))
        raise UserError(f"{name} is truncated, or not a file of {info.name}: expected {count * size:,} bytes for "
                        f"{count:,} {'record' if count == 1 else 'records'} of {size:,} bytes, got {len(data):,}; "
                        "download it again")
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    labels = records[:, :columns]
    check_labels(labels, info, name)
    return labels, records[:, columns:]


# The keys of the labels in the authors' Python version, in the order of the label bytes of the binary version.
PICKLED_LABEL_KEYS = {1: ("labels",), 2: ("coarse_labels", "fine_labels")}


def read_cifar_python(layout, info):
    """Read CIFAR's Python version: pickled dicts of an array "data" (n, 3072) and lists of labels."""
    files = layout.read_contents(compute_max_bytes(info))
    return {"training": concatenate_records([parse_cifar_python(*files[name], info) for name in layout.train_files],
                                            info),
            "test": concatenate_records([parse_cifar_python(*files[name], info) for name in layout.test_files], info)}


def parse_cifar_python(name, data, info):
    batch = read_cifar_batch(data, name)
    keys = PICKLED_LABEL_KEYS[len(info.classes_per_column)]
    missing = [key for key in ("data", *keys) if key not in batch]
    if missing:
        raise UserError(f"{name} is not a batch of {info.name}: {', '.join(missing)} is missing")
    planes = convert_to_byte_array(batch["data"], name)
    if planes.ndim != 2 or planes.shape[1] != math.prod(info.shape):
        raise UserError(f"{name} contains an array of shape {planes.shape}; expected "
                        f"(images, {math.prod(info.shape)})")
    columns = [parse_label_column(batch[key], name) for key in keys]
    for column in columns:
        check_counts(len(column), len(planes), name, name)
    labels = np.stack(columns, axis=1)
    check_labels(labels, info, name)
    return labels.astype(np.uint8), planes


def parse_label_column(values, name):
    if isinstance(values, PickledArray):
        return convert_to_byte_array(values, name).astype(np.int64)
    if not isinstance(values, list) or not all(type(value) is int and abs(value) < 2**31 for value in values):
        raise UserError(f"{name} does not contain a list of integers as labels; download it again")
    return np.array(values, np.int64)


def concatenate_records(parts, info):
    """Concatenate the parts (labels, planes (n, channels * height * width)) of one split, channels last."""
    height, width, channels = info.shape
    count = sum(len(labels) for labels, _ in parts)
    images = np.empty((count, height, width, channels), np.uint8)
    start = 0
    for labels, planes in parts:
        stop = start + len(labels)
        images[start:stop] = planes.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        start = stop
    return np.concatenate([labels for labels, _ in parts]), images


def check_label_image_pair(labels, images, info, labels_name, images_name):
    """Return (labels (n, 1), images (n, height, width, 1)), checked, of a dataset with one label and one channel."""
    check_counts(len(labels), len(images), labels_name, images_name)
    labels = labels[:, None]
    check_labels(labels, info, labels_name)
    return labels.astype(np.uint8), images[..., None]


def check_counts(labels, images, labels_name, images_name):
    if labels != images:
        raise UserError(f"{labels_name} contains {labels:,} labels, but {images_name} contains {images:,} images; "
                        f"they must match")


def check_labels(labels, info, name):
    invalid = np.argwhere((labels < 0) | (labels >= np.array(info.classes_per_column)))
    if len(invalid):
        index, column = invalid[0]
        raise UserError(f"{name} has labels out of range: record {index:,} has {labels[index, column]}, but "
                        f"{info.name} has only 0 to {info.classes_per_column[column] - 1}; is it a file of another "
                        "dataset?")


def make_truncated_error(path, expected, actual):
    return UserError(f"{path} is truncated or damaged: expected {expected:,} bytes, got {actual:,}; download it again")


FORMAT_READERS = {"idx": read_idx, "npz": read_mnist_npz, "cifar binary": read_cifar_binary,
                  "cifar python": read_cifar_python}
