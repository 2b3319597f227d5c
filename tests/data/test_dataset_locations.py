"""Where dataset files are searched for, in which order, and the errors when they are missing."""

import os

import pytest
from helpers import check_message
from small_sets import CIFAR10, MNIST, binary, files10, write_folder, write_idx, write_npz

from zoo.data.datasets import load_dataset_by_name
from zoo.errors import UserError


@pytest.fixture
def no_network(monkeypatch):
    """Route all requests through a proxy address where nothing listens."""
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


def keras_datasets(tmp_path):
    return tmp_path / "keras-home" / "datasets"


def test_the_search_order(tmp_path, monkeypatch):
    explicit, variable, cache = tmp_path / "given", tmp_path / "named", keras_datasets(tmp_path)
    for folder in (explicit, variable, cache):
        write_npz(folder / "mnist.npz")
    monkeypatch.setenv("ZOO_DATA", str(variable))
    assert load_dataset_by_name("mnist", data_dir=explicit).source == f"{explicit}/mnist.npz"
    assert load_dataset_by_name("mnist").source == f"{variable}/mnist.npz"
    monkeypatch.delenv("ZOO_DATA")
    assert load_dataset_by_name("mnist").source == f"{cache}/mnist.npz"


def test_the_source_is_absolute_wherever_the_folder_was_given(tmp_path, monkeypatch):
    """As run.json stores it, so that the data are found from another working directory."""
    write_npz(tmp_path / "data" / "mnist.npz")
    monkeypatch.chdir(tmp_path)
    assert load_dataset_by_name("mnist", data_dir="data").source == f"{tmp_path}/data/mnist.npz"
    monkeypatch.setenv("ZOO_DATA", "data")
    assert load_dataset_by_name("mnist").source == f"{tmp_path}/data/mnist.npz"


def test_zoo_data_without_the_files_is_skipped(tmp_path, monkeypatch):
    (tmp_path / "named").mkdir()
    write_npz(keras_datasets(tmp_path) / "mnist.npz")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "named"))
    assert load_dataset_by_name("mnist").source == f"{keras_datasets(tmp_path)}/mnist.npz"


def test_zoo_data_that_is_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "not-there"))
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist")
    check_message(error.value, "ZOO_DATA", tmp_path / "not-there")


def test_a_data_directory_without_the_files_is_refused(tmp_path, monkeypatch):
    (tmp_path / "given").mkdir()
    write_npz(keras_datasets(tmp_path) / "mnist.npz")
    monkeypatch.setenv("ZOO_DATA", str(keras_datasets(tmp_path)))
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist", data_dir=tmp_path / "given")
    check_message(error.value, f"{tmp_path}/given", "mnist.npz", "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
                  ".gz", "MNIST/raw/", f"{tmp_path}/given/mnist")


def test_a_subfolder_with_the_name_is_searched_first(tmp_path):
    """MNIST and Fashion-MNIST, whose files have the same names, can share a folder."""
    write_idx(tmp_path)
    write_idx(tmp_path / "fashion_mnist", {**MNIST, "test": MNIST["train"]})
    assert len(load_dataset_by_name("mnist", data_dir=tmp_path).test) == 30
    assert len(load_dataset_by_name("fashion_mnist", data_dir=tmp_path).test) == 100


def with_first_labels(labels):
    """Return a set of random images whose first training labels are `labels`."""
    train_labels, images = MNIST["train"]
    train_labels = train_labels.copy()
    train_labels[:len(labels), 0] = labels
    return {**MNIST, "train": (train_labels, images)}


@pytest.mark.parametrize("name, other, labels", [
    ("mnist", "fashion_mnist", (5, 0, 4, 1, 9, 2, 1, 3, 1, 4)),  # as the authors' files begin
    ("fashion_mnist", "mnist", (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)),
])
def test_files_with_the_same_names_are_identified_by_their_content(name, other, labels, tmp_path, monkeypatch):
    write_idx(tmp_path, with_first_labels(labels), ".gz")
    assert len(load_dataset_by_name(name, data_dir=tmp_path).test) == 30
    with pytest.raises(UserError) as error:
        load_dataset_by_name(other, data_dir=tmp_path)
    check_message(error.value, tmp_path, name, other)
    write_idx(keras_datasets(tmp_path) / "fashion-mnist")
    write_npz(keras_datasets(tmp_path) / "mnist.npz")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    # the other set's files are skipped
    assert load_dataset_by_name(other).source.startswith(str(keras_datasets(tmp_path)))


def test_a_file_is_missing(tmp_path):
    files = files10(binary, ".bin")
    del files["data_batch_3.bin"]
    write_folder(tmp_path / "cifar-10-batches-bin", files)
    with pytest.raises(UserError) as error:
        load_dataset_by_name("cifar10", data_dir=tmp_path)
    check_message(error.value, f"{tmp_path}/cifar-10-batches-bin", "data_batch_3.bin", "cifar-10-python.tar.gz")


@pytest.mark.parametrize("name, parts", [("nowhere", ()), ("mnist.npz", ("file", "folder"))])
def test_a_missing_or_invalid_data_directory(tmp_path, name, parts):
    write_npz(tmp_path / "mnist.npz")
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist", data_dir=tmp_path / name)
    check_message(error.value, tmp_path / name, *parts)
    assert "MNIST/raw/" not in str(error.value)  # nothing was looked for in it


def test_a_home_folder(tmp_path, monkeypatch):
    write_npz(tmp_path / "data" / "mnist.npz")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_dataset_by_name("mnist", data_dir="~/data").test) == 30


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    write_npz(keras_datasets(tmp_path) / "mnist.npz")
    (tmp_path / "mnist.npz").write_bytes(b"half of it")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist")
    check_message(error.value, tmp_path / "mnist.npz", 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission(tmp_path):
    write_folder(tmp_path, files10(binary, ".bin"))
    (tmp_path / "test_batch.bin").chmod(0)
    with pytest.raises(UserError) as error:
        load_dataset_by_name("cifar10", data_dir=tmp_path)
    check_message(error.value, "cifar10", tmp_path / "test_batch.bin")


def test_digits_need_no_files(digits):
    [note] = digits.notes
    check_message(note, "digits", "zoo")
    assert digits.source == "zoo/data/digits.npz"


@pytest.mark.parametrize("name, url", [
    ("mnist", "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"),
    ("fashion_mnist", "fashion/t10k-labels-idx1-ubyte.gz"),
    ("cifar10", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
    ("cifar100", "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"),
])
def test_no_network(name, url, no_network, tmp_path):
    with pytest.raises(UserError) as error:
        load_dataset_by_name(name)
    check_message(error.value, name, url, "--data-dir")
    assert not [path for path in keras_datasets(tmp_path).rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_cache_that_cannot_be_written(no_network, tmp_path):
    (tmp_path / "keras-home").write_text("a file in the place of the folder")
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist")
    check_message(error.value, "mnist", tmp_path / "keras-home" / "datasets", "--data-dir")


def test_a_cache_with_a_folder_in_place_of_the_file(tmp_path):
    (keras_datasets(tmp_path) / "mnist.npz").mkdir(parents=True)
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist")
    check_message(error.value, "mnist", keras_datasets(tmp_path))


def test_the_source_of_cifar_is_its_folder(tmp_path):
    write_folder(tmp_path / "cifar-10-batches-bin", files10(binary, ".bin"))
    data = load_dataset_by_name("cifar10", data_dir=tmp_path)
    assert data.source == f"{tmp_path}/cifar-10-batches-bin"
    assert len(data.test) == len(CIFAR10["test"][0])
