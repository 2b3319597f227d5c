"""Loading a published dataset from disk, or downloading it if it is not found. No backend is ever loaded."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo import env
from zoo.data import checks, splits
from zoo.data.archives import compute_max_bytes
from zoo.data.dataset_info import DatasetInfo, get_dataset_info, select_label_set
from zoo.data.download import download_dataset
from zoo.data.file_layouts import require_layout, find_layout
from zoo.data.formats import FORMAT_READERS, read_npz_arrays
from zoo.errors import UserError
from zoo.utils.io import expand_user

DIGITS_FILE = Path(__file__).with_name("digits.npz")  # images and labels; the license is digits.LICENSE next to it


@dataclass(frozen=True)
class Dataset:
    """A dataset with its three splits; `zoo.load_data` returns one.

    Attributes:
        info: metadata of the dataset, such as `info.name`, `info.classes`, `info.class_names` and `info.shape`,
            (height, width, channels) in pixels.
        train, validation, test: the splits. `len(dataset.train)` is the number of images, `dataset.train.images[:]`
            are the images, uint8 (n, height, width, channels), and `dataset.train.labels` the labels, int64 (n,). Of
            texts, `images[:]` are the token ids, int32 (n, length).
        source: the files that it was loaded from.
        notes: lines to show to the user, such as which splits were split off from the training images.
        files: {name: text} of files that a run keeps beside its run.json, such as the word list of texts.
        limit: the `limit` that `zoo.load_data` was called with; a run needs it to load the data again.
        origin: additional entries of run.json for loading the data again, {} for a published dataset of images.
            "kind": "folder", of images; "texts", a folder of texts or a .csv file; "npz"; or "arrays". With each of
            these "fingerprint", a hash of the data. For a folder of images "labels_from", "folder" or "filename", and
            if it has images of more than eight bits "white_levels", {"integer": 65535, ...}. For texts "vocabulary",
            the number of token ids.
    """

    info: DatasetInfo
    train: splits.Split
    validation: splits.Split
    test: splits.Split
    source: str
    notes: tuple
    origin: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    limit: int | None = None


def load_dataset_by_name(name, *, data_dir=None, limit=None, label_mode="fine"):
    """Return the Dataset called `name`.

    data_dir: the folder that contains its files; by default ZOO_DATA, Keras's cache and a download are tried in turn.
    limit: maximum number of images in each of train, validation and test, with the classes in proportion.
    label_mode: "fine", or for cifar100 "coarse".

    Raises UserError for invalid arguments and invalid files.
    """
    return load_dataset(select_label_set(get_dataset_info(name), label_mode), data_dir=data_dir, limit=limit)


def load_dataset(info, *, data_dir=None, limit=None):
    """Return the Dataset that `info` describes; see load_dataset_by_name."""
    splits.check_limit(limit)
    try:
        if info.name == "digits":
            return load_digits(info, data_dir, limit)
        layout = locate_or_download(info, data_dir)
        arrays = FORMAT_READERS[layout.format](layout, info)
    except OSError as error:
        raise UserError(f"cannot read {info.name}: {error}") from None
    return make_published_dataset(info, layout, arrays, limit)


def locate_or_download(info, data_dir):
    """Return the FileLayout in `data_dir` if that is given, otherwise the first one found, or after a download."""
    if data_dir is not None:
        return require_layout(expand_user(data_dir), info.name)
    data_folder, cache = env.get_data_dir(), env.get_keras_datasets_dir()
    if data_folder is not None and not data_folder.is_dir():
        raise UserError(f"ZOO_DATA is {data_folder}, which is not a folder; correct or unset it")
    for folder in filter(None, (data_folder, cache)):
        if layout := find_layout(folder, info.name):
            return layout
    download_dataset(info, cache)
    return require_layout(cache, info.name)


def make_published_dataset(info, layout, arrays, limit):
    """Return the Dataset of published training and test sets; the validation set is split off from the former."""
    labels, images = arrays["training"]
    hashes = checks.hash_records(labels, images)
    notes = checks.check_published_split(info, layout, "training", hashes)
    checks.check_first_labels(info, layout, labels[:, -1])
    order = splits.make_canonical_order(labels[:, -1], hashes)
    validation, train = splits.split_by_ratio(order, (info.validation, info.train))

    test_labels, test_images = arrays["test"]
    test_hashes = checks.hash_records(test_labels, test_images)
    notes += checks.check_published_split(info, layout, "test", test_hashes)
    test = np.arange(len(test_labels))  # in file order
    if limit is not None and limit < len(test):
        test = splits.make_canonical_order(test_labels[:, -1], test_hashes)

    column = labels[:, info.label_column]
    return Dataset(info=info,
                   train=splits.Split(images, column, train[:limit]),
                   validation=splits.Split(images, column, validation[:limit]),
                   test=splits.Split(test_images, test_labels[:, info.label_column], test[:limit]),
                   source=str(layout.path.absolute()), notes=notes)


def load_digits(info, data_dir, limit):
    """Return the digits bundled with the package: a single set, from which the test set is split off as well."""
    [[images, labels]] = read_npz_arrays(DIGITS_FILE, (("images", "labels"),), compute_max_bytes(info))
    images = images.reshape(-1, *info.shape)
    order = splits.make_canonical_order(labels, checks.hash_records(labels[:, None], images))
    test, validation, train = splits.split_by_ratio(order, (info.test, info.validation, info.train))
    notes = () if data_dir is None else ("digits: the images are bundled with zoo, and data_dir=... is ignored; "
                                         "dataset='FOLDER' trains on the images of a folder",)
    return Dataset(info=info,
                   train=splits.Split(images, labels, train[:limit]),
                   validation=splits.Split(images, labels, validation[:limit]),
                   test=splits.Split(images, labels, test[:limit]),
                   source="zoo/data/digits.npz", notes=notes)
