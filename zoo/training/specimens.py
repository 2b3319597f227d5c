"""Which test pictures a report can show for the cells of its confusion matrix."""

import numpy as np

A_CELL = 12  # pictures, of one class taken for another
RIGHT = 6  # pictures of a class that were recognised
BYTES = 4 * 2**20  # of all pictures together: 1,365 of 32x32 pixels in colour


def specimens(probable, labels, size):
    """Return the places int64 (k,), in rising order, of the pictures to keep; `size` is that of one, in bytes.

    probable: float (n, classes); labels: int (n,). Of each cell the surest mistakes, of the pictures that were
    recognised the least sure. Where they are too many, each cell keeps its first before another has its second.
    """
    predicted, sure = probable.argmax(axis=1), probable.max(axis=1)
    right = predicted == labels
    cell = labels * probable.shape[1] + predicted
    order = np.lexsort((np.where(right, sure, -sure), cell))  # cell by cell, the most telling first
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    kept = rank < np.where(right[order], RIGHT, A_CELL)
    order, rank = order[kept], rank[kept]
    in_turn = order[np.lexsort((right[order], rank))]
    return np.sort(in_turn[: max(BYTES // size, 1)]).astype(np.int64)
