"""--invalid-images of zoo train, finetune and extract, and pictures that break while a network trains on them."""

import json

import numpy as np
import pytest
from helpers import write_pets

from zoo.cli import evaluate, extract, finetune
from zoo.data import image_folder

SIZE = ["--image-size", "28", "--gpu", "none", "-b", "4"]


@pytest.fixture
def pets(tmp_path):
    return write_pets(tmp_path / "pets", (28, 28, 3), ".jpg")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def train(pets, *words):
    return finetune.main(["lenet5", "--data", str(pets), "--weights", "none", "--epochs", "1", *SIZE, *words,
                          "--output-dir", str(pets.parent), "--name", "run"])


def test_a_run_without_what_is_broken(pets, capsys):
    truncate(pets / "cat" / "3.jpg")
    assert train(pets) == 2
    assert "1 file cannot be read as images: " in capsys.readouterr().err
    assert not (pets.parent / "run").exists()
    assert train(pets, "--invalid-images", "skip") == 0
    assert "note     left out: 1 file cannot be read as images: cat/3.jpg\n" in capsys.readouterr().out
    told = json.loads((pets.parent / "run" / "run.json").read_text())["dataset"]
    assert sum(told[name] for name in ("train", "validation", "test")) == 19
    assert evaluate.main([str(pets.parent / "run"), "--gpu", "none"]) == 0
    assert train(pets, "--invalid-images", "skip") == 0
    assert "is finished: test accuracy" in capsys.readouterr().out
    truncate(pets / "cat" / "4.jpg")
    assert train(pets, "--invalid-images", "skip") == 2
    assert "was begun with 17 images for train, " in capsys.readouterr().err


def test_features_without_what_is_broken(pets, capsys):
    truncate(pets / "cat" / "3.jpg")
    output = pets.parent / "f.npz"
    words = ["lenet5", "--data", str(pets), "--weights", "none", *SIZE, "-o", str(output)]
    assert extract.main(words) == 2
    assert "cat/3.jpg; mend or remove" in capsys.readouterr().err and not output.exists()
    assert extract.main([*words, "--invalid-images", "skip"]) == 0
    assert "left out: 1 file cannot be read as images: cat/3.jpg\n" in capsys.readouterr().out
    with np.load(output) as file:
        assert len(file["features"]) == 19 and "cat/3.jpg" not in file["files"]
        assert file["labels"].tolist() == [0] * 9 + [1] * 10


@pytest.mark.parametrize("command", [finetune, extract])
def test_broken_is_about_folders(command, capsys):
    assert command.main(["lenet5", "--dataset", "digits", "--weights", "none", "--invalid-images", "skip"]) == 2
    assert "--invalid-images is for a folder of images" in capsys.readouterr().err


def test_a_picture_that_breaks_in_mid_training_is_named(pets, monkeypatch, capfd):
    monkeypatch.setitem(image_folder.load.__kwdefaults__, "in_memory", 0)
    truncate(pets / "cat" / "3.jpg")
    truncate(pets / "dog" / "3.jpg")
    assert train(pets) == 2
    said = capfd.readouterr().err
    assert "\nerror: " in f"\n{said}" and "Traceback" not in said
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert " cannot be read as images: " in line and line.endswith("run keeps what was saved")
