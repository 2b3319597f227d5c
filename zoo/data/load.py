"""Reading a data set: from the disk, or from the network where the disk has none. No backend is ever loaded."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo import env
from zoo.data import checks, info as known, splits
from zoo.data.archives import most_bytes
from zoo.data.download import fetch_all
from zoo.data.file_layouts import find_given, find_in
from zoo.data.formats import READERS, npz_arrays
from zoo.errors import UserError
from zoo.utils.io import expanded

DIGITS_FILE = Path(__file__).with_name("digits.npz")  # images and labels; the licence is digits.LICENSE beside it


@dataclass(frozen=True)
class Dataset:
    """A data set with its three splits; `zoo.load_data` returns one.

    Attributes:
        info: what is known of the data set, such as `info.name`, `info.classes`, `info.class_names` and `info.shape`,
            (height, width, channels) in pixels.
        train, validation, test: the splits. `len(dataset.train)` is the number of images, `dataset.train.images` holds
            them, uint8 (n, height, width, channels), and `dataset.train.labels` the labels, int64 (n,).
        source: the files that it comes from.
        notes: lines that people should see, such as which splits were carved from the training images.
        origin: what run.json says besides, so that the data can be found again: {"kind": "npz"}, {"kind": "arrays"},
            or of a folder {"kind": "folder", "labels_from": "folder" or "filename", and where it has images of more
            than eight bits "white": {"integer": 65535, ...}, the values that became white}; {} for a published one.
    """

    facts: known.Facts
    train: splits.Split
    validation: splits.Split
    test: splits.Split
    source: str
    notes: tuple
    origin: dict = field(default_factory=dict)

    @property
    def info(self):
        return self.facts


def load(name, *, data_dir=None, limit=None, labels="fine"):
    """Return the Dataset called `name`.

    data_dir: the folder that holds its files; without it ZOO_DATA, Keras's cache and the network are tried in turn.
    limit: the most pictures in each of train, validation and test, with the classes in proportion.
    labels: "fine", or for cifar100 "coarse".
    Every mistake, of the arguments or in the files, is a UserError.
    """
    return load_facts(known.with_labels(known.find(name), labels), data_dir=data_dir, limit=limit)


def load_facts(facts, *, data_dir=None, limit=None):
    """Return the Dataset that `facts` tells of; see load()."""
    splits.check_limit(limit)
    try:
        if facts.name == "digits":
            return load_digits(facts, data_dir, limit)
        place = find_place(facts, data_dir)
        arrays = READERS[place.format](place, facts)
    except OSError as error:
        raise UserError(f"cannot read {facts.name}: {error}") from None
    return published(facts, place, arrays, limit)


def find_place(facts, data_dir):
    """Return where the files are: in `data_dir` and nowhere else when it is given, downloaded when nowhere."""
    if data_dir is not None:
        return find_given(expanded(data_dir), facts.name)
    named, cache = env.data_dir(), env.keras_datasets()
    if named is not None and not named.is_dir():
        raise UserError(f"ZOO_DATA names {named}, which is no folder; set it right or unset it")
    for folder in filter(None, (named, cache)):
        if place := find_in(folder, facts.name):
            return place
    fetch_all(facts, cache)
    return find_in(cache, facts.name)


def published(facts, place, arrays, limit):
    """Return the Dataset of a set that is published as a training and a test set; validation is carved here."""
    labels, images = arrays["training"]
    hashes = checks.record_hashes(labels, images)
    notes = checks.check_whole(facts, place, "training", hashes)
    order = splits.canonical_order(labels[:, -1], hashes)
    validation, train = splits.carve(order, (facts.validation, facts.train))

    test_labels, test_images = arrays["test"]
    test_hashes = checks.record_hashes(test_labels, test_images)
    notes += checks.check_whole(facts, place, "test", test_hashes)
    test = np.arange(len(test_labels))  # in the order of the file
    if limit is not None and limit < len(test):
        test = splits.canonical_order(test_labels[:, -1], test_hashes)

    column = labels[:, facts.column]
    return Dataset(facts=facts,
                   train=splits.Split(images, column, train[:limit]),
                   validation=splits.Split(images, column, validation[:limit]),
                   test=splits.Split(test_images, test_labels[:, facts.column], test[:limit]),
                   source=str(place.path), notes=notes)


def load_digits(facts, data_dir, limit):
    """Return the digits that are part of the package: a single set, from which the test split is carved as well."""
    [[images, labels]] = npz_arrays(DIGITS_FILE, (("images", "labels"),), most_bytes(facts))
    images = images.reshape(-1, *facts.shape)
    order = splits.canonical_order(labels, checks.record_hashes(labels[:, None], images))
    test, validation, train = splits.carve(order, (facts.test, facts.validation, facts.train))
    notes = () if data_dir is None else ("digits: the images are part of zoo, the data directory is not read",)
    return Dataset(facts=facts,
                   train=splits.Split(images, labels, train[:limit]),
                   validation=splits.Split(images, labels, validation[:limit]),
                   test=splits.Split(images, labels, test[:limit]),
                   source="zoo/data/digits.npz", notes=notes)
