"""The data of a run: its dataset, reloaded exactly as it was. No backend is loaded."""

from pathlib import Path

import numpy as np

from zoo.data import dataset_info, image_folder
from zoo.data.datasets import load_dataset
from zoo.data.file_layouts import find_layout
from zoo.data.labeled_images import check_split_name
from zoo.data.loading import get_source_kind, load_data
from zoo.data.text_loading import load_imdb, load_text_files
from zoo.errors import UserError
from zoo.modality import get_modality
from zoo.training import run_files, run_samples
from zoo.training.npz_file import read_arrays
from zoo.training.run_config import NEW_RUN_HINT
from zoo.utils.io import expand_user

# Mean difference of a sample that is accepted: of an image's pixels on the scale 0..255, and of token ids
MAX_DIFFERENCES = {"uint8": 8, "int32": 0}
FILE_KINDS = {"folder": ("folder", "texts"), "csv": ("texts",), "npz": ("npz",)}  # in run.json, by the kind of source
COMPARE_BATCH_SIZE = 256  # images compared at a time


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
                        f"resume(dataset=...), or evaluate(zoo.load_data(({plural}, labels), ...)), with the same "
                        "arguments as in training")
    try:
        if info.get("kind") == "npz":
            path = expand_user(resolve_source(run, info, data_dir))
            if data_dir is not None and path.is_dir():  # the folder that contains the file
                path = path / Path(info["source"]).name
            return load_data(path, limit=limit, class_names=info["class_names"], shape=tuple(info["shape"]),
                             vocabulary=info.get("vocabulary"))
        return get_modality(info["shape"]).get_function("reload_dataset")(run, config, data_dir)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None


def load_given_dataset(run, config, source, data_dir=None):
    """Return the Dataset of a source that the user gives in place of the recorded one, without checking its contents.

    A source of the same kind is loaded with the arguments of the training, such as labels_from and class_names.
    """
    kind, info = get_source_kind(source), config["dataset"]
    if kind == "name" and "kind" not in info and source == info["name"]:
        return find_run_dataset(run, config, data_dir)
    if data_dir is None and info.get("kind") in FILE_KINDS.get(kind, ()):
        return find_run_dataset(run, config, source)
    return load_data(source, data_dir=data_dir, limit=None if kind == "dataset" else config.get("limit"),
                     shape=tuple(info["shape"]), vocabulary=info.get("vocabulary"),
                     class_names=info["class_names"] if kind == "arrays" else None)


def reload_image_dataset(run, config, data_dir):
    """Return the Dataset of a run on images; see `find_run_dataset`."""
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
    """Return the Dataset of a run on texts; see `find_run_dataset`."""
    dataset_config, limit = config["dataset"], config.get("limit")
    (length,), size = dataset_config["shape"], dataset_config["vocabulary"]
    if dataset_config.get("kind") == "texts":
        return load_text_files(expand_user(resolve_source(run, dataset_config, data_dir)), length, size, limit)
    info = dataset_info.get_dataset_info(dataset_config["name"])
    return load_imdb(info, length, size, find_data_dir(dataset_config) if data_dir is None else data_dir, limit)


def find_data_dir(dataset_config):
    """Return the folder that the run's data came from, or None where they are no longer there."""
    source = Path(dataset_config.get("source") or "")
    folder = source.parent if source.is_file() else source
    return folder if folder.is_absolute() and folder.is_dir() and find_layout(folder, dataset_config["name"]) else None


def resolve_source(run, dataset_config, data_dir):
    """Return the path of a run's files: `data_dir`, or where the run found them; UserError if they do not exist."""
    source = dataset_config["source"]
    if data_dir is None and not Path(source).exists():
        plural = get_modality(dataset_config["shape"]).plural
        raise UserError(f"{run} was trained on {plural} in {source}, which no longer exists; restore it, or pass its "
                        "new location with data_dir=...")
    return source if data_dir is None else data_dir


def make_reader(run, config):
    """Return the ImageReader or TextReader of a run, which reads what its model classifies."""
    return run_files.get_run_modality(config).get_function("make_reader")(run, config)


def check_same_data(run, dataset, option="data_dir"):
    """Raise UserError unless the dataset is the one that the run was started with.

    option: the keyword with which the user gives the data, which the message names; see `get_data_option`.
    """
    config = run_files.read_config(run)["dataset"]
    for name in dataset_info.SPLITS:
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
    levels, new_levels = (data.get("white_levels") for data in (config, dataset.origin))
    if levels != new_levels:
        raise UserError(f"{run} was started with other files than those in {dataset.source}: in images of more than 8 "
                        f"bits white was {format_white_levels(levels)}, and is {format_white_levels(new_levels)}; "
                        f"{advise_same_data(config, dataset, option)}, or {NEW_RUN_HINT}")


def format_white_levels(levels):
    """Return the white levels of a dataset, {kind: value} or None, as text."""
    return " and ".join(f"{value} ({kind})" for kind, value in (levels or {}).items()) or "none"


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


def reload_run_split(run, config, name, data_dir=None):
    """Return (split, source) of the split `name` of the run's data; UserError where it is not what the run used.

    Compared are the classes, the number of images, and where the run was tested the labels of its test split and the
    images in samples.npz: those of the test split for "test", of the training split for the others; for "validation",
    of which the run keeps none, the fingerprint of the dataset.
    """
    check_split_name(name)
    dataset = find_run_dataset(run, config, data_dir)
    dataset_config, split = config["dataset"], getattr(dataset, name)
    advice = "pass the run's data with data_dir=..., or evaluate on other data with data=..."
    names = [*map(str, dataset_config["class_names"])]
    if names != [*map(str, dataset.info.class_names)]:
        difference = describe_class_difference(names, [*map(str, dataset.info.class_names)])
        raise UserError(f"{dataset.source} has other classes than {run} was trained on: {difference}; {advice}")
    if len(split) != dataset_config.get(name):
        raise UserError(f"{dataset.source} has {len(split):,} {dataset.info.modality.plural} in its {name} split, but "
                        f"{run} had {dataset_config.get(name)}; {advice}")
    matches, samples = True, Path(run) / "samples.npz"
    if name == "test":
        predictions = run_samples.read_predictions(Path(run), len(dataset_config["class_names"]))
        matches = not predictions or np.array_equal(predictions[0], split.labels)
    if name == "validation":  # of which the run keeps no samples
        matches = all(dataset.origin.get(key) == dataset_config.get(key) for key in ("fingerprint", "white_levels"))
    if matches and samples.is_file():
        matches = has_samples(read_arrays(samples), name, dataset)
    if not matches:
        raise UserError(f"the {name} split of {dataset.source} is not that of {run}, although it has the same number "
                        f"of samples; {advice}")
    return split, dataset.source


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
