"""Select the test images that the plots and the report of a run show."""

import numpy as np

MAX_PER_CELL = 12  # misclassified images per (true class, predicted class)
MAX_CORRECT_PER_CLASS = 6  # correctly classified images per class
MAX_BYTES = 4 * 2**20  # of all images together: 1,365 RGB images of 32x32 pixels


def rank_misclassified(probabilities, labels):
    """Return the indices int64 (k,) of the misclassified images, the highest confidence first.

    probabilities: float (n, classes); labels: int (n,). Images of equal confidence keep their order.
    """
    indices = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return indices[np.argsort(-probabilities[indices].max(axis=1), kind="stable")]


def select_confusion_examples(probabilities, labels, image_bytes):
    """Return the indices int64 (k,), ascending, of the images to keep, of `image_bytes` bytes each.

    probabilities: float (n, classes); labels: int (n,). Keeps the most confident errors of each cell, and the least
    confident correct predictions. If these are too many, each cell keeps its first before any keeps its second.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == labels
    cell = labels * probabilities.shape[1] + predicted
    order = np.lexsort((np.where(correct, confidence, -confidence), cell))  # by cell, the most informative first
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    selected = rank < np.where(correct[order], MAX_CORRECT_PER_CLASS, MAX_PER_CELL)
    order, rank = order[selected], rank[selected]
    by_rank = order[np.lexsort((correct[order], rank))]
    return np.sort(by_rank[: max(MAX_BYTES // image_bytes, 1)]).astype(np.int64)
