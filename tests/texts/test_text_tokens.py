"""Texts as token ids: Keras's rule for IMDB, with ids typed in, and against Keras's own functions."""

import keras
import numpy as np
import pytest
from helpers import check_message

from zoo.data.vocabulary import Vocabulary, count_words, encode_ranks, read_vocabulary, split_words
from zoo.errors import UserError


@pytest.mark.parametrize("text, words", [
    ("It's GREAT -- isn't it?", ["it's", "great", "isn't", "it"]),
    ("a\tb\nc\r\nd", ["a", "b", "c", "d"]),
    ("wow!!!(really),<br /><br />10/10", ["wow", "really", "br", "br", "10", "10"]),
    ("  ", []),
    ("naïve café 電影", ["naïve", "café", "電影"]),
])
def test_words(text, words):
    assert split_words(text) == words


def test_the_separators_are_those_of_kerass_layer():
    """TextVectorization strips the same punctuation, except for the apostrophe, and splits on white space."""
    text = "one!two\"three#four$five%six&seven(eight)nine*ten+a,b-c.d/e:f;g<h=i>j?k@l[m\\n]o^p_q`r{s|t}u~v w"
    words = "one two three four five six seven eight nine ten".split()
    assert split_words(text) == words + [*"abcdefghijklmnopqrstuvw"]


def test_words_are_ordered_by_frequency_and_ties_alphabetically():
    texts = ["the cat saw the dog", "the dog", "a bird saw a cat"]
    # the 3; a, cat, dog, saw 2; bird 1
    assert count_words(texts, 100).words == ("the", "a", "cat", "dog", "saw", "bird")
    assert count_words(texts, 7).words == ("the", "a", "cat")  # ids 4, 5 and 6
    assert count_words(texts, 4).words == ()


VOCABULARY = Vocabulary(("the", "a", "cat"))


@pytest.mark.parametrize("text, length, ids", [
    ("the cat", 5, [0, 0, 1, 4, 6]),
    ("the cat", 3, [1, 4, 6]),
    ("the cat", 2, [4, 6]),  # the start token is truncated first
    ("A big cat.", 4, [1, 5, 2, 6]),
    ("a big cat", 1, [6]),
    ("", 3, [0, 0, 1]),
])
def test_token_ids(text, length, ids):
    tokens, num_words, num_unknown = VOCABULARY.encode(text, length)
    assert (tokens.tolist(), tokens.dtype) == (ids, np.int32)
    assert (num_words, num_unknown) == (len(text.split()), text.count("big"))


def test_kerass_own_padding():
    """The ids of Keras's `imdb.load_data(num_words=9)`, then its `pad_sequences`, on ranks up to 9."""
    rng = np.random.default_rng(0)
    for length in (1, 4, 9):
        for count in range(12):
            ranks = rng.integers(1, 10, count).tolist()
            shifted = [1] + [rank + 3 for rank in ranks]
            expected = keras.utils.pad_sequences([[token if token < 9 else 2 for token in shifted]], maxlen=length)
            assert encode_ranks(ranks, length, 9).tolist() == expected[0].tolist()


def test_token_ids_as_words():
    assert VOCABULARY.decode([0, 0, 1, 4, 2, 6, 99, 3]) == ["the", "?", "cat", "?", "?"]
    assert Vocabulary(("the", "", "cat")).decode([4, 5, 6]) == ["the", "?", "cat"]


def test_token_ids_of_another_vocabulary():
    """Words that the other one lacks, an unnamed one and ids without a word become unknown, 2."""
    tokens = np.array([[0, 0, 1, 2, 3], [4, 5, 6, 7, 99]])
    translated = Vocabulary(("the", "", "cat")).translate(tokens, Vocabulary(("cat", "dog", "the", "")))
    assert translated.tolist() == [[0, 0, 1, 2, 2], [6, 2, 4, 2, 2]]


def test_the_word_list_reads_back(tmp_path):
    vocabulary = Vocabulary(("the", "", "it's", "\x85 ", "電影"))
    (tmp_path / "words.txt").write_text(vocabulary.to_text(), encoding="utf-8", newline="")
    assert read_vocabulary(tmp_path) == vocabulary


def test_a_word_list_with_the_line_ends_of_windows(tmp_path):
    (tmp_path / "words.txt").write_bytes(b"the\r\n\r\ncat\r\n")
    assert read_vocabulary(tmp_path) == Vocabulary(("the", "", "cat"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\n", b"the\ncat"])
def test_a_damaged_word_list(tmp_path, content):
    if content is not None:
        (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_vocabulary(tmp_path)
    check_message(error.value, "words.txt")
