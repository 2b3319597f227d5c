"""Loading texts as a `zoo.Dataset`: IMDB, a folder of class folders, a .csv file, or arrays. No backend is loaded."""

import functools
import hashlib
from dataclasses import replace

import numpy as np

from zoo.catalogue import VOCABULARY_LIMITS
from zoo.data import array_labels, splits, text_files
from zoo.data.arrays import load_npz_pairs
from zoo.data.dataset_info import SPLITS, DatasetInfo, get_dataset_info, select_label_set
from zoo.data.datasets import Dataset, locate_or_download
from zoo.data.folder_listing import check_several_classes, resolve_folder_splits
from zoo.data.imdb import read_imdb
from zoo.data.loading import resolve_array_pairs
from zoo.data.sources import describe_source
from zoo.data.splits import Split
from zoo.data.text_arrays import check_token_ids, convert_texts
from zoo.data.vocabulary import DEFAULT_SIZE, WORDS_FILE, count_words, make_id_vocabulary
from zoo.errors import UserError
from zoo.modality import TEXT, override_size
from zoo.utils.io import expand_user, replace_surrogates
from zoo.utils.validation import is_integer

UNLABELED_CLASS = "unsup"  # in the folder train of the original IMDB files


def load_text_source(kind, source, *, shape, vocabulary=None, sequence_length=None, data_dir=None, limit=None,
                     label_mode="fine", validation_data=None, test_data=None, class_names=None, **image_arguments):
    """Return the Dataset of texts; see `zoo.load_data`. kind: of the source, see `loading.get_source_kind`."""
    for argument in image_arguments:
        TEXT.require(f"{argument}=...", describe_source(kind, source), "omit it")
    splits.check_limit(limit)
    (length,) = override_size(shape, source, sequence_length=sequence_length)
    size = DEFAULT_SIZE if vocabulary is None else check_vocabulary_size(vocabulary)
    if kind == "name":
        return load_imdb(select_label_set(get_dataset_info(source), label_mode), length, size, data_dir, limit)
    if kind == "arrays":
        pairs = resolve_array_pairs(source, validation_data, test_data)
        return load_text_arrays(pairs, length, size, id_length=sequence_length, class_names=class_names, limit=limit)
    if kind == "npz":
        return load_npz_pairs(source, TEXT, functools.partial(
            load_text_arrays, length=length, size=size, id_length=sequence_length, class_names=class_names,
            limit=limit))
    return load_text_files(expand_user(source), length, size, limit)


def check_vocabulary_size(size):
    """Return a number of token ids as an int; UserError for an invalid one."""
    smallest, largest = VOCABULARY_LIMITS
    if not is_integer(size) or not smallest <= size <= largest:
        raise UserError(f"vocabulary must be an integer from {smallest} to {largest:,}; got {size!r}")
    return int(size)


def load_text_files(path, length, size, limit=None):
    """Return the Dataset of a folder or a .csv file; the words are those of the training texts.

    length: in tokens. size: maximum number of token ids. limit: maximum number of texts in each split.
    """
    listing, texts = text_files.list_texts(path)
    check_several_classes(listing, TEXT)
    check_labeled(listing)
    indices, notes = resolve_folder_splits(listing, TEXT, limit)
    sources = {split: (texts, listing.labels, part) for split, part in indices.items()}
    vocabulary, parts, unknown_notes = encode_splits(sources, length, size, path)
    name = replace_surrogates(path.absolute().stem if path.is_file() else path.absolute().name)
    return make_text_dataset(name, str(path.absolute()), listing.class_names, parts, vocabulary, length,
                             (*listing.notes, *notes, *unknown_notes), {"kind": "texts", "vocabulary": size})


def check_labeled(listing):
    """Raise UserError if one of the classes of a SampleListing is IMDB's folder of reviews without a label."""
    if UNLABELED_CLASS in listing.class_names:
        raise UserError(f"{listing.folder} has a class {UNLABELED_CLASS!r}, which is what IMDB calls its unlabeled "
                        f"reviews; move them out of {listing.folder}, or if they are a class, rename it, for example "
                        f"to {UNLABELED_CLASS}_class")


def load_text_arrays(pairs, length, size, *, id_length=None, class_names=None, limit=None, name="arrays",
                     source="arrays"):
    """Return the Dataset of {split: (texts, labels)}; see `zoo.load_data`.

    Texts are str, which are brought to `length`; or token ids, whose words are not known. id_length: the length that
    these must have; None: any. name, source: of the dataset.
    """
    texts, labels, classes = {}, {}, 0
    for split, pair in pairs.items():
        texts[split], labels[split], split_classes = array_labels.convert_array_pair(pair, split, convert_texts, TEXT)
        classes = max(classes, split_classes)
        if isinstance(texts[split], list) is not isinstance(texts["train"], list):
            raise UserError(f"of the train and the {split} texts, one are str and one token ids; give the same in all "
                            "splits")
    names = array_labels.resolve_class_names(class_names, labels, classes, TEXT.plural)
    indices, notes = array_labels.resolve_array_splits(labels, names, TEXT.plural)
    sources = {split: (texts[source], labels[source], part)
               for split, (source, part) in array_labels.limit_array_splits(indices, labels, limit).items()}
    if isinstance(texts["train"], list):
        vocabulary, parts, unknown_notes = encode_splits(sources, length, size, "the arrays")
    else:
        length = texts["train"].shape[1] if id_length is None else id_length
        tokens = {split: check_token_ids(ids, length, size, f"{split} texts") for split, ids in texts.items()}
        vocabulary, unknown_notes = make_id_vocabulary(size), ()
        parts = {split: Split(tokens.get(split, tokens["train"]), split_labels, part)
                 for split, (_, split_labels, part) in sources.items()}
    return make_text_dataset(name, source, names, parts, vocabulary, length, (*notes, *unknown_notes),
                             {"kind": "arrays", "vocabulary": size})


def encode_splits(sources, length, size, subject):
    """Return (Vocabulary of the training texts, {split: Split of token ids}, notes).

    sources: {split: (texts, labels, indices of those to use)}. size: maximum number of token ids. subject: where they
    are from.
    """
    texts, _, indices = sources["train"]
    vocabulary = count_words((texts[index] for index in indices), size)
    if not vocabulary.words:
        raise UserError(f"the training texts of {subject} contain no words")
    parts, notes = {}, ()
    for split, (texts, labels, indices) in sources.items():
        tokens, counts = encode_texts(texts, indices, vocabulary, length)
        parts[split] = Split(tokens, labels[indices], np.arange(len(indices)))
        notes += describe_unknown_words(split, *counts) if split == "validation" else ()
    return vocabulary, parts, notes


def make_text_dataset(name, source, class_names, parts, vocabulary, length, notes, origin):
    """Return the Dataset of {split: Split of token ids}; origin: see `Dataset`, without the fingerprint."""
    info = DatasetInfo(name=name, title=f"texts of {name}", classes=len(class_names), shape=(length,), mean=(), std=(),
                       class_names=class_names, source=source, license="", classes_per_column=(len(class_names),),
                       **{split: len(parts[split]) for split in SPLITS})
    return Dataset(info, **parts, source=source, notes=notes, files={WORDS_FILE: vocabulary.to_text()},
                   origin={**origin, "fingerprint": fingerprint_texts(parts, vocabulary)})


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
                   source=str(layout.path.absolute()), notes=notes, origin={"vocabulary": size},
                   files={WORDS_FILE: vocabulary.to_text()})
