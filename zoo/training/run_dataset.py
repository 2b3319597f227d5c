"""The data set of a run that is over, loaded again as the run had it. No backend is loaded."""

from pathlib import Path

import numpy as np

from zoo.data import dataset_info as datasets, image_folder
from zoo.data.file_layouts import find_layout
from zoo.data.datasets import load_dataset
from zoo.errors import UserError
from zoo.training import run_config as plans, run_files
from zoo.training.npz_file import read_arrays

MAX_PIXEL_DIFFERENCE = 8  # levels of 255 by which the pixels of an image may differ in the mean
COMPARE_BATCH_SIZE = 256  # images that are compared at a time


def find_data_dir(dataset_config):
    """Return the folder that the run's data came from, or None where it does not hold them any more."""
    source = Path(dataset_config.get("source") or "")
    folder = source.parent if source.is_file() else source
    return folder if folder.is_absolute() and folder.is_dir() and find_layout(folder, dataset_config["name"]) else None


def load_run_dataset(run, config, data_dir=None):
    """Return the Dataset of a run, whose run.json holds `facts`, with the run's --limit: a data set or a folder.

    data_dir: the folder of the data; None: where the run had them, else as in training. UserError when they cannot be
    found.
    """
    told, limit = config["dataset"], config.get("limit")
    try:
        if told.get("kind") == "folder":  # pictures in folders
            if data_dir is None and not Path(told["source"]).is_dir():
                raise UserError(f"{run} was trained on pictures in {told['source']}, which is not there any more; put "
                                "it back, or say with --data-dir where it is now")
            left_out = any(note.startswith(image_folder.SKIPPED_NOTE_PREFIX) for note in told.get("notes", ()))
            return image_folder.load_image_folder(told["source"] if data_dir is None else data_dir, told["shape"],
                                                  labels_from=told["labels_from"], limit=limit,
                                                  invalid_images="skip" if left_out else "error")
        datasets.get_dataset_info(told["name"])  # names the nearest one, where there is none
        data_dir = find_data_dir(told) if data_dir is None else data_dir
        return load_dataset(plans.get_run_dataset_info(told), data_dir=data_dir, limit=limit)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None


def check_run_split(run, config, name, dataset):
    """Return the split `name` of a Dataset; UserError where it is not the one that a run had.

    Compared are the classes, the number of images, and where the run was tested the labels of its test split and the
    images that samples.npz keeps: of the test split for "test", of the training split for the others.
    """
    told, split = config["dataset"], getattr(dataset, name)
    if list(dataset.info.class_names) != told["class_names"] or len(split) != told.get(name):
        raise UserError(f"{dataset.source} has {len(split):,} pictures in its {name} split, and the run had "
                        f"{told.get(name)}, of {len(told['class_names'])} classes; give its data with --data-dir")
    same, samples = True, Path(run) / "samples.npz"
    if name == "test":
        tested = run_files.read_predictions(Path(run), len(told["class_names"]))
        same = not tested or np.array_equal(tested[0], split.labels)
    if same and samples.is_file():
        same = has_samples(read_arrays(samples), name, dataset)
    if not same:
        raise UserError(f"the {name} split of {dataset.source} is not the one that {run} had, though it has as many "
                        "images; give its data with --data-dir, or evaluate on other images with --data")
    return split


def has_samples(arrays, name, dataset):
    """Return whether a Dataset has the images that samples.npz keeps of a run's data where the run had them.

    The order of a folder's images depends on the labels alone, so other images of the same classes have the same
    labels. Decoders of other versions may differ in a few levels, other images do in many.
    """
    if name == "test":
        split, kept, indices = dataset.test, arrays.get("cell_images"), arrays.get("cell_indices")
    else:
        split, kept = dataset.train, arrays.get("train_images")
        indices = np.arange(len(kept)) if kept is not None else None
    if kept is None or indices is None:
        return True
    if len(indices) and (indices.min() < 0 or indices.max() >= len(split)):
        return False
    for start in range(0, len(indices), COMPARE_BATCH_SIZE):
        images, _ = split.batch(indices[start:start + COMPARE_BATCH_SIZE])
        before = kept[start:start + COMPARE_BATCH_SIZE]
        if images.shape != before.shape:
            return False
        difference = np.abs(images.astype(np.int16) - before).mean(axis=(1, 2, 3))
        if (difference > MAX_PIXEL_DIFFERENCE).any():
            return False
    return True
