"""Loading data from any source: a name, a folder, a file, arrays or a Dataset. No backend is loaded."""

import os
from dataclasses import replace

from zoo.data import image_folder
from zoo.data.array_labels import is_array_pair
from zoo.data.arrays import has_image_arrays, load_arrays, load_npz
from zoo.data.dataset_info import DATASETS, describe_datasets
from zoo.data.datasets import Dataset, load_dataset_by_name
from zoo.data.sources import SOURCE_KINDS, check_source_arguments, describe_source, get_path_kind
from zoo.data.text_arrays import has_texts
from zoo.errors import UserError
from zoo.modality import IMAGE, MODALITIES, TEXT, get_modality
from zoo.utils.io import expand_user
from zoo.utils.validation import is_integer


def load_data(source, *, data_dir=None, limit=None, label_mode="fine", image_size=None, shape=None,
              validation_data=None, test_data=None, class_names=None, labels_from="folder", invalid_images="error",
              sequence_length=None, vocabulary=None):
    """Load images or texts, and their labels, from any source as a `zoo.Dataset`.

    Args:
        source: one of
            - str, the name of a dataset: "digits", "mnist", "fashion_mnist", "cifar10" or "cifar100", and "imdb"
              with texts. The name takes precedence over a folder of that name; write "./mnist" for the folder.
            - str or Path of a folder of class folders, `FOLDER/cat/1.png`, or with the splits above them,
              `FOLDER/train/cat/1.png`, `FOLDER/val/...` and `FOLDER/test/...`, or other common names such as
              `Training`, `valid` and `Testing`.
            - str or Path of an .npz file with Keras's arrays, x_train, y_train, x_test, y_test and optionally x_val
              and y_val, or MedMNIST's, train_images, train_labels, val_images, val_labels, test_images and test_labels.
            - for texts, a folder of class folders, `FOLDER/positive/1.txt`, with or without the splits above them; a
              .csv file whose first line names the columns, of which one is `text`, one `label` and, optionally, one
              `split`; or an .npz file with token ids in Keras's arrays.
            - a pair of arrays (images, labels). Images are (n, height, width), (n, height, width, 1) or
              (n, height, width, 3): integers or floats of 0 to 255, or floats of 0 to 1 or bool, which are
              multiplied by 255. Labels are integers from 0, (n,) or (n, 1), or one-hot, (n, classes).
            - for texts, a pair (texts, labels) of a list or array of str (n,); or of token ids, integers (n, length),
              as described in docs/text.md. Labels are as for images.
            - a pair of such pairs, ((x_train, y_train), (x_test, y_test)), as Keras's `load_data()` returns them.
            - a `zoo.Dataset`, which is returned unchanged.
        data_dir: str or Path, the folder with the files of a named dataset; default: the environment variable
            ZOO_DATA, then Keras's cache, then a download.
        limit: int, maximum number of images in each split, with the classes in proportion; default: all of them.
        label_mode: label set, "fine", or for "cifar100" also "coarse": fine (100 classes) or coarse (20 superclasses).
        image_size: int or (height, width), the size in pixels to which the images of a folder are resized; default:
            that of `shape`.
        shape: (height, width, channels) of the images of a folder, 1 or 3 channels, as the model expects them. Images
            of other sources keep their shape. (length,) for texts. Default: (32, 32, 3), and (100,) for "imdb", a .csv
            file and arrays of str.
        validation_data, test_data: pairs of arrays like `source`. A split that is not given, or is missing from a
            folder or file, is split off from the training images: a tenth, stratified, with a fixed seed.
        class_names: list of str, a name for each label of arrays or of an .npz file; default: "0", "1", ...
        labels_from: "folder", or "filename" for a folder of files such as cat.123.jpg, whose class is cat.
        invalid_images: "error", or "skip" to skip unreadable files of a folder; a note lists them.
        sequence_length: int, the length in tokens to which texts are padded or truncated at the front; default: that
            of `shape`. Token ids keep their length.
        vocabulary: int, the number of token ids of texts, see docs/text.md; default: 20,000.

    Returns:
        A `zoo.Dataset`: `dataset.train.images[i]`, uint8 (height, width, channels); `dataset.train.labels`, int64 (n,);
        `len(dataset.train)`; `validation` and `test` likewise; `dataset.info.class_names`; and `dataset.notes`, lines
        on what was split off or assumed.

    Raises:
        zoo.errors.UserError: a ValueError with a one-line message, for data that cannot be read or used, and for an
            argument that does not apply to this kind of source.

    Example:

    A dataset by name:

    >>> dataset = zoo.load_data("digits", limit=100)
    >>> dataset.train.images[0].shape, len(dataset.train), dataset.info.class_names[7]
    ((28, 28, 1), 100, '7')

    Arrays:

    >>> import numpy as np
    >>> x, y = np.zeros((40, 8, 8, 3), "uint8"), np.arange(40) % 2
    >>> dataset = zoo.load_data((x, y), test_data=(x[:10], y[:10]), class_names=["cat", "dog"])
    >>> len(dataset.train), len(dataset.validation), len(dataset.test)
    (36, 4, 10)

    An .npz file:

    >>> np.savez("pets.npz", x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])
    >>> zoo.load_data("pets.npz").info.name
    'pets'

    A folder of class folders:

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> for name in ("cat", "dog"):
    ...     Path("pets", name).mkdir(parents=True)
    ...     for i in range(10):
    ...         Image.new("RGB", (20, 20)).save(f"pets/{name}/{i}.png")
    >>> dataset = zoo.load_data("pets/", image_size=16)
    >>> dataset.info.class_names, dataset.train.images[:5].shape
    (('cat', 'dog'), (5, 16, 16, 3))

    A Dataset:

    >>> zoo.load_data(dataset) is dataset
    True
    """
    arguments = {"data_dir": data_dir, "limit": limit, "image_size": image_size, "validation_data": validation_data,
                 "test_data": test_data, "class_names": class_names, "sequence_length": sequence_length,
                 "label_mode": None if label_mode == "fine" else label_mode,
                 "labels_from": None if labels_from == "folder" else labels_from,
                 "invalid_images": None if invalid_images == "error" else invalid_images}
    kind = get_source_kind(source)
    check_source_arguments(kind, arguments)
    check_shape(shape)
    if kind == "dataset":
        return check_vocabulary(source, vocabulary)
    shape = resolve_shape(kind, source, shape, sequence_length)
    load_source = get_modality(shape).get_function("load_source")
    dataset = load_source(kind, source, shape=shape, vocabulary=vocabulary,
                          **{name: value for name, value in arguments.items() if value is not None})
    return replace(dataset, limit=None if limit is None else int(limit))  # not a NumPy integer, which is not JSON


def check_shape(shape):
    """Raise UserError unless a shape is None or has the positive sizes of one modality's axes."""
    if shape is not None and not (isinstance(shape, (tuple, list)) and all(is_integer(n) and n > 0 for n in shape)
                                  and len(shape) in [len(modality.axes) for modality in MODALITIES.values()]):
        raise UserError("shape must be (height, width, channels) of images, or (length,) of texts, positive integers; "
                        f"got {shape!r}")


def resolve_shape(kind, source, shape, sequence_length=None):
    """Return the shape of the samples: as requested, or the default; UserError if the source has no such samples."""
    source_shape = get_source_shape(kind, source)
    default = TEXT.shape_example if sequence_length is not None and source_shape is None else IMAGE.shape_example
    shape = tuple(shape or source_shape or default)
    modality = get_modality(shape)
    if source_shape and modality is not get_modality(source_shape):
        raise UserError(f"the samples of {describe_source(kind, source)} are {get_modality(source_shape).plural}, and "
                        f"the shape {shape} is for {modality.plural}; {describe_datasets(modality)}")
    return shape


def get_source_shape(kind, source):
    """Return a shape of the samples of a source, for their modality; None where that is not known without the model."""
    if kind == "dataset":
        return source.info.shape
    if kind == "name":
        return DATASETS[source].shape
    if kind == "npz":
        return IMAGE.shape_example if has_image_arrays(source) else None
    return TEXT.shape_example if kind == "csv" or kind == "arrays" and has_text_samples(source) else None


def has_text_samples(source):
    """Return whether a pair (samples, labels), or a pair of such pairs, has texts as str."""
    train, _ = split_nested_pairs(source)
    return len(train) > 0 and has_texts(train[0])


def check_vocabulary(dataset, vocabulary):
    """Return a Dataset; UserError if it has more token ids than a model with this `vocabulary`, None for any."""
    size = dataset.origin.get("vocabulary", 0)
    if vocabulary is not None and size > vocabulary:
        raise UserError(f"the dataset {dataset.info.name} has {size} token ids, and the model {vocabulary}; give "
                        f"vocabulary={size}, or load the dataset with vocabulary={vocabulary}")
    return dataset


def load_image_source(kind, source, *, shape, image_size=None, sequence_length=None, vocabulary=None, data_dir=None,
                      limit=None, label_mode="fine", validation_data=None, test_data=None, class_names=None,
                      labels_from="folder", invalid_images="error"):
    """Return the Dataset of images; see `load_data`. kind: of the source, see `get_source_kind`."""
    if sequence_length is not None:
        IMAGE.require("sequence_length=...", describe_source(kind, source), "omit it")
    if kind == "arrays":
        pairs = resolve_array_pairs(source, validation_data, test_data)
        return load_arrays(**pairs, class_names=class_names, limit=limit)
    if kind == "folder":
        return image_folder.load_image_folder(expand_user(source), resolve_image_shape(image_size, shape),
                                              labels_from=labels_from, limit=limit, invalid_images=invalid_images)
    if kind == "npz":
        return load_npz(source, class_names=class_names, limit=limit)
    return load_dataset_by_name(source, data_dir=data_dir, limit=limit, label_mode=label_mode)


def get_source_kind(source):
    """Return the kind of `source`, a key of SOURCE_ARGUMENTS; raise UserError if it is none."""
    if isinstance(source, Dataset):
        return "dataset"
    if isinstance(source, (tuple, list)):
        return "arrays"
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "ndim") and (hasattr(source, "__iter__") or hasattr(source, "__getitem__")):
            raise UserError(f"data cannot be an object of type {type(source).__name__}, since zoo makes the batches; "
                            "give arrays, (images, labels), in place of a tf.data dataset, a generator or a "
                            "DataLoader, or the folder of an image_dataset_from_directory")
        raise UserError(f"data must be {SOURCE_KINDS}; got an object of type {type(source).__name__}")
    return get_path_kind(source)


def get_length(values):
    return len(values) if hasattr(values, "__len__") and getattr(values, "ndim", 1) else None


def resolve_array_pairs(source, validation_data, test_data):
    """Return {split: (samples, labels)} of the splits that are given as arrays, the training split first."""
    if len(source) == 3 and all(is_array_pair(pair) and get_length(pair[0]) == get_length(pair[1])
                                for pair in source):
        raise UserError("the data are three pairs of arrays; give the second as validation_data=..., and the third as "
                        "test_data=...")
    train, test = split_nested_pairs(source)
    if test is not None and test_data is not None:
        raise UserError("the test data were given twice: the second pair of ((x_train, y_train), (x_test, y_test)) is "
                        "the test data; omit it or test_data")
    pairs = {"train": train, "validation": validation_data, "test": test_data if test is None else test}
    return {split: pair for split, pair in pairs.items() if pair is not None}


def split_nested_pairs(source):
    """Return (training pair, test pair) of ((x_train, y_train), (x_test, y_test)); (source, None) for one pair."""
    return tuple(source) if len(source) == 2 and all(map(is_array_pair, source)) else (source, None)


def resolve_image_shape(image_size, shape):
    """Return (height, width, channels) of images resized to `image_size`, an int or (height, width)."""
    if image_size is None:
        size = tuple(shape[:2])
    else:
        size = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
        if len(size) != 2 or any(not is_integer(length) or length < 1 for length in size):
            raise UserError(f"image_size must be an integer number of pixels, or (height, width); got {image_size!r}")
        size = tuple(map(int, size))
    if shape[2] not in (1, 3):
        raise UserError(f"images in folders must have 1 or 3 channels; the shape {tuple(shape)} has {shape[2]}")
    return (*size, shape[2])
