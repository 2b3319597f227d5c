import numpy as np
import pytest
from helpers import check_message
from small_sets import CIFAR10, MNIST, binary, files10, files100, write_folder, write_idx

from zoo.data.checks import compute_digest, hash_records
from zoo.data.datasets import load_dataset_by_name
from zoo.data.splits import split_by_ratio, make_stratified_order
from zoo.errors import UserError


def everything(split):
    return split.batch(np.arange(len(split)))


@pytest.mark.parametrize("counts", [(100,) * 10, (5_923, 6_742, 5_958), (1, 10, 1_000), (7,)])
def test_every_prefix_is_nearly_in_proportion(counts):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    order = make_stratified_order(labels, seed=3)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))

    counts_so_far = np.cumsum(labels[order][:, None] == np.arange(len(counts)), axis=0)
    expected = np.arange(1, len(labels) + 1)[:, None] * np.array(counts) / len(labels)
    # a class is rounded to the nearest, and so is the sum over the others: half an image for each class
    assert np.abs(counts_so_far - expected).max() <= 0.5 + len(counts) / 2 * max(counts) / len(labels)


def test_the_order_depends_on_the_seed_alone():
    labels = np.arange(1_000) % 10
    np.testing.assert_array_equal(make_stratified_order(labels, 3), make_stratified_order(labels, 3))
    assert (make_stratified_order(labels, 3) != make_stratified_order(labels, 4)).mean() > 0.9
    assert (make_stratified_order(labels, 3)[:100] >= 500).sum() in range(30, 70)  # it is shuffled within the classes


def test_a_rare_class_is_in_the_middle_of_the_order():
    labels = np.array([0] * 100 + [1])
    assert np.argmax(labels[make_stratified_order(labels, 3)]) in (49, 50, 51)


def test_a_class_without_images():
    assert sorted(make_stratified_order(np.array([2, 2, 5]), 0)) == [0, 1, 2]


def test_split_by_ratio():
    pieces = split_by_ratio(np.arange(10_000), (5_000, 45_000))
    assert [len(piece) for piece in pieces] == [1_000, 9_000]
    assert np.concatenate(pieces).tolist() == list(range(10_000))
    assert [len(piece) for piece in split_by_ratio(np.arange(3), (5_000, 45_000))] == [1, 2]
    with pytest.raises(UserError) as error:
        split_by_ratio(np.arange(1), (5_000, 45_000))
    check_message(error.value, 1)


def test_digits(digits):
    assert [len(split) for split in (digits.train, digits.validation, digits.test)] == [4_000, 500, 500]
    for split, count in ((digits.train, 400), (digits.validation, 50), (digits.test, 50)):
        assert np.bincount(split.labels).tolist() == [count] * 10
    images = np.concatenate([everything(split)[0] for split in (digits.train, digits.validation, digits.test)])
    assert images.shape == (5_000, 28, 28, 1) and images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 5_000  # no image is in two splits


def test_a_split_says_what_it_holds(digits):
    images = digits.test.images
    assert (images.shape, images.dtype) == ((500, 28, 28, 1), np.uint8)
    assert all("(500, 28, 28, 1)" in repr(value) and "uint8" in repr(value) for value in (images, digits.test))


def test_the_splits_of_digits_never_change(digits):
    """The digests are pinned, not derived, so that accuracies of different releases are comparable."""
    assert [compute_digest(hash_records(split.labels.astype(np.uint8)[:, None], everything(split)[0]))[:16]
            for split in (digits.train, digits.validation, digits.test)] == [
        "fb917443dafedc72", "29fc7a4b890c44c6", "5feed57f31e6d15e"]


def test_digits_are_mnist_images(digits, real_data):
    mnist = load_dataset_by_name("mnist", data_dir=real_data)
    label_of = {image.tobytes(): label for split in (mnist.train, mnist.validation, mnist.test)
                for image, label in zip(*everything(split))}
    images, labels = everything(digits.train)
    assert [label_of[image.tobytes()] for image in images] == labels.tolist()


def test_batch(tmp_path):
    write_idx(tmp_path)
    test = load_dataset_by_name("mnist", data_dir=tmp_path).test
    labels, images = MNIST["test"]
    for indices in ([3, 0, 3], np.array([3, 0, 3]), (3, 0, 3)):
        loaded_images, loaded_labels = test.batch(indices)
        np.testing.assert_array_equal(loaded_images, images[[3, 0, 3]])
        assert loaded_labels.tolist() == [3, 0, 3] and loaded_labels.dtype == test.labels.dtype == np.int64
    assert test.batch([])[0].shape == (0, 28, 28, 1)
    with pytest.raises(IndexError):
        test.batch([30])


def test_fewer_images_are_split_in_proportion_and_noted(tmp_path):
    write_folder(tmp_path, files100(binary, ".bin"))
    data = load_dataset_by_name("cifar100", data_dir=tmp_path)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [180, 20, 100]
    train, test = data.notes
    check_message(train, "cifar100", 200, "50,000")
    check_message(test, "cifar100", 100, "10,000", "test")


def test_limit(tmp_path):
    write_folder(tmp_path, files10(binary, ".bin"))
    full, limited = load_dataset_by_name("cifar10", data_dir=tmp_path), load_dataset_by_name("cifar10",
                                                                                             data_dir=tmp_path,
                                                                                             limit=20)
    assert [len(split) for split in (limited.train, limited.validation, limited.test)] == [20, 10, 20]
    for split in (limited.train, limited.test):
        assert np.bincount(split.labels).tolist() == [2] * 10
    np.testing.assert_array_equal(everything(limited.validation)[0], everything(full.validation)[0])
    np.testing.assert_array_equal(everything(limited.train)[0], everything(full.train)[0][:20])
    np.testing.assert_array_equal(load_dataset_by_name("cifar10", data_dir=tmp_path, limit=30).test.labels,
                                  full.test.labels)


@pytest.mark.parametrize("limit", [0, -5, 2.5, True, "20"])
def test_invalid_limits(limit):
    with pytest.raises(UserError) as error:
        load_dataset_by_name("mnist", limit=limit)
    check_message(error.value, "limit", 1, repr(limit))


def test_the_order_in_the_files_does_not_matter(tmp_path):
    """Every copy of a dataset has the same validation images, in the same order, and the same ones under a limit."""
    shuffled = {}
    for name, (labels, images) in CIFAR10.items():
        order = np.random.default_rng(9).permutation(len(labels))
        shuffled[name] = labels[order], images[order]
    write_folder(tmp_path / "one", files10(binary, ".bin"))
    write_folder(tmp_path / "other", files10(binary, ".bin", shuffled))
    sorted_set, shuffled_set = (load_dataset_by_name("cifar10", data_dir=tmp_path / name, limit=20)
                                for name in ("one", "other"))
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(everything(getattr(sorted_set, split))[0],
                                      everything(getattr(shuffled_set, split))[0])


def test_the_classes_of_the_splits_of_mnist(real_data):
    mnist = load_dataset_by_name("mnist", data_dir=real_data)
    # LeCun's training set has 5,923 zeros, 6,742 ones, 5,958 twos; a twelfth of each is the validation split
    assert np.bincount(mnist.validation.labels)[:3] == pytest.approx([5_923 / 12, 6_742 / 12, 5_958 / 12], abs=1)
    everything_published = np.bincount(mnist.validation.labels) + np.bincount(mnist.train.labels)
    assert everything_published[:3].tolist() == [5_923, 6_742, 5_958]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]  # the file's order
    assert mnist.notes == ()


def test_coarse_labels_of_the_real_images(real_data):
    fine, coarse = (load_dataset_by_name("cifar100", data_dir=real_data, label_mode=labels)
                    for labels in ("fine", "coarse"))
    names = {(fine.info.class_names[a], coarse.info.class_names[b])
             for a, b in zip(fine.train.labels, coarse.train.labels)}
    assert len(names) == 100  # each fine class is in one coarse class
    assert {("apple", "fruit_and_vegetables"), ("worm", "non-insect_invertebrates"), ("tank", "vehicles_2")} <= names
    [note] = fine.notes
    check_message(note, "cifar100", "10,000", "50,000")
    assert coarse.notes == fine.notes
