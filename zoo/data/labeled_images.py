"""Labeled images from any source for evaluating a trained model, with classes matched to the model's by name.

No backend is loaded.
"""

from dataclasses import dataclass

import numpy as np

from zoo.data import datasets
from zoo.data.array_labels import convert_array_pair
from zoo.data.arrays import (NPZ_LAYOUTS, convert_images, get_total_memory, make_npz_layout_error,
                             normalize_array_names)
from zoo.data.class_labels import format_class_names
from zoo.data.dataset_info import DATASETS, SPLITS
from zoo.data.folder_images import FolderImages
from zoo.data.folder_listing import list_samples
from zoo.data.formats import read_npz_arrays, read_npz_sizes
from zoo.data.image_folder import filter_invalid_images
from zoo.data.loading import get_source_kind, resolve_shape, split_nested_pairs
from zoo.data.sources import check_source_arguments
from zoo.data.pixel_values import to_uint8
from zoo.data.split_names import FOLDER_SPLITS, parse_split_name
from zoo.data.splits import Split
from zoo.errors import UserError
from zoo.modality import IMAGE
from zoo.utils.io import expand_user
from zoo.utils.text import format_shape


@dataclass(frozen=True)
class LabeledImages:
    """Images with labels that are class indices of a model.

    Attributes:
        split: the Split with the images and labels.
        source: str, where they come from.
        split_name: "test", "validation" or "train"; None if the source has no splits, so that all its images are used.
        notes: tuple of lines to show to the user.
    """

    split: Split
    source: str
    split_name: str | None
    notes: tuple = ()

    def __len__(self):
        return len(self.split)


def load_labeled_images(source, class_names, shape, *, split_name="test", data_dir=None, labels_from="folder",
                        invalid_images="error", white_levels=None):
    """Return the LabeledImages of any source that `zoo.load_data` accepts.

    From a source with splits (a dataset, a folder with train/ or an .npz file with a test split) the split
    `split_name` is used; from class folders, arrays and an .npz file with one pair of arrays, all images. No split is
    split off.

    Args:
        source: as for `zoo.load_data`; arrays are one pair (images, labels), or a pair of such pairs.
        class_names: list of str, the classes of the model. Named classes, as in folders and datasets, are matched by
            name; the labels of arrays and .npz files are indices into it.
        shape: (height, width, channels) of the model input: images of a folder are resized to it, others must have it.
        split_name: "test", "validation" or "train".
        data_dir: the folder with the files of a named dataset.
        labels_from: "folder" or "filename", where the classes of a folder of images come from.
        invalid_images: "error", or "skip" to skip unreadable files of a folder; a note lists them.
        white_levels: dict, how images of more than eight bits were scaled in the training set; see bit_depth.

    Raises:
        UserError: for a class that is not in `class_names`, images of another shape, or a missing split.
    """
    shape = tuple(shape)
    kind = get_source_kind(source)
    check_source_arguments(kind, {"data_dir": data_dir,
                                  "invalid_images": None if invalid_images == "error" else invalid_images})
    check_split_name(split_name)
    resolve_shape(kind, source, shape)  # refuses texts
    if kind == "folder":
        return load_labeled_folder(expand_user(source), class_names, shape, split_name, labels_from, invalid_images,
                                   white_levels)
    if kind == "npz":
        return load_labeled_npz(expand_user(source).absolute(), class_names, shape, split_name)
    if kind == "arrays":
        pair, split_name = select_labeled_pair(source, split_name)
        return load_labeled_arrays(pair, "arrays", class_names, shape, split_name)
    if kind == "name":
        check_image_shape(DATASETS[source].shape, shape, source)  # before it is downloaded
    dataset = source if kind == "dataset" else datasets.load_dataset_by_name(source, data_dir=data_dir)
    return load_labeled_split(dataset, class_names, shape, split_name)


def check_split_name(name):
    """Raise UserError, with a suggestion, unless `name` is the name of a split."""
    if name not in SPLITS:
        suggestion = parse_split_name(name) if isinstance(name, str) else None
        hint = f"; give {suggestion!r}" if suggestion in SPLITS else ""
        raise UserError(f"split must be 'train', 'validation' or 'test'; got {name!r}{hint}")


def select_labeled_pair(source, split_name):
    """Return (the pair of arrays to evaluate on, its split or None for all) of one pair, or of a pair of pairs."""
    train, test = split_nested_pairs(source)
    if test is None:
        if split_name != "test":
            raise make_missing_split_error("a pair of arrays", split_name, ())
        return source, None
    if split_name == "validation":
        raise make_missing_split_error("the arrays", split_name, ("train", "test"))
    return test if split_name == "test" else train, split_name


def load_labeled_folder(folder, class_names, shape, split_name, labels_from, invalid_images="error",
                        white_levels=None):
    listing = list_samples(folder, IMAGE, labels_from)
    indices, split_name = select_listing_split(listing, split_name)
    listing, skipped_notes = filter_invalid_images(listing.select(indices), shape, invalid_images)
    labels = match_labels(listing.labels, listing.class_names, class_names, folder)
    images = FolderImages(listing, shape, white_levels=white_levels)
    split = Split(images, labels, np.arange(len(listing)))
    return LabeledImages(split, str(folder.absolute()), split_name, (*listing.notes, *skipped_notes, *images.notes))


def select_listing_split(listing, split_name):
    """Return (indices of the samples to evaluate on, their split or None for all of them) of a SampleListing."""
    present = {FOLDER_SPLITS[split_id] for split_id in np.unique(listing.split_ids)} - {""}
    if not present and split_name == "test":
        return np.arange(len(listing)), None
    if split_name not in present:
        raise make_missing_split_error(listing.folder, split_name, present)
    return np.flatnonzero(listing.split_ids == FOLDER_SPLITS.index(split_name)), split_name


def load_labeled_npz(path, class_names, shape, split_name):
    """Return all images of an .npz file with one pair of arrays, otherwise those of the split."""
    pair, split_name = read_labeled_npz(path, split_name, IMAGE)
    return load_labeled_arrays(pair, str(path), class_names, shape, split_name)


def read_labeled_npz(path, split_name, modality):
    """Return ((samples, labels), their split or None for all) of an .npz file with samples of a Modality."""
    try:
        names, split_name = find_npz_pair(path, read_npz_sizes(path), split_name, modality)
        [pair] = read_npz_arrays(path, (names,), get_total_memory())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    return tuple(pair), split_name


def find_npz_pair(path, array_names, split_name, modality):
    """Return (names of the arrays of samples and labels in an .npz file, their split or None for all)."""
    present = normalize_array_names(array_names)
    for layout in NPZ_LAYOUTS:
        splits = {split: pair for split, pair in layout.items() if set(pair) & set(present)}
        if splits:
            is_single = [*splits] == ["train"] and split_name == "test"
            if split_name not in splits and not is_single:
                raise make_missing_split_error(path, split_name, splits)
            names = splits["train" if is_single else split_name]
            missing = [name for name in names if name not in present]
            if missing:
                raise UserError(f"{', '.join(missing)} missing from {path}; {modality.plural} and labels must come in "
                                "pairs")
            return tuple(present[name] for name in names), None if is_single else split_name
    pairs = [layout[split_name] for layout in NPZ_LAYOUTS]
    single_pair = f"; or {' and '.join(NPZ_LAYOUTS[0]['train'])} alone" if split_name == "test" else ""
    raise make_npz_layout_error(path, array_names, modality, f"{', or '.join(map(' and '.join, pairs))}{single_pair}")


def load_labeled_arrays(pair, source, class_names, shape, split_name):
    """Return the LabeledImages of a pair of arrays whose labels are indices into `class_names`."""
    try:
        images, labels, _ = convert_array_pair(pair, split_name or "given", convert_images, IMAGE)
        pixels, notes = to_uint8({split_name or "given": images})
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    check_image_shape(images.shape[1:], shape, source)
    check_max_label(labels, class_names, source)
    return LabeledImages(Split(*pixels.values(), labels, np.arange(len(labels))), source, split_name, notes)


def check_max_label(labels, class_names, source):
    """Raise UserError for a label that is not an index into `class_names`."""
    max_label = int(labels.max())
    if max_label >= len(class_names):
        raise UserError(f"{source} has the label {max_label}, but the model has {len(class_names)} classes, 0 to "
                        f"{len(class_names) - 1}: {format_class_names(class_names)}")


def load_labeled_split(dataset, class_names, shape, split_name):
    split, names = getattr(dataset, split_name), tuple(dataset.info.class_names)
    check_image_shape(dataset.info.shape, shape, dataset.source)
    if dataset.origin.get("kind") in ("arrays", "npz") and names == tuple(map(str, range(len(names)))):
        names = (*class_names[:len(names)], *names[len(class_names):])  # unnamed labels are indices
    labels = match_labels(split.labels, names, class_names, dataset.source)
    return LabeledImages(split.with_labels(labels), dataset.source, split_name)


def match_labels(labels, names, class_names, source):
    """Convert labels from indices into `names` to indices into `class_names`; raise UserError for an unknown name."""
    indices = {name: index for index, name in enumerate(class_names)}
    present = [names[label] for label in np.unique(labels)]
    unknown = [name for name in present if name not in indices]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise UserError(f"{source} has the class {unknown[0]!r}{more}, which is not a class of the model; its classes "
                        f"are {format_class_names(class_names)}")
    return np.array([indices.get(name, -1) for name in names], np.int64)[labels]


def check_image_shape(actual, expected, source):
    if tuple(actual) != tuple(expected):
        raise UserError(f"{source} has images of shape {format_shape(actual)}, but the model expects "
                        f"{format_shape(expected)}; give images of that shape, or a folder of image files, which are "
                        "resized")


def make_missing_split_error(source, split_name, present):
    present = [name for name in SPLITS if name in present]
    hint = f"it has {', '.join(present)}" if present else "it has no splits: omit split to use all of it"
    return UserError(f"{source} has no {split_name} split; {hint}")
