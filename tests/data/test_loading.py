"""load_data: every kind of source, invalid combinations of arguments, and the public names."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message
from PIL import Image

import zoo
from zoo.data import dataset_info as known
from zoo.data.datasets import Dataset
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.training import header

IMAGES, LABELS = np.arange(20, dtype=np.uint8).reshape(-1, 1, 1) * np.ones((1, 4, 6), np.uint8), np.arange(20) % 2


@pytest.fixture
def pets(tmp_path):
    for value, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (9, 9), (10 * index, 200 * value, 0)).save(tmp_path / "pets" / name / f"{index}.png")
    return tmp_path / "pets"


def test_a_name():
    dataset = zoo.load_data("digits", limit=50)
    assert isinstance(dataset, zoo.Dataset) and zoo.Dataset is Dataset
    assert dataset.info is known.DIGITS and dataset.info.class_names == tuple("0123456789")
    assert len(dataset.train) == len(dataset.validation) == len(dataset.test) == 50
    assert np.bincount(dataset.train.labels).tolist() == [5] * 10
    images, labels = dataset.train.batch([3])
    assert (dataset.train.images[3] == images[0]).all() and dataset.train.labels[3] == labels[0]


def test_a_name_with_its_folder_and_labels(tmp_path):
    with pytest.raises(UserError) as error:
        zoo.load_data("cifar100", data_dir=tmp_path, label_mode="coarse")
    check_message(error.value, tmp_path, "cifar100", "cifar-100-python.tar.gz")
    with pytest.raises(UserError) as error:
        zoo.load_data("mnist", label_mode="coarse")
    check_message(error.value, "mnist", "coarse", "cifar100")


def test_a_folder(pets):
    dataset = zoo.load_data(pets)
    assert dataset.info.shape == (32, 32, 3) and dataset.info.class_names == ("cat", "dog")
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 2, 2]
    image = dataset.train.images[0]
    assert image.shape == (32, 32, 3) and image.dtype == np.uint8
    assert image[0, 0, 1] == 200 * dataset.train.labels[0]
    assert zoo.load_data(str(pets), shape=(8, 6, 1)).train.images[1:3].shape == (2, 8, 6, 1)
    assert zoo.load_data(pets, shape=(8, 6, 1), image_size=5, limit=4).train.images[:].shape == (4, 5, 5, 1)
    assert zoo.load_data(pets, image_size=(5, 7)).info.shape == (5, 7, 3)


def test_the_images_of_a_large_folder_are_read_when_they_are_indexed(pets):
    from zoo.data import image_folder

    cached, lazy = (image_folder.load_image_folder(pets, (8, 8, 3), max_cache_bytes=size) for size in (2**30, 10))
    for key in (0, -1, slice(2, 9, 3), [5, 1]):
        assert (cached.train.images[key] == lazy.train.images[key]).all()
    for file in pets.glob("*/*.png"):
        file.unlink()
    assert cached.train.images[0].shape == (8, 8, 3)
    with pytest.raises(UserError) as error:
        lazy.train.images[0]
    check_message(error.value, 1, ".png", "--invalid-images skip")


def test_a_data_set_name_precedes_a_folder_of_the_same_name(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    pets.rename(pets.parent / "digits")
    assert zoo.load_data("digits", limit=5).info is known.DIGITS
    for source in ("./digits", "digits/", Path("digits")):
        assert zoo.load_data(source).info.class_names == ("cat", "dog")


def test_npz(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=LABELS)
    dataset = zoo.load_data(tmp_path / "own.npz", class_names=["cat", "dog"], limit=4)
    assert dataset.info.name == "own" and dataset.info.class_names == ("cat", "dog") and len(dataset.train) == 4
    assert zoo.load_data(str(tmp_path / "own.npz")).info.shape == (4, 6, 1)


def test_arrays():
    dataset = zoo.load_data((IMAGES, LABELS), validation_data=(IMAGES[:3], LABELS[:3]),
                            test_data=(IMAGES[5:9], LABELS[5:9]), class_names=["cat", "dog"])
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [20, 3, 4]
    assert (dataset.test.images[0] == IMAGES[5][..., None]).all() and dataset.source == "arrays"


@pytest.mark.parametrize("pair", [tuple, list])
def test_arrays_as_keras_loads_them(pair):
    dataset = zoo.load_data(pair([pair([IMAGES, LABELS[:, None]]), pair([IMAGES[5:9], LABELS[5:9, None]])]))
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 4]
    assert (dataset.test.images[:] == IMAGES[5:9, ..., None]).all()


def test_two_images_and_one_hot_labels_are_one_pair():
    black, white = np.zeros((4, 6), np.uint8), np.full((4, 6), 255, np.uint8)
    pair = ((black, white), (np.array([1, 0]), np.array([0, 1])))
    dataset = zoo.load_data(pair, validation_data=pair, test_data=pair)
    assert len(dataset.train) == 2 and dataset.train.labels.tolist() == [0, 1]


def test_a_dataset_is_returned_unchanged():
    dataset = zoo.load_data([IMAGES, LABELS])
    assert zoo.load_data(dataset) is dataset


@pytest.mark.parametrize("source, arguments, parts", [
    ("cifar1O", {}, ("'cifar1O'", "'cifar10'")),
    ("cifar1O", {}, ("'cifar1O'", ".npz")),
    ("", {}, ("''", "cifar10", "digits")),
    ("gone/", {}, ("'gone/'", ".npz")),
    (Path("some", "gone"), {}, ("'some/gone'", ".npz")),
    ("gone.npz", {}, ("'gone.npz'",)),
    (__file__, {}, ("test_loading.py", ".npz")),
    (3, {}, ("int", "(images, labels)", ".npz")),
    (iter([(IMAGES, LABELS)]), {}, ("list_iterator", "(images, labels)", "folder")),
    (IMAGES, {}, ("ndarray", "(images, labels)", ".npz")),
    ((IMAGES,), {}, ("tuple", 1)),
    (((IMAGES, LABELS),) * 3, {}, ("validation_data=...", "test_data=...")),
    ([(image, label) for image, label in zip(IMAGES[:3], LABELS)], {}, (3, "two arrays")),
    ((["a b", "c"], [0, 1]), {"sequence_length": 0}, ("sequence_length", 0)),
    ((["a b", "c"], [0, 1]), {"sequence_length": -5}, ("sequence_length", -5)),
    ((["a b", "c"], [0, 1]), {"sequence_length": 2.5}, ("sequence_length", 2.5)),
    ((["a b", "c"], [0, 1]), {"sequence_length": "100"}, ("sequence_length", "'100'")),
    ((["a b", "c"], [0, 1]), {"vocabulary": "x"}, ("vocabulary", "'x'")),
    ((["a b", "c"], [0, 1]), {"vocabulary": 3}, ("vocabulary", 3, 5)),
    ("pets", {"shape": (8, 8)}, ("shape", "(8, 8)")),
    ("pets", {"shape": 8}, ("shape", 8)),
    ("pets", {"shape": (0, 8, 3)}, ("shape", "(0, 8, 3)")),
    (((IMAGES, LABELS), (IMAGES, LABELS)), {"test_data": (IMAGES, LABELS)}, ("test_data",)),
    ((IMAGES, LABELS), {"data_dir": "there"}, ("data_dir='there'", "arrays")),
    ((IMAGES, LABELS), {"label_mode": "coarse"}, ("label_mode='coarse'", "arrays")),
    ((IMAGES, LABELS), {"image_size": 9}, ("image_size=9", "arrays", "folder")),
    ("digits", {"image_size": 9}, ("image_size=9", "folder")),
    ("digits", {"class_names": ["a"]}, ("class_names=['a']", "arrays", ".npz")),
    ("digits", {"validation_data": (IMAGES, LABELS)}, ("validation_data", "arrays")),
    ("pets", {"label_mode": "coarse"}, ("label_mode='coarse'", "folder")),
    ("pets", {"data_dir": "."}, ("data_dir='.'", "folder")),
    ("pets", {"test_data": (IMAGES, LABELS)}, ("test_data", "folder", "arrays")),
    ("pets", {"image_size": 0}, ("image_size", 0)),
    ("pets", {"image_size": (4, 5, 3)}, ("image_size", "(4, 5, 3)")),
    ("pets", {"image_size": 4.5}, ("image_size", "4.5")),
    ("pets", {"shape": (8, 8, 4)}, ("(8, 8, 4)", 4, 1, 3)),
    ("own.npz", {"test_data": (IMAGES, LABELS)}, ("test_data", ".npz", "arrays")),
    ("own.npz", {"image_size": 4}, ("image_size=4", ".npz", "folder")),
])
def test_invalid_arguments_are_refused(source, arguments, parts, pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    np.savez("own.npz", x_train=IMAGES, y_train=LABELS)
    with pytest.raises(UserError) as error:
        load_data(source, **arguments)
    check_message(error.value, *parts)


@pytest.mark.parametrize("name, part", [("model.weights.h5", "--weights"), ("best.PTH", "--weights"),
                                        ("pets.zip", "unpack"), ("pets.tar.gz", "unpack")])
def test_files_of_other_kinds_are_refused_with_a_hint(name, part, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(UserError) as error:
        load_data(tmp_path / name)
    check_message(error.value, tmp_path / name, ".npz", part)


def test_a_dataset_takes_no_further_arguments():
    dataset = zoo.load_data((IMAGES, LABELS))
    with pytest.raises(UserError) as error:
        zoo.load_data(dataset, limit=3)
    check_message(error.value, "limit=3", "Dataset")


def test_the_docstring_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (test,) = doctest.DocTestFinder(recurse=False).find(zoo.load_data, "load_data", globs={"zoo": zoo})
    assert doctest.DocTestRunner().run(test).attempted >= 10
    assert doctest.DocTestRunner(verbose=False).run(test, clear_globs=False).attempted


def test_no_backend_is_loaded():
    code = ("import sys, zoo; assert 'numpy' not in sys.modules; zoo.Dataset; zoo.load_data('digits', limit=5); "
            "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])")
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                             cwd=Path(zoo.__file__).parents[1])
    assert process.stdout == "[]\n"
    with pytest.raises(AttributeError, match="'Dateset'"):
        zoo.__getattr__("Dateset")


def make_entry(dataset):
    """Return the "dataset" entry of a run.json."""
    return json.loads(json.dumps(header.make_dataset_metadata(dataset)))


def test_from_dict_of_a_published_set():
    entry = make_entry(zoo.load_data("digits", limit=5))
    assert known.deserialize_dataset_info(entry) is known.DIGITS
    for labels in ("fine", "coarse"):
        info = known.select_label_set(known.CIFAR100, labels)
        entry = {"name": "cifar100", "class_names": [*info.class_names], "shape": [32, 32, 3]}
        assert known.deserialize_dataset_info(entry) == info


def test_from_dict_of_arrays_and_folders(pets):
    for dataset in (zoo.load_data((IMAGES, LABELS), class_names=["cat", "dog"]), zoo.load_data(pets)):
        info = known.deserialize_dataset_info(make_entry(dataset))
        for key in ("name", "title", "shape", "classes", "mean", "std", "class_names", "train", "validation", "test",
                    "classes_per_column"):
            assert getattr(info, key) == getattr(dataset.info, key)
        assert info.source == dataset.source


def test_from_dict_of_a_folder_named_like_a_published_set():
    entry = make_entry(zoo.load_data("digits", limit=5))
    info = known.deserialize_dataset_info({**entry, "mean": [0.5], "std": [0.5]})
    assert info != known.DIGITS and info.mean == (0.5,) and info.train == 5


@pytest.mark.parametrize("change", [
    {"name": 3}, {"name": []}, {"title": None}, {"shape": [4, 6]}, {"shape": [4, 6, 0]}, {"shape": 3},
    {"shape": [4, 6, "1"]}, {"classes": 3}, {"classes": "2"}, {"mean": []}, {"mean": ["a"]}, {"mean": [float("nan")]},
    {"std": [0.0]}, {"std": None}, {"class_names": "ab"}, {"class_names": [1, 2]}, {"class_names": []},
    {"train": -1}, {"train": True}, {"test": None}, {"source": 5},
], ids=str)
def test_from_dict_of_a_damaged_entry(change):
    entry = make_entry(zoo.load_data((IMAGES, LABELS)))
    with pytest.raises((KeyError, TypeError, ValueError)):
        known.deserialize_dataset_info({**entry, **change})
    for key in change:
        with pytest.raises(KeyError):
            known.deserialize_dataset_info({name: value for name, value in entry.items() if name != key})
