"""Training narrow versions of larger networks on the available real CIFAR images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.data.datasets import load_dataset_by_name

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("arguments, labels, classes, parameters", [
    ("resnet34 --dataset cifar10 --limit 100 --width 0.125", "fine", 10, 336_834),
    ("vgg16 --dataset cifar100 --limit 200 --width 0.125 --model-option batch_norm=true", "fine", 100, 579_916),
    ("vgg16 --dataset cifar100 --limit 200 --width 0.125 --model-option batch_norm=true --label-mode coarse", "coarse",
     20, 538_876),
], ids=["resnet34", "vgg16-fine", "vgg16-coarse"])
def test_an_epoch_on_real_images(real_data, tmp_path, arguments, labels, classes, parameters):
    name, _, dataset, _, limit, *_ = arguments.split()
    process = subprocess.run(
        [sys.executable, "-m", "zoo.train", *arguments.split(), "--epochs", "1", "-b", "32", "--data-dir",
         str(real_data),
         "--name", "x", "--output-dir", str(tmp_path)], capture_output=True, text=True, encoding="utf-8", timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "CUDA_VISIBLE_DEVICES": "-1"})
    assert (process.returncode, process.stderr) == (0, "")
    config = json.loads((tmp_path / "x" / "run.json").read_text())
    assert config["parameters"] == parameters
    assert config["dataset"]["classes"] == len(config["dataset"]["class_names"]) == classes
    assert config["model_config"]["stem"] == ("small" if name == "resnet34" else "paper")
    result = json.loads((tmp_path / "x" / "result.json").read_text())
    assert 0 <= result["test_accuracy_best"] <= 1
    split = load_dataset_by_name(dataset, data_dir=real_data, limit=int(limit), label_mode=labels).test
    images, true_labels = split.batch(range(len(split)))
    probabilities = zoo.load(tmp_path / "x").predict(images, verbose=0)
    assert probabilities.shape == (int(limit), classes)
    accuracy = (probabilities.argmax(axis=1) == true_labels).mean()
    # one prediction can change
    assert accuracy == pytest.approx(result["test_accuracy_best"], abs=1.01 / len(true_labels))
