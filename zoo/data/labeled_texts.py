"""Labelled texts from any source for evaluating a trained model, with its words and classes. No backend is loaded."""

import numpy as np

from zoo.catalogue import VOCABULARY_LIMITS
from zoo.data import text_files
from zoo.data.array_labels import convert_array_pair
from zoo.data.dataset_info import get_dataset_info
from zoo.data.labeled_images import (LabeledImages, check_max_label, check_split_name, match_labels, read_labeled_npz,
                                     select_labeled_pair, select_listing_split)
from zoo.data.loading import get_source_kind, resolve_shape
from zoo.data.sources import check_source_arguments
from zoo.data.splits import Split
from zoo.data.text_arrays import check_token_ids, convert_texts
from zoo.data.text_loading import describe_unknown_words, encode_texts, load_imdb
from zoo.data.vocabulary import FIRST_WORD, PADDING, START, UNKNOWN, WORDS_FILE, parse_vocabulary
from zoo.errors import UserError
from zoo.modality import TEXT
from zoo.utils.io import expand_user


def load_labeled_texts(source, class_names, length, vocabulary, *, split_name="test", data_dir=None):
    """Return the LabeledImages, whose images are token ids, of any source of texts that `zoo.load_data` accepts.

    From a source with splits, a .csv file with a column of them among others, the split `split_name` is used; from
    class folders, another .csv file and one pair of arrays, all texts.

    Args:
        source: as for `zoo.load_data`; a Dataset must have the words of `vocabulary`.
        class_names: list of str, the classes of the model. Named classes are matched by name; the labels of arrays are
            indices into it.
        length: int, of the model's input in tokens.
        vocabulary: the Vocabulary of the model.
        split_name: "test", "validation" or "train".
        data_dir: the folder with the files of a named dataset.

    Raises:
        UserError: for a class that is not in `class_names`, a missing split, or images.
    """
    kind = get_source_kind(source)
    check_source_arguments(kind, {"data_dir": data_dir})
    check_split_name(split_name)
    resolve_shape(kind, source, (length,))  # refuses images
    if kind in ("folder", "csv"):
        return load_labeled_files(expand_user(source), class_names, length, vocabulary, split_name)
    if kind == "arrays":
        pair, split_name = select_labeled_pair(source, split_name)
        return load_labeled_text_arrays(pair, class_names, length, vocabulary, split_name)
    if kind == "npz":
        path = expand_user(source).absolute()
        pair, split_name = read_labeled_npz(path, split_name, TEXT)
        return load_labeled_text_arrays(pair, class_names, length, vocabulary, split_name, str(path))
    if kind == "name":
        return load_labeled_dataset(source, class_names, length, vocabulary, split_name, data_dir)
    if source.files.get(WORDS_FILE) != vocabulary.to_text() or source.info.shape != (length,):
        raise UserError(f"{source.source} has other token ids than those that the model was trained on; give its "
                        "folder or .csv file")
    return select_labeled_split(source, class_names, split_name)


def select_labeled_split(dataset, class_names, split_name):
    """Return the LabeledImages of a split of a Dataset with the token ids of the model."""
    split = getattr(dataset, split_name)
    labels = match_labels(split.labels, dataset.info.class_names, class_names, dataset.source)
    return LabeledImages(split.with_labels(labels), dataset.source, split_name)


def load_labeled_files(path, class_names, length, vocabulary, split_name):
    """Return the LabeledImages of a folder or .csv file."""
    listing, texts = text_files.list_texts(path)
    indices, used_split = select_listing_split(listing, split_name)
    labels = match_labels(listing.labels[indices], listing.class_names, class_names, path)
    tokens, counts = encode_texts(texts, indices, vocabulary, length)
    return LabeledImages(Split(tokens, labels, np.arange(len(labels))), str(path.absolute()), used_split,
                         (*listing.notes, *describe_unknown_words(split_name, *counts)))


def load_labeled_text_arrays(pair, class_names, length, vocabulary, split_name, source="arrays"):
    """Return the LabeledImages of a pair (texts, labels) of arrays, whose labels are indices into `class_names`."""
    name, notes = split_name or "given", ()
    texts, labels, _ = convert_array_pair(pair, name, convert_texts, TEXT)
    check_max_label(labels, class_names, source)
    if isinstance(texts, list):
        tokens, counts = encode_texts(texts, range(len(texts)), vocabulary, length)
        notes = describe_unknown_words(name, *counts)
    else:
        tokens = check_token_ids(texts, length, len(vocabulary.words) + FIRST_WORD, f"{name} texts")
    return LabeledImages(Split(tokens, labels, np.arange(len(labels))), source, split_name, notes)


def load_labeled_dataset(name, class_names, length, vocabulary, split_name, data_dir=None):
    """Return the LabeledImages of a named dataset: its token ids are translated by their words into the model's."""
    dataset = load_imdb(get_dataset_info(name), length, VOCABULARY_LIMITS[1], data_dir)
    labeled = select_labeled_split(dataset, class_names, split_name)
    tokens, labels = labeled.split.batch(np.arange(len(labeled)))
    tokens = parse_vocabulary(dataset.files[WORDS_FILE]).translate(tokens, vocabulary)
    counts = int((~np.isin(tokens, (PADDING, START))).sum()), int((tokens == UNKNOWN).sum())
    return LabeledImages(Split(tokens, labels, np.arange(len(labels))), labeled.source, split_name,
                         describe_unknown_words(split_name, *counts))
