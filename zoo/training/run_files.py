"""Reading and writing the files of a run directory, here and in run_samples.py. Nothing in a file is executed.

    run.json           the configuration and the environment of the run: written first
    history.csv        one row per epoch: learning rate of its last step, losses, accuracies; timings.csv: the
                       seconds of its steps, without validation and checkpoints
    checkpoints/       best.npz and last.npz: every variable by path; see zoo.training.checkpoints
    predictions.npz    labels (n,) int64 and probabilities (n, classes) float32 of the test split, at the best epoch
    samples.npz        training images, misclassified images and confusion examples, uint8; of texts token ids, int32
    words.txt          of texts only: a word per line, the most frequent first; see zoo.data.vocabulary
    plots/             by zoo.reports, and report.html
    result.json        written last: the run is finished

Every file is written under a temporary name and renamed. A file that zoo cannot have written raises a UserError of one
line, whatever the damage; a pipe, a device or a folder in its place is refused without being opened.
"""

import csv
import io
import json
import math
import os
from pathlib import Path

import numpy as np

from zoo import env
from zoo.catalogue import VOCABULARY_LIMITS
from zoo.errors import UserError
from zoo.modality import IMAGE, get_modality
from zoo.training.npz_file import make_damaged_file_error
from zoo.utils.io import read_bytes, read_json, write_text

FORMAT_VERSION = 1  # of run.json, and of the files beside it
# Columns of every history.csv, and those of them that are always finite
HISTORY_COLUMNS = ("epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")
FINITE_COLUMNS = ("learning_rate", "val_loss", "val_accuracy")
MAX_CSV_BYTES = 512 * 2**20  # bytes; a row has about 100
MAX_NUMBER = 1e9  # of any number in the files without a limit of its own


# run.json

def write_config(run, config):
    """Write run.json; its first key is the format."""
    entries = {key: value for key, value in config.items() if key != "format"}
    write_text(run / "run.json", json.dumps({"format": FORMAT_VERSION, **entries}, indent=2) + "\n")


def write_dataset_files(run, dataset):
    """Write the files of a Dataset that a run keeps, such as its word list."""
    for name, text in dataset.files.items():
        write_text(run / name, text)


def get_run_modality(config):
    """Return the Modality of a run whose run.json holds `config`."""
    return get_modality(config["dataset"].get("shape") or IMAGE.shape_example)


def check_model_config(run, config):
    """Raise UserError where `config`, the run.json of a run, lacks the configuration from which its model is built."""
    if not isinstance(config.get("model_config"), dict):
        raise UserError(f"{run / 'run.json'} is damaged: it lacks model_config, from which the model is built")


def read_white_levels(run):
    """Return how a run scaled images of more than eight bits; None if it had none."""
    return read_config(run)["dataset"].get("white_levels")


def get_class_weights(config):
    """Return {class name: weight in the loss} of a run whose run.json holds `config`; None without class weights."""
    weights = config.get("class_weight")
    return dict(zip(config["dataset"]["class_names"], weights, strict=False)) if isinstance(weights, list) else None


def check_run_directory(run):
    """Raise UserError unless `run` is a folder with a run.json."""
    if not os.path.isdir(run):
        raise UserError(f"{run} is not a run directory: there is no such folder")
    if not os.path.lexists(Path(run) / "run.json"):
        raise UserError(f"{run} is not a run directory: it has no run.json; name a folder that zoo.train created")


def read_config(run):
    """Return run.json as a dict, in which model, dataset.name and dataset.class_names are always present.

    Other keys can be missing; those that are present have the right types. UserError when `run` is not a run directory,
    when a newer zoo wrote it, and when the file is damaged.
    """
    path = Path(run) / "run.json"
    check_run_directory(run)
    config = _read_json(path)
    version = config.get("format", FORMAT_VERSION)
    if not _is_count(version, 1):
        raise make_damaged_file_error(path, f"format {version!r}")
    if version > FORMAT_VERSION:
        raise UserError(f"{path} was written by a newer zoo: its format is {version}, and this zoo reads "
                        f"{FORMAT_VERSION}; upgrade zoo")
    dataset = config.get("dataset")
    if not isinstance(config.get("model"), str) or not isinstance(dataset, dict):
        raise make_damaged_file_error(path, "it does not say which model was trained on which dataset")
    names = dataset.get("class_names")
    if not isinstance(dataset.get("name"), str) or not isinstance(names, list) or not names:
        raise make_damaged_file_error(path, "the dataset has no name or no class_names")
    if not all(isinstance(name, str) for name in names):
        raise make_damaged_file_error(path, "a class name is not a string")
    _check_values(path, config, CONFIG_CHECKS)
    _check_values(path, dataset, DATASET_CHECKS)
    return config


def _check_values(path, content, checks):
    for key, is_valid in checks.items():
        if key in content and not is_valid(content[key]):
            raise make_damaged_file_error(path, f"{key} cannot be {content[key]!r}")


def _is_count(value, minimum=0, maximum=MAX_NUMBER):
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum


def _is_real(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_number(value, maximum=MAX_NUMBER):
    return _is_real(value) and 0 <= value <= maximum


def _is_text(value):
    return isinstance(value, str)


def _is_dict(value):
    return isinstance(value, dict)


def _is_dict_or_none(value):
    return value is None or isinstance(value, dict)


CONFIG_CHECKS = {  # key of run.json: whether a value is valid
    "command": _is_text, "model_config": _is_dict, "recipe": _is_dict, "versions": _is_dict,
    "finetuning": _is_dict_or_none, "head_recipe": _is_dict_or_none,
    "backend": lambda value: value in env.BACKENDS, "precision": _is_text, "device": _is_text,
    "seed": lambda value: _is_count(value, 0, 2**32 - 1), "parameters": lambda value: _is_count(value, 0, 2**62),
    "limit": lambda value: value is None or _is_count(value, 1, 2**62),
    "class_weight": lambda value: value is None or (isinstance(value, list) and all(map(_is_number, value))),
    "deterministic": lambda value: isinstance(value, bool), "stop_reason": _is_text,
}
DATASET_CHECKS = {  # the same for its "dataset"
    "title": _is_text, "source": _is_text, "kind": _is_text, "train": _is_count, "validation": _is_count,
    "test": _is_count, "classes": lambda value: _is_count(value, 1),
    "shape": lambda value: (isinstance(value, list) and len(value) in (1, 3)  # a text or an image
                            and all(_is_count(size, 1) for size in value)),
    "mean": lambda value: isinstance(value, list) and all(map(_is_real, value)),
    "std": lambda value: isinstance(value, list) and all(_is_real(number) and number > 0 for number in value),
    "white_levels": lambda value: isinstance(value, dict) and all(_is_number(white, 2**32) and white > 0
                                                           for white in value.values()),
    "notes": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "vocabulary": lambda value: _is_count(value, *VOCABULARY_LIMITS),
}


# result.json

def write_result(run, result):
    """Write result.json, which marks the run as finished."""
    write_text(run / "result.json", json.dumps(result, indent=2) + "\n")


def read_result(run, epochs=None):
    """Return result.json as a dict, or None for a run that has not finished.

    test_accuracy_best, test_accuracy_last and best_epoch are always present. epochs: their number in the history, where
    it is known; best_epoch must be one of them. UserError when the file is damaged.
    """
    path = run / "result.json"
    if not os.path.lexists(path):
        return None
    result = _read_json(path)
    for key in ("test_accuracy_best", "test_accuracy_last"):
        if not _is_number(result.get(key), 1):
            raise make_damaged_file_error(path, f"{key} must be a number from 0 to 1, not {result.get(key)!r}")
    best_epoch = result.get("best_epoch")
    if not _is_count(best_epoch, 1) or (epochs is not None and best_epoch > epochs):
        history = "" if epochs is None else f", and the history has {epochs} epochs"
        raise make_damaged_file_error(path, f"best_epoch is {best_epoch!r}{history}")
    _check_values(path, result, RESULT_CHECKS)
    return result


def _is_dict_of_fractions(value):
    return isinstance(value, dict) and all(fraction is None or _is_number(fraction, 1) for fraction in value.values())


RESULT_CHECKS = {  # key of result.json: whether a value is valid
    "epochs": lambda value: _is_count(value, 1), "max_epochs": lambda value: _is_count(value, 1),
    "val_accuracy_best": lambda value: _is_number(value, 1), "ece": lambda value: _is_number(value, 1),
    "test_top5_best": lambda value: _is_number(value, 1), "test_top5_last": lambda value: _is_number(value, 1),
    "seconds": _is_number, "peak_memory": lambda value: value is None or _is_number(value),
    "per_class": _is_dict_of_fractions,
}


# history.csv and timings.csv

def write_history(run, rows):
    """Write history.csv: a list of dicts with the same keys, one per epoch."""
    _write_csv(run / "history.csv", rows)


def write_timings(run, rows):
    """Write timings.csv: a list of {"epoch": N, "seconds": S}."""
    _write_csv(run / "timings.csv", rows)


def read_history_rows(run):
    """Return the rows of history.csv, dicts of numbers, one per epoch; [] when no epoch has finished.

    UserError when the file is damaged.
    """
    path = run / "history.csv"
    header, rows = _read_csv(path)
    if not header:
        return []
    missing = [name for name in HISTORY_COLUMNS if name not in header]
    if missing:
        raise make_damaged_file_error(path, f"it has no column {missing[0]}")
    for name in header:  # an auxiliary classifier has both
        output, _, metric = name.rpartition("_")
        other = f"{output}_{'accuracy' if metric == 'loss' else 'loss'}"
        if name not in HISTORY_COLUMNS and (metric not in ("loss", "accuracy") or not output or other not in header):
            raise make_damaged_file_error(path, f"training never writes a column {name!r}" + (
                f" without {other}" if metric in ("loss", "accuracy") else ""))
    for row in rows:
        for name in FINITE_COLUMNS:
            if not math.isfinite(row[name]):
                raise make_damaged_file_error(path, f"{name} of epoch {row['epoch']} is not finite")
    return rows


def read_history(run):
    """Return history.csv as a dict of float arrays (epochs,), a key per column, or None when no epoch has finished.

    UserError when the file is damaged.
    """
    rows = read_history_rows(run)
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]} if rows else None


def read_timings(run):
    """Return the rows of timings.csv, dicts with epoch and seconds; [] when no epoch has finished.

    UserError when the file is damaged.
    """
    path = run / "timings.csv"
    header, rows = _read_csv(path)
    if header and header != ["epoch", "seconds"]:
        raise make_damaged_file_error(path, "its columns are not epoch and seconds")
    if not all(0 <= row["seconds"] <= MAX_NUMBER for row in rows):
        raise make_damaged_file_error(path, "the seconds of an epoch are out of range")
    return rows


def _write_csv(path, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _read_csv(path):
    """Return (header, rows): rows are dicts of numbers, with epochs 1, 2, 3, ...; [], [] where there is no file."""
    if not os.path.lexists(path):
        return [], []
    try:
        header, *lines = csv.reader(io.StringIO(read_bytes(path, MAX_CSV_BYTES).decode("utf-8"), newline=""))
        if len(set(header)) < len(header) or "epoch" not in header:
            raise ValueError("its first line does not name the columns")
        columns = [list(map(int if name == "epoch" else float, texts))
                   for name, *texts in zip(header, *lines, strict=True)]
    except (OSError, ValueError, csv.Error) as error:
        raise make_damaged_file_error(path, error) from None
    rows = [dict(zip(header, values, strict=True)) for values in zip(*columns, strict=True)]
    if any(row["epoch"] != epoch for epoch, row in enumerate(rows, start=1)):
        raise make_damaged_file_error(path, "its epochs are not 1, 2, 3, ...")
    return header, rows


def _read_json(path):
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise make_damaged_file_error(path, error) from None
