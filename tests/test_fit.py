"""zoo.fit and zoo.Run: training from Python, on data of one's own, stopped and resumed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message, write_pets

import zoo
from zoo.cli import evaluate, train
from zoo.errors import UserError
from zoo.training.header import note_small_splits
from zoo.training.npz_file import read_arrays

ROOT = Path(__file__).resolve().parents[1]
FEW = {"limit": 200, "epochs": 2}


class StopAfter(keras.callbacks.Callback):
    """Ends training after some epochs, as EarlyStopping or Optuna's pruning would."""

    def __init__(self, epochs):
        super().__init__()
        self.left, self.logs = epochs, []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))
        self.left -= 1
        self.model.stop_training = self.left <= 0


def stripes(count, seed=0):
    """Images of three classes that a row of white pixels tells apart, and labels."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 200, (count, 28, 28), np.uint8), np.arange(count) % 3
    images[np.arange(count), 6 + 7 * labels] = 255
    return images, labels


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path_factory.mktemp("runs"), name="digits")


def test_a_run_says_what_came_out(trained):
    assert (trained.name, trained.status, trained.reason) == ("digits", "finished", None)
    assert trained.history["epoch"] == [1, 2] and len(trained.history["val_accuracy"]) == 2
    assert trained.result["test_accuracy_best"] == json.loads(
        (trained.path / "result.json").read_text())["test_accuracy_best"]
    assert trained.config["recipe"]["epochs"] == 2 and trained.class_names == list("0123456789")
    again = zoo.Run(trained.path)
    assert (again.status, again.history) == ("finished", trained.history)
    check_message(repr(again), "lenet5", "digits")
    assert "<img" in again._repr_html_()


def test_a_run_evaluates_and_predicts(trained):
    scores = trained.evaluate(split="test")
    assert scores["accuracy"] == trained.result["test_accuracy_best"] and scores["of"] == 200
    dataset = zoo.load_data("digits", limit=200)
    other = trained.evaluate(dataset)
    assert other["accuracy"] == scores["accuracy"]
    images = dataset.test.images[:3]
    probabilities = trained.predict(images)
    assert probabilities.shape == (3, 10) and probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    (name, most), (_, less) = trained.predict(images, top_k=2)[0]
    assert name == str(probabilities[0].argmax()) and most == pytest.approx(probabilities[0].max()) and most > less
    assert np.array_equal(trained.load_model("best").predict(images, verbose=0), probabilities)


def test_the_command_trains_the_same(trained, tmp_path):
    assert train.main(["lenet5", "--limit", "200", "--epochs", "2", "--output-dir", str(tmp_path), "--name", "digits",
                       "--gpu", "none"]) == 0
    assert (tmp_path / "digits" / "history.csv").read_text() == (trained.path / "history.csv").read_text()
    one, other = (read_arrays(path / "checkpoints" / "last.npz") for path in (trained.path, tmp_path / "digits"))
    assert [name for name in one if not np.array_equal(one[name], other[name])] in ([], ["progress/seconds"])


def test_the_same_call_again_does_nothing(trained, capsys):
    before = (trained.path / "history.csv").stat().st_mtime_ns
    again = zoo.fit("lenet5", "digits", **FEW, output_dir=trained.path.parent, name="digits")
    assert again.status == "finished" and (trained.path / "history.csv").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="learning_rate"):
        zoo.fit("lenet5", "digits", **FEW, learning_rate=0.01, output_dir=trained.path.parent, name="digits")


def test_stopped_by_a_callback_and_resumed_it_is_the_run_that_never_stopped(trained, tmp_path):
    callback = StopAfter(1)
    run = zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="digits", callbacks=[callback])
    assert (run.status, run.result) == ("stopped", None) and "callback" in run.reason
    assert run.history["epoch"] == [1]
    assert callback.logs[0]["val_loss"] == run.history["val_loss"][0]
    whole = run.resume()
    assert (whole.status, whole.reason) == ("finished", None) and whole.history == trained.history
    one, other = (read_arrays(each.path / "checkpoints" / "last.npz") for each in (whole, trained))
    assert [name for name in one if not np.array_equal(one[name], other[name])] in ([], ["progress/seconds"])


def test_arrays(tmp_path):
    test = stripes(30, seed=1)
    run = zoo.fit("lenet5", stripes(300), test_data=test, class_names=["top", "middle", "bottom"], epochs=4,
                  batch_size=16, output_dir=tmp_path, name="stripes")
    assert run.class_names == ["top", "middle", "bottom"] and run.result["test_accuracy_best"] > 0.9
    assert run.evaluate(test and zoo.load_data(stripes(300), test_data=test))["of"] == 30
    with pytest.raises(UserError, match="arrays") as error:
        run.evaluate()
    check_message(error.value)
    assert zoo.load(run.path).output_shape == (None, 3)


def test_splits_that_say_little_are_named_at_the_start(tmp_path, capsys):
    images, labels = stripes(60)
    zoo.fit("lenet5", (images, labels), validation_data=(images[labels > 0][:9], labels[labels > 0][:9]),
            test_data=(images[labels < 2], labels[labels < 2]), class_names=["top", "middle", "bottom"], epochs=1,
            output_dir=tmp_path)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ")]
    assert len(notes) == 3
    check_message(notes[0], "validation", "9")
    check_message(notes[1], "validation", "1", "3", "'top'")
    check_message(notes[2], "test", "1", "3", "'bottom'")
    whole = zoo.load_data((images, labels), validation_data=(images[:10], labels[:10]))
    assert note_small_splits(whole) == []


@pytest.mark.parametrize("names", [pytest.param(("x_train", "y_train", "x_test", "y_test"), marks=pytest.mark.slow),
                                   ("train_images", "train_labels", "test_images", "test_labels")])
def test_an_npz_file_by_the_command_and_resumed(names, tmp_path, capsys):
    file = tmp_path / "stripes.npz"
    images, labels = stripes(200)
    np.savez(file, **dict(zip(names, (images, labels[:, None], *stripes(30, seed=1)), strict=True)))

    assert train.main(["lenet5", "--dataset", str(file), "--epochs", "1", "--lr-schedule", "constant", "--output-dir",
                       str(tmp_path), "--name", "run", "--gpu", "none"]) == 0
    run = zoo.Run(tmp_path / "run")
    assert run.config["dataset"]["kind"] == "npz" and run.evaluate()["of"] == 30
    assert train.main(["--resume", str(run.path), "--epochs", "2", "--gpu", "none"]) == 0
    assert run.history["epoch"] == [1, 2]
    capsys.readouterr()
    assert evaluate.main([str(run.path), "--gpu", "none"]) == 0
    assert re.search(rf"(?m)^accuracy\b.* {run.result['test_accuracy_best']:.2%}", capsys.readouterr().out)


def test_a_folder_from_scratch_is_the_whole_network(tmp_path):
    pets = write_pets(tmp_path / "pets", (30, 34, 3), ".png")
    run = zoo.fit("lenet5", pets, epochs=1, output_dir=tmp_path, name="pets1")
    model = run.load_model()
    assert {"C5", "F6"} <= {layer.name for layer in model.layers}
    # C1 156, C3 2,416, C5 48,120 and F6 10,164 as at 28x28x1 with ten classes, and 84 x 2 + 2 for two
    assert model.count_params() == 156 + 2_416 + 48_120 + 10_164 + 170
    assert model.input_shape == (None, 28, 28, 1)
    assert run.evaluate()["of"] == run.config["dataset"]["test"]
    assert run.predict(next((pets / "cat").iterdir()), top_k=1)[0][0][0] in ("cat", "dog")


@pytest.mark.parametrize("call, parts", [
    (lambda: zoo.fit("lenet6"), "'lenet6' 'lenet5'"),
    (lambda: zoo.fit("lenet5", "digit"), "'digit' 'digits'"),
    (lambda: zoo.fit("lenet5", epoch=3), "'epoch' 'epochs'"),
    (lambda: zoo.fit("lenet5", epochs="3"), "epochs '3'"),
    (lambda: zoo.fit("lenet5", epochs=0), "epochs 0"),
    (lambda: zoo.fit("lenet5", recipe="moden"), "'moden' 'modern'"),
    (lambda: zoo.fit("lenet5", gpu=7), "7"),
    (lambda: zoo.fit("lenet5", precision="bf16"), "'bf16' bfloat16"),
    (lambda: zoo.fit("resnet18", preset="smal"), "'smal' 'small'"),
    (lambda: zoo.fit("resnet18", preset="small", width=0.5), "preset small width"),
    (lambda: zoo.fit("lenet5", stripes(30), class_names=["a"]), "1 3"),
    (lambda: zoo.fit("lenet5", name="a/b"), "'a/b'"),
    (lambda: zoo.Run("nowhere"), "nowhere"),
])
def test_a_mistake_is_one_line(call, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        call()
    check_message(error.value, *parts.split())
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_is_found_before_a_backend_loads():
    code = ("import sys, zoo\n"
            "try:\n    zoo.fit('lenet5', 'digits', epoch=1)\n"
            "except zoo.errors.UserError as error:\n    print(str(error).count('\\n'))\n"
            "print(*sorted({'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n\n"


def test_a_device_is_chosen_before_keras_is_imported():
    code = ("import os, zoo\nzoo.set_device('none')\nassert os.environ['CUDA_VISIBLE_DEVICES'] == '-1'\n"
            "import keras\nzoo.set_device('none')\n"
            "try:\n    zoo.set_device(backend='jax')\n"
            "except zoo.errors.UserError as error:\n    print(error)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check_message(done.stdout, "jax")
