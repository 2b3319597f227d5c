"""Are these the pictures of the data set? Told by content, whatever the file format and the order of the records."""

import hashlib

import numpy as np

from zoo.data.info import DATASETS
from zoo.errors import UserError


def record_hashes(labels, images):
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


def digest(hashes):
    """Return the sum of the records' hashes modulo 2**256 as 64 hexadecimal digits: any order gives the same."""
    total = sum(int.from_bytes(row.tobytes(), "big") for row in hashes)
    return f"{total % 2**256:064x}"


def check_whole(facts, place, split, hashes):
    """Check the records of one published split, "training" or "test", by number and by digest.

    Returns the notes to print, a tuple of lines: one when there are fewer pictures than the full set has.
    Raises a UserError when there are more, or as many but other ones.
    """
    full, expected = {"training": (facts.published_train, facts.train_digest),
                      "test": (facts.test, facts.test_digest)}[split]
    found = len(hashes)
    if found == 0:
        raise UserError(f"{place} holds no {split} pictures; fetch the files again")
    if found > full:
        raise UserError(f"{place} holds {found:,} {split} pictures, but {facts.name} has only {full:,}; "
                        f"use the files as the authors publish them")
    if found < full:
        return (f"{facts.name}: {found:,} of {full:,} {split} pictures",)
    check_digest(facts, place, split, digest(hashes), expected)
    return ()


def check_digest(facts, place, split, found, expected):
    """Raise a UserError where a full split is known to be another one than that of `facts`."""
    if found == expected:
        return
    others = [other.name for other in DATASETS.values() if found in (other.train_digest, other.test_digest)]
    if others and facts.name not in others:
        raise UserError(f"these are the pictures of {others[0]}, not of {facts.name}: {place}; "
                        f"put those of {facts.name} into a folder {facts.name} beside them")
    if expected:
        raise UserError(f"{place} holds as many {split} pictures as {facts.name}, but other ones: digest expected "
                        f"{expected[:16]}..., found {found[:16]}...; fetch the files again")
