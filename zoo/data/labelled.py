"""Labelled images on which a trained model is evaluated: any source, its classes matched to the model's by name.

No backend is loaded.
"""

from dataclasses import dataclass

import numpy as np

from zoo.data import image_folder, load
from zoo.data.arrays import LAYOUTS, max_bytes, no_known_arrays, read_pair, to_uint8
from zoo.data.folder_images import Images
from zoo.data.formats import npz_arrays, npz_sizes
from zoo.data.loading import check_arguments, kind_of
from zoo.data.splits import Split
from zoo.errors import UserError
from zoo.utils.io import expanded

SPLITS = ("train", "validation", "test")
SHOWN = 10  # class names in a message


@dataclass(frozen=True)
class LabelledImages:
    """Images with labels that number the classes of a model.

    Attributes:
        split: the Split that holds them.
        source: str, where they come from.
        part: "test", "validation" or "train"; None where the source has no splits, and all its images are taken.
        notes: tuple of lines that people should see.
    """

    split: Split
    source: str
    part: str | None
    notes: tuple = ()

    def __len__(self):
        return len(self.split)


def load_labelled(source, class_names, shape, *, part="test", data_dir=None, labels_from="folder",
                  white=None):
    """Return the LabelledImages of any source that `zoo.load_data` takes.

    Of a source with splits, a data set, a folder with train/ or an .npz file with a test split, the split `part` is
    taken; of class folders, arrays and an .npz file with one pair of arrays every image. Nothing is carved out.

    Args:
        source: as for `zoo.load_data`; arrays are one pair (images, labels).
        class_names: list of str, the classes of the model. Classes that have names, those of folders and data sets, are
            matched by name; the labels of arrays and .npz files are indices into it.
        shape: (height, width, channels) of the model's images: those of a folder are resized to it, others must have
            it.
        part: "test", "validation" or "train".
        data_dir: the folder of the files of a named data set.
        labels_from: "folder" or "filename": how the classes of a folder are named.
        white: dict, how the model's training set scaled images of more than eight bits; see deep_images.

    Raises:
        UserError: for a class that is not in `class_names`, images of another shape, or a split that is not there.
    """
    shape = tuple(shape)
    kind = kind_of(source)
    check_arguments(kind, {"data_dir": data_dir})
    if part not in SPLITS:
        raise UserError(f"split is 'train', 'validation' or 'test'; given {part!r}")
    if kind == "a folder":
        return from_folder(expanded(source), class_names, shape, part, labels_from, white)
    if kind == "an .npz file":
        return from_npz(expanded(source).absolute(), class_names, shape, part)
    if kind == "arrays":
        if part != "test":
            raise no_such_split("a pair of arrays", part, ())
        return from_pair(source, "arrays", class_names, shape, None)
    dataset = source if kind == "a Dataset" else load.load(source, data_dir=data_dir)
    return from_dataset(dataset, class_names, shape, part)


def from_folder(folder, class_names, shape, part, labels_from, white=None):
    index = image_folder.index(folder, labels_from)
    has_splits = bool((index.places > 0).any())
    rows = np.flatnonzero(index.places == image_folder.PLACES.index(part)) if has_splits else np.arange(len(index))
    if not len(rows) or part != "test" and not has_splits:
        raise no_such_split(folder, part, {image_folder.PLACES[place] for place in np.unique(index.places)} - {""})
    index = index.only(rows)
    labels = match_labels(index.classes, index.names, class_names, folder)
    images = Images(index, shape, white=white)
    split = Split(images, labels, np.arange(len(index)))
    return LabelledImages(split, str(folder.absolute()), part if has_splits else None, (*index.notes, *images.notes))


def from_npz(path, class_names, shape, part):
    """Return the images of an .npz file: of a file with one pair of arrays all, else those of the split."""
    try:
        names, part = find_pair(path, npz_sizes(path), part)
        [pair] = npz_arrays(path, (names,), max_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    return from_pair(pair, str(path), class_names, shape, part)


def find_pair(path, present, part):
    """Return (names of the images and the labels among the arrays in an .npz file, their split or None for all)."""
    for layout in LAYOUTS:
        splits = {split: pair for split, pair in layout.items() if set(pair) & set(present)}
        if splits:
            is_single = [*splits] == ["train"] and part == "test"
            if part not in splits and not is_single:
                raise no_such_split(path, part, splits)
            names = splits["train" if is_single else part]
            missing = [name for name in names if name not in present]
            if missing:
                raise UserError(f"{path} lacks {', '.join(missing)}; images and labels come in pairs")
            return names, None if is_single else part
    raise no_known_arrays(path, present)


def from_pair(pair, source, class_names, shape, part):
    """Return the images of a pair of arrays whose labels are indices into `class_names`."""
    try:
        images, labels, _ = read_pair(pair, part or "given")
        pixels, notes = to_uint8({part or "given": images})
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    check_shape(images.shape[1:], shape, source)
    highest = int(labels.max())
    if highest >= len(class_names):
        raise UserError(f"{source} has the label {highest}, and the model knows {len(class_names)} classes, 0 to "
                        f"{len(class_names) - 1}: {shorten(class_names)}")
    return LabelledImages(Split(*pixels.values(), labels, np.arange(len(labels))), source, part, notes)


def from_dataset(dataset, class_names, shape, part):
    split, names = getattr(dataset, part), tuple(dataset.info.class_names)
    check_shape(dataset.info.shape, shape, dataset.source)
    if dataset.origin.get("kind") in ("arrays", "npz") and names == tuple(map(str, range(len(names)))):
        names = (*class_names[:len(names)], *names[len(class_names):])  # labels without names are indices
    labels = match_labels(split.labels, names, class_names, dataset.source)
    return LabelledImages(split.with_labels(labels), dataset.source, part)


def match_labels(labels, names, class_names, source):
    """Return labels, which number `names`, as those that number `class_names`; UserError for a name not in these."""
    numbers = {name: index for index, name in enumerate(class_names)}
    present = [names[label] for label in np.unique(labels)]
    unknown = [name for name in present if name not in numbers]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise UserError(f"{source} has the class {unknown[0]!r}{more}, which the model does not know; its classes are "
                        f"{shorten(class_names)}")
    return np.array([numbers.get(name, -1) for name in names], np.int64)[labels]


def check_shape(found, expected, source):
    if tuple(found) != tuple(expected):
        raise UserError(f"{source} has images of shape {cross(found)}, and the model takes {cross(expected)}; give "
                        "images of that shape, or a folder of image files, which are resized")


def no_such_split(source, part, present):
    present = [name for name in SPLITS if name in present]
    has = f"it has {', '.join(present)}" if present else "it has no splits: leave split out, and all images are taken"
    return UserError(f"{source} has no {part} split; {has}")


def cross(shape):
    return "x".join(map(str, shape))


def shorten(names):
    """Return names, separated by commas; of many the first few, and how many more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

