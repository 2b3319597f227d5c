"""Reading a data set: from the disk, or from the network where the disk has none. No backend is ever loaded."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo import env
from zoo.data import checks, dataset_info as known, splits
from zoo.data.archives import compute_max_bytes
from zoo.data.download import download_dataset
from zoo.data.file_layouts import require_layout, find_layout
from zoo.data.formats import FORMAT_READERS, read_npz_arrays
from zoo.errors import UserError
from zoo.utils.io import expand_user

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

    info: known.DatasetInfo
    train: splits.Split
    validation: splits.Split
    test: splits.Split
    source: str
    notes: tuple
    origin: dict = field(default_factory=dict)


def load_dataset_by_name(name, *, data_dir=None, limit=None, labels="fine"):
    """Return the Dataset called `name`.

    data_dir: the folder that holds its files; without it ZOO_DATA, Keras's cache and the network are tried in turn.
    limit: the most pictures in each of train, validation and test, with the classes in proportion.
    labels: "fine", or for cifar100 "coarse".
    Every mistake, of the arguments or in the files, is a UserError.
    """
    return load_dataset(known.select_label_set(known.get_dataset_info(name), labels), data_dir=data_dir, limit=limit)


def load_dataset(info, *, data_dir=None, limit=None):
    """Return the Dataset that `facts` tells of; see load()."""
    splits.check_limit(limit)
    try:
        if info.name == "digits":
            return load_digits(info, data_dir, limit)
        place = locate_or_download(info, data_dir)
        arrays = FORMAT_READERS[place.format](place, info)
    except OSError as error:
        raise UserError(f"cannot read {info.name}: {error}") from None
    return make_published_dataset(info, place, arrays, limit)


def locate_or_download(info, data_dir):
    """Return where the files are: in `data_dir` and nowhere else when it is given, downloaded when nowhere."""
    if data_dir is not None:
        return require_layout(expand_user(data_dir), info.name)
    named, cache = env.get_data_dir(), env.get_keras_datasets_dir()
    if named is not None and not named.is_dir():
        raise UserError(f"ZOO_DATA names {named}, which is no folder; set it right or unset it")
    for folder in filter(None, (named, cache)):
        if place := find_layout(folder, info.name):
            return place
    download_dataset(info, cache)
    return find_layout(cache, info.name)


def make_published_dataset(info, layout, arrays, limit):
    """Return the Dataset of a set that is published as a training and a test set; validation is carved here."""
    labels, images = arrays["training"]
    hashes = checks.hash_records(labels, images)
    notes = checks.check_published_split(info, layout, "training", hashes)
    order = splits.make_canonical_order(labels[:, -1], hashes)
    validation, train = splits.split_by_ratio(order, (info.validation, info.train))

    test_labels, test_images = arrays["test"]
    test_hashes = checks.hash_records(test_labels, test_images)
    notes += checks.check_published_split(info, layout, "test", test_hashes)
    test = np.arange(len(test_labels))  # in the order of the file
    if limit is not None and limit < len(test):
        test = splits.make_canonical_order(test_labels[:, -1], test_hashes)

    column = labels[:, info.label_column]
    return Dataset(info=info,
                   train=splits.Split(images, column, train[:limit]),
                   validation=splits.Split(images, column, validation[:limit]),
                   test=splits.Split(test_images, test_labels[:, info.label_column], test[:limit]),
                   source=str(layout.path), notes=notes)


def load_digits(info, data_dir, limit):
    """Return the digits that are part of the package: a single set, from which the test split is carved as well."""
    [[images, labels]] = read_npz_arrays(DIGITS_FILE, (("images", "labels"),), compute_max_bytes(info))
    images = images.reshape(-1, *info.shape)
    order = splits.make_canonical_order(labels, checks.hash_records(labels[:, None], images))
    test, validation, train = splits.split_by_ratio(order, (info.test, info.validation, info.train))
    notes = () if data_dir is None else ("digits: the images are part of zoo, the data directory is not read",)
    return Dataset(info=info,
                   train=splits.Split(images, labels, train[:limit]),
                   validation=splits.Split(images, labels, validation[:limit]),
                   test=splits.Split(images, labels, test[:limit]),
                   source="zoo/data/digits.npz", notes=notes)
