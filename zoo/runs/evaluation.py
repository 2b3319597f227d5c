"""Evaluate the model of a run on labeled images: its own splits, or others. Only `evaluate_run` loads a backend."""

import os
from pathlib import Path

from zoo.data.dataset_info import SPLITS
from zoo.data.split_names import parse_split_name
from zoo.data.labeled_images import LabeledImages
from zoo.errors import UserError
from zoo.runs.data import make_reader, reload_run_split
from zoo.training import run_files
from zoo.training.run_config import find_checkpoint
from zoo.utils.validation import check_positive_integer

DEFAULT_BATCH_SIZE = 128  # if run.json has none
TEST_REUSE_NOTE = ("the test split has been used again: do not select models by these numbers (use "
                   "split='validation')")


def load_own_split(run, config, split, data_dir=None):
    """Return the LabeledImages of one of the run's own splits; `config` is the contents of its run.json.

    Adds a note to the test split: it was evaluated at the end of training already.
    """
    run_split, source = reload_run_split(run, config, split, data_dir)
    notes = (TEST_REUSE_NOTE,) if split == "test" else ()
    return LabeledImages(run_split, source, split, notes)


def load_images(run, config, data, split, data_dir=None, labels_from=None, invalid_images="error"):
    """Return the LabeledImages of `data`, or where it is None of one of the run's own splits; see `Run.evaluate`."""
    if data is not None:
        return load_other_images(run, config, data, split, data_dir, labels_from, invalid_images)
    for name, value, default in (("labels_from", labels_from, None), ("invalid_images", invalid_images, "error")):
        if value != default:
            raise UserError(f"{name}={value!r} applies to a folder that is given as data=...; the run's own data are "
                            "read as in training; omit it")
    return load_own_split(run, config, split, data_dir)


def load_other_images(run, config, data, split, data_dir=None, labels_from=None, invalid_images="error"):
    """Return the LabeledImages, or texts, of other data than the run's splits; see `load_labeled_images`.

    Adds a note if the run was trained on data from the same folder or file.
    """
    check_is_data(data)
    info = config["dataset"]
    try:
        names = [str(name) for name in info["class_names"]]
        images = make_reader(Path(run), config).load_labeled(data, names, split, data_dir, labels_from, invalid_images)
    except (KeyError, TypeError) as error:
        raise UserError(f"{Path(run) / 'run.json'} is damaged: the dataset has no {error}") from None
    if images.split_name != "test" and is_within(images.source, info.get("source") or ""):
        plural = run_files.get_run_modality(config).plural
        note = f"{run} was trained on {plural} from {info['source']}, and these may include them"
        return LabeledImages(images.split, images.source, images.split_name, (*images.notes, note))
    return images


def check_is_data(data):
    """Raise UserError for the name of a split in place of data, unless a file or folder has that name."""
    split = parse_split_name(data) if isinstance(data, str) else None
    if split in SPLITS and not Path(data).exists():
        raise UserError(f"data {data!r} is not found; if you mean a split of the run's own data, give split={split!r} "
                        "and no data")


def is_within(path, folder):
    """Return whether `path` is `folder` or lies in it, links followed; False unless both are absolute paths."""
    if not (os.path.isabs(path) and os.path.isabs(folder)):
        return False
    path, folder = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return folder in (path, *path.parents)


def get_recipe_batch_size(config):
    """Return the training batch size, which reproduces the metrics of result.json to the last digit."""
    recipe = config.get("recipe")
    batch_size = recipe.get("batch_size") if isinstance(recipe, dict) else None
    return batch_size if isinstance(batch_size, int) and batch_size > 0 else DEFAULT_BATCH_SIZE


def evaluate_run(run, config, images, checkpoint="best", batch_size=None):
    """Return the metrics of a run's model on LabeledImages, and `notes` on them, a list of lines.

    See `zoo.training.evaluation.compute_metrics`.
    """
    find_checkpoint(run, checkpoint)
    if batch_size is not None:
        check_positive_integer("batch_size", batch_size)

    from zoo.training import evaluation

    model = evaluation.load_logits_model(run, config, checkpoint)
    probabilities = evaluation.predict_probabilities(model, images.split, batch_size or get_recipe_batch_size(config))
    names = [str(name) for name in config["dataset"]["class_names"]]
    metrics = evaluation.compute_metrics(probabilities, images.split.labels, names,
                                         run_files.get_run_modality(config).plural)
    return {**metrics, "notes": [*images.notes]}
