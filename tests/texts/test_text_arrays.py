"""Texts in memory: lists and arrays of str, and token ids, as data to train and to evaluate on."""

import numpy as np
import pytest
from helpers import check_message, make_topic_texts
from test_imdb import read_npz, write_files

import zoo
from zoo.data.labeled_texts import load_labeled_texts
from zoo.data.loading import load_data
from zoo.data.vocabulary import Vocabulary, make_id_vocabulary
from zoo.errors import UserError

TRAIN = ["The cat", "the the dog", "cat?", "dog!"]  # the 3, cat 2, dog 2: the ids 4, 5 and 6
TRAIN_IDS = [[0, 1, 4, 5], [1, 4, 4, 6], [0, 0, 1, 5], [0, 0, 1, 6]]
OTHERS = {"validation_data": (["a cat"], [0]), "test_data": (["dog the dog a cat"], [[0, 1]])}


def make_pair(count=100):
    """Return (texts, labels) of the two topics."""
    texts, topics = zip(*make_topic_texts(count), strict=True)
    return [*texts], np.array([int(topic == "sailing") for topic in topics])


def to_objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


@pytest.mark.parametrize("convert", [list, tuple, np.array, to_objects])
def test_texts_and_their_token_ids(convert):
    dataset = load_data((convert(TRAIN), [0, 1, 0, 1]), **OTHERS, class_names=["cat", "dog"], sequence_length=4)
    assert dataset.train.images[:].tolist() == TRAIN_IDS and dataset.train.images[0].dtype == np.int32
    assert dataset.validation.images[:].tolist() == [[0, 1, 2, 5]]
    assert dataset.test.images[:].tolist() == [[4, 6, 2, 5]] and dataset.test.labels.tolist() == [1]
    assert dataset.files == {"words.txt": "the\ncat\ndog\n"}
    assert (dataset.info.class_names, dataset.info.shape) == (("cat", "dog"), (4,))
    assert dataset.notes == ("50.0% of the words of the validation texts are not in the vocabulary",)


def test_missing_splits_and_a_limit():
    texts, labels = make_pair()
    dataset = load_data((texts, labels))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [80, 10, 10]
    assert dataset.info.shape == (100,) and np.bincount(dataset.test.labels).tolist() == [5, 5]
    dataset = load_data(((texts, labels), (texts[:40], labels[:40])), limit=20, vocabulary=10)  # as Keras's load_data()
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [20, 10, 20]
    assert dataset.train.images[:].max() == 9 and np.bincount(dataset.test.labels).tolist() == [10, 10]


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_token_ids_are_kept(dtype):
    ids = np.array(TRAIN_IDS, dtype)
    dataset = load_data((ids, [0, 1, 0, 1]), validation_data=(ids, [0, 1, 0, 1]), test_data=(ids[:2], [0, 1]),
                        shape=(100,), vocabulary=8)
    assert dataset.train.images[:].tolist() == TRAIN_IDS and dataset.test.images[:].tolist() == TRAIN_IDS[:2]
    assert dataset.train.images[0].dtype == np.int32 and dataset.info.shape == (4,)
    assert dataset.files == {"words.txt": "#4\n#5\n#6\n#7\n"}
    assert [len(split) for split in load_data((np.tile(ids, (10, 1)), [0, 1] * 20), sequence_length=4).train.images[:]
            ] == [4] * 32


@pytest.mark.parametrize("convert", [list, to_objects])
def test_half_an_emoji_at_the_end_of_a_text(convert):
    """A character that cannot be written as UTF-8 is part of a word, and replaced there."""
    dataset = load_data((convert(["fine", "good\ud83d", "fine"] * 10), [0, 1, 0] * 10), shape=(2,))
    assert dataset.files == {"words.txt": "fine\ngood\ufffd\n"} and len(dataset.origin["fingerprint"]) == 64
    assert load_labeled((["dog \ud83d"], [1])).split.images[:].tolist() == [[0, 1, 4, 2]]


@pytest.mark.parametrize("source, arguments, parts", [
    ((TRAIN, [0, 1]), {}, (4, 2, "texts", "text")),
    (([*TRAIN, None], [0] * 5), {}, ("texts", "NoneType", 4)),
    ((TRAIN, ["a", "b", "a", "b"]), {}, ("labels", "class_names")),
    ((TRAIN, [0] * 4), {}, (0, "two")),
    ((["?!"] * 40, [0, 1] * 20), {}, ("no words",)),
    ((TRAIN, [0, 1, 0, 1]), {"shape": (28, 28, 1)}, ("arrays", "texts", "images")),
    ((TRAIN, [0, 1, 0, 1]), {"image_size": 28}, ("--image-size", "arrays")),
    (((TRAIN, [0, 1, 0, 1]), (TRAIN, [0, 1, 0, 1])), {"test_data": (TRAIN, [0, 1, 0, 1])}, ("test_data",)),
    ((TRAIN, [0, 1, 0, 1]), {"test_data": (TRAIN_IDS, [0, 1, 0, 1])}, ("test", "token ids")),
    (([[1, 2], [3]], [0, 1]), {"shape": (4,)}, ("keras.utils.pad_sequences", "object")),
    ((np.zeros((4, 8)), [0, 1, 0, 1]), {"shape": (4,)}, ("token ids", "float64", "(4, 8)")),
    ((np.zeros((4, 8, 8), np.uint8), [0, 1, 0, 1]), {"shape": (4,)}, ("uint8", "(4, 8, 8)")),
    ((TRAIN_IDS, [0, 1, 0, 1]), {"shape": (4,), "vocabulary": 6}, (6, 5)),
    ((np.array(TRAIN_IDS) - 1, [0, 1, 0, 1]), {"shape": (4,)}, (-1, 0)),
    ((TRAIN_IDS, [0, 1, 0, 1]), {"sequence_length": 5}, (4, 5)),
    ((np.zeros((40, 8, 8), np.uint8), [0, 1] * 20), {"shape": (8, 8, 1), "sequence_length": 5},
     ("--sequence-length", "texts", "images")),
])
def test_refusals(source, arguments, parts):
    with pytest.raises(UserError) as error:
        load_data(source, **arguments)
    check_message(error.value, *parts)


@pytest.mark.parametrize("model, arguments, parts", [
    ("lenet5", {}, ("lenet5", "arrays", "texts", "images", "digits", "text_cnn")),
    ("text_cnn", {"vocabulary": 5, "sequence_length": 3}, ("text_cnn", 6, 3)),
])
def test_refusals_of_fit(model, arguments, parts, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit(model, make_pair(), output_dir=tmp_path / "runs", **arguments)
    check_message(error.value, *parts)
    assert not (tmp_path / "runs").exists()


def test_a_dataset_with_more_token_ids_than_the_model(tmp_path):
    dataset = load_data(make_pair(), vocabulary=30)
    with pytest.raises(UserError) as error:
        zoo.fit("text_cnn", dataset, vocabulary=29, output_dir=tmp_path / "runs")
    check_message(error.value, "vocabulary=30", "vocabulary=29")


def write_npz(path, ids=TRAIN_IDS, **others):
    np.savez(path, x_train=np.array(ids), y_train=[0, 1, 0, 1], x_test=np.array(ids[:2]), y_test=[0, 1], **others)
    return path


def test_token_ids_in_an_npz_file(tmp_path):
    validation = {"x_val": np.array(TRAIN_IDS)[:3], "y_val": np.array([0, 1, 0])}
    dataset = load_data(write_npz(tmp_path / "ids.npz", **validation, extra=[1]), shape=(100,), vocabulary=8,
                        class_names=["cat", "dog"])
    assert [split.images[:].tolist() for split in (dataset.train, dataset.validation, dataset.test)] == [
        TRAIN_IDS, TRAIN_IDS[:3], TRAIN_IDS[:2]]
    assert (dataset.info.name, dataset.info.shape, dataset.info.class_names) == ("ids", (4,), ("cat", "dog"))
    assert (dataset.source, dataset.origin["kind"]) == (str(tmp_path / "ids.npz"), "npz")
    assert dataset.notes == ("ignored: the arrays extra",)


@pytest.mark.parametrize("content, arguments, parts", [
    ({}, {"shape": (4,), "vocabulary": 6}, ("ids.npz", 6, 5)),
    ({}, {"sequence_length": 5}, ("ids.npz", 4, 5)),
    ({}, {"shape": (28, 28, 1)}, ("ids.npz", "(4, 4)")),
    ({"ids": np.zeros((4, 8, 8), np.uint8)}, {"shape": (4,)}, ("ids.npz", "images", "texts")),
    ({"ids": np.zeros((4, 8))}, {"shape": (4,)}, ("ids.npz", "token ids", "float64")),
    ({"x_val": np.array(TRAIN_IDS)}, {"shape": (4,)}, ("ids.npz", "y_val", "texts")),
])
def test_refused_npz_files(content, arguments, parts, tmp_path):
    with pytest.raises(UserError) as error:
        load_data(write_npz(tmp_path / "ids.npz", **content), **arguments)
    check_message(error.value, *parts)


# Labelled texts for a trained model

def load_labeled(source, vocabulary=Vocabulary(("dog", "the")), **arguments):  # the ids 4 and 5
    return load_labeled_texts(source, ["dog", "cat"], 4, vocabulary, **arguments)


def test_labelled_texts_and_token_ids():
    labeled = load_labeled((TRAIN, [1, 0, 1, 0]))
    assert labeled.split.images[:].tolist() == [[0, 1, 5, 2], [1, 5, 5, 4], [0, 0, 1, 2], [0, 0, 1, 4]]
    assert labeled.split.labels.tolist() == [1, 0, 1, 0] and labeled.split_name is None
    assert labeled.notes == ("28.6% of the words of the given texts are not in the vocabulary",)  # 2 of 7
    assert load_labeled(([[0, 1, 4, 5]], [1])).split.images[:].tolist() == [[0, 1, 4, 5]]
    labeled = load_labeled(((TRAIN, [1, 0, 1, 0]), (["the cat"], [1])))
    assert (labeled.split.images[:].tolist(), labeled.split_name) == ([[0, 1, 5, 2]], "test")


@pytest.mark.parametrize("source, arguments, parts", [
    ((TRAIN, [0, 1, 2, 0]), {}, ("arrays", 2, "dog, cat")),
    ((TRAIN, [0, 1, 0, 1]), {"split_name": "validation"}, ("validation",)),
    (([[0, 1, 4, 6]], [1]), {}, (6, 5)),
    (([[1, 4, 5]], [1]), {}, (3, 4)),
    ("digits", {}, ("digits", "images", "texts", "imdb")),
    ((TRAIN, [0, 1, 0, 1]), {"vocabulary": make_id_vocabulary(7)}, ("token ids", "words.txt", 4)),
])
def test_refused_labelled_texts(source, arguments, parts):
    with pytest.raises(UserError) as error:
        load_labeled(source, **arguments)
    check_message(error.value, *parts)


def test_labelled_token_ids_in_an_npz_file(tmp_path):
    path = write_npz(tmp_path / "ids.npz")
    labeled = load_labeled(path, make_id_vocabulary(7))
    assert (labeled.split.images[:].tolist(), labeled.split.labels.tolist()) == (TRAIN_IDS[:2], [0, 1])
    assert (labeled.split_name, labeled.source) == ("test", str(path))
    with pytest.raises(UserError) as error:
        load_labeled(path, make_id_vocabulary(7), split_name="validation")
    check_message(error.value, path, "validation")


@pytest.mark.parametrize("split, count", [("test", 40), ("validation", 20)])
def test_imdb_in_the_words_of_another_run(tmp_path, split, count):
    """The words great and film, of the ranks 3 and 5, have the ids 5 and 4; the others are unknown."""
    folder = write_files(tmp_path / "imdb-files")
    labeled = load_labeled_texts("imdb", ["positive", "negative"], 15, Vocabulary(("film", "great")), data_dir=folder,
                                 split_name=split)
    assert (len(labeled), labeled.split_name, labeled.source) == (count, split, str(folder))
    tokens, labels = labeled.split.batch(np.arange(count))
    assert ((tokens == 5).any(axis=1) == (labels == 0)).all()  # great is in positive texts alone
    if split == "test":
        arrays = read_npz(folder)
        assert labels.tolist() == (1 - arrays["y_test"]).tolist()
        expected = [[1] + [{3: 5, 5: 4}.get(rank, 2) for rank in ranks] for ranks in arrays["x_test"]]
        assert tokens.tolist() == [[0] * (15 - len(ids)) + ids for ids in expected]
        num_words = sum(map(len, arrays["x_test"]))
        num_known = sum(rank in (3, 5) for ranks in arrays["x_test"] for rank in ranks)
        assert labeled.notes == (f"{1 - num_known / num_words:.1%} of the words of the test texts are not in the "
                                 "vocabulary",)
