"""Every published format of a dataset gives the same arrays; every kind of damage is refused in one line."""

import gzip
import os
import pickle
import re
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from helpers import check_message, check_text
from small_sets import (
    CIFAR10,
    CIFAR100,
    MNIST,
    binary,
    files10,
    files100,
    idx_images,
    idx_labels,
    python2_batch,
    python3_batch,
    write_archive,
    write_folder,
    write_idx,
    write_npz,
)

from zoo.data.dataset_info import get_dataset_info
from zoo.data.datasets import load_dataset, load_dataset_by_name
from zoo.errors import UserError


def refusal_message(name, folder):
    """Return the one line with which `name` in `folder` is refused."""
    with pytest.raises(UserError) as error:
        load_dataset_by_name(name, data_dir=folder)
    check_message(error.value)
    return str(error.value)


def encode_with_protocol(protocol):
    return lambda labels, images: python3_batch(labels, images, protocol)


FORMATS = {
    "mnist idx": ("mnist", lambda d: write_idx(d)),
    "mnist idx.gz": ("mnist", lambda d: write_idx(d, ending=".gz")),
    "mnist unpacked by a browser": ("mnist", lambda d: write_idx(d, rename=lambda name: f"{name}.gz")),
    "mnist with a dot": ("mnist", lambda d: write_idx(d, rename=lambda name: name.replace("-idx", ".idx"))),
    "mnist Kaggle": ("mnist", lambda d: write_idx(d, rename=lambda name: f"{name}/{name}")),
    "mnist gzipped without .gz": ("mnist", lambda d: write_idx(d, ending=".gz",
                                                               rename=lambda name: name.removesuffix(".gz"))),
    "mnist torchvision": ("mnist", lambda d: write_idx(d / "MNIST" / "raw")),
    "mnist npz": ("mnist", lambda d: write_npz(d / "mnist.npz")),
    "mnist subfolder": ("mnist", lambda d: write_idx(d / "mnist")),
    "fashion torchvision": ("fashion_mnist", lambda d: write_idx(d / "FashionMNIST" / "raw")),
    "fashion Keras": ("fashion_mnist", lambda d: write_idx(d / "fashion-mnist", ending=".gz")),
    "cifar10 binary": ("cifar10", lambda d: write_folder(d / "cifar-10-batches-bin", files10(binary, ".bin"))),
    "cifar10 its folder": ("cifar10", lambda d: write_folder(d, files10(binary, ".bin"))),
    "cifar10 binary.tar.gz": ("cifar10", lambda d: write_archive(
        d / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", files10(binary, ".bin"))),
    "cifar10 python": ("cifar10", lambda d: write_folder(d / "cifar-10-batches-py", files10(python2_batch))),
    "cifar10 Keras 3.15": ("cifar10", lambda d: write_folder(
        d / "cifar-10-batches-py-target" / "cifar-10-batches-py", files10(python2_batch))),
    "cifar10 Keras 3.15 archive": ("cifar10", lambda d: write_archive(
        d / "cifar-10-batches-py-target_archive", "cifar-10-batches-py", files10(python2_batch))),
    "cifar10 Keras 2 archive": ("cifar10", lambda d: write_archive(
        d / "cifar-10-batches-py.tar.gz", "cifar-10-batches-py", files10(python2_batch))),
    "cifar10 python.tar.gz": ("cifar10", lambda d: write_archive(
        d / "cifar-10-python.tar.gz", "cifar-10-batches-py", files10(python2_batch))),
    "cifar10 unpacked by a browser": ("cifar10", lambda d: write_archive(
        d / "cifar-10-python.tar", "cifar-10-batches-py", files10(python2_batch), packing="")),
    "cifar10 unpacked under its name": ("cifar10", lambda d: write_archive(
        d / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", files10(binary, ".bin"), packing="")),
    "cifar10 pickled anew, 2": ("cifar10", lambda d: write_folder(d / "cifar-10-batches-py",
                                                                  files10(encode_with_protocol(2)))),
    "cifar10 pickled anew, 4": ("cifar10", lambda d: write_folder(d / "cifar-10-batches-py",
                                                                  files10(encode_with_protocol(4)))),
    "cifar10 pickled anew, 5": ("cifar10", lambda d: write_folder(d / "cifar-10-batches-py",
                                                                  files10(encode_with_protocol(5)))),
    "cifar100 binary": ("cifar100", lambda d: write_folder(d / "cifar-100-binary", files100(binary, ".bin"))),
    "cifar100 binary.tar.gz": ("cifar100", lambda d: write_archive(
        d / "cifar-100-binary.tar.gz", "cifar-100-binary", files100(binary, ".bin"))),
    "cifar100 python": ("cifar100", lambda d: write_folder(d / "cifar-100-python", files100(python2_batch))),
    "cifar100 Keras 3.15": ("cifar100", lambda d: write_folder(
        d / "cifar-100-python-target" / "cifar-100-python", files100(python2_batch))),
    "cifar100 python.tar.gz": ("cifar100", lambda d: write_archive(
        d / "cifar-100-python.tar.gz", "cifar-100-python", files100(python2_batch))),
}
WRITTEN = {"mnist": MNIST, "fashion_mnist": MNIST, "cifar10": CIFAR10, "cifar100": CIFAR100}


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_arrays(format, tmp_path):
    name, write_files = FORMATS[format]
    write_files(tmp_path)
    data = load_dataset_by_name(name, data_dir=tmp_path)

    labels, images = WRITTEN[name]["test"]  # the test split is in the order of the file
    loaded_images, loaded_labels = data.test.batch(range(len(data.test)))
    assert loaded_images.dtype == np.uint8 and loaded_labels.dtype == np.int64
    np.testing.assert_array_equal(loaded_images, images)
    np.testing.assert_array_equal(loaded_labels, labels[:, -1])

    labels, images = WRITTEN[name]["train"]
    expected = {image.tobytes(): label for image, label in zip(images, labels[:, -1])}
    loaded = {}
    for split in (data.train, data.validation):
        loaded |= {image.tobytes(): label for image, label in zip(*split.batch(range(len(split))))}
    assert loaded == expected and len(data.train) + len(data.validation) == len(images)
    assert str(tmp_path) in data.source


@pytest.mark.parametrize("encode, ending, folder", [(binary, ".bin", "cifar-100-binary"),
                                                    (python2_batch, "", "cifar-100-python")])
def test_coarse_labels(encode, ending, folder, tmp_path):
    write_folder(tmp_path / folder, files100(encode, ending))
    fine, coarse = load_dataset_by_name("cifar100", data_dir=tmp_path), load_dataset_by_name("cifar100",
                                                                                             data_dir=tmp_path,
                                                                                             label_mode="coarse")
    np.testing.assert_array_equal(coarse.test.labels, CIFAR100["test"][0][:, 0])
    assert coarse.info.classes == 20 and set(coarse.train.labels) == set(range(20))
    # the same images are in the validation split
    np.testing.assert_array_equal(coarse.validation.batch(range(20))[0], fine.validation.batch(range(20))[0])


# Damaged files: how to write them, and what the message names.

def idx_file(name, data):
    def write_files(folder):
        write_idx(folder, ending=".gz" if name.endswith(".gz") else "")
        (folder / name).write_bytes(data)
    return write_files


IMAGES = idx_images(MNIST["train"][1])  # 16 + 100 * 784 = 78,416 bytes
LABELS = idx_labels(MNIST["train"][0])
WRONG_LABEL = LABELS[:-1] + b"\x0a"


@pytest.mark.parametrize("write_files, parts", [
    (idx_file("train-images-idx3-ubyte", IMAGES[:-1]), ("train-images-idx3-ubyte", "78,416", "78,415")),
    (idx_file("train-images-idx3-ubyte", IMAGES[:9]), (16, 9)),
    (idx_file("train-images-idx3-ubyte", b""), (16, 0)),
    (idx_file("train-images-idx3-ubyte", IMAGES + b"\0"), ("78,416", "78,417")),
    (idx_file("train-images-idx3-ubyte", LABELS), ("train-images-idx3-ubyte", 2051, 2049)),
    (idx_file("train-images-idx3-ubyte", idx_images(CIFAR10["train"][1][..., :1])), ("32x32", "28x28")),
    (idx_file("train-images-idx3-ubyte", idx_images(MNIST["test"][1])),
     ("train-labels-idx1-ubyte", 100, "train-images-idx3-ubyte", 30)),
    (idx_file("train-images-idx3-ubyte.gz", gzip.compress(IMAGES)[:40_000]),
     ("train-images-idx3-ubyte.gz", "78,416")),
    (idx_file("train-images-idx3-ubyte.gz", gzip.compress(IMAGES)[:-1]), ("train-images-idx3-ubyte.gz", "truncated")),
    (idx_file("train-images-idx3-ubyte.gz", b"<html>not found</html>"), ("train-images-idx3-ubyte.gz", 2051)),
    (idx_file("train-labels-idx1-ubyte", WRONG_LABEL), ("train-labels-idx1-ubyte", 99, 10, "mnist", 0, 9)),
])
def test_damaged_idx(write_files, parts, tmp_path):
    write_files(tmp_path)
    check_text(refusal_message("mnist", tmp_path), tmp_path, *parts)


@pytest.mark.parametrize("change, parts", [
    (lambda path: path.write_bytes(path.read_bytes()[:5_000]), ("5,000",)),
    (lambda path: np.savez(path, x_train=MNIST["train"][1]), ("y_train, x_test, y_test",)),
    (lambda path: np.savez(path, **{name: np.array([{}]) for name in ("x_train", "y_train", "x_test", "y_test")}),
     ("objects", "code")),
    (lambda path: write_npz(path, {**MNIST, "test": CIFAR10["test"]}), ("uint8", "(32, 32)", "(28, 28)")),
    (lambda path: write_npz(path, {**MNIST, "test": (MNIST["test"][0] + np.uint8(1), MNIST["test"][1])}),
     (9, 10, "mnist")),
])
def test_damaged_npz(change, parts, tmp_path):
    path = tmp_path / "mnist.npz"
    write_npz(path)
    change(path)
    check_text(refusal_message("mnist", tmp_path), path, *parts)


def files_with_one_change(change):
    files = files10(binary, ".bin")
    return files | {"data_batch_4.bin": change(files["data_batch_4.bin"])}


@pytest.mark.parametrize("change, parts", [
    (lambda data: data[:-100], ("61,460", 20, "3,073", "61,360")),
    (lambda data: b"\xff" + data[1:], (0, 255, "cifar10", 9)),
])
@pytest.mark.parametrize("archived", [False, True])
def test_damaged_binary(change, parts, archived, tmp_path):
    files = files_with_one_change(change)
    if archived:
        write_archive(tmp_path / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", files)
    else:
        write_folder(tmp_path / "cifar-10-batches-bin", files)
    check_text(refusal_message("cifar10", tmp_path), "data_batch_4.bin", *parts)


def test_records_that_are_one_byte_too_short(tmp_path):
    """CIFAR-10 records in place of CIFAR-100 records."""
    write_folder(tmp_path / "cifar-100-binary", files100(binary, ".bin", CIFAR10))
    check_text(refusal_message("cifar100", tmp_path), "train.bin", "cifar100", 100, "3,074", "307,400", "307,300")


def test_a_truncated_archive(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    write_archive(path, "cifar-10-batches-py", files10(python2_batch))
    path.write_bytes(path.read_bytes()[:200_000])
    line = refusal_message("cifar10", tmp_path)
    check_text(line, path)
    assert re.search(r"cifar-10-batches-py/data_batch_\d\b", line)


def test_an_archive_without_its_last_byte(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, "cifar-10-batches-bin", files10(binary, ".bin"))
    unpacked = len(gzip.decompress(path.read_bytes()))
    path.write_bytes(path.read_bytes()[:-1])
    check_text(refusal_message("cifar10", tmp_path), path, f"{unpacked:,}")


def test_archive_without_a_file(tmp_path):
    files = files10(python2_batch)
    del files["data_batch_3"]
    write_archive(tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py", files)
    check_text(refusal_message("cifar10", tmp_path), tmp_path / "cifar-10-python.tar.gz",
               "cifar-10-batches-py/data_batch_3")


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    files = files10(binary, ".bin")
    secret = tmp_path / "secret.bin"
    secret.write_bytes(files.pop("data_batch_1.bin"))
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, "cifar-10-batches-bin", files)
    members = gzip.decompress(path.read_bytes())
    link = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    link.type, link.linkname = tarfile.SYMTYPE, str(secret)
    path.write_bytes(gzip.compress(link.tobuf() + members))
    check_text(refusal_message("cifar10", tmp_path), path, "cifar-10-batches-bin/data_batch_1.bin")


def make_small_info(name):
    """Return the info of a dataset so small that its size limit is 2 MB."""
    return replace(get_dataset_info(name), train=90, validation=10, test=30, train_digest=None, test_digest=None)


@pytest.mark.parametrize("name, file, write_files", [
    ("cifar10", "data_batch_5.bin", lambda d: write_folder(
        d, {**files10(binary, ".bin"), "data_batch_5.bin": bytes(1_000 * 3_073)})),
    ("cifar10", "cifar-10-binary.tar.gz", lambda d: write_archive(
        d / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", {"data_batch_1.bin": bytes(3_000_000)})),
    ("cifar10", "cifar-10-binary.tar.gz", lambda d: write_archive(
        d / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", {f"padding_{k}": bytes(1_000_000) for k in range(4)})),
    ("mnist", "train-images-idx3-ubyte.gz", lambda d: write_idx(
        d, {**MNIST, "train": (np.zeros((5_000, 1), np.uint8), np.zeros((5_000, 28, 28, 1), np.uint8))}, ".gz")),
    ("mnist", "mnist.npz", lambda d: np.savez_compressed(
        d / "mnist.npz", x_train=np.zeros(3_000_000, np.uint8), y_train=0, x_test=0, y_test=0)),
])
def test_a_decompression_bomb_is_refused(name, file, write_files, tmp_path):
    write_files(tmp_path)
    with pytest.raises(UserError) as error:
        load_dataset(make_small_info(name), data_dir=tmp_path)
    check_message(error.value, file)
    assert re.search(r"\b1,\d{3},\d{3}\b", str(error.value))  # the limit


# Pickles

class Hostile:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {b"data": evil, b"labels": []}])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_is_not_executed(wrap, protocol, tmp_path):
    marker = tmp_path / "made"
    data = pickle.dumps(wrap(Hostile(marker)), protocol)
    pickle.loads(data)
    assert marker.exists()  # so the pickle is indeed hostile
    marker.rmdir()
    write_folder(tmp_path / "cifar-10-batches-py", {**files10(python2_batch), "data_batch_2": data})
    line = refusal_message("cifar10", tmp_path)
    assert not marker.exists()
    check_text(line, "data_batch_2", "posix.mkdir")


@pytest.mark.parametrize("batch, parts", [
    ({b"data": np.zeros((20, 3072), np.float32), b"labels": [0] * 20}, ("array", "'f4'")),
    ({b"data": [1, 2, 3], b"labels": [0] * 20}, ("array", "'list'")),
    ({b"data": np.zeros((20, 3000), np.uint8), b"labels": [0] * 20}, ("(20, 3000)", 3072)),
    ({b"data": np.zeros((20, 3072), np.uint8), b"labels": [0] * 19}, ("19 labels", 20)),
    ({b"data": np.zeros((20, 3072), np.uint8), b"labels": [0] * 19 + [10]}, (19, 10, "cifar10")),
    ({b"data": np.zeros((20, 3072), np.uint8), b"labels": [0] * 19 + [-1]}, (19, "-1", "cifar10")),
    ({b"data": np.zeros((20, 3072), np.uint8), b"labels": [0] * 19 + [0.5]}, ("labels", "list")),
    ({b"data": np.zeros((20, 3072), np.uint8)}, ("cifar10", "labels")),
    ([], ("CIFAR", "'list'")),
])
def test_wrong_batches(batch, parts, tmp_path):
    write_folder(tmp_path / "cifar-10-batches-py", {**files10(python2_batch), "data_batch_2": pickle.dumps(batch)})
    check_text(refusal_message("cifar10", tmp_path), "data_batch_2", *parts)


def test_a_truncated_pickle(tmp_path):
    files = files10(python2_batch)
    write_folder(tmp_path / "cifar-10-batches-py", {**files, "test_batch": files["test_batch"][:10_000]})
    check_text(refusal_message("cifar10", tmp_path), "test_batch", "CIFAR", "UnpicklingError")
