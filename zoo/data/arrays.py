"""Datasets from arrays, in memory or in an .npz file in the layout of Keras or MedMNIST. No backend is loaded."""

import hashlib
import os
import re
from dataclasses import replace

import numpy as np

from zoo.data import splits
from zoo.data.array_labels import (convert_array_pair, convert_to_array, limit_array_splits, resolve_array_splits,
                                   resolve_class_names)
from zoo.data.formats import read_npz_arrays, read_npz_shapes, read_npz_sizes
from zoo.data.dataset_info import DATASETS, SPLITS, DatasetInfo
from zoo.data.datasets import Dataset
from zoo.data.pixel_values import CHUNK_SIZE, to_uint8
from zoo.errors import UserError
from zoo.modality import IMAGE
from zoo.utils.io import expand_user, replace_surrogates

NPZ_LAYOUTS = (  # {split: names of the arrays of images and labels}
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},  # Keras
    {"train": ("train_images", "train_labels"), "validation": ("val_images", "val_labels"),
     "test": ("test_images", "test_labels")},  # MedMNIST
)
WEIGHT_NAME = re.compile(r".*(\.(weight|bias|running_mean)|[/.](kernel|gamma)(:0)?)")  # of PyTorch and Keras
VALIDATION_WORD = re.compile("(?<![a-z])(?:validation|valid|dev)(?![a-z])")  # in the lower-case name of an array
MIN_STD = 0.0039  # 1/255, so that a nearly constant channel is not divided by nearly 0
MAX_ARRAYS_SHOWN = 12  # names of arrays in a message


def load_arrays(train, validation=None, test=None, *, class_names=None, limit=None, name="arrays", source="arrays"):
    """Return a Dataset of images and labels in memory.

    Args:
        train, validation, test: pairs (images, labels) of anything that `np.asarray` takes. Images are
            (n, height, width), (n, height, width, 1) or (n, height, width, 3): integers or floats of 0 to 255, or
            floats of 0 to 1 or bool, which are multiplied by 255. Labels are integers from 0, (n,) or (n, 1), or
            one-hot, (n, classes). A validation or test split that is None is split off from `train`, a tenth each,
            stratified, with a fixed seed. Arrays of uint8 are not copied: do not modify them.
        class_names: list of str, a name for each label; default: "0", "1", ...
        limit: maximum number of images in each split, with the classes in proportion; default: all of them.
        name, source: str, the name of the dataset and where it comes from.

    Returns:
        A Dataset. A given split keeps its order, unless `limit` shortens it. The mean and std are those of the
        full training split, regardless of `limit`. The notes say what was split off and how floats were converted.

    Raises:
        UserError: for invalid images or labels, in one line with the offending value or shape.
    """
    splits.check_limit(limit)
    pairs = {split: pair for split, pair in zip(SPLITS, (train, validation, test), strict=True) if pair is not None}
    images, labels, classes = {}, {}, 0
    for split, pair in pairs.items():
        images[split], labels[split], split_classes = convert_array_pair(pair, split, convert_images, IMAGE)
        classes = max(classes, split_classes)
    shapes = {split: pixels.shape[1:] for split, pixels in images.items()}
    for split, shape in shapes.items():
        if shape != shapes["train"]:
            raise UserError(f"the {split} images have shape {shape}, but the train images have shape "
                            f"{shapes['train']}; give images of the same shape in all splits")
    names = resolve_class_names(class_names, labels, classes)
    images, notes = to_uint8(images)

    indices, split_notes = resolve_array_splits(labels, names)
    parts = {split: splits.Split(images[source_split], labels[source_split], part)
             for split, (source_split, part) in limit_array_splits(indices, labels, limit).items()}
    mean, std = compute_mean_and_std(images["train"], indices["train"])
    counts = {split: len(indices[split]) for split in SPLITS}
    info = DatasetInfo(name=name, title=f"images of {name}", classes=len(names), shape=shapes["train"], mean=mean,
                       std=std, class_names=names, source=source, license="", classes_per_column=(len(names),),
                       **counts)
    return Dataset(info, **parts, source=source, notes=(*notes, *split_notes),
                   origin={"kind": "arrays", "fingerprint": fingerprint_splits(parts)})


def fingerprint_splits(parts):
    """Return a hash of the images and labels of {split: Split}, as hexadecimal text."""
    digest = hashlib.blake2b(digest_size=32)
    for part in parts.values():
        for start in range(0, len(part), 1024):
            images, labels = part.batch(np.arange(start, min(start + 1024, len(part))))
            digest.update(np.ascontiguousarray(images))
            digest.update(labels.tobytes())
    return digest.hexdigest()


def convert_images(values, split):
    """Return images as (n, height, width, 1 or 3), with their dtype and values unchanged."""
    return convert_image_array(convert_to_array(values, f"{split} images"), split)


def convert_image_array(images, split):
    """Return images as (n, height, width, 1 or 3), with their dtype and values unchanged."""
    shape = images.shape
    if images.ndim not in (3, 4):
        raise UserError(f"the {split} images have shape {shape}; give (n, height, width), (n, height, width, 1) or "
                        "(n, height, width, 3)")
    if not images.size:
        raise UserError(f"the {split} images are empty: shape {shape}")
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[3] not in (1, 3):
        hint = "; move the channels from axis 1 to the end" if shape[1] in (1, 3) else ""
        raise UserError(f"the {split} images have {shape[3]} channels, in shape {shape}; expected 1 or 3{hint}")
    if images.dtype.kind not in "iufb":
        raise UserError(f"the {split} images have dtype {images.dtype}; give uint8, another integer dtype, floats "
                        "or bool")
    return images


def compute_mean_and_std(images, indices):
    """Return (mean, std) per channel of uint8 images, on the scale 0 to 1, rounded to 4 digits.

    The sums are computed from a histogram of the 256 values, hence exact and independent of the order.
    """
    counts = np.zeros((images.shape[3], 256), np.int64)
    for start in range(0, len(indices), CHUNK_SIZE):
        pixels = images[indices[start:start + CHUNK_SIZE]]
        for channel in range(len(counts)):
            counts[channel] += np.bincount(pixels[..., channel].ravel(), minlength=256)
    values = np.arange(256, dtype=np.float64) / 255
    fractions = counts / counts.sum(axis=1, keepdims=True)
    mean = fractions @ values
    std = np.sqrt([row @ (values - center) ** 2 for row, center in zip(fractions, mean, strict=True)])
    return tuple(round(float(m), 4) for m in mean), tuple(max(round(float(s), 4), MIN_STD) for s in std)


def load_npz(path, *, class_names=None, limit=None):
    """Return the Dataset in an .npz file.

    Args:
        path: str or Path of a file with the arrays x_train, y_train, x_test, y_test and, optionally, x_val and y_val
            (Keras's names), or train_images, train_labels, val_images, val_labels, test_images and test_labels
            (MedMNIST's), in upper or lower case, with valid, validation or dev for val. A note names other arrays,
            which are ignored. Shapes and dtypes are as for `load_arrays`, and missing splits are split off.
        class_names, limit: as for `load_arrays`.

    Returns:
        A Dataset with the stem of the file as its name and the absolute path as its source. If the stem is the name of
        a published dataset, the name keeps the extension, "mnist.npz", since the splits are not the published ones.

    Raises:
        UserError: for a file that is not an .npz file, is damaged, lacks these arrays, or has arrays that `load_arrays`
            rejects.
    """
    def load(pairs, **description):
        return load_arrays(**pairs, class_names=class_names, limit=limit, **description)

    return load_npz_pairs(path, IMAGE, load)


def load_npz_pairs(path, modality, load):
    """Return the Dataset of an .npz file with samples of a Modality; see `load_npz`.

    load: a function of {split: (samples, labels)}, and the name and source of the dataset.
    """
    path = expand_user(path).absolute()
    try:
        array_names = read_npz_sizes(path)
        names = find_npz_splits(path, array_names, modality)
        arrays = read_npz_arrays(path, tuple(names.values()), get_total_memory())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    pairs = dict(zip(names, arrays, strict=True))
    name = replace_surrogates(path.name if path.stem in DATASETS else path.stem)
    try:
        dataset = load(pairs, name=name, source=str(path))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    ignored = [replace_surrogates(name) for name in array_names if not any(name in pair for pair in names.values())]
    notes = (f"ignored: the arrays {format_array_names(ignored)}",) if ignored else ()
    return replace(dataset, origin={**dataset.origin, "kind": "npz"}, notes=(*notes, *dataset.notes))


def find_npz_splits(path, array_names, modality):
    """Return {split: (name of its samples, name of its labels)} for a file with the arrays `array_names`."""
    present = normalize_array_names(array_names)
    for layout in NPZ_LAYOUTS:
        if layout["train"][0] in present:
            names = {split: pair for split, pair in layout.items() if set(pair) & set(present)}
            missing = [name for pair in names.values() for name in pair if name not in present]
            if missing:
                raise UserError(f"{', '.join(missing)} missing from {path}; {modality.plural} and labels must come in "
                                "pairs")
            return {split: (present[samples], present[labels]) for split, (samples, labels) in names.items()}
    supported = " or ".join(", ".join(name for pair in layout.values() for name in pair) for layout in NPZ_LAYOUTS)
    raise make_npz_layout_error(path, array_names, modality, f"{supported}, of which only those of train are required")


def normalize_array_names(names):
    """Return {name as in NPZ_LAYOUTS: name} of arrays: x_train for X_train, x_val for x_valid, x_validation and x_dev.
    """
    return {VALIDATION_WORD.sub("val", name.lower()): name for name in reversed([*names])}


def has_image_arrays(path):
    """Return whether an .npz file has images for certain, arrays of more than two axes.

    Token ids (n, length) have two. False for a file that cannot be read, too, which its reader reports.
    """
    try:
        shapes = read_npz_shapes(expand_user(path))
    except (OSError, UserError):
        return False
    return any(len(shapes[name]) > 2 for name in find_image_arrays(shapes))


def find_image_arrays(names):
    """Return those of the names of arrays that are in NPZ_LAYOUTS."""
    present = normalize_array_names(names)
    return [present[name] for layout in NPZ_LAYOUTS for pair in layout.values() for name in pair if name in present]


def make_npz_layout_error(path, array_names, modality, needed):
    """Return the UserError for an .npz file without arrays of NPZ_LAYOUTS; needed: text listing the required ones."""
    if any(map(WEIGHT_NAME.fullmatch, array_names)):
        return UserError(f"{path} contains the weights of a model ({format_array_names(array_names)}), not "
                         f"{modality.plural} and labels; weights are given as weights=..., and data must have the "
                         f"arrays {needed}")
    return UserError(f"{path} contains the arrays {format_array_names(array_names) or 'none'}; required are {needed}")


def format_array_names(names):
    return ", ".join([*names][:MAX_ARRAYS_SHOWN]) + (", ..." if len(names) > MAX_ARRAYS_SHOWN else "")


def get_total_memory():
    """Return the bytes of memory of this machine, an upper bound on the size of a decompressed dataset."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not available on every system
        return 2**40
