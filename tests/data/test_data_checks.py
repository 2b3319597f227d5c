"""Digests of the contents verify that files hold the images of their dataset."""

import gzip
import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers import check_message
from small_sets import CIFAR10, MNIST, binary, files10, write_folder, write_idx

from zoo.data.checks import compute_digest, hash_records
from zoo.data.dataset_info import get_dataset_info
from zoo.data.datasets import load_dataset, load_dataset_by_name
from zoo.errors import UserError


def digest_by_hand(labels, images):
    return sum(int(hashlib.sha256(label.tobytes() + image.tobytes()).hexdigest(), 16)
               for label, image in zip(labels, images)) % 2**256


def test_digest():
    labels, images = CIFAR10["train"]
    digest = compute_digest(hash_records(labels, images))
    assert int(digest, 16) == digest_by_hand(labels, images) and len(digest) == 64
    assert compute_digest(hash_records(labels[::-1], images[::-1])) == digest
    modified = images.copy()
    modified[3, 0, 0, 0] ^= 1
    assert compute_digest(hash_records(labels, modified)) != digest
    assert compute_digest(hash_records(np.roll(labels, 1, axis=0), images)) != digest


def make_full_info(name, splits):
    """Return the info of a dataset that is complete with the images of `splits`."""
    (labels, images), (test_labels, test_images) = splits["train"], splits["test"]
    return replace(get_dataset_info(name), train=90, validation=10, test=30,
                   train_digest=f"{digest_by_hand(labels, images):064x}",
                   test_digest=f"{digest_by_hand(test_labels, test_images):064x}")


def test_a_full_set_with_the_right_digest(tmp_path):
    write_folder(tmp_path, files10(binary, ".bin"))
    data = load_dataset(make_full_info("cifar10", CIFAR10), data_dir=tmp_path)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [90, 10, 30] and data.notes == ()


def test_a_changed_pixel_is_detected(tmp_path):
    labels, images = CIFAR10["test"]
    images = images.copy()
    images[7, 5, 5, 1] ^= 1
    write_folder(tmp_path, files10(binary, ".bin", {**CIFAR10, "test": (labels, images)}))
    with pytest.raises(UserError) as error:
        load_dataset(make_full_info("cifar10", CIFAR10), data_dir=tmp_path)
    check_message(error.value, tmp_path, "test", "cifar10", f"{digest_by_hand(labels, images):064x}"[:16])


@pytest.mark.parametrize("first, is_fashion", [((9, 0, 0, 3, 0, 2, 7, 2, 5, 5), True),
                                               ((8, 7, 0, 1, 4, 2, 4, 8, 1, 1), False)])  # of KMNIST
def test_first_labels_in_place_of_a_missing_digest(tmp_path, first, is_fashion):
    labels, images = MNIST["train"]
    labels = np.concatenate([np.array(first, labels.dtype)[:, None], labels[10:]])
    write_idx(tmp_path, {**MNIST, "train": (labels, images)})
    info = replace(make_full_info("fashion_mnist", MNIST), train_digest=None, test_digest=None)
    if is_fashion:
        assert load_dataset(info, data_dir=tmp_path).notes == ()
        return
    with pytest.raises(UserError) as error:
        load_dataset(info, data_dir=tmp_path)
    check_message(error.value, tmp_path, "fashion_mnist")


def test_too_many_images(tmp_path):
    write_idx(tmp_path)
    with pytest.raises(UserError) as error:
        load_dataset(replace(make_full_info("mnist", MNIST), train=89), data_dir=tmp_path)
    check_message(error.value, tmp_path, 100, "mnist", 99)


def test_no_images(tmp_path):
    write_folder(tmp_path, {**files10(binary, ".bin"), "test_batch.bin": b""})
    with pytest.raises(UserError) as error:
        load_dataset_by_name("cifar10", data_dir=tmp_path)
    check_message(error.value, tmp_path / "test_batch.bin", "cifar10", "3,073", 0)


def test_mnist_is_not_fashion(real_data):
    with pytest.raises(UserError) as error:
        load_dataset_by_name("fashion_mnist", data_dir=real_data)
    check_message(error.value, real_data, "mnist", "fashion_mnist")


def test_changed_labels_of_the_real_mnist(real_data, tmp_path):
    for path in real_data.glob("*.gz"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels = bytearray(gzip.decompress(path.read_bytes()))
    labels[8], labels[9] = labels[9], labels[8]  # 7, 2 in the file
    path.chmod(0o600)
    path.write_bytes(gzip.compress(labels))
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist", data_dir=tmp_path)
    check_message(error.value, tmp_path, "test", "mnist")
