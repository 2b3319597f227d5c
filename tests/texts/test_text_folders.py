"""Layouts of folders of texts: which folders are splits, which are classes, and what is ignored or refused."""

import os

import numpy as np
import pytest
from helpers import check_message, check_text, deny_access

from zoo.data.labeled_texts import load_labeled_texts
from zoo.data.loading import load_data
from zoo.data.text_files import find_text_files
from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError


def write(folder, *names, count=10, extension=".txt"):
    """Write `count` files with the word that is the name of their class into each class folder."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (folder / name / f"{index}{extension}").write_text(name.rpartition("/")[2])


def load(folder):
    return load_data(folder, shape=(3,))


def sizes(dataset):
    return [len(dataset.train), len(dataset.validation), len(dataset.test)]


def refuse(folder, *parts):
    with pytest.raises(UserError) as error:
        load(folder)
    check_message(error.value, *parts)


def test_splits_under_names_that_contain_a_split_word(tmp_path):
    write(tmp_path, "reviews_train/pos", "reviews_train/neg", count=20)
    write(tmp_path, "reviews_test/pos", "reviews_test/neg", count=6)
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("neg", "pos") and sizes(dataset) == [36, 4, 12]
    assert dataset.files["words.txt"] == "neg\npos\n"
    check_text(dataset.notes[0], "reviews_train/ is train", "reviews_test/ is test")


@pytest.mark.parametrize("names, parts", [
    (("en/pos", "en/neg", "de/pos", "de/neg"), ("de/", "en/", "neg", "pos")),
    (("pos/train", "pos/test", "neg/train", "neg/test"), ("neg/train", "neg/test", "test/neg")),
    (("pos", "neg", "test"), ("test/", "test_class")),
    (("pos", "neg", "train"), ("train/", "train_class")),
    (("train", "test"), ("train/", "test/", "train/positive")),
    (("train/pos", "train/neg", "other"), ("train/", "other/")),
    (("reviews/pos", "reviews/neg"), ("'reviews'", "neg", "pos", "two")),
    (("train/pos", "train/neg", "val/pos", "valid/pos"), ("val/", "valid/")),
])
def test_ambiguous_layouts_are_refused(tmp_path, names, parts):
    write(tmp_path, *names)
    refuse(tmp_path, tmp_path, *parts)


def test_class_names_that_are_not_utf8(tmp_path):
    write(tmp_path, "pos", "neg")
    os.rename(bytes(tmp_path / "pos"), bytes(tmp_path) + b"/caf\xe8")
    assert load(tmp_path).info.class_names == ("caf\ufffd", "neg")
    os.rename(bytes(tmp_path / "neg"), bytes(tmp_path) + b"/caf\xe9")
    refuse(tmp_path, tmp_path, "'caf\ufffd'")


def test_the_same_class_name_in_both_unicode_forms(tmp_path):
    write(tmp_path, "train/caf\u00e9", "train/tea", "test/cafe\u0301", "test/tea")  # the third as macOS writes it
    assert load(tmp_path).info.class_names == ("caf\u00e9", "tea")


@pytest.mark.parametrize("extension, parts", [(".text", (".txt", ".text")), (".png", (".png", "images", "lenet5"))])
def test_a_class_of_other_files_is_refused(tmp_path, extension, parts):
    write(tmp_path, "pos", "neg")
    write(tmp_path, "neutral", count=3, extension=extension)
    refuse(tmp_path, "'neutral'", tmp_path / "neutral", 3, *parts)


def test_what_is_ignored_is_noted(tmp_path):
    write(tmp_path, "train/pos", "train/neg", "test", "extra/a", "extra/b", count=20)
    write(tmp_path, "train", count=2)
    (tmp_path / "train" / "pos" / "list.md").write_text("# pos")
    (tmp_path / "imdb.txt").write_text("pos")
    dataset = load(tmp_path)
    assert dataset.info.class_names == ("neg", "pos") and sizes(dataset) == [32, 4, 4]
    *ignored, split_off = dataset.notes
    expected = [("extra/", 40, "texts"), ("test/", 20, "texts"), (1, "text"), ("train/", 2, "texts"), (1, ".md")]
    for note, parts in zip(ignored, expected, strict=True):
        check_message(note, "ignored", *parts)
    check_message(split_off, "test", "validation")


@pytest.mark.parametrize("name", [".", "pos", "pos/old"])
def test_a_folder_that_cannot_be_read_is_refused(tmp_path, name, monkeypatch):
    write(tmp_path, "pos", "pos/old", "neg")
    deny_access(tmp_path / name, monkeypatch)
    for read in (load, lambda folder: find_text_files([folder])):
        with pytest.raises(UserError) as error:
            read(tmp_path)
        check_message(error.value, (tmp_path / name).resolve(), "permissions")


@pytest.mark.parametrize("split", ["train/", ""])
def test_the_unlabeled_reviews_of_imdb_are_no_class(tmp_path, split):
    write(tmp_path, *(f"{split}{name}" for name in ("pos", "neg", "unsup")))
    if split:
        write(tmp_path, "test/pos", "test/neg", count=4)
    refuse(tmp_path, tmp_path, "'unsup'", "unsup_class")
    if split:  # evaluation does not use them
        labeled = load_labeled_texts(tmp_path, ["pos", "neg"], 3, Vocabulary(("neg", "pos")))
        assert labeled.split.labels.tolist() == [1] * 4 + [0] * 4


def test_a_class_without_test_texts_is_noted(tmp_path):
    write(tmp_path, "train/pos", "train/neg", "train/junk", "val/pos", "val/neg", "val/junk", "test/pos", "test/neg")
    dataset = load(tmp_path)
    assert dataset.notes == ("no test texts of junk",) and np.bincount(dataset.test.labels).tolist() == [0, 10, 10]


def test_files_to_predict(tmp_path):
    write(tmp_path, "new", "new/.hidden", count=2)
    write(tmp_path, "new", count=1, extension=".md")
    files, notes = find_text_files([tmp_path / "new", tmp_path / "new" / "0.txt"])
    assert files == [tmp_path / "new" / "1.txt", tmp_path / "new" / "0.txt"]
    check_text("\n".join(notes), ".md", ".hidden")
