"""Reloading the dataset of a run exactly as the run used it. No backend is loaded."""

from pathlib import Path

import numpy as np

from zoo.data import dataset_info, image_folder
from zoo.data.file_layouts import find_layout
from zoo.data.datasets import load_dataset
from zoo.data.text_loading import load_imdb, load_text_files
from zoo.errors import UserError
from zoo.modality import get_modality
from zoo.training import run_samples
from zoo.training.npz_file import read_arrays
from zoo.utils.io import expand_user

# Mean difference of a sample that is accepted: of an image's pixels on the scale 0..255, and of token ids
MAX_DIFFERENCES = {"uint8": 8, "int32": 0}
COMPARE_BATCH_SIZE = 256  # images compared at a time


def find_data_dir(dataset_config):
    """Return the folder that the run's data came from, or None where they are no longer there."""
    source = Path(dataset_config.get("source") or "")
    folder = source.parent if source.is_file() else source
    return folder if folder.is_absolute() and folder.is_dir() and find_layout(folder, dataset_config["name"]) else None


def load_run_dataset(run, config, data_dir=None):
    """Return the Dataset of a run, a named dataset or files, with the run's --limit.

    config: its run.json. data_dir: the folder of the data; None: where the run found them, else the default of
    training. UserError when they are not found.
    """
    try:
        return get_modality(config["dataset"]["shape"]).get_function("reload_dataset")(run, config, data_dir)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None


def reload_image_dataset(run, config, data_dir):
    """Return the Dataset of a run on images; see `load_run_dataset`."""
    dataset_config, limit = config["dataset"], config.get("limit")
    if dataset_config.get("kind") == "folder":
        has_skipped = any(note.startswith(image_folder.SKIPPED_NOTE_PREFIX) for note in dataset_config.get("notes", ()))
        return image_folder.load_image_folder(resolve_source(run, dataset_config, data_dir), dataset_config["shape"],
                                              labels_from=dataset_config["labels_from"], limit=limit,
                                              invalid_images="skip" if has_skipped else "error")
    dataset_info.get_dataset_info(dataset_config["name"])  # suggests the closest name for an unknown one
    data_dir = find_data_dir(dataset_config) if data_dir is None else data_dir
    return load_dataset(dataset_info.deserialize_dataset_info(dataset_config), data_dir=data_dir, limit=limit)


def reload_text_dataset(run, config, data_dir):
    """Return the Dataset of a run on texts; see `load_run_dataset`."""
    dataset_config, limit = config["dataset"], config.get("limit")
    (length,), size = dataset_config["shape"], dataset_config["vocabulary"]
    if dataset_config.get("kind") == "texts":
        return load_text_files(expand_user(resolve_source(run, dataset_config, data_dir)), length, size, limit)
    info = dataset_info.get_dataset_info(dataset_config["name"])
    return load_imdb(info, length, size, find_data_dir(dataset_config) if data_dir is None else data_dir, limit)


def resolve_source(run, dataset_config, data_dir):
    """Return the path of a run's files: `data_dir`, or where the run found them; UserError if they do not exist."""
    source = dataset_config["source"]
    if data_dir is None and not Path(source).exists():
        plural = get_modality(dataset_config["shape"]).plural
        raise UserError(f"{run} was trained on {plural} in {source}, which no longer exists; restore it, or pass its "
                        "new location with data_dir=...")
    return source if data_dir is None else data_dir


def check_run_split(run, config, name, dataset):
    """Return the split `name` of a Dataset; UserError where it is not the split that a run used.

    Compared are the classes, the number of images, and where the run was tested the labels of its test split and the
    images in samples.npz: those of the test split for "test", of the training split for the others.
    """
    dataset_config, split = config["dataset"], getattr(dataset, name)
    if list(dataset.info.class_names) != dataset_config["class_names"] or len(split) != dataset_config.get(name):
        plural = dataset.info.modality.plural
        raise UserError(f"{dataset.source} has {len(split):,} {plural} in its {name} split, but the run had "
                        f"{dataset_config.get(name)}, of {len(dataset_config['class_names'])} classes; pass the run's "
                        "data with data_dir=...")
    matches, samples = True, Path(run) / "samples.npz"
    if name == "test":
        predictions = run_samples.read_predictions(Path(run), len(dataset_config["class_names"]))
        matches = not predictions or np.array_equal(predictions[0], split.labels)
    if matches and samples.is_file():
        matches = has_samples(read_arrays(samples), name, dataset)
    if not matches:
        raise UserError(f"the {name} split of {dataset.source} is not that of {run}, although it has the same number "
                        "of samples; pass the run's data with data_dir=..., or evaluate on other data with data=...")
    return split


def has_samples(arrays, name, dataset):
    """Return whether a Dataset has the images of samples.npz at the same indices as the run.

    The order of a folder's images depends on the labels alone, so other images of the same classes have the same
    labels. Decoders of different versions may differ by a few levels, different images by many.
    """
    if name == "test":
        split, saved_images, indices = dataset.test, arrays.get("confusion_images"), arrays.get("confusion_indices")
    else:
        split, saved_images = dataset.train, arrays.get("train_images")
        indices = np.arange(len(saved_images)) if saved_images is not None else None
    if saved_images is None or indices is None:
        return True
    if len(indices) and (indices.min() < 0 or indices.max() >= len(split)):
        return False
    for start in range(0, len(indices), COMPARE_BATCH_SIZE):
        images, _ = split.batch(indices[start:start + COMPARE_BATCH_SIZE])
        saved_batch = saved_images[start:start + COMPARE_BATCH_SIZE]
        if images.shape != saved_batch.shape:
            return False
        difference = np.abs(images.astype(np.int64) - saved_batch).reshape(len(images), -1).mean(axis=1)
        if (difference > MAX_DIFFERENCES[images.dtype.name]).any():
            return False
    return True
