"""--invalid-images of zoo train, finetune and extract-features, and images that become invalid during training."""

import json
import re

import numpy as np
import pytest
from helpers import check_message, check_text, write_pets

import zoo
from zoo.cli import evaluate, extract_features, finetune
from zoo.data import image_folder
from zoo.errors import UserError

SIZE = ["--image-size", "28", "--gpu", "none", "-b", "4"]


@pytest.fixture
def pets(tmp_path):
    return write_pets(tmp_path / "pets", (28, 28, 3), ".jpg")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def train(pets, *arguments):
    return finetune.main(["lenet5", "--data", str(pets), "--weights", "none", "--epochs", "1", *SIZE, *arguments,
                          "--output-dir", str(pets.parent), "--name", "run"])


def test_a_run_that_skips_invalid_images(pets, capsys):
    truncate(pets / "cat" / "3.jpg")
    assert train(pets) == 2
    check_text(capsys.readouterr().err, 1, pets / "cat" / "3.jpg", "--invalid-images skip")
    assert not (pets.parent / "run").exists()
    assert train(pets, "--invalid-images", "skip") == 0
    [note] = [line for line in capsys.readouterr().out.splitlines() if "cat/3.jpg" in line]
    check_message(note, 1, "cat/3.jpg")
    dataset = json.loads((pets.parent / "run" / "run.json").read_text())["dataset"]
    assert sum(dataset[name] for name in ("train", "validation", "test")) == 19
    assert evaluate.main([str(pets.parent / "run"), "--gpu", "none"]) == 0
    assert train(pets, "--invalid-images", "skip") == 0
    accuracy = json.loads((pets.parent / "run" / "result.json").read_text())["test_accuracy_best"]
    output = capsys.readouterr().out
    check_text(output, f"{accuracy:.2%}")
    assert "epoch 1/1" not in output  # it is finished
    truncate(pets / "cat" / "4.jpg")
    assert train(pets, "--invalid-images", "skip") == 2
    check_text(capsys.readouterr().err, pets.parent / "run", 17, "train", 16, "--dataset")


def test_extracting_features_skips_invalid_images(pets, capsys):
    truncate(pets / "cat" / "3.jpg")
    output = pets.parent / "f.npz"
    arguments = ["lenet5", "--data", str(pets), "--weights", "none", *SIZE, "-o", str(output)]
    assert extract_features.main(arguments) == 2
    check_text(capsys.readouterr().err, 1, pets / "cat" / "3.jpg", "--invalid-images skip")
    assert not output.exists()
    assert extract_features.main([*arguments, "--invalid-images", "skip"]) == 0
    [note] = [line for line in capsys.readouterr().out.splitlines() if "cat/3.jpg" in line]
    check_message(note, 1)
    with np.load(output) as file:
        assert len(file["features"]) == 19 and "cat/3.jpg" not in file["files"]
        assert file["labels"].tolist() == [0] * 9 + [1] * 10


@pytest.mark.parametrize("command", [finetune, extract_features])
def test_invalid_images_requires_a_folder(command, capsys):
    assert command.main(["lenet5", "--dataset", "digits", "--weights", "none", "--invalid-images", "skip"]) == 2
    check_message(capsys.readouterr().err, "--invalid-images", "digits")


def test_an_image_that_becomes_invalid_during_training_is_named(pets, monkeypatch, capfd):
    monkeypatch.setitem(image_folder.load_image_folder.__kwdefaults__, "max_cache_bytes", 0)
    truncate(pets / "cat" / "3.jpg")
    truncate(pets / "dog" / "3.jpg")
    assert train(pets) == 2
    stderr = capfd.readouterr().err
    assert "\nerror: " in f"\n{stderr}" and "Traceback" not in stderr
    (line,) = (line for line in stderr.splitlines() if line.startswith("error: "))
    check_message(line, "--invalid-images skip", pets.parent / "run")
    assert re.search(r"/(cat|dog)/3\.jpg\b", line)


def test_an_image_that_becomes_invalid_during_training_from_python(pets, monkeypatch):
    monkeypatch.setitem(image_folder.load_image_folder.__kwdefaults__, "max_cache_bytes", 0)
    truncate(pets / "cat" / "3.jpg")
    truncate(pets / "dog" / "3.jpg")
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", pets, image_size=28, epochs=1, batch_size=4, output_dir=pets.parent, name="run",
                verbose=False)
    check_message(error.value, "invalid_images='skip'", pets.parent / "run")
