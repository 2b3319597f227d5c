"""Texts in memory: lists or arrays of str, or arrays of token ids. No backend is loaded."""

import numpy as np

from zoo.errors import UserError
from zoo.utils.io import replace_surrogates


def has_texts(values):
    """Return whether `values` is a sequence of str: a list, or an array or Series (n,)."""
    if isinstance(values, str) or not hasattr(values, "__len__") or getattr(values, "ndim", 1) != 1 or not len(values):
        return False
    return isinstance(next(iter(values)), str)


def convert_texts(values, split):
    """Return texts as a list of str, or token ids as an integer array (n, length); UserError for anything else.

    split: of which they are, for messages.
    """
    if has_texts(values):
        texts = [*values]
        invalid = next((index for index, text in enumerate(texts) if not isinstance(text, str)), None)
        if invalid is not None:
            raise UserError(f"the {split} texts must be str; the one at index {invalid} is of type "
                            f"{type(texts[invalid]).__name__}")
        return [*map(replace_surrogates, texts)]  # halves of an emoji, where a text was cut, cannot be encoded
    try:
        ids = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths; tensors on a GPU
        ids = np.empty(len(values), object)
    if ids.dtype.kind not in "iu" or ids.ndim != 2 or not ids.size:
        raise UserError(f"the {split} texts must be str (n,), or token ids, integers (n, length), padded to one "
                        f"length, for example with keras.utils.pad_sequences; got {ids.dtype} {ids.shape}")
    return ids


def check_token_ids(ids, length, size, what):
    """Return token ids as int32 (n, length); UserError, in which `what` names them, unless they are from 0 to size-1.
    """
    if ids.shape[1] != length:
        raise UserError(f"the {what} are token ids of the length {ids.shape[1]}; expected the length {length}")
    if ids.min() < 0 or ids.max() >= size:
        raise UserError(f"the {what} have token ids from {ids.min()} to {ids.max()}, but the vocabulary is {size}, 0 "
                        f"to {size - 1}")
    return ids.astype(np.int32)
