"""A data set from arrays: in memory, or in an .npz file as Keras or MedMNIST lay one out. No backend is loaded."""

import hashlib
import os
from dataclasses import replace

import numpy as np

from zoo.data import splits
from zoo.data.formats import read_npz_arrays, read_npz_sizes
from zoo.data.dataset_info import DATASETS, DatasetInfo
from zoo.data.datasets import Dataset
from zoo.data.pixel_values import CHUNK_SIZE, to_uint8
from zoo.errors import UserError
from zoo.utils.io import expand_user, replace_surrogates

SPLITS = ("train", "validation", "test")
NPZ_LAYOUTS = (  # {split: names of its images and labels}
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},  # Keras
    {"train": ("train_images", "train_labels"), "validation": ("val_images", "val_labels"),
     "test": ("test_images", "test_labels")},  # MedMNIST
)
MIN_STD = 0.0039  # 1/255: a channel that hardly varies must not be divided by nearly 0
MAX_ARRAYS_SHOWN = 12  # names of arrays in a message


def load_arrays(train, validation=None, test=None, *, class_names=None, limit=None, name="arrays", source="arrays"):
    """Return the Dataset of images and labels in memory.

    Args:
        train, validation, test: pairs (images, labels) of anything that `np.asarray` takes. Images are
            (n, height, width), (n, height, width, 1) or (n, height, width, 3): integers or floats of 0 to 255, or
            floats of 0 to 1 or bool, which are multiplied by 255. Labels are whole numbers from 0, (n,) or (n, 1), or
            one-hot, (n, classes). A validation or test split that is None is carved from `train`, a tenth each, stratified, by
            a fixed seed. Arrays of uint8 are not copied: leave them as they are.
        class_names: list of str, a name for each label; default: "0", "1", ...
        limit: the most images in each split, with the classes in proportion; default: all of them.
        name, source: str, what the data set is called and where it comes from.

    Returns:
        A Dataset. A split that is given keeps its order, unless `limit` shortens it. The mean and std are those of the
        whole training split, whatever the limit. Its notes say what was carved and how floats were converted.

    Raises:
        UserError: for arrays that are no such images and labels, in one line with the value or shape at fault.
    """
    splits.check_limit(limit)
    pairs = {split: pair for split, pair in zip(SPLITS, (train, validation, test), strict=True) if pair is not None}
    images, labels, classes = {}, {}, 0
    for split, pair in pairs.items():
        images[split], labels[split], split_classes = convert_array_pair(pair, split)
        classes = max(classes, split_classes)
    shapes = {split: pixels.shape[1:] for split, pixels in images.items()}
    for split, shape in shapes.items():
        if shape != shapes["train"]:
            raise UserError(f"the {split} images are of shape {shape}, but the train images of {shapes['train']}; "
                            "give all splits images of one shape")
    names = resolve_class_names(class_names, labels, classes)
    images, notes = to_uint8(images)

    indices, carved_notes = resolve_array_splits(labels, names)
    mean, std = compute_mean_and_std(images["train"], indices["train"])
    counts = {split: len(indices[split]) for split in SPLITS}
    info = DatasetInfo(name=name, title=f"images of {name}", classes=len(names), shape=shapes["train"], mean=mean,
                       std=std, class_names=names, source=source, license="", classes_per_column=(len(names),),
                       **counts)
    parts = {}
    for split in SPLITS:
        origin = split if split in pairs else "train"  # a carved split shares the training arrays
        part = indices[split]
        is_as_given = split in pairs and not (split == "train" and carved_notes)
        if is_as_given and limit is not None and limit < len(part):
            part = part[splits.make_stratified_order(labels[origin][part], splits.SPLIT_SEED)]
        parts[split] = splits.Split(images[origin], labels[origin], part[:limit])
    return Dataset(info, **parts, source=source, notes=(*notes, *carved_notes),
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


def convert_array_pair(pair, split):
    """Return (images, labels, classes) of one split: images with a channel axis, labels int64 (n,)."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        length = f" of length {len(pair)}" if isinstance(pair, (tuple, list)) else ""
        raise UserError(f"the {split} data are a pair (images, labels); given an object of type "
                        f"{type(pair).__name__}{length}")
    images = convert_image_array(convert_to_array(pair[0], f"{split} images"), split)
    labels, classes = convert_label_array(convert_to_array(pair[1], f"{split} labels"), split)
    if len(images) != len(labels):
        raise UserError(f"the {split} data have {len(images)} images, but {len(labels)} labels")
    return images, labels, classes


def convert_to_array(values, what):
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors that are on a GPU
        raise UserError(f"the {what} are no array: {' '.join(str(error).split())}") from None


def convert_image_array(images, split):
    """Return images as (n, height, width, 1 or 3), with the type and values that they have."""
    shape = images.shape
    if images.ndim not in (3, 4):
        raise UserError(f"the {split} images are of shape {shape}; give (n, height, width), (n, height, width, 1) or "
                        "(n, height, width, 3)")
    if not images.size:
        raise UserError(f"the {split} images are empty: shape {shape}")
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[3] not in (1, 3):
        hint = "; move the channels from axis 1 to the end" if shape[1] in (1, 3) else ""
        raise UserError(f"the {split} images have {shape[3]} channels, in shape {shape}; 1 or 3 are possible{hint}")
    if images.dtype.kind not in "iufb":
        raise UserError(f"the {split} images are of type {images.dtype}; give uint8, another integer type, floats or "
                        "bool")
    return images


def convert_label_array(labels, split):
    """Return (labels int64 (n,), number of classes) of labels (n,), (n, 1) or one-hot (n, classes)."""
    if labels.dtype.kind not in "iufb":
        raise UserError(f"the {split} labels are of type {labels.dtype}; give whole numbers from 0, and the names of "
                        "the classes as class_names")
    if labels.ndim not in (1, 2):
        raise UserError(f"the {split} labels are of shape {labels.shape}; give (n,), (n, 1) or one-hot (n, classes)")
    if not labels.size:
        raise UserError(f"the {split} labels are empty: shape {labels.shape}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        wrong = np.flatnonzero(((labels != 0) & (labels != 1)).any(axis=1) | ((labels == 1).sum(axis=1) != 1))
        if len(wrong):
            row = np.array2string(labels[wrong[0]], separator=", ", threshold=MAX_ARRAYS_SHOWN, max_line_width=10_000)
            raise UserError(f"the {split} labels, of shape {labels.shape}, are not one-hot: row {wrong[0]} is {row}")
        return labels.argmax(axis=1), labels.shape[1]
    labels = labels.reshape(-1)
    wrong = np.flatnonzero(~((labels >= 0) & (labels < 2**31) & (labels == np.floor(labels))))
    if len(wrong):
        raise UserError(f"the {split} labels are whole numbers from 0; the one at index {wrong[0]} is "
                        f"{labels[wrong[0]]}")
    return labels.astype(np.int64), int(labels.max()) + 1


def resolve_class_names(class_names, labels, classes):
    """Return the names of the classes as a tuple of str; UserError where names and labels do not fit together.

    labels: {split: int64 (n,)}. classes: how many there are by the labels.
    """
    present = np.unique(np.concatenate([np.unique(part) for part in labels.values()]))
    if len(present) == 1:
        raise UserError(f"all labels are {present[0]}: one class; a classifier needs at least two")
    names = None if class_names is None else check_class_names(class_names)
    if names is not None and len(names) < classes:
        raise UserError(f"class_names has {len(names)} names, but the labels have {classes} classes, 0 to "
                        f"{classes - 1}")
    classes = classes if names is None else len(names)
    trained = np.unique(labels["train"])
    if len(trained) < classes:
        # Not np.arange(classes): a single label of a billion must not allocate gigabytes.
        label = np.setdiff1d(np.arange(len(trained) + 1), trained)[0]
        called = "" if names is None else f" ({names[label]!r})"
        raise UserError(f"label {label}{called} has no training image, though there are {classes} classes, "
                        f"0 to {classes - 1}; give it some, or number the labels without gaps")
    return tuple(map(str, range(classes))) if names is None else names


def check_class_names(class_names):
    names = () if isinstance(class_names, str) else tuple(class_names)
    if not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"class_names is a list of names, such as ['cat', 'dog']; given {class_names!r}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"class_names has the name {twice!r} twice; give each class a name of its own")
    return tuple(map(replace_surrogates, names))  # NumPy's str_ is a str, but no plain one


def resolve_array_splits(labels, class_names):
    """Return ({split: indices into the arrays it comes from}, notes); splits that `labels` lacks come from train."""
    missing = [split for split in splits.HELD_OUT_TENTHS if split not in labels]
    indices = {split: np.arange(len(part)) for split, part in labels.items()}
    if not missing:
        return indices, ()
    indices |= splits.split_off_missing(splits.make_stratified_order(labels["train"], splits.SPLIT_SEED), missing)
    without = np.setdiff1d(np.arange(len(class_names)), labels["train"][indices["train"]])
    if len(without):
        count = int((labels["train"] == without[0]).sum())
        raise UserError(f"label {without[0]} ({class_names[without[0]]!r}) has too few training images, {count}, to hold out "
                        f"{' and '.join(missing)} images; give it more, or give these splits")
    carved = " and ".join(f"{split} ({len(indices[split]):,} images)" for split in missing)
    return indices, (f"{carved} held out of train, by a fixed seed",)


def compute_mean_and_std(images, indices):
    """Return (mean, std), a number for each channel, of uint8 images on the scale 0 to 1, rounded to 4 digits.

    Counts of the 256 values make the sums exact, whatever their order.
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
    """Return the Dataset of an .npz file.

    Args:
        path: str or path of a file with the arrays x_train, y_train, x_test, y_test and, optionally, x_val and y_val
            (Keras's names), or train_images, train_labels, val_images, val_labels, test_images and test_labels
            (MedMNIST's). Their shapes and types are those of `load_arrays`, and splits that it lacks are carved.
        class_names, limit: as for `load_arrays`.

    Returns:
        A Dataset with the stem of the file as its name and the absolute path as its source. Where the stem is the name
        of a published data set the name keeps the ending, "mnist.npz": the splits are not the published ones.

    Raises:
        UserError: for a file that is none, is damaged, lacks these arrays, or holds others than `load_arrays` takes.
    """
    path = expand_user(path).absolute()
    try:
        names = find_npz_splits(path, read_npz_sizes(path))
        arrays = read_npz_arrays(path, tuple(names.values()), get_total_memory())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    pairs = dict(zip(names, arrays, strict=True))
    name = replace_surrogates(path.name if path.stem in DATASETS else path.stem)
    try:
        dataset = load_arrays(**pairs, class_names=class_names, limit=limit, name=name, source=str(path))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return replace(dataset, origin={**dataset.origin, "kind": "npz"})


def find_npz_splits(path, array_names):
    """Return {split: (name of its images, name of its labels)} of a file that has the arrays `present`."""
    for layout in NPZ_LAYOUTS:
        if layout["train"][0] in array_names:
            names = {split: pair for split, pair in layout.items() if set(pair) & set(array_names)}
            missing = [name for pair in names.values() for name in pair if name not in array_names]
            if missing:
                raise UserError(f"{path} lacks {', '.join(missing)}; images and labels come in pairs")
            return names
    known = " or ".join(", ".join(name for pair in layout.values() for name in pair) for layout in NPZ_LAYOUTS)
    raise make_npz_layout_error(path, array_names, f"{known}, where only those of train are a must")


def make_npz_layout_error(path, array_names, needed):
    """Return the UserError for an .npz file none of whose arrays, {name: ...}, is of NPZ_LAYOUTS; needed: words."""
    more = ", ..." if len(array_names) > MAX_ARRAYS_SHOWN else ""
    present = ", ".join([*array_names][:MAX_ARRAYS_SHOWN]) or "none"
    return UserError(f"{path} holds the arrays {present}{more}; needed are {needed}")


def get_total_memory():
    """Return the bytes of memory of this machine: no data set that is unpacked into it can be larger."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on every system
        return 2**40
