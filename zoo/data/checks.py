"""Verify the images of a published dataset by content, independent of file format and record order."""

import hashlib

import numpy as np

from zoo.data.dataset_info import DATASETS
from zoo.data.file_layouts import FIRST_LABELS, NUM_FIRST_LABELS
from zoo.errors import UserError


def hash_records(labels, images):
    """Return the SHA-256 of each record: uint8 (n, 32).

    A record is its label bytes (`labels`, uint8 (n, columns)) and then its pixels in the order of
    `images`, uint8 (n, height, width, channels): the same bytes for every file format.
    """
    hashes = []
    for label, image in zip(labels, np.ascontiguousarray(images)):
        record = hashlib.sha256(label.tobytes())
        record.update(image)
        hashes.append(record.digest())
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def compute_digest(hashes):
    """Return the sum of the records' hashes modulo 2**256 as 64 hexadecimal digits, independent of their order."""
    total = sum(int.from_bytes(record_hash.tobytes(), "big") for record_hash in hashes)
    return f"{total % 2**256:064x}"


def check_published_split(info, layout, split, hashes):
    """Check the records of one published split, "training" or "test", by count and by digest.

    Returns the notes to print, a tuple of lines: one if there are fewer images than in the full dataset.
    Raises a UserError if there are more, or the same number of different images.
    """
    full_count, expected_digest = {"training": (info.published_train, info.train_digest),
                                   "test": (info.test, info.test_digest)}[split]
    notes = check_count(info, layout, split, len(hashes))
    if len(hashes) == full_count:
        check_digest(info, layout, split, compute_digest(hashes), expected_digest)
    return notes


def check_count(info, layout, split, count):
    """Check the number of samples of one published split; see `check_published_split`."""
    full_count, plural = {"training": info.published_train, "test": info.test}[split], info.modality.plural
    if count == 0:
        raise UserError(f"{layout} contains no {split} {plural}; download the files again")
    if count > full_count:
        raise UserError(f"{layout} contains {count:,} {split} {plural}, but {info.name} has only {full_count:,}; "
                        f"use the original files of the authors")
    return (f"{info.name}: {count:,} of {full_count:,} {split} {plural}",) if count < full_count else ()


def check_first_labels(info, layout, labels):
    """Raise a UserError if a full training set without a digest does not begin with the labels that the authors' has.

    Other datasets have the same file names and counts: KMNIST has those of Fashion-MNIST.
    """
    expected = FIRST_LABELS.get(info.name)
    first = tuple(map(int, labels[:NUM_FIRST_LABELS]))
    if expected and not info.train_digest and len(labels) == info.published_train and first != expected:
        raise UserError(f"{layout} contains as many images as {info.name}, but other ones, or in another order: the "
                        f"first labels are {first}, expected {expected}; put the files of {info.name}, as published, "
                        f"into a folder {info.name} next to them")


def check_digest(info, layout, split, actual, expected):
    """Raise a UserError if the digest of a full split is known to differ from that of `info`."""
    if actual == expected:
        return
    others = [other.name for other in DATASETS.values() if actual in (other.train_digest, other.test_digest)]
    if others and info.name not in others:
        raise UserError(f"these are the images of {others[0]}, not of {info.name}: {layout}; "
                        f"put those of {info.name} into a folder {info.name} next to them")
    if expected:
        raise UserError(f"{layout} contains as many {split} images as {info.name}, but different ones: expected digest "
                        f"{expected[:16]}..., got {actual[:16]}...; download the files again")
