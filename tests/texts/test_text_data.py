"""Loading texts: folders and .csv files, their splits, and what is refused."""

import csv
import shutil

import numpy as np
import pytest
from helpers import check_message, make_topic_texts, write_pets, write_topics

import zoo
from zoo.cli import finetune, recipes, train
from zoo.data import text_files
from zoo.data.labeled_texts import load_labeled_texts
from zoo.data.loading import load_data
from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError
from zoo.training.augmentation import NO_AUGMENTATION
from zoo.training.batches import TrainingBatches


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    return write_topics(tmp_path_factory.mktemp("texts") / "topics", 100)


def write_csv(path, rows, header=("text", "label")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_a_folder(topics):
    dataset = load_data(topics, sequence_length=20, vocabulary=30)
    assert dataset.info.class_names == ("cooking", "sailing") and dataset.info.shape == (20,)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [80, 10, 10]
    assert dataset.train.images[:5].shape == (5, 20) and dataset.train.images[0].dtype == np.int32
    assert dataset.train.images[:].max() == 29  # 26 words of 36 are known
    assert np.bincount(dataset.train.labels).tolist() == [40, 40]
    assert dataset.info.modality.name == "text"


def test_every_text_is_in_one_split_with_its_label(topics):
    dataset = load_data(topics, sequence_length=40, vocabulary=1000)
    words = dataset.files["words.txt"].split("\n")
    found = []
    for split in (dataset.train, dataset.validation, dataset.test):
        for tokens, label in zip(split.images[:], split.labels, strict=True):
            found.append((" ".join(words[token - 4] for token in tokens if token > 3),
                          dataset.info.class_names[label]))
    expected = [(text.lower().rstrip("."), topic) for text, topic in make_topic_texts(100)]
    assert sorted(found) == sorted(expected)


def test_the_vocabulary_is_that_of_the_training_texts(tmp_path):
    for split, word in (("train", "apple"), ("val", "banana"), ("test", "cherry")):
        for name in ("yes", "no"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "1.txt").write_text(f"{word} {name}")
    dataset = load_data(tmp_path, shape=(4,))
    assert dataset.files["words.txt"] == "apple\nno\nyes\n"
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [2, 1 + 1, 2]
    labels = dict(zip(dataset.test.labels.tolist(), dataset.test.images[:].tolist(), strict=True))
    assert labels == {0: [0, 1, 2, 5], 1: [0, 1, 2, 6]}  # no, yes
    assert any("50.0%" in note for note in dataset.notes)


def test_a_csv_file(tmp_path):
    rows = make_topic_texts(40)
    path = write_csv(tmp_path / "topics.csv", rows)
    dataset = load_data(path)
    assert (dataset.info.name, dataset.info.shape, dataset.info.class_names) == (
        "topics", (100,), ("cooking", "sailing"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [32, 4, 4]
    kaggle = write_csv(tmp_path / "kaggle.csv", [(1, *row) for row in rows], ("id", "Review", "sentiment"))
    assert np.array_equal(load_data(kaggle).train.images[:], dataset.train.images[:])


def test_a_long_text_in_a_csv_file(tmp_path):
    """Longer than the 131,072 characters that Python's reader accepts, and than those of a .txt file."""
    rows = [(f"{'far ' * 50_000}near", index % 2) for index in range(20)]
    assert load_data(write_csv(tmp_path / "a.csv", rows), shape=(2,)).train.images[:].tolist() == [[4, 5]] * 16
    limit = csv.field_size_limit()
    assert limit == 131_072  # for other readers
    with pytest.raises(UserError) as error:
        load_data(write_csv(tmp_path / "b.csv", [("far " * (2**20 + 1), "a"), ("near", "b")]))
    check_message(error.value, tmp_path / "b.csv", 2**22)


@pytest.mark.parametrize("names", [("train", "validation", "test"), ("Train", "val", "TEST"),
                                   ("training", "dev", "eval")])
def test_a_csv_file_with_a_column_of_splits(tmp_path, names):
    words, counts = ("apple", "banana", "cherry"), (8, 4, 2)
    rows = [(split, f"{word} {number}", number % 2) for split, word, count in zip(names, words, counts, strict=True)
            for number in range(count)]
    path = write_csv(tmp_path / "a.csv", rows, ("Split", "text", "label"))
    dataset = load_data(path, shape=(3,))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [8, 4, 2]
    assert dataset.files["words.txt"] == "apple\n0\n1\n2\n3\n4\n5\n6\n7\n"
    assert sorted(dataset.test.images[:].tolist()) == [[1, 2, 5], [1, 2, 6]]
    labeled = load_labeled_texts(path, ["0", "1"], 3, Vocabulary(("banana",)), split_name="validation")
    assert labeled.split.images[:].tolist() == [[1, 4, 2]] * 4 and labeled.split_name == "validation"


def test_labels_of_a_csv_file_in_both_unicode_forms(tmp_path):
    labels = ("caf\u00e9", "cafe\u0301", "tea")
    rows = [(text, labels[index % 3]) for index, (text, _) in enumerate(make_topic_texts(40))]
    assert load_data(write_csv(tmp_path / "a.csv", rows)).info.class_names == ("caf\u00e9", "tea")


def test_a_csv_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_CSV_BYTES", 100)
    with pytest.raises(UserError) as error:
        load_data(write_csv(tmp_path / "a.csv", make_topic_texts(40)))
    check_message(error.value, tmp_path / "a.csv", "100 bytes")


def test_splits_that_the_column_lacks_are_split_off(tmp_path):
    rows = [(f"word{number}", number % 2, "test" if number < 4 else "train") for number in range(24)]
    dataset = load_data(write_csv(tmp_path / "a.csv", rows, ("text", "label", "split")))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 4]
    check_message(dataset.notes[0], "validation")


def test_ignored_columns_are_noted(tmp_path):
    rows = [(index, "a", *row) for index, row in enumerate(make_topic_texts(40))]
    for header, parts in ((("id", "Source", "text", "label"), ("id", "Source")),
                          (("", "title", "text", "label"), ("name", "title"))):
        check_message(load_data(write_csv(tmp_path / "a.csv", rows, header)).notes[0], "ignored", "columns", *parts)
    assert not any("column" in note for note in load_data(write_csv(tmp_path / "b.csv", make_topic_texts(40))).notes)


def test_the_limit(topics):
    dataset = load_data(topics, shape=(20,), limit=6)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [6, 6, 6]
    assert np.bincount(dataset.train.labels).tolist() == [3, 3]


def test_the_order_of_files_does_not_matter(topics, tmp_path):
    copy = tmp_path / "topics"
    for path in sorted(topics.rglob("*.txt"), reverse=True):
        (copy / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / path.parent.name / path.name).write_bytes(path.read_bytes())
    first, second = (load_data(folder, shape=(20,)) for folder in (topics, copy))
    assert first.origin["fingerprint"] == second.origin["fingerprint"]
    (next(copy.rglob("*.txt"))).write_text("another text")
    assert load_data(copy, shape=(20,)).origin["fingerprint"] != first.origin["fingerprint"]


def test_batches_of_texts(topics):
    split = load_data(topics, shape=(20,)).train
    inputs, targets = TrainingBatches(split, 2, 32, 0, NO_AUGMENTATION)[0]
    assert (inputs.shape, inputs.dtype, targets.shape) == ((32, 20), np.int32, (32, 2))


@pytest.mark.parametrize("content, parts", [
    ("text,label\n", ("no rows",)),
    ("words,label\na,b\n", ("'text'", "words", "label")),
    ("text,kind\na,b\n", ("'label'", "text", "kind")),
    ("text,label\na,b\nc\n", ("row 3", 1, 2)),
    ("text,label\na,\n", ("row 2",)),
    ("text,label\na,b\nc,b\n", ("'b'", "two")),
    ('text,label\n"a,b\n', (".csv",)),
    ("", ("empty",)),
    ("text,label\n" + "?!,a\n.,b\n" * 20, ("no words",)),
    ("text,label,split\na,b,train\nc,d,fold 2\n", ("row 3", "'fold 2'", "train", "split")),
    ("text,label,split\na,b,train\nc,d,\n", ("row 3", "''", "train")),
    ("text,label,split\na,b,train\nc,d,eval\n", ("eval", "val", "test")),
    ("text,label,split\na,b,train\nc,d,training\n", ("train", "training")),
    ("text,label,split\na,b,test\nc,d,test\n", ("test", "train")),
    ("text,label,split\n" + "a,b,train\nc,d,train\n" * 20 + "e,f,test\n", ("'f'", "row 42", "test")),
])
def test_invalid_csv_files(tmp_path, content, parts):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        load_data(path)
    check_message(error.value, path, *parts)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_class_folders(tmp_path, split):
    write_topics(tmp_path / "topics", 40)
    (tmp_path / "topics" / split).mkdir()
    (tmp_path / "topics" / split / "a.txt").write_text("a text without a class")
    with pytest.raises(UserError) as error:
        load_data(tmp_path / "topics", shape=(20,))
    check_message(error.value, f"{split}/", f"{split}_class")


def test_links(topics, tmp_path):
    """A class can be a link to another place, but not to another class."""
    shutil.copytree(topics, tmp_path / "topics")
    (tmp_path / "topics" / "sailing").rename(tmp_path / "boats")
    (tmp_path / "topics" / "sailing").symlink_to(tmp_path / "boats")
    assert load_data(tmp_path / "topics", sequence_length=20).info.class_names == ("cooking", "sailing")
    (tmp_path / "topics" / "rowing").symlink_to("sailing")
    with pytest.raises(UserError) as error:
        load_data(tmp_path / "topics", sequence_length=20)
    check_message(error.value, "rowing", "sailing", "labels", "link")


def test_a_file_that_is_not_utf8(tmp_path):
    folder = write_topics(tmp_path / "topics", 40)
    (folder / "sailing" / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError) as error:
        load_data(folder, shape=(20,))
    check_message(error.value, "bad.txt", "UTF-8")


@pytest.mark.parametrize("source, arguments, parts", [
    ("topics", {"shape": (20,), "image_size": 32}, ("--image-size", "images", "texts")),
    ("topics", {"shape": (20,), "invalid_images": "skip"}, ("--invalid-images", "images", "texts")),
    ("pets", {"shape": (20,)}, ("pets", "texts", ".txt")),
    ("pets", {"shape": (32, 32, 3), "sequence_length": 20}, ("--sequence-length", "texts", "images")),
    ("cifar10", {"shape": (20,)}, ("cifar10", "images", "texts", "imdb")),
    ("imdb", {"shape": (32, 32, 3)}, ("imdb", "texts", "images", "cifar10")),
    ("imdb", {"label_mode": "coarse"}, ("imdb", "'fine'")),
    (([[1, 2]], [0]), {"shape": (2,)}, (0, "two")),
])
def test_refusals(topics, tmp_path, source, arguments, parts):
    if isinstance(source, str) and source in ("topics", "pets"):
        source = topics if source == "topics" else write_pets(tmp_path / "pets", (20, 20, 3), ".png")
    with pytest.raises(UserError) as error:
        load_data(source, **arguments)
    check_message(error.value, *parts)


@pytest.mark.parametrize("command", [finetune, train])
def test_fine_tuning_is_refused_before_its_weights_are_looked_for(command, topics, capsys):
    assert command.main(["text_cnn", "--data", str(topics), "--weights", "imagenet"]) == 2
    check_message(capsys.readouterr().err.strip(), "fine-tuning", "images", "text_cnn", "texts")


@pytest.mark.parametrize("model, dataset, arguments, parts", [
    ("text_cnn", "cifar10", {}, ("text_cnn", "texts", "cifar10", "images", "imdb", "lenet5")),
    ("lenet5", "imdb", {}, ("lenet5", "images", "imdb", "texts", "cifar10", "text_cnn")),
    ("text_cnn", "imdb", {"augmentation": "flip"}, ("augmentation", "images", "imdb", "texts")),
    ("text_cnn", "imdb", {"weights": "imagenet"}, ("fine-tuning", "images", "text_cnn", "texts")),
    ("text_cnn", "imdb", {"head_layers": (10,)}, ("fine-tuning", "images", "text_cnn", "texts")),
    ("text_cnn", "imdb", {"vocabulary": 3}, ("vocabulary", 5, 3)),
])
def test_refusals_of_fit(model, dataset, arguments, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(write_imdb(tmp_path)))
    with pytest.raises(UserError) as error:
        zoo.fit(model, dataset, output_dir=tmp_path / "runs", **arguments)
    check_message(error.value, *parts)
    assert not (tmp_path / "runs").exists()


def write_imdb(folder):
    """Write a small dataset in Keras's format, and return its folder; see test_imdb.py."""
    from test_imdb import write_files

    return write_files(folder / "data")


def test_a_folder_of_texts_given_to_an_image_network_says_which_network_to_use(topics):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", topics)
    check_message(error.value, "text_cnn", "cooking")


@pytest.mark.parametrize("arguments, status, column", [
    (["text_cnn", "imdb"], 0, False), (["lenet5", "mnist"], 0, True), (["text_cnn", "cifar10"], 2, False),
    (["text_cnn", "imdb", "--recipe", "finetune"], 2, False)])
def test_recipes_of_text_networks(arguments, status, column, capsys):
    assert recipes.main(arguments) == status
    assert ("finetune" in capsys.readouterr().out) == column
