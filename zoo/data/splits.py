"""Which pictures are for training, for validation and for the test."""

import copy

import numpy as np

from zoo.errors import UserError

SPLIT_SEED = 1998  # of every split of every run: all runs share one validation set
HELD_OUT_TENTHS = {"test": 1,
                   "validation": 1}  # of the images that a missing split is carved from; train keeps the rest


class Split:
    """Some of the pictures of a set, which stay where they are: `rows` names them, in the split's order.

    `labels` is an int64 array (n,).
    """

    def __init__(self, images, labels, indices):
        self._images = images
        self._indices = indices
        self.labels = labels[indices].astype(np.int64)

    def __len__(self):
        return len(self._indices)

    @property
    def images(self):
        """The images as a SplitImages: `split.images[i]` belongs to `split.labels[i]`."""
        return SplitImages(self._images, self._indices)

    def batch(self, indices):
        """Return (images uint8 (n, height, width, channels), labels int64 (n,)) of the pictures at `indices`."""
        indices = np.asarray(indices, np.int64)
        return self._images[self._indices[indices]], self.labels[indices]

    def with_labels(self, labels):
        """Return a Split of the same images with other labels, int64 (n,)."""
        split = copy.copy(self)
        split.labels = labels
        return split


class SplitImages:
    """The images of a Split, indexed like an array by an int, a slice or an array of indices.

    `images[i]` is uint8 (height, width, channels), `images[:8]` is uint8 (8, height, width, channels). Nothing is read
    before it is indexed: the images of a large folder are decoded then. `np.asarray(images)` reads all of them.
    """

    def __init__(self, images, indices):
        self._images = images
        self._indices = indices

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, key):
        indices = self._indices[key]
        return self._images[indices] if np.ndim(indices) else self._images[indices[None]][0]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


def make_stratified_order(labels, seed):
    """Return a permutation (int64) of which every prefix, hence every slice, has the classes nearly in proportion.

    Each class is shuffled, its pictures are spread evenly over 0..1, and all are sorted by that, ties at random.
    Only raw draws of Philox and sorts are used, so that no release of NumPy can change the order.
    """
    labels = np.asarray(labels)
    shuffle, tie = np.random.Generator(np.random.Philox(seed)).random((2, len(labels)))
    by_class = np.lexsort((shuffle, labels))
    counts = np.bincount(labels)
    first = np.cumsum(counts) - counts
    rank = np.empty(len(labels))
    rank[by_class] = np.arange(len(labels)) - first[labels[by_class]]
    return np.lexsort((tie, (rank + 0.5) / counts[labels]))


def make_canonical_order(labels, hashes):
    """Return stratified_order of the records, the same pictures in whatever order a file holds them.

    `labels` (n,) are the finest labels there are; `hashes` is what checks.record_hashes() gives.
    """
    by_hash = np.argsort(hashes[:, :8].copy().view(">u8").ravel(), kind="stable")
    return by_hash[make_stratified_order(labels[by_hash], SPLIT_SEED)]


def split_by_ratio(order, sizes):
    """Cut `order` into consecutive pieces in proportion to `sizes`; the last piece takes what rounding leaves."""
    whole = sum(sizes)
    pieces = [max(1, len(order) * size // whole) for size in sizes[:-1]]
    if sum(pieces) >= len(order):
        raise UserError(f"{len(order)} pictures are too few to train on and to hold some out")
    return np.split(order, np.cumsum(pieces))


def split_off_missing(order, missing):
    """Return {split: indices} of "train" and of the splits in `missing`: `order`, cut in the proportions of TENTHS."""
    sizes = [HELD_OUT_TENTHS[split] for split in missing]
    *carved, train = split_by_ratio(order, (*sizes, 10 - sum(sizes)))
    return {"train": train, **dict(zip(missing, carved, strict=True))}


def check_limit(limit):
    """Raise a UserError unless `limit` is None or a whole number of at least 1."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1):
        raise UserError(f"a limit is a whole number of pictures, at least 1, not {limit!r}")
