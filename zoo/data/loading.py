"""One way to any data: a name, a folder, an .npz file, arrays or a Dataset. No backend is loaded."""

import os

from zoo.data import image_folder
from zoo.data.arrays import load_arrays, load_npz
from zoo.data.info import DATASETS
from zoo.data.load import Dataset, load
from zoo.errors import UserError, unknown
from zoo.utils.io import expanded

# Which arguments apply to a kind of source.
ARGUMENTS = {
    "a Dataset": (),
    "arrays": ("validation_data", "test_data", "class_names", "limit"),
    "a folder": ("image_size", "labels_from", "invalid_images", "limit"),
    "an .npz file": ("class_names", "limit"),
    "the name of a data set": ("data_dir", "labels", "limit"),
}
KINDS = ("the name of a data set, a folder of class folders, an .npz file, a pair of arrays (images, labels), or a "
         "zoo.Dataset")


def load_data(source, *, data_dir=None, limit=None, labels="fine", image_size=None, shape=(32, 32, 3),
              validation_data=None, test_data=None, class_names=None, labels_from="folder", invalid_images="error"):
    """Return the Dataset of any source; `zoo.load_data` says what the arguments are.

    shape: tuple of int, (height, width, channels), the input shape of the model: images of folders are resized to it,
        unless `image_size` gives another height and width. Other sources have a shape of their own.
    """
    given = {"data_dir": data_dir, "limit": limit, "image_size": image_size, "validation_data": validation_data,
             "test_data": test_data, "class_names": class_names, "labels": None if labels == "fine" else labels,
             "labels_from": None if labels_from == "folder" else labels_from,
             "invalid_images": None if invalid_images == "error" else invalid_images}
    kind = kind_of(source)
    check_arguments(kind, given)
    if kind == "a Dataset":
        return source
    if kind == "arrays":
        return load_arrays(source, validation_data, test_data, class_names=class_names, limit=limit)
    if kind == "a folder":
        return image_folder.load(expanded(source), resolve_shape(image_size, shape), labels_from=labels_from,
                                 limit=limit, invalid=invalid_images)
    if kind == "an .npz file":
        return load_npz(source, class_names=class_names, limit=limit)
    return load(source, data_dir=data_dir, limit=limit, labels=labels)


def check_arguments(kind, given):
    """Raise UserError for the first of {argument: value or None} that does not apply to a key of ARGUMENTS."""
    for argument, value in given.items():
        if value is not None and argument not in ARGUMENTS[kind]:
            applies = " or ".join(other for other, arguments in ARGUMENTS.items() if argument in arguments)
            shown = "" if argument in ("validation_data", "test_data") else f"={value!r}"  # arrays fill many lines
            raise UserError(f"{argument}{shown} does not apply to {kind}, only to {applies}; leave it out")


def kind_of(source):
    """Return the key of ARGUMENTS that `source` is; UserError for what is none.

    The name of a data set is that, even where a folder is called so: its own files may lie in such a folder. "./mnist"
    or a Path is the folder.
    """
    if isinstance(source, Dataset):
        return "a Dataset"
    if isinstance(source, (tuple, list)):
        return "arrays"
    if not isinstance(source, (str, os.PathLike)):
        raise UserError(f"data are {KINDS}; given a {type(source).__name__}")
    if isinstance(source, str) and source in DATASETS:
        return "the name of a data set"
    path = expanded(source)
    if source != "" and os.path.exists(path):  # Path("") is the current folder
        if os.path.isdir(path):
            return "a folder"
        if path.suffix.lower() == ".npz":
            return "an .npz file"
        raise UserError(f"{source} is a file, but no .npz file; data are {KINDS}")
    if isinstance(source, str) and source == path.name and not path.suffix:  # it may be meant as a name
        raise UserError(f"{unknown('dataset', source, DATASETS)}; there is no folder or .npz file {source!r} either")
    raise UserError(f"there is no folder or .npz file {str(source)!r}")


def resolve_shape(image_size, shape):
    """Return (height, width, channels) of images that are resized to `image_size`, an int or (height, width)."""
    if image_size is None:
        size = tuple(shape[:2])
    else:
        size = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
        if len(size) != 2 or any(isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in size):
            raise UserError(f"image_size is a whole number of pixels, or (height, width); given {image_size!r}")
    if shape[2] not in (1, 3):
        raise UserError(f"images in folders have 1 or 3 channels; the shape {tuple(shape)} has {shape[2]}")
    return (*size, shape[2])
