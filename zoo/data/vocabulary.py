"""Texts as token ids, by the rule of Keras's IMDB: 0 padding, 1 start, 2 unknown word, 3 unused, 4 the first word.

Words are ordered by how often they occur in the training texts. A text begins with the start token; it is padded and
truncated at the front, so that its end is kept. Splitting into words is that of Keras's Tokenizer: lower case, and its
characters, which separate words like spaces; a carriage return is one of them here.
"""

import functools
from collections import Counter
from dataclasses import dataclass

import numpy as np

from zoo.errors import UserError
from zoo.utils.io import read_bytes

PADDING, START, UNKNOWN, FIRST_WORD = 0, 1, 2, 4
SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r'
SEPARATOR_TABLE = str.maketrans(dict.fromkeys(SEPARATORS, " "))
DEFAULT_SIZE = 20_000  # token ids
WORDS_FILE = "words.txt"  # in a run directory: a word per line, the most frequent first
MAX_WORDS_BYTES = 64 * 2**20  # of that file
UNKNOWN_TEXT = "?"  # stands for an unknown word where texts are shown
ID_MARK = "#"  # before a token id whose word is not known; a separator, so no text has such a word


def split_words(text):
    """Return the words of a text in lower case.

    >>> split_words("It's great -- isn't it?")
    ["it's", 'great', "isn't", 'it']
    """
    return [word for word in text.lower().translate(SEPARATOR_TABLE).split(" ") if word]


def count_words(texts, size):
    """Return the Vocabulary of at most `size` token ids of an iterable of texts; ties are in alphabetical order."""
    counts = Counter()
    for text in texts:
        counts.update(split_words(text))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return Vocabulary(tuple(ranked[:max(0, size - FIRST_WORD)]))


def make_id_vocabulary(size):
    """Return the Vocabulary of `size` token ids whose words are not known: "#4" stands for the word of the id 4."""
    return Vocabulary(tuple(f"{ID_MARK}{token}" for token in range(FIRST_WORD, size)))


def parse_vocabulary(text):
    """Return the Vocabulary of the content of WORDS_FILE, whose lines may end as on Windows."""
    return Vocabulary(tuple(word.removesuffix("\r") for word in text.split("\n")[:-1]))


def encode_ranks(ranks, length, size):
    """Return the token ids int32 (length,) of a text given by the ranks of its words, from 1; 0 for an unknown word.

    Words whose id is `size` or more are unknown.
    """
    tail = [rank + FIRST_WORD - 1 for rank in ranks[-length:]]
    ids = [UNKNOWN if not FIRST_WORD <= token < size else token for token in tail]
    if len(ranks) < length:
        ids = [START, *ids]
    return np.array([PADDING] * (length - len(ids)) + ids, np.int32)


@dataclass(frozen=True)
class Vocabulary:
    """The words of a dataset, the most frequent first; "" for one that is not known."""

    words: tuple

    @functools.cached_property
    def ranks(self):
        """{word: rank}, from 1; UserError where only the token ids are known."""
        if self.words and self.words[0].startswith(ID_MARK):
            raise UserError("the model was trained on token ids, whose words are not known; give token ids, or write "
                            f"the words into {WORDS_FILE} of the run, that of the id {FIRST_WORD} first")
        return {word: rank for rank, word in enumerate(self.words, start=1) if word}

    def encode(self, text, length):
        """Return (token ids int32 (length,), number of words, number of unknown words) of a text."""
        ranks = [self.ranks.get(word, 0) for word in split_words(text)]
        return encode_ranks(ranks, length, len(self.words) + FIRST_WORD), len(ranks), ranks.count(0)

    def translate(self, tokens, vocabulary):
        """Return token ids of this Vocabulary, an integer array, as those of another one.

        Words that the other one lacks, and ids beyond the words of this one, become unknown.
        """
        ranks = np.array([0, *(vocabulary.ranks.get(word, 0) for word in self.words)], np.int32)
        words = np.where(ranks == 0, UNKNOWN, ranks + FIRST_WORD - 1)
        table = np.concatenate([[PADDING, START, UNKNOWN], words, [UNKNOWN]]).astype(np.int32)
        return table[np.minimum(tokens, len(table) - 1)]

    def decode(self, ids):
        """Return the words of token ids, a list without padding and start; UNKNOWN_TEXT for unknown ones."""
        def get_word(token):
            index = int(token) - FIRST_WORD
            return (self.words[index] if 0 <= index < len(self.words) else "") or UNKNOWN_TEXT

        return [get_word(token) for token in ids if token not in (PADDING, START)]

    def to_text(self):
        """Return the content of WORDS_FILE."""
        return "".join(f"{word}\n" for word in self.words)


def read_vocabulary(run):
    """Return the Vocabulary of a run directory; UserError when its file is missing or damaged."""
    path = run / WORDS_FILE
    try:
        text = read_bytes(path, MAX_WORDS_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): restore an intact copy, "
                        "or train again") from None
    if text and not text.endswith("\n"):
        raise UserError(f"{path} is damaged (its last line is incomplete): restore an intact copy, or train again")
    return parse_vocabulary(text)
