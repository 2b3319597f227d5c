"""Reading Keras's files of the IMDB movie reviews: imdb.npz, ranks of words, and imdb_word_index.json, their words.

The texts in imdb.npz are pickled lists; nothing in them is executed.
"""

import zipfile

import numpy as np

from zoo.data import checks
from zoo.data.array_pickle import read_object_array
from zoo.data.formats import NPZ_ERRORS, check_labels, read_npz_arrays, read_npz_sizes
from zoo.data.npy import read_npy_header
from zoo.data.vocabulary import FIRST_WORD, Vocabulary, encode_ranks
from zoo.errors import UserError
from zoo.utils.io import read_json

MAX_BYTES = 512 * 2**20  # of the uncompressed arrays; the published file has less than a tenth


def read_imdb(layout, info, length, size):
    """Return ({"training": (tokens int32 (n, length), labels int64 (n,)), "test": ...}, Vocabulary, notes).

    layout: the FileLayout that was found. size: the number of token ids; rarer words are unknown.
    """
    path = layout.find_file("imdb.npz")
    [labels] = read_npz_arrays(path, (("y_train", "y_test"),), MAX_BYTES)
    splits, notes = {}, ()
    for split, member, split_labels in zip(("training", "test"), ("x_train", "x_test"), labels, strict=True):
        texts = read_object_array(read_npz_member(path, member), f"{member} of {path}")
        if split_labels.dtype.kind not in "iu" or split_labels.shape != (len(texts),):
            raise UserError(f"{path} contains {len(texts):,} texts in {member}, but labels of shape "
                            f"{split_labels.shape}; download it again")
        check_labels(split_labels[:, None], info, path)
        notes += checks.check_count(info, layout, split, len(texts))
        splits[split] = (np.stack([encode_text(ranks, length, size, path) for ranks in texts]),
                         split_labels.astype(np.int64))
    return splits, read_word_index(layout.find_file("imdb_word_index.json"), size), notes


def read_npz_member(path, name):
    """Return the pickle in an array of Python objects of an .npz file, as bytes."""
    sizes = read_npz_sizes(path)
    if sum(sizes.values()) > MAX_BYTES or name not in sizes:
        raise UserError(f"{path} has no array {name}, or is larger than the full dataset; download it again")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            _, _, dtype = read_npy_header(file)
            if dtype != np.dtype(object):
                raise ValueError(f"it has the dtype {dtype}, not lists")
            return file.read()
    except (OSError, *NPZ_ERRORS) as error:
        raise UserError(f"{name} of {path} is damaged ({' '.join(str(error).split())}); download it again") from None


def encode_text(ranks, length, size, path):
    """Return the token ids of a text, a list of ranks of words; only the last `length` of them are looked at."""
    if not isinstance(ranks, list) or not all(type(rank) is int and 0 < rank < 2**31 for rank in ranks[-length:]):
        raise UserError(f"{path} contains a text that is not a list of positive integers; download it again")
    return encode_ranks(ranks, length, size)


def read_word_index(path, size):
    """Return the Vocabulary of imdb_word_index.json, {word: rank}, with at most `size` token ids."""
    try:
        ranks = read_json(path)
        if not all(type(rank) is int and rank > 0 for rank in ranks.values()):
            raise ValueError("a rank is not a positive integer")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())}); download it again") from None
    words = [""] * max(0, min(size - FIRST_WORD, max(ranks.values(), default=0)))
    for word, rank in ranks.items():
        if rank <= len(words):
            words[rank - 1] = " ".join(word.split())
    return Vocabulary(tuple(words))
