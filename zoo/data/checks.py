"""Are these the pictures of the data set? Told by content, whatever the file format and the order of the records."""

import hashlib

import numpy as np

from zoo.data.dataset_info import DATASETS
from zoo.errors import UserError


def hash_records(labels, images):
    """Return the SHA-256 of each record: uint8 (n, 32).

    A record is its label bytes (`labels`, uint8 (n, columns)) and then its pixels as they lie in
    `images`, uint8 (n, height, width, channels): the same bytes for every file format.
    """
    hashes = []
    for label, image in zip(labels, np.ascontiguousarray(images)):
        record = hashlib.sha256(label.tobytes())
        record.update(image)
        hashes.append(record.digest())
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def compute_digest(hashes):
    """Return the sum of the records' hashes modulo 2**256 as 64 hexadecimal digits: any order gives the same."""
    total = sum(int.from_bytes(row.tobytes(), "big") for row in hashes)
    return f"{total % 2**256:064x}"


def check_published_split(info, layout, split, hashes):
    """Check the records of one published split, "training" or "test", by number and by digest.

    Returns the notes to print, a tuple of lines: one when there are fewer pictures than the full set has.
    Raises a UserError when there are more, or as many but other ones.
    """
    full, expected = {"training": (info.published_train, info.train_digest),
                      "test": (info.test, info.test_digest)}[split]
    found = len(hashes)
    if found == 0:
        raise UserError(f"{layout} holds no {split} pictures; fetch the files again")
    if found > full:
        raise UserError(f"{layout} holds {found:,} {split} pictures, but {info.name} has only {full:,}; "
                        f"use the files as the authors publish them")
    if found < full:
        return (f"{info.name}: {found:,} of {full:,} {split} pictures",)
    check_digest(info, layout, split, compute_digest(hashes), expected)
    return ()


def check_digest(info, layout, split, actual, expected):
    """Raise a UserError where a full split is known to be another one than that of `facts`."""
    if actual == expected:
        return
    others = [other.name for other in DATASETS.values() if actual in (other.train_digest, other.test_digest)]
    if others and info.name not in others:
        raise UserError(f"these are the pictures of {others[0]}, not of {info.name}: {layout}; "
                        f"put those of {info.name} into a folder {info.name} beside them")
    if expected:
        raise UserError(f"{layout} holds as many {split} pictures as {info.name}, but other ones: digest expected "
                        f"{expected[:16]}..., found {actual[:16]}...; fetch the files again")
