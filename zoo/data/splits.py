"""Splitting images into training, validation and test sets."""

import copy

import numpy as np

from zoo.errors import UserError

SPLIT_SEED = 1998  # of every split of every run, so that all runs share one validation set
# Tenths of the images from which a missing split is split off; train keeps the rest.
HELD_OUT_TENTHS = {"test": 1, "validation": 1}


class Split:
    """A subset of the images of a dataset, which are not copied: `indices` selects them, in the order of the split.

    `labels` is an int64 array (n,).
    """

    def __init__(self, images, labels, indices):
        self._images = images
        self._indices = indices
        self.labels = labels[indices].astype(np.int64)

    def __len__(self):
        return len(self._indices)

    def __repr__(self):
        return f"<Split of {len(self):,}: images {self.images.shape} {self.images.dtype}, labels {self.labels.shape}>"

    @property
    def images(self):
        """The images as a SplitImages: `split.images[i]` belongs to `split.labels[i]`."""
        return SplitImages(self._images, self._indices)

    def batch(self, indices):
        """Return (images uint8 (n, height, width, channels), labels int64 (n,)) of the images at `indices`."""
        indices = np.asarray(indices, np.int64)
        return self._images[self._indices[indices]], self.labels[indices]

    def with_labels(self, labels):
        """Return a Split of the same images with other labels, int64 (n,)."""
        split = copy.copy(self)
        split.labels = labels
        return split


class SplitImages:
    """The images of a Split, indexed like an array by an int, a slice or an array of indices.

    `images[i]` is uint8 (height, width, channels), `images[:8]` is uint8 (8, height, width, channels). Images are
    only read when they are indexed: those of a large folder are decoded then. `np.asarray(images)` reads all of them.
    """

    def __init__(self, images, indices):
        self._images = images
        self._indices = indices

    def __len__(self):
        return len(self._indices)

    def __repr__(self):
        return f"<SplitImages {self.shape} {self.dtype}; [:] reads them all>"

    @property
    def shape(self):
        """(n, height, width, channels), or of token ids (n, length)."""
        return (len(self), *self[:0].shape[1:])

    @property
    def dtype(self):
        """uint8, or of token ids int32."""
        return self[:0].dtype

    def __getitem__(self, key):
        indices = self._indices[key]
        return self._images[indices] if np.ndim(indices) else self._images[indices[None]][0]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


def make_stratified_order(labels, seed):
    """Return a permutation (int64) in which every prefix, hence every slice, has the classes nearly in proportion.

    Each class is shuffled, its images are spread evenly over 0..1, and all are sorted by that, ties at random.
    Only raw Philox samples and sorts are used, so that no NumPy release can change the order.
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
    """Return a stratified order of the records that is independent of their order in the file.

    `labels` (n,) are the finest labels available; `hashes` is the result of checks.hash_records().
    """
    by_hash = np.argsort(hashes[:, :8].copy().view(">u8").ravel(), kind="stable")
    return by_hash[make_stratified_order(labels[by_hash], SPLIT_SEED)]


def split_by_ratio(order, sizes):
    """Split `order` into consecutive pieces in proportion to `sizes`; the last one gets the remainder of rounding."""
    total = sum(sizes)
    pieces = [max(1, len(order) * size // total) for size in sizes[:-1]]
    if sum(pieces) >= len(order):
        raise UserError(f"{len(order)} samples are too few to train on and to split some off")
    return np.split(order, np.cumsum(pieces))


def split_off_missing(order, missing):
    """Return {split: indices} of "train" and the `missing` splits, by splitting `order` as HELD_OUT_TENTHS says."""
    sizes = [HELD_OUT_TENTHS[split] for split in missing]
    *held_out, train = split_by_ratio(order, (*sizes, 10 - sum(sizes)))
    return {"train": train, **dict(zip(missing, held_out, strict=True))}


def check_limit(limit):
    """Raise a UserError unless `limit` is None or an integer of at least 1."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1):
        raise UserError(f"limit must be an integer of at least 1; got {limit!r}")
