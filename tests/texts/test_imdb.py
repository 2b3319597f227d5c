"""IMDB in Keras's format: an .npz file of pickled lists, read without executing anything, and the word index."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from helpers import check_message

from zoo.data.loading import load_data
from zoo.errors import UserError

WORDS = {"the": 1, "a": 2, "great": 3, "awful": 4, "film": 5, "rare": 6}


def make_texts(count, seed=0):
    """Return (texts, labels): lists of ranks; a positive text has the word 3, a negative one 4."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    texts = np.empty(count, dtype=object)
    for index, label in enumerate(labels):
        ranks = rng.choice([1, 2, 5, 6], rng.integers(3, 12)).tolist()
        ranks[int(rng.integers(len(ranks)))] = 3 if label else 4
        texts[index] = ranks
    return texts, labels.astype(np.int64)


def write_files(folder, train=200, test=40):
    """Write imdb.npz, pickled by NumPy as Keras's is, and imdb_word_index.json, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (x_train, y_train), (x_test, y_test) = make_texts(train), make_texts(test, 1)
    np.savez(folder / "imdb.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    (folder / "imdb_word_index.json").write_text(json.dumps(WORDS))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "imdb-files")


def read_npz(folder):
    with np.load(folder / "imdb.npz", allow_pickle=True) as file:
        return dict(file)


def test_the_texts_are_those_of_the_file(folder):
    dataset = load_data("imdb", data_dir=folder, shape=(15,), vocabulary=9)
    assert (dataset.info.class_names, dataset.info.shape) == (("negative", "positive"), (15,))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [180, 20, 40]
    assert dataset.files["words.txt"] == "the\na\ngreat\nawful\nfilm\n"  # ids 4 to 8
    arrays = read_npz(folder)
    assert dataset.test.labels.tolist() == arrays["y_test"].tolist()
    for tokens, ranks in zip(dataset.test.images[:], arrays["x_test"], strict=True):
        ids = [1] + [rank + 3 if rank + 3 < 9 else 2 for rank in ranks]
        assert tokens.tolist() == [0] * (15 - len(ids)) + ids
    for split in (dataset.train, dataset.validation):
        for tokens, label in zip(split.images[:], split.labels, strict=True):
            assert (6 in tokens, 7 in tokens) == (bool(label), not label)
    assert dataset.notes == ("imdb: 200 of 25,000 training texts", "imdb: 40 of 25,000 test texts")


def test_the_limit(folder):
    dataset = load_data("imdb", data_dir=folder, limit=10)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [10, 10, 10]
    assert np.bincount(dataset.test.labels).tolist() == [5, 5]


class Malicious:
    def __reduce__(self):
        return print, ("executed",)


def test_a_pickle_that_is_loaded_prints(capsys):
    """Otherwise the tests below, in which nothing is printed, would show nothing."""
    pickle.loads(pickle.dumps(Malicious()))
    assert "executed" in capsys.readouterr().out


def replace_member(folder, name, content):
    """Write imdb.npz again, with another content of one member."""
    with zipfile.ZipFile(folder / "imdb.npz") as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(folder / "imdb.npz", "w") as archive:
        for member, data in {**members, f"{name}.npy": content}.items():
            archive.writestr(member, data)


def to_npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def make_object_array(*elements):
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array


@pytest.mark.parametrize("content, parts", [
    (to_npy(make_object_array(*[Malicious()] * 200)), ("x_train", "print")),
    (to_npy(np.zeros(200, dtype=object))[:80] + pickle.dumps(Malicious()), ("x_train",)),
    (to_npy(make_object_array(*[["word"]] * 200)), ("integers",)),
    (to_npy(make_object_array(*[[0]] * 200)), ("integers",)),
    (to_npy(make_object_array(*[[2**40]] * 200)), ("integers",)),
    (to_npy(make_object_array(*["ab"] * 200)), ("list",)),
    (to_npy(make_object_array(*[[1]] * 199)), (199, "x_train")),
    (to_npy(np.ones((200, 3), np.int64)), ("x_train", "int64")),
    (to_npy(np.array([[1, 2]] * 200, dtype=object)), ("x_train",)),
    (to_npy(make_texts(200)[0])[:-20], ("x_train",)),
    (b"", ("x_train",)),
])
def test_damaged_and_malicious_texts(folder, content, parts, capsys):
    replace_member(folder, "x_train", content)
    with pytest.raises(UserError) as error:
        load_data("imdb", data_dir=folder)
    check_message(error.value, "imdb.npz", *parts)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("labels, parts", [
    (np.full(200, 2), (2, "imdb")), (np.zeros(199, np.int64), (200, "(199,)")), (np.zeros(200), ("labels",)),
])
def test_invalid_labels(folder, labels, parts):
    replace_member(folder, "y_train", to_npy(labels))
    with pytest.raises(UserError) as error:
        load_data("imdb", data_dir=folder)
    check_message(error.value, "imdb.npz", *parts)


@pytest.mark.parametrize("content", ["[1]", '{"the": "1"}', '{"the": 0}', "{"])
def test_invalid_word_indices(folder, content):
    (folder / "imdb_word_index.json").write_text(content)
    with pytest.raises(UserError) as error:
        load_data("imdb", data_dir=folder)
    check_message(error.value, "imdb_word_index.json")


def test_a_missing_word_index(folder):
    (folder / "imdb_word_index.json").unlink()
    with pytest.raises(UserError) as error:
        load_data("imdb", data_dir=folder)
    check_message(error.value, "imdb", "imdb_word_index.json")
