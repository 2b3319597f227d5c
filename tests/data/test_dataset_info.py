import subprocess
import sys

import numpy as np
import pytest
from helpers import check_message

from zoo.data.dataset_info import (CIFAR100_COARSE_NAMES, CIFAR100_NAMES, CIFAR10_NAMES, DATASETS, get_dataset_info,
                                   select_label_set)
from zoo.data.datasets import load_dataset_by_name
from zoo.errors import UserError


@pytest.mark.parametrize("name, classes, shape, sizes", [
    ("digits", 10, (28, 28, 1), (4_000, 500, 500)),
    ("mnist", 10, (28, 28, 1), (55_000, 5_000, 10_000)),
    ("fashion_mnist", 10, (28, 28, 1), (55_000, 5_000, 10_000)),
    ("cifar10", 10, (32, 32, 3), (45_000, 5_000, 10_000)),
    ("cifar100", 100, (32, 32, 3), (45_000, 5_000, 10_000)),
])
def test_info_matches_the_publications(name, classes, shape, sizes):
    info = get_dataset_info(name)
    assert (info.classes, info.shape, (info.train, info.validation, info.test)) == (classes, shape, sizes)
    assert len(info.class_names) == len(set(info.class_names)) == classes
    assert len(info.mean) == len(info.std) == shape[2]


def test_six_data_sets_are_known():
    assert sorted(DATASETS) == ["cifar10", "cifar100", "digits", "fashion_mnist", "imdb", "mnist"]


def test_imdb():
    info = get_dataset_info("imdb")
    assert (info.classes, info.shape, info.mean, info.std) == (2, (100,), (), ())
    assert (info.train + info.validation, info.test) == (25_000, 25_000)  # Maas et al. 2011, section 4.1


def test_class_names():
    assert get_dataset_info("fashion_mnist").class_names[9] == "Ankle boot"
    assert CIFAR100_NAMES[0] == "apple" and CIFAR100_NAMES[99] == "worm"
    assert list(CIFAR100_NAMES) == sorted(CIFAR100_NAMES)


def test_class_names_are_the_published_ones(real_data):
    assert CIFAR10_NAMES == tuple((real_data / "cifar-10-batches-bin" / "batches.meta.txt").read_text().split())
    assert CIFAR100_NAMES == tuple((real_data / "cifar-100-binary" / "fine_label_names.txt").read_text().split())
    assert CIFAR100_COARSE_NAMES == tuple(
        (real_data / "cifar-100-binary" / "coarse_label_names.txt").read_text().split())


def test_coarse_labels():
    info = select_label_set(get_dataset_info("cifar100"), "coarse")
    assert info.classes == 20 and info.class_names[4] == "fruit_and_vegetables"
    assert select_label_set(get_dataset_info("cifar100"), "fine") == get_dataset_info("cifar100")


@pytest.mark.parametrize("mistake, parts", [
    (lambda: get_dataset_info("cifar1O"), ("'cifar1O'", "'cifar10'")),
    (lambda: select_label_set(get_dataset_info("mnist"), "coarse"), ("mnist", "coarse", "cifar100", "'fine'")),
    (lambda: select_label_set(get_dataset_info("cifar100"), "corse"), ("'corse'", "'coarse'")),
])
def test_invalid_names(mistake, parts):
    with pytest.raises(UserError) as error:
        mistake()
    check_message(error.value, *parts)


@pytest.mark.parametrize("module, heavy", [
    ("zoo.data.dataset_info", {"numpy", "keras", "tensorflow"}),
    ("zoo.data.datasets", {"keras", "tensorflow", "jax", "torch", "matplotlib", "pandas", "scipy", "sklearn"}),
])
def test_nothing_heavy_is_imported(module, heavy):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded and not heavy & set(loaded)


def mean_and_std(splits):
    """Return the mean and the standard deviation of each channel over all images of `splits`, scaled to 0..1."""
    total, squares, count = 0, 0, 0
    for split in splits:
        for start in range(0, len(split), 5_000):
            images, _ = split.batch(np.arange(start, min(start + 5_000, len(split))))
            pixels = images.reshape(-1, images.shape[-1])
            total += pixels.sum(axis=0, dtype=np.uint64).astype(float)
            squares += np.array([np.dot(channel, channel) for channel in pixels.T.astype(np.float64)])
            count += len(pixels)
    mean = total / count
    return mean / 255, np.sqrt(squares / count - mean**2) / 255


def test_mean_and_std_of_digits(digits):
    mean, std = mean_and_std([digits.train, digits.validation])
    assert mean == pytest.approx(digits.info.mean, abs=6e-5) and std == pytest.approx(digits.info.std, abs=6e-5)


# CIFAR-100: a fifth of the training images is available.
@pytest.mark.parametrize("name, tolerance", [("mnist", 6e-5), ("cifar10", 6e-5), ("cifar100", 3e-3)])
def test_mean_and_std_of_the_real_images(real_data, name, tolerance):
    data = load_dataset_by_name(name, data_dir=real_data)
    mean, std = mean_and_std([data.train, data.validation])
    assert mean == pytest.approx(data.info.mean, abs=tolerance)
    assert std == pytest.approx(data.info.std, abs=tolerance)
