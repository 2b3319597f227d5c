"""The kinds of sources of data, and the arguments that apply to each. Standard library only."""

import os

from zoo.data.dataset_info import DATASETS
from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user

# The arguments that apply to each kind of source.
SOURCE_ARGUMENTS = {
    "dataset": (),
    "arrays": ("validation_data", "test_data", "class_names", "limit", "sequence_length"),
    "folder": ("image_size", "labels_from", "invalid_images", "limit", "sequence_length"),
    "npz": ("class_names", "limit", "sequence_length"),
    "csv": ("limit", "sequence_length"),
    "name": ("data_dir", "label_mode", "limit", "sequence_length"),
}
# The kinds of sources in messages.
SOURCE_DESCRIPTIONS = {"dataset": "a zoo.Dataset", "arrays": "arrays", "folder": "a folder", "npz": "an .npz file",
                       "csv": "a .csv file", "name": "the name of a dataset"}
SOURCE_KINDS = ("the name of a dataset, a folder of class folders, an .npz file, a .csv file of texts, a pair of "
                "arrays, (images, labels) or (texts, labels), or a zoo.Dataset")
KINDS_BY_SUFFIX = {".npz": "npz", ".csv": "csv"}
FILE_HINTS = {  # for files of other kinds
    (".h5", ".hdf5", ".keras", ".safetensors", ".pt", ".pth", ".ckpt", ".bin"): "; weights are given as weights=...",
    (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z"): "; unpack an archive, and give its folder"}


def get_path_kind(source):
    """Return "name", "folder", "npz" or "csv", the kind of a source given as a str or Path; UserError for another.

    The name of a dataset takes precedence over a folder of that name, which can contain its files. "./mnist" or a Path
    is the folder.
    """
    if isinstance(source, str) and source in DATASETS:
        return "name"
    path = expand_user(source)
    if source != "" and os.path.exists(path):  # Path("") is the current folder
        if os.path.isdir(path):
            return "folder"
        if path.suffix.lower() in KINDS_BY_SUFFIX:
            return KINDS_BY_SUFFIX[path.suffix.lower()]
        hint = next((hint for suffixes, hint in FILE_HINTS.items() if path.suffix.lower() in suffixes), "")
        raise UserError(f"{source} is a file, but not an .npz or .csv file; give the name of a dataset, a folder, an "
                        f".npz or a .csv file{hint}")
    if isinstance(source, str) and source == path.name and not path.suffix:  # possibly meant as a name
        raise UserError(f"{unknown_name_error('dataset', source, DATASETS)}; there is no folder, .npz or .csv "
                        f"file {source!r} either")
    raise UserError(f"there is no folder, .npz or .csv file {str(source)!r}; give the one that contains the images or "
                    "texts")


def check_source_arguments(kind, values):
    """Raise UserError for the first of {argument: value or None} that does not apply to this kind of source."""
    for argument, value in values.items():
        if value is not None and argument not in SOURCE_ARGUMENTS[kind]:
            kinds = " or ".join(SOURCE_DESCRIPTIONS[other] for other, arguments in SOURCE_ARGUMENTS.items()
                                if argument in arguments)
            value_text = "" if argument in ("validation_data", "test_data") else f"={value!r}"  # arrays are long
            raise UserError(f"{argument}{value_text} does not apply to {SOURCE_DESCRIPTIONS[kind]}, only to {kinds}; "
                            "omit it")


def describe_source(kind, source):
    """Return the name or path of a source, for messages; what it is where it has neither."""
    return SOURCE_DESCRIPTIONS[kind] if kind in ("dataset", "arrays") else source
