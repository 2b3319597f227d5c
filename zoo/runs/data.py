"""The data of a run: its dataset, reloaded exactly as it was, and single images. No backend is loaded."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.data import image_io
from zoo.data.labeled_images import check_split_name
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.training import run_files
from zoo.training.run_config import NEW_RUN_HINT
from zoo.training.run_dataset import check_run_split, load_run_dataset
from zoo.utils.io import expand_user

SPLITS = ("train", "validation", "test")


def reload_run_dataset(run, config, data_dir=None):
    """Return the Dataset of a run directory whose run.json holds `config`.

    Raises UserError if it is not found, differs from the data of the run, or was arrays in memory.
    """
    dataset = find_run_dataset(run, config, data_dir)
    check_same_data(run, dataset)
    return dataset


def find_run_dataset(run, config, data_dir=None):
    """Return the Dataset from the path that the run recorded, or from `data_dir`, without checking its contents."""
    info, limit = config["dataset"], config.get("limit")
    if info.get("kind") == "arrays":
        plural = run_files.get_run_modality(config).plural
        raise UserError(f"{run} was trained on arrays, which are not saved in it; pass them again: "
                        f"resume(dataset=...), evaluate(({plural}, labels))")
    if info.get("kind") == "npz":
        path = Path(info.get("source") or "")
        if data_dir is not None:  # the file, or the folder that contains it
            location = expand_user(data_dir)
            path = location / path.name if location.is_dir() else location
        return load_data(path, limit=limit, class_names=info["class_names"])
    return load_run_dataset(run, config, data_dir)


def reload_run_split(run, config, name, data_dir=None):
    """Return one split of the run's data; UserError if it differs from the run's: see `check_run_split`."""
    check_split_name(name)
    return check_run_split(run, config, name, find_run_dataset(run, config, data_dir))


def make_reader(run, config):
    """Return the ImageReader or TextReader of a run, which reads what its model classifies."""
    return run_files.get_run_modality(config).get_function("make_reader")(run, config)


def check_same_data(run, dataset, option="data_dir"):
    """Raise UserError unless the dataset is the one that the run was started with.

    option: the keyword with which the user gives the data, which the message names; see `get_data_option`.
    """
    config = run_files.read_config(run)["dataset"]
    for name in SPLITS:
        if len(getattr(dataset, name)) != config.get(name):
            raise UserError(f"{run} was started with {describe_run_data(config)}, {config.get(name)} "
                            f"{dataset.info.modality.plural} for {name}, but {dataset.source} has "
                            f"{len(getattr(dataset, name))}; {advise_same_data(config, dataset, option)}, or "
                            f"{NEW_RUN_HINT}")
    names = [*map(str, config.get("class_names", ()))]
    if names != [*map(str, dataset.info.class_names)]:
        raise UserError(f"{run} was started with other classes than those of {dataset.source}: "
                        f"{describe_class_difference(names, [*map(str, dataset.info.class_names)])}; "
                        f"{advise_same_data(config, dataset, option)}, or {NEW_RUN_HINT}")
    if config.get("fingerprint") != dataset.origin.get("fingerprint"):
        kinds, parts = (("arrays", "samples or labels") if dataset.origin.get("kind") == "arrays" else
                        ("files", "names, sizes or labels"))
        raise UserError(f"{run} was started with other {kinds} than those in {dataset.source}: their number is the "
                        f"same, but {parts} differ; {advise_same_data(config, dataset, option)}, or {NEW_RUN_HINT}")


def describe_class_difference(old_names, new_names):
    """Return how two lists of class names differ: "without 'sky', with 'heaven'"."""
    parts = [f"{word} {', '.join(map(repr, names[:3]))}" + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
             for word, names in (("without", [name for name in old_names if name not in new_names]),
                                 ("with", [name for name in new_names if name not in old_names])) if names]
    return ", ".join(parts) or "the same in another order"


def describe_run_data(config):
    """Return the name of a named dataset, or else the path, from `config`, the "dataset" of run.json."""
    return config.get("source", config["name"]) if "kind" in config else f"the dataset {config['name']}"


def advise_same_data(config, dataset, option):
    """Return how to give the data of `config`, the "dataset" of run.json, in place of another Dataset."""
    if config.get("kind") == "arrays":
        return "give the same arrays with dataset=... (with validation_data and test_data: dataset=zoo.load_data(...))"
    if "kind" in config or ("kind" not in dataset.origin and dataset.info.name == config["name"]):
        return f"give the same files with {option}=..."
    return f"give dataset={config['name']!r}"


def get_data_option(dataset):
    """Return the keyword with which a Dataset was given to `fit`: that of its folder for a named dataset."""
    return "dataset" if "kind" in dataset.origin else "data_dir"


def to_pil_image(image):
    """Return (Pillow image, its name) of a path, a Pillow image or an array; UserError for anything else."""
    if isinstance(image, (str, os.PathLike)):
        path = expand_user(image)
        if not path.is_file():
            raise UserError(f"image file {image} is not found")
        return image_io.load_image(path), path.name
    if isinstance(image, Image.Image):
        return image_io.prepare_pil_image(image, "the image"), "an image"
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype != np.uint8 or not array.size or array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise UserError("image must be a path, or an array uint8 (height, width, channels) of 1 or 3 channels; got "
                        f"{array.dtype} {np.shape(image)}")
    return Image.fromarray(array), "an array"
