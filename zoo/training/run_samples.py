"""Reading and writing predictions.npz and samples.npz of a run directory; see zoo.training.run_files."""

import os

import numpy as np

from zoo.modality import get_modality
from zoo.training.confusion_examples import rank_misclassified
from zoo.training.npz_file import make_damaged_file_error, read_arrays, write_arrays


def write_predictions(run, labels, probabilities):
    """Write predictions.npz: labels (n,) int and probabilities (n, classes) float32 of the test split."""
    write_arrays(run / "predictions.npz", {"labels": labels.astype(np.int64), "probabilities": probabilities})


def write_samples(run, train, misclassified, confusion_examples):
    """Write samples.npz: (images, labels) of the training split, and of the test split (images, indices) of the most
    confident errors and of examples for the confusion matrix.
    """
    write_arrays(run / "samples.npz", {"train_images": train[0], "train_labels": train[1],
                                       "misclassified_images": misclassified[0],
                                       "misclassified_indices": misclassified[1],
                                       "confusion_images": confusion_examples[0],
                                       "confusion_indices": confusion_examples[1]})


def read_predictions(run, classes):
    """Return (labels int64 (n,), probabilities float (n, classes)) of predictions.npz, or None without the file.

    UserError when it is damaged or does not match the number of classes.
    """
    path = run / "predictions.npz"
    if not os.path.lexists(path):
        return None
    labels, probabilities = _read_arrays(path, "labels", "probabilities")
    if (probabilities.dtype.kind != "f" or probabilities.ndim != 2 or probabilities.shape[1] != classes
            or not ((probabilities >= 0) & (probabilities <= 1.001)).all()):
        raise make_damaged_file_error(path,
                                      f"probabilities must be from 0 to 1, {classes} per image, one for each class")
    _check_labels(path, labels, len(probabilities), classes)
    return labels, probabilities


def read_samples(run, classes):
    """Return (images uint8 (m, h, w, c), labels int64 (m,)), the training images of samples.npz, or None.

    UserError when it is damaged.
    """
    path = run / "samples.npz"
    if not os.path.lexists(path):
        return None
    images, labels = _read_arrays(path, "train_images", "train_labels")
    _check_images(path, images)
    _check_labels(path, labels, len(images), classes)
    return images, labels


def read_misclassified(run, predictions):
    """Return (images uint8 (k, h, w, c), indices int64 (k,)) of samples.npz, or None: the misclassified images with the
    highest confidence, the highest first.

    predictions: the result of `read_predictions`. UserError when it is damaged or belongs to other predictions.
    """
    path = run / "samples.npz"
    if not os.path.lexists(path):
        return None
    images, indices = _read_arrays(path, "misclassified_images", "misclassified_indices")
    labels, probabilities = predictions
    misclassified = rank_misclassified(probabilities, labels)
    _check_images(path, images)
    if indices.shape != images.shape[:1] or not np.array_equal(indices, misclassified[: len(indices)]):
        raise make_damaged_file_error(path, "its misclassified images do not match predictions.npz")
    if len(misclassified) and not len(indices):
        raise make_damaged_file_error(path, f"it has none of the {len(misclassified)} misclassified images of "
                                            "predictions.npz")
    return images, indices


def read_confusion_examples(run, predictions):
    """Return (images uint8 (k, h, w, c), indices int64 (k,)): examples for the confusion matrix, or None.

    predictions: the result of `read_predictions`. UserError when the file is damaged or belongs to other predictions.
    """
    path = run / "samples.npz"
    if not os.path.lexists(path):
        return None
    images, indices = _read_arrays(path, "confusion_images", "confusion_indices")
    _check_images(path, images)
    if indices.dtype.kind not in "iu" or indices.shape != images.shape[:1] or not (indices[1:] > indices[:-1]).all():
        raise make_damaged_file_error(path, "its confusion_indices are not one integer per image in ascending order")
    if len(indices) and not 0 <= indices[0] <= indices[-1] < len(predictions[0]):
        raise make_damaged_file_error(path,
                                      f"its confusion_indices go up to {indices[-1]}, but {len(predictions[0])} images "
                                      "were tested")
    return images, indices.astype(np.int64)


def _read_arrays(path, *names):
    arrays = read_arrays(path, names.__contains__)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise make_damaged_file_error(path, f"it has no {missing[0]}")
    return [arrays[name] for name in names]


def _check_images(path, images):
    modality = get_modality(images.shape[1:])
    if (images.dtype != modality.sample_dtype or images.ndim != 1 + len(modality.axes) or 0 in images.shape[1:]
            or images.shape[3:] not in ((), (1,), (3,)) or images.dtype != np.uint8 and (images < 0).any()):
        raise make_damaged_file_error(path, "images must be uint8 (count, height, width, 1 or 3), texts int32 (count, "
                                      f"length), not {images.dtype} {images.shape}")


def _check_labels(path, labels, count, classes):
    if labels.dtype.kind not in "iu" or labels.shape != (count,) or not count:
        raise make_damaged_file_error(path, "labels must be one integer per image, not "
                                      f"{labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise make_damaged_file_error(path, f"its labels range from {labels.min()} to {labels.max()}, but there are "
                                      f"{classes} classes")
