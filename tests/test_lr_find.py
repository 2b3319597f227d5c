"""zoo lr-find and zoo.find_learning_rate: the learning rate range test."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import zoo
from zoo.errors import UserError
from zoo.training import lr_range_test

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


def test_learning_rates_rise_by_a_constant_factor_until_the_loss_diverges():
    test = zoo.find_learning_rate("lenet5", "digits", limit=300, min_lr=1e-4, max_lr=1e4, steps=30, batch_size=32)
    ratios = np.divide(test.learning_rates[1:], test.learning_rates[:-1])
    assert test.learning_rates[0] == pytest.approx(1e-4) and ratios == pytest.approx(10 ** (8 / 29))
    assert test.has_diverged and len(test.learning_rates) == len(test.losses) == len(test.smoothed_losses) < 30
    assert test.losses[0] == pytest.approx(math.log(10), rel=0.2)  # ten classes, nothing learned yet
    assert isinstance(test.plot(), Figure) and test._repr_png_()[0].startswith(PNG)


def test_the_first_loss_is_that_of_the_first_batch_of_a_training(tmp_path):
    """The loss of the first step is the one that zoo.fit reports for an epoch of one batch."""
    run = zoo.fit("lenet5", "digits", limit=64, epochs=1, batch_size=64, learning_rate=1e-6, augmentation="shift=0.1",
                  output_dir=tmp_path, name="run", verbose=False)
    test = zoo.find_learning_rate("lenet5", "digits", limit=64, batch_size=64, augmentation="shift=0.1", min_lr=1e-6,
                                  max_lr=1e-5, steps=10)
    assert test.losses[0] == pytest.approx(run.history["loss"][0], rel=1e-5)
    assert not test.has_diverged and len(test.losses) == 10


def test_the_example_of_a_custom_model_runs(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "training.md").read_text("utf-8")
    [code] = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "my_model = keras" in code]
    monkeypatch.chdir(tmp_path)
    names = {"zoo": zoo}
    exec(code, names)
    assert 1e-5 < names["test"].suggestion < 10 and names["run"].result["test_accuracy_best"] > 0.5


def test_a_custom_model_starts_with_its_weights_and_keeps_them():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
                              keras.layers.Dense(10)], name="flat")
    model.layers[-1].bias.assign([5.0] + [0.0] * 9)
    before = [np.array(weight) for weight in model.get_weights()]
    test = zoo.find_learning_rate(model, "digits", limit=64, batch_size=64, min_lr=1e-6, max_lr=1e-5, steps=10)
    data = zoo.load_data("digits", limit=64)
    images = np.stack([data.train.images[index] for index in range(len(data.train))]).astype("float32")
    logits = keras.ops.convert_to_numpy(model(images.reshape(-1, 28, 28, 1))).astype("float64")
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -logits[np.arange(len(logits)), data.train.labels].mean()  # the whole split is one batch
    run = zoo.find_learning_rate(model, "digits", limit=64, batch_size=64, augmentation="", min_lr=1e-6, max_lr=1e-5,
                                 steps=10)
    assert run.losses[0] == pytest.approx(expected, rel=1e-5) and test.title == "flat on digits"
    assert all(map(np.array_equal, before, model.get_weights()))
    with pytest.raises(UserError, match="preset"):
        zoo.find_learning_rate(model, "digits", preset="small")
    with pytest.raises(UserError, match="list_models"):
        zoo.find_learning_rate(7, "digits")


def test_the_smoothed_loss_is_a_corrected_moving_average():
    assert lr_range_test.smooth_losses([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert lr_range_test.smooth_losses([1.0, 2.0]) == pytest.approx([1.0, (0.09 * 1 + 0.1 * 2) / 0.19])


def test_the_steepest_descent_of_a_known_curve():
    """A loss that falls along a logistic curve around 0.01, then diverges: it falls fastest a little above 0.01."""
    learning_rates = np.geomspace(1e-5, 10, 120)
    losses = (2.3 - 2 / (1 + np.exp(-3 * np.log10(learning_rates / 0.01)))
              + 50 * np.maximum(0, np.log10(learning_rates)) ** 2)
    steepest = lr_range_test.find_steepest_learning_rate(learning_rates, [*losses])
    assert 0.005 < steepest < 0.1
    assert lr_range_test.find_steepest_learning_rate(learning_rates, [*np.linspace(1, 2, 120)]) is None
    assert lr_range_test.find_steepest_learning_rate(learning_rates[:3], [1.0, math.nan, math.nan]) is None


@pytest.mark.parametrize("losses, diverged", [
    ([2.0, 2.0, 2.0], False), ([2.0, math.nan], True), ([2.0, math.inf], True), ([1.0, 1.0, 50.0], True),
    ([1.0, 1.0, 3.0], False)])
def test_divergence(losses, diverged):
    assert lr_range_test.has_diverged(losses) is diverged


@pytest.mark.parametrize("keywords, part", [
    ({"min_lr": 1.0, "max_lr": 0.1}, "min_lr"), ({"min_lr": 0}, "min_lr"), ({"max_lr": "1"}, "max_lr"),
    ({"steps": 9}, "steps"), ({"steps": 10.0}, "steps"), ({"optimiser": "adam"}, "optimizer='adam'"),
    ({"recipe": "papr"}, "'paper'"), ({"epochs": 5}, "epochs"), ({"learning_rate": 0.1}, "learning_rate"),
    ({"precision": "float16", "gpu": "none"}, "bfloat16")])
def test_an_error_is_one_line(keywords, part):
    with pytest.raises(UserError) as error:
        zoo.find_learning_rate("lenet5", "digits", **keywords)
    assert part in str(error.value) and "\n" not in str(error.value)


def run_lr_find(*arguments, folder):
    return subprocess.run([sys.executable, "-m", "zoo", "lr-find", *arguments], cwd=folder, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_the_command_succeeds(tmp_path, monkeypatch, capsys):
    from zoo.cli import lr_find

    monkeypatch.chdir(tmp_path)
    assert lr_find.main(["lenet5", "--limit", "300", "--batch-size", "32", "--steps", "30", "--gpu", "none", "-o",
                         "curve.png"]) == 0
    flag, learning_rate = capsys.readouterr().out.splitlines()[-1].split()
    assert flag == "--lr" and 1e-4 < float(learning_rate) < 10
    assert (tmp_path / "curve.png").read_bytes().startswith(PNG)


@pytest.mark.slow  # a process of its own
def test_the_command_prints_a_flag_and_draws_the_curve(tmp_path):
    process = run_lr_find("lenet5", "--dataset", "digits", "--limit", "1000", "--batch-size", "32", "--steps", "60",
                          "-o", "curve.png", folder=tmp_path)
    assert process.returncode == 0, process.stderr
    flag, learning_rate = process.stdout.splitlines()[-1].split()
    assert flag == "--lr" and 1e-3 < float(learning_rate) < 1
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]
    assert (tmp_path / "curve.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("arguments, part", [
    (["lenet6"], "'lenet5'"), (["lenet5", "--steps", "3"], "--steps"), (["lenet5", "--min-lr", "20"], "min_lr"),
    (["lenet5", "-o", "curve.gif"], "'curve.gif'"), (["lenet5", "--max-lr", "high"], "--max-lr"),
    (["lenet5", "--lr", "0.1"], "--lr"), (["lenet5", "--epochs", "3"], "--epochs"),
    (["lenet5", "--set", "epochs=3"], "epochs has no effect")])
def test_invalid_arguments_of_the_command_load_no_backend(arguments, part, capsys, monkeypatch, tmp_path):
    from zoo.cli import common, lr_find

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(common, "select_device", None)  # called right before the backend loads
    assert lr_find.main(arguments) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1 and list(tmp_path.iterdir()) == []
