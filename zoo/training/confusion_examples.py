"""Which test pictures a report can show for the cells of its confusion matrix."""

import numpy as np

MAX_PER_CELL = 12  # pictures, of one class taken for another
MAX_CORRECT_PER_CLASS = 6  # pictures of a class that were recognised
MAX_BYTES = 4 * 2**20  # of all pictures together: 1,365 of 32x32 pixels in colour


def select_confusion_examples(probabilities, labels, image_bytes):
    """Return the places int64 (k,), in rising order, of the pictures to keep; `size` is that of one, in bytes.

    probable: float (n, classes); labels: int (n,). Of each cell the surest mistakes, of the pictures that were
    recognised the least sure. Where they are too many, each cell keeps its first before another has its second.
    """
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = predicted == labels
    cell = labels * probabilities.shape[1] + predicted
    order = np.lexsort((np.where(right, sure, -sure), cell))  # cell by cell, the most telling first
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    kept = rank < np.where(right[order], MAX_CORRECT_PER_CLASS, MAX_PER_CELL)
    order, rank = order[kept], rank[kept]
    in_turn = order[np.lexsort((right[order], rank))]
    return np.sort(in_turn[: max(MAX_BYTES // image_bytes, 1)]).astype(np.int64)
