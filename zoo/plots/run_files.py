"""The files of a run directory, read and checked: what is damaged is said in one line, before anything is drawn."""

import csv
import json

import numpy as np

from zoo.errors import UserError
from zoo.training.run import DAMAGE

COLUMNS = ("epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")


def damaged(path, why):
    """Return the UserError for a file of a run that cannot be what a training wrote."""
    why = " ".join(str(why).split()) or "it ends too early"
    return UserError(f"{path} is damaged ({why}): put back a sound copy, or train again")


def read_facts(run):
    """Return run.json as a dict in which network, dataset.name and dataset.label_names are sure to be.

    run: Path. Raises UserError when it is no run directory or the file is damaged.
    """
    if not run.is_dir():
        raise UserError(f"{run} is no run directory: there is no such folder")
    path = run / "run.json"
    if not path.is_file():
        raise UserError(f"{run} is no run directory: it has no run.json")
    facts = _read_json(path)
    dataset = facts.get("dataset")
    if not isinstance(facts.get("network"), str) or not isinstance(dataset, dict):
        raise damaged(path, "it does not say which network was trained on which dataset")
    names = dataset.get("label_names")
    if not isinstance(dataset.get("name"), str) or not isinstance(names, list) or not names:
        raise damaged(path, "the dataset has no name or no label_names")
    return facts


def read_result(run, epochs):
    """Return result.json as a dict, or None for a run that has not finished.

    epochs: how many the history holds; best_epoch must be one of them. Raises UserError when it is damaged.
    """
    path = run / "result.json"
    if not path.is_file():
        return None
    result = _read_json(path)
    if not all(isinstance(result.get(key), (int, float)) for key in ("test_accuracy_last", "test_accuracy_best")):
        raise damaged(path, "it has no test_accuracy_last or no test_accuracy_best")
    if result.get("best_epoch") not in range(1, epochs + 1):
        raise damaged(path, f"best_epoch is {result.get('best_epoch')!r}, and the history has {epochs} epochs")
    return result


def read_history(run):
    """Return history.csv as a dict of float arrays (epochs,), a key per column, or None when no epoch has finished.

    Raises UserError when it is damaged.
    """
    path = run / "history.csv"
    if not path.is_file():
        return None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        table = np.array(rows, float).reshape(len(rows), len(header))
    except (OSError, ValueError, csv.Error) as error:
        raise damaged(path, error) from None
    history = dict(zip(header, table.T, strict=True))
    missing = [name for name in COLUMNS if name not in history]
    if missing:
        raise damaged(path, f"it has no column {missing[0]}")
    if not np.array_equal(history["epoch"], np.arange(1, len(rows) + 1)):
        raise damaged(path, "its epochs do not count 1, 2, 3, ...")
    if not np.isfinite(history["learning_rate"]).all():
        raise damaged(path, "a learning rate is no number")
    return history if rows else None


def read_predictions(run, classes):
    """Return (labels int64 (n,), probabilities float (n, classes)) of predictions.npz, or None when it is not there.

    Raises UserError when it is damaged or does not fit the number of classes.
    """
    path = run / "predictions.npz"
    if not path.is_file():
        return None
    labels, probabilities = _read_arrays(path, "labels", "probabilities")
    if probabilities.ndim != 2 or probabilities.shape[1] != classes or not np.isfinite(probabilities).all():
        raise damaged(path, f"probabilities must be finite numbers, {classes} a picture, as many as there are classes")
    _check_labels(path, labels, len(probabilities), classes)
    return labels, probabilities


def read_samples(run, classes):
    """Return (images uint8 (m, h, w, c), labels int64 (m,)), the training pictures of samples.npz, or None.

    Raises UserError when it is damaged.
    """
    path = run / "samples.npz"
    if not path.is_file():
        return None
    images, labels = _read_arrays(path, "train_images", "train_labels")
    _check_images(path, images)
    _check_labels(path, labels, len(images), classes)
    return images, labels


def read_mistakes(run, predictions):
    """Return (images uint8 (k, h, w, c), indices int64 (k,)), the first mistakes of samples.npz, or None.

    predictions: what read_predictions returned. Raises UserError when it is damaged or belongs to other predictions.
    """
    path = run / "samples.npz"
    if not path.is_file():
        return None
    images, indices = _read_arrays(path, "mistake_images", "mistake_indices")
    labels, probabilities = predictions
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    _check_images(path, images)
    if indices.shape != images.shape[:1] or not np.array_equal(indices, wrong[: len(indices)]):
        raise damaged(path, "its mistakes are not those of predictions.npz")
    if len(wrong) and not len(indices):
        raise damaged(path, f"it shows none of the {len(wrong)} mistakes of predictions.npz")
    return images, indices


def read_cells(run, predictions):
    """Return (images uint8 (k, h, w, c), indices int64 (k,)): pictures for the cells of the confusion matrix, or None.

    predictions: what read_predictions returned. Runs of earlier versions have the first mistakes alone. Raises
    UserError when the file is damaged or belongs to other predictions.
    """
    path = run / "samples.npz"
    if not path.is_file():
        return None
    if "cell_images" not in _names_in(path):
        return read_mistakes(run, predictions)
    images, indices = _read_arrays(path, "cell_images", "cell_indices")
    _check_images(path, images)
    if indices.dtype.kind not in "iu" or indices.shape != images.shape[:1] or not (np.diff(indices) > 0).all():
        raise damaged(path, "its cell_indices are not one rising whole number a picture")
    if len(indices) and not 0 <= indices[0] <= indices[-1] < len(predictions[0]):
        raise damaged(path, f"its cell_indices run to {indices[-1]}, and {len(predictions[0])} pictures were tested")
    return images, indices.astype(np.int64)


def _names_in(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return set(file.files)
    except DAMAGE as error:
        raise damaged(path, error) from None


def _read_json(path):
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    if not isinstance(facts, dict):
        raise damaged(path, "it is no JSON object")
    return facts


def _read_arrays(path, *names):
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except DAMAGE as error:
        raise damaged(path, error) from None


def _check_images(path, images):
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:3]:
        raise damaged(path, f"pictures must be uint8 (count, height, width, 1 or 3), not {images.dtype} {images.shape}")


def _check_labels(path, labels, count, classes):
    if labels.dtype.kind not in "iu" or labels.shape != (count,) or not count:
        raise damaged(path, f"there must be one whole number a picture as its label, not {labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise damaged(path, f"its labels run from {labels.min()} to {labels.max()}, and there are {classes} classes")
