"""Loading texts as a `zoo.Dataset`: IMDB, a folder of class folders, or a .csv file. No backend is loaded."""

import hashlib
from dataclasses import replace

import numpy as np

from zoo.data import splits, text_files
from zoo.data.dataset_info import DatasetInfo, get_dataset_info, select_label_set
from zoo.data.datasets import Dataset, locate_or_download
from zoo.data.image_folder import FOLDER_SPLITS, resolve_folder_splits
from zoo.data.imdb import read_imdb
from zoo.data.labeled_images import LabeledImages, check_split_name, make_missing_split_error, match_labels
from zoo.data.splits import Split
from zoo.data.vocabulary import DEFAULT_SIZE, WORDS_FILE, count_words
from zoo.errors import UserError
from zoo.modality import TEXT, override_size
from zoo.utils.io import expand_user, replace_surrogates

SOURCES = "texts are given as the name imdb, a folder of class folders with .txt files, or a .csv file"


def load_text_source(kind, source, *, shape, vocabulary=None, sequence_length=None, data_dir=None, limit=None,
                     label_mode="fine", **image_arguments):
    """Return the Dataset of texts; see `zoo.load_data`. kind: of the source, see `loading.get_source_kind`."""
    for argument in image_arguments:
        TEXT.require(f"{argument}=...", source, "omit it")
    splits.check_limit(limit)
    (length,) = override_size(shape, source, sequence_length=sequence_length)
    size = DEFAULT_SIZE if vocabulary is None else vocabulary
    if kind == "name":
        return load_imdb(select_label_set(get_dataset_info(source), label_mode), length, size, data_dir, limit)
    if kind not in ("folder", "csv"):
        raise UserError(f"{SOURCES}; got {kind}")
    return load_text_files(expand_user(source), length, size, limit)


def load_text_files(path, length, size, limit=None):
    """Return the Dataset of a folder or a .csv file; the words are those of the training texts.

    length: in tokens. size: maximum number of token ids. limit: maximum number of texts in each split.
    """
    listing = text_files.list_texts(path)
    if len(listing.class_names) < 2:
        raise UserError(f"{path} has a single class, {listing.class_names[0]!r}; a classifier needs at least two")
    indices, notes = resolve_folder_splits(listing, limit, TEXT.plural)
    vocabulary = count_words((listing.texts[index] for index in indices["train"]), size)
    if not vocabulary.words:
        raise UserError(f"the training texts of {path} contain no words")
    parts = {}
    for name, part in indices.items():
        tokens, counts = encode_texts(listing.texts, part, vocabulary, length)
        parts[name] = Split(tokens, listing.labels[part], np.arange(len(part)))
        notes += describe_unknown_words(name, *counts) if name == "validation" else ()
    name = replace_surrogates(path.absolute().stem if path.is_file() else path.absolute().name)
    info = DatasetInfo(name=name, title=f"texts of {name}", classes=len(listing.class_names), shape=(length,), mean=(),
                       std=(), class_names=listing.class_names, source=str(path), license="",
                       classes_per_column=(len(listing.class_names),),
                       **{split: len(part) for split, part in parts.items()})
    return Dataset(info, **parts, source=str(path.absolute()), notes=(*listing.notes, *notes),
                   origin={"kind": "texts", "vocabulary": size, "fingerprint": fingerprint_texts(parts, vocabulary)},
                   files={WORDS_FILE: vocabulary.to_text()})


def encode_texts(texts, indices, vocabulary, length):
    """Return (token ids int32 (n, length), (number of words, number of unknown words)) of the texts at `indices`."""
    tokens, num_words, num_unknown = np.empty((len(indices), length), np.int32), 0, 0
    for row, index in enumerate(indices):
        tokens[row], words, unknown = vocabulary.encode(texts[index], length)
        num_words, num_unknown = num_words + words, num_unknown + unknown
    return tokens, (num_words, num_unknown)


def describe_unknown_words(split, num_words, num_unknown):
    """Return a tuple with the line on how many words of a split the training texts lack; () for none."""
    return (f"{num_unknown / num_words:.1%} of the words of the {split} texts are not in the vocabulary",) \
        if num_unknown else ()


def fingerprint_texts(parts, vocabulary):
    """Return a hash of the tokens, labels and words of {split: Split}, as hexadecimal text."""
    digest = hashlib.sha256(vocabulary.to_text().encode())
    for part in parts.values():
        tokens, labels = part.batch(np.arange(len(part)))
        digest.update(tokens.astype("<i4").tobytes() + labels.astype("<i8").tobytes())
    return digest.hexdigest()


def load_imdb(info, length, size, data_dir=None, limit=None):
    """Return the Dataset of Keras's files of the IMDB reviews; validation is split off from the training set."""
    try:
        layout = locate_or_download(info, data_dir)
        arrays, vocabulary, notes = read_imdb(layout, info, length, size)
    except OSError as error:
        raise UserError(f"cannot read {info.name}: {error}") from None
    (tokens, labels), (test_tokens, test_labels) = arrays["training"], arrays["test"]
    order = splits.make_stratified_order(labels, splits.SPLIT_SEED)
    validation, train = splits.split_by_ratio(order, (info.validation, info.train))
    test = np.arange(len(test_labels)) if limit is None or limit >= len(test_labels) else (
        splits.make_stratified_order(test_labels, splits.SPLIT_SEED))
    return Dataset(replace(info, shape=(length,)), Split(tokens, labels, train[:limit]),
                   Split(tokens, labels, validation[:limit]), Split(test_tokens, test_labels, test[:limit]),
                   source=str(layout.path), notes=notes, origin={"vocabulary": size},
                   files={WORDS_FILE: vocabulary.to_text()})


def load_labeled_texts(source, class_names, length, vocabulary, split_name="test"):
    """Return the LabeledImages, whose images are token ids, of a folder or .csv file, or of a Dataset.

    From a folder with splits the split `split_name` is used, otherwise all texts. Classes are matched by name.

    Args:
        source: path, or a Dataset with the words of `vocabulary`.
        class_names: list of str, the classes of the model.
        length: int, of the model's input in tokens.
        vocabulary: the Vocabulary of the model.
        split_name: "test", "validation" or "train".

    Raises:
        UserError: for a class that is not in `class_names`, a missing split, or another kind of source.
    """
    check_split_name(split_name)
    if isinstance(source, Dataset):
        if source.files.get(WORDS_FILE) != vocabulary.to_text() or source.info.shape != (length,):
            raise UserError(f"{source.source} has other token ids than those that the model was trained on; give its "
                            "folder or .csv file")
        split = getattr(source, split_name)
        labels = match_labels(split.labels, source.info.class_names, class_names, source.source)
        return LabeledImages(split.with_labels(labels), source.source, split_name)
    path = expand_user(source) if isinstance(source, (str, bytes)) or hasattr(source, "__fspath__") else None
    if path is None or not (path.is_dir() or path.suffix.lower() == ".csv" and path.is_file()):
        raise UserError("data must be a folder of class folders with .txt files or a .csv file for a run on texts; got "
                        f"{source if path else type(source).__name__!r}")
    listing = text_files.list_texts(path)
    has_splits, indices = bool((listing.split_ids > 0).any()), np.arange(len(listing))
    if has_splits:
        indices = np.flatnonzero(listing.split_ids == FOLDER_SPLITS.index(split_name))
    if not len(indices) or split_name != "test" and not has_splits:
        raise make_missing_split_error(path, split_name, {FOLDER_SPLITS[split_id]
                                                          for split_id in np.unique(listing.split_ids)} - {""})
    labels = match_labels(listing.labels[indices], listing.class_names, class_names, path)
    tokens, counts = encode_texts(listing.texts, indices, vocabulary, length)
    return LabeledImages(Split(tokens, labels, np.arange(len(labels))), str(path.absolute()),
                         split_name if has_splits else None,
                         (*listing.notes, *describe_unknown_words(split_name, *counts)))
