"""zoo.fit and zoo.Run: training from Python, on custom data, interrupted and resumed."""

import functools
import json
import math
import random
import re
import subprocess
import sys
import threading
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message, write_pets

import zoo
from zoo.analysis import output_activation
from zoo.cli import evaluate, train
from zoo.errors import UserError
from zoo.runs import process_state
from zoo.training import custom_model
from zoo.training.header import note_small_splits
from zoo.training.npz_file import read_arrays

ROOT = Path(__file__).resolve().parents[1]
FEW = {"limit": 200, "epochs": 2}


class StopAfter(keras.callbacks.Callback):
    """Stops training after some epochs, like EarlyStopping or Optuna's pruning."""

    def __init__(self, epochs):
        super().__init__()
        self.remaining_epochs, self.logs = epochs, []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))
        self.remaining_epochs -= 1
        self.model.stop_training = self.remaining_epochs <= 0


def make_stripes(count, seed=0):
    """Return images of three classes, distinguished by the position of a white row, and labels."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 200, (count, 28, 28), np.uint8), np.arange(count) % 3
    images[np.arange(count), 6 + 7 * labels] = 255
    return images, labels


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    return zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path_factory.mktemp("runs"), name="digits")


def test_the_results_of_a_run(trained_run):
    assert (trained_run.name, trained_run.status, trained_run.reason) == ("digits", "finished", None)
    assert trained_run.history["epoch"] == [1, 2] and len(trained_run.history["val_accuracy"]) == 2
    assert trained_run.result["test_accuracy_best"] == json.loads(
        (trained_run.path / "result.json").read_text())["test_accuracy_best"]
    assert trained_run.config["command"] == (
        f"zoo.fit('lenet5', 'digits', name='digits', output_dir={str(trained_run.path.parent)!r}, limit=200, epochs=2)")
    assert trained_run.config["recipe"]["epochs"] == 2 and trained_run.class_names == list("0123456789")
    reopened = zoo.Run(trained_run.path)
    assert (reopened.status, reopened.history) == ("finished", trained_run.history)
    check_message(repr(reopened), "lenet5", "digits")
    assert "<img" in reopened._repr_html_()


def test_a_run_is_found_after_the_working_directory_has_changed(trained_run, tmp_path, monkeypatch):
    monkeypatch.chdir(trained_run.path.parent)
    run = zoo.Run("digits")
    assert repr(run).startswith("<zoo.Run 'digits'")
    monkeypatch.chdir(tmp_path)
    assert (run.status, run.history) == ("finished", trained_run.history) and run.path == trained_run.path


def test_a_run_evaluates_and_predicts(trained_run):
    scores = trained_run.evaluate(split="test")
    assert scores["accuracy"] == trained_run.result["test_accuracy_best"] and scores["total"] == 200
    dataset = zoo.load_data("digits", limit=200)
    dataset_scores = trained_run.evaluate(dataset)
    [note] = scores["notes"]
    check_message(note, "test", "split='validation'")
    assert trained_run.evaluate(split="validation")["notes"] == dataset_scores["notes"] == []
    assert dataset_scores["accuracy"] == scores["accuracy"]
    images = dataset.test.images[:3]
    probabilities = trained_run.predict(images)
    assert probabilities.shape == (3, 10) and probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    (name, largest), (_, second) = trained_run.predict(images, top_k=2)[0]
    assert name == str(probabilities[0].argmax())
    assert largest == pytest.approx(probabilities[0].max()) and largest > second
    assert np.array_equal(trained_run.load_model("best").predict(images, verbose=0), probabilities)


def test_many_runs_are_evaluated_without_a_warning_of_tensorflow(trained_run, caplog):
    images = zoo.load_data("digits", limit=3).test.images
    with caplog.at_level("WARNING", logger="tensorflow"):
        for _ in range(7):
            trained_run.predict(images)
    assert [record.getMessage() for record in caplog.records if record.name == "tensorflow"] == []


def test_the_command_trains_identically(trained_run, tmp_path, capsys):
    assert train.main(["lenet5", "--limit", "200", "--epochs", "2", "--output-dir", str(tmp_path), "--name", "digits",
                       "--data-dir", str(tmp_path), "--gpu", "none"]) == 0
    [note] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ")]
    check_message(note, "digits", "--data-dir", "--dataset FOLDER")
    assert (tmp_path / "digits" / "history.csv").read_text() == (trained_run.path / "history.csv").read_text()
    python_arrays, command_arrays = (read_arrays(path / "checkpoints" / "last.npz")
                                     for path in (trained_run.path, tmp_path / "digits"))
    assert [name for name in python_arrays
            if not np.array_equal(python_arrays[name], command_arrays[name])] in ([], ["progress/seconds"])


def test_the_same_call_again_does_nothing(trained_run, capsys):
    before = (trained_run.path / "history.csv").stat().st_mtime_ns
    repeated = zoo.fit("lenet5", "digits", **FEW, output_dir=trained_run.path.parent, name="digits")
    assert repeated.status == "finished" and (trained_run.path / "history.csv").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="learning_rate"):
        zoo.fit("lenet5", "digits", **FEW, learning_rate=0.01, output_dir=trained_run.path.parent, name="digits")


def test_a_run_stopped_by_a_callback_resumes_exactly(trained_run, tmp_path):
    callback = StopAfter(1)
    run = zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="digits", callbacks=[callback])
    assert (run.status, run.result) == ("stopped", None) and "callback" in run.reason
    reopened = zoo.Run(run.path)  # as in another process
    assert reopened.reason == run.reason and f", {run.reason}, " in repr(reopened)
    assert run.history["epoch"] == [1]
    assert callback.logs[0]["val_loss"] == run.history["val_loss"][0]
    resumed = run.resume()
    assert (resumed.status, resumed.reason) == ("finished", None) and resumed.history == trained_run.history
    assert reopened.reason is None and "stop_reason" not in resumed.config
    resumed_arrays, expected_arrays = (read_arrays(finished_run.path / "checkpoints" / "last.npz")
                                       for finished_run in (resumed, trained_run))
    assert [name for name in resumed_arrays
            if not np.array_equal(resumed_arrays[name], expected_arrays[name])] in ([], ["progress/seconds"])


def test_a_training_leaves_the_random_states_of_the_caller(tmp_path):
    python_numbers, numpy_numbers = random.Random(7), np.random.RandomState(7)
    random.seed(7)
    np.random.seed(7)

    def assert_unchanged():
        assert random.random() == python_numbers.random() and np.random.rand() == numpy_numbers.rand()

    few = {"limit": 20, "batch_size": 20}
    run = zoo.fit("lenet5", "digits", **few, epochs=1, lr_schedule="constant", warmup_epochs=0, output_dir=tmp_path,
                  verbose=False)
    assert_unchanged()
    run.resume(epochs=2, verbose=False)
    assert_unchanged()
    zoo.find_learning_rate("lenet5", "digits", **few, steps=10)
    assert_unchanged()


@pytest.mark.slow  # it imports PyTorch
def test_the_random_state_and_determinism_of_pytorch_are_kept():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    with process_state.keep_process_state():
        torch.manual_seed(0)
        torch.use_deterministic_algorithms(True)
    assert not torch.are_deterministic_algorithms_enabled()
    drawn = torch.rand(1)
    assert drawn == torch.rand(1, generator=torch.Generator().manual_seed(1))


def test_nothing_is_printed_without_verbose_on_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    few = {"limit": 20, "batch_size": 20, "epochs": 1, "output_dir": tmp_path, "name": "quiet", "verbose": False}
    zoo.fit("lenet5", "digits", **few, callbacks=[StopAfter(1)])
    zoo.find_learning_rate("lenet5", "digits", limit=20, batch_size=20, steps=10)
    assert capsys.readouterr() == ("", "")
    zoo.fit("lenet5", "digits", **{**few, "name": "loud", "verbose": True})
    assert capsys.readouterr().out.startswith("loading ")


def test_threads_train_one_after_the_other(tmp_path, capsys):
    few = {"limit": 20, "batch_size": 20, "epochs": 1, "output_dir": tmp_path}
    thread = threading.Thread(target=lambda: zoo.fit("lenet5", "digits", **few, name="second"), daemon=True)
    waiting = []

    class StartAnother(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            thread.start()
            thread.join(timeout=1)
            waiting.append(thread.is_alive() and not (tmp_path / "second").exists())

    first = zoo.fit("lenet5", "digits", **few, name="first", callbacks=[StartAnother()], verbose=False)
    thread.join()
    assert waiting == [True] and first.status == zoo.Run(tmp_path / "second").status == "finished"
    [note] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ") and "thread" in line]
    check_message(note, "waiting")


class RecordEvents(keras.callbacks.Callback):
    """Lists the events of a training; stops it after some steps."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.remaining_steps, self.events = stop_after or 10**9, []

    def on_train_begin(self, logs=None):
        self.events.append("begin")

    def on_train_batch_end(self, batch, logs=None):
        self.remaining_steps -= 1
        if not self.remaining_steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.events.append((epoch, logs["val_accuracy"]))

    def on_train_end(self, logs=None):
        self.events.append(("end", logs.get("val_accuracy")))


def test_callbacks_see_complete_epochs_alone(tmp_path):
    """Stopped in the middle of an epoch and resumed, callbacks are called as in one training."""
    stop, record = RecordEvents(stop_after=3), RecordEvents()
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{val_accuracy:.2f}.weights.h5",
                                                 save_weights_only=True)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")  # begins a new file when training begins
    run = zoo.fit("lenet5", "digits", limit=60, epochs=2, batch_size=10, output_dir=tmp_path, name="a", verbose=False,
                  callbacks=[stop, checkpoint])
    assert run.history == {} and stop.events == ["begin", ("end", None)] and not [*tmp_path.glob("*.h5")]
    run = run.resume(callbacks=[record, checkpoint, log], verbose=False)
    first, second = run.history["val_accuracy"]
    assert record.events == ["begin", (0, first), (1, second), ("end", second)]
    assert len([*tmp_path.glob("*.h5")]) == 2
    assert [line.split(",")[0] for line in (tmp_path / "log.csv").read_text().splitlines()] == ["epoch", "0", "1"]


def test_a_limited_dataset_is_loaded_again_with_its_limit(tmp_path):
    common = {"epochs": 2, "output_dir": tmp_path, "verbose": False, "callbacks": [StopAfter(1)]}
    run = zoo.fit("lenet5", zoo.load_data("digits", limit=60), name="digits", **common)
    assert run.status == "stopped" and run.config["limit"] == 60
    assert run.resume(verbose=False).status == "finished" and run.evaluate()["total"] == 60
    images, labels = make_stripes(200)
    stripes = zoo.load_data((images, labels), limit=np.int64(30))
    for name, dataset in (("dataset", stripes), ("arrays", (images, labels))):
        run = zoo.fit("lenet5", stripes, name=name, **common)
        assert run.config["dataset"]["train"] == 30 and run.status == "stopped"
        with pytest.raises(UserError) as error:
            run.resume(dataset=zoo.load_data((images, labels), limit=20), verbose=False)
        check_message(error.value, 30, 20)
        assert run.resume(dataset=dataset, verbose=False).status == "finished"


class Raise(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        raise self.error


@pytest.mark.parametrize("arguments, error_type, reason", [
    ({"learning_rate": 1e6, "epochs": 9}, FloatingPointError, "the loss is not finite"),
    ({"callbacks": [Raise(ValueError("no\nsuch\x1b column"))]}, ValueError,
     r"an exception: ValueError: no such\x1b column"),
    ({"callbacks": [Raise(FloatingPointError("a" * 5000))]}, FloatingPointError,
     f"an exception: FloatingPointError: {'a' * 200}..."),
    ({"callbacks": [Raise(KeyError())]}, KeyError, "an exception: KeyError"),
    ({"callbacks": [Raise(urllib.error.HTTPError("http://x", 404, "Not Found", None, None))]}, urllib.error.HTTPError,
     "an exception: HTTPError: HTTP Error 404: Not Found"),
])
def test_the_reason_of_a_run_stopped_by_an_exception(arguments, error_type, reason, tmp_path):
    with pytest.raises(error_type):
        zoo.fit("lenet5", "digits", output_dir=tmp_path, name="a", verbose=False, **{**FEW, **arguments})
    run = zoo.Run(tmp_path / "a")
    assert run.reason == reason and reason in repr(run) and run.result is None


def test_another_attempt_after_running_out_of_memory_has_its_own_errors(tmp_path):
    try:
        raise MemoryError
    except MemoryError:
        with pytest.raises(ValueError, match="^no column$"):
            zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="a", verbose=False,
                    callbacks=[Raise(ValueError("no column"))])
    assert zoo.Run(tmp_path / "a").reason == "an exception: ValueError: no column"


def test_arrays(tmp_path):
    test = make_stripes(30, seed=1)
    run = zoo.fit("lenet5", make_stripes(300), test_data=test, class_names=["top", "middle", "bottom"], epochs=4,
                  batch_size=16, output_dir=tmp_path, name="stripes")
    assert run.class_names == ["top", "middle", "bottom"] and run.result["test_accuracy_best"] > 0.9
    assert run.evaluate(zoo.load_data(make_stripes(300), test_data=test))["total"] == 30
    assert run.config["command"].startswith(
        "zoo.fit('lenet5', (<uint8 (300, 28, 28)>, <int64 (300,)>), name='stripes', output_dir='")
    assert "class_names=['top', 'middle', 'bottom'], " in run.config["command"]
    with pytest.raises(UserError, match="arrays") as error:
        run.evaluate()
    check_message(error.value)
    assert zoo.load(run.path).output_shape == (None, 3)


def test_samples_and_labels_are_given_as_to_keras(tmp_path):
    images, labels = make_stripes(60)
    common = {"class_names": ["top", "middle", "bottom"], "epochs": 1, "limit": 40, "verbose": False}
    pair = zoo.fit("lenet5", (images, labels), output_dir=tmp_path / "pair", **common)
    two = zoo.fit("lenet5", images, labels, output_dir=tmp_path / "two", **common)
    assert two.history["val_loss"] == pair.history["val_loss"]
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", (images, labels[::-1]), output_dir=tmp_path / "pair", name=pair.path.name, **common)
    check_message(error.value, "arrays", "dataset=...")


def test_small_splits_are_noted_at_the_start(tmp_path, capsys):
    images, labels = make_stripes(60)
    zoo.fit("lenet5", (images, labels), validation_data=(images[labels > 0][:9], labels[labels > 0][:9]),
            test_data=(images[labels < 2], labels[labels < 2]), class_names=["top", "middle", "bottom"], epochs=1,
            output_dir=tmp_path)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ")]
    assert len(notes) == 3
    check_message(notes[0], "validation", "9")
    check_message(notes[1], "validation", "1", "3", "'top'")
    check_message(notes[2], "test", "1", "3", "'bottom'")
    full = zoo.load_data((images, labels), validation_data=(images[:10], labels[:10]))
    assert note_small_splits(full) == []


@pytest.mark.parametrize("names", [pytest.param(("x_train", "y_train", "x_test", "y_test"), marks=pytest.mark.slow),
                                   ("train_images", "train_labels", "test_images", "test_labels")])
def test_an_npz_file_by_the_command_and_resumed(names, tmp_path, capsys):
    file = tmp_path / "stripes.npz"
    images, labels = make_stripes(200)
    np.savez(file, **dict(zip(names, (images, labels[:, None], *make_stripes(30, seed=1)), strict=True)))

    assert train.main(["lenet5", "--dataset", str(file), "--epochs", "1", "--lr-schedule", "constant",
                       "--warmup-epochs", "0", "--output-dir", str(tmp_path), "--name", "run", "--gpu", "none"]) == 0
    run = zoo.Run(tmp_path / "run")
    assert run.config["dataset"]["kind"] == "npz" and run.evaluate()["total"] == 30
    assert train.main(["--resume", str(run.path), "--epochs", "2", "--gpu", "none"]) == 0
    assert run.history["epoch"] == [1, 2]
    capsys.readouterr()
    assert evaluate.main([str(run.path), "--gpu", "none"]) == 0
    assert re.search(rf"(?m)^accuracy\b.* {run.result['test_accuracy_best']:.2%}", capsys.readouterr().out)


def test_a_folder_from_scratch_trains_the_whole_network(tmp_path):
    pets = write_pets(tmp_path / "pets", (30, 34, 3), ".png")
    run = zoo.fit("lenet5", pets, epochs=1, output_dir=tmp_path, name="pets1")
    model = run.load_model()
    assert {"C5", "F6"} <= {layer.name for layer in model.layers}
    # C1 156, C3 2,416, C5 48,120 and F6 10,164 as at 28x28x1 with ten classes, and 84 x 2 + 2 for two
    assert model.count_params() == 156 + 2_416 + 48_120 + 10_164 + 170
    assert model.input_shape == (None, 28, 28, 1)
    assert run.evaluate()["total"] == run.config["dataset"]["test"]
    assert run.predict(next((pets / "cat").iterdir()), top_k=1)[0][0][0] in ("cat", "dog")


@pytest.mark.parametrize("call, parts", [
    (lambda: zoo.fit("lenet6"), "'lenet6' 'lenet5'"),
    (lambda: zoo.fit("lenet5", "digit"), "'digit' 'digits'"),
    (lambda: zoo.fit("lenet5", epoch=3), "epoch=3 epochs=3"),
    (lambda: zoo.fit("lenet5", epochs="3"), "epochs '3'"),
    (lambda: zoo.fit("lenet5", epochs=0), "epochs 0"),
    (lambda: zoo.fit("lenet5", recipe="moden"), "'moden' 'modern'"),
    (lambda: zoo.fit("lenet5", dropout=0.5), "lenet5 dropout"),
    (lambda: zoo.fit("lenet5", dropout="0.5"), "lenet5 dropout"),
    (lambda: zoo.fit("lenet5", gpu=7), "7"),
    (lambda: zoo.fit("lenet5", precision="bf16"), "'bf16' bfloat16"),
    (lambda: zoo.fit("resnet18", preset="smal"), "'smal' 'small'"),
    (lambda: zoo.fit("resnet18", preset="small", width=0.5), "preset small width"),
    (lambda: zoo.fit("highway", preset="small", dropout=True), "preset small dropout"),
    (lambda: zoo.fit("lenet5", make_stripes(30), class_names=["a"]), "1 3"),
    (lambda: zoo.fit("lenet5", name="a/b"), "'a/b'"),
    (lambda: zoo.Run("nowhere"), "nowhere"),
    (lambda: zoo.fit("lenet5", lr=0.1), "lr=0.1 learning_rate=0.1"),
    (lambda: zoo.fit("lenet5", device="cuda:1"), "device='cuda:1' gpu=1"),
    (lambda: zoo.fit("lenet5", device="cpu"), "gpu='none'"),
    (lambda: zoo.fit("lenet5", gpus=2), "gpus=2 gpu=[0,"),
    (lambda: zoo.fit("lenet5", gpus=1), "gpu=0"),
    (lambda: zoo.fit("lenet5", batchsize=64), "batch_size=64"),
    (lambda: zoo.fit("lenet5", num_epochs=3), "num_epochs=3 epochs=3"),
    (lambda: zoo.fit("lenet5", pretrained=True), "weights='mnist'"),
    (lambda: zoo.fit("text_cnn", pretrained=True), "weights=..."),
    (lambda: zoo.fit("lenet5", pretrained=False), "weights=None"),
    (lambda: zoo.fit("lenet5", pretrained="runs/a"), "weights='runs/a'"),
    (lambda: zoo.fit("lenet5", lr_decay=0.5), "gamma=0.5 milestones"),
    (lambda: zoo.fit("lenet5", step_size=30), "milestones='every"),
    (lambda: zoo.fit("lenet5", val_data=make_stripes(3)), "val_data validation_data=..."),
    (lambda: zoo.fit("lenet5", validation_split=0.2), "validation_split=0.2 tenth validation_data"),
    (lambda: zoo.fit("lenet5", mixup=0.2), "augmentation='mixup=0.2'"),
    (lambda: zoo.find_learning_rate("lenet5", bs=64), "zoo.find_learning_rate bs=64 batch_size=64"),
    (lambda: zoo.build("resnet18", num_classes=10), "zoo.build num_classes=10 classes=10"),
    (lambda: zoo.build("vgg16", pretrained=True), "weights='imagenet'"),
    (lambda: zoo.describe("vgg16", img_size=64), "img_size=64 input_shape"),
    (lambda: zoo.fit("lenet5", sparkle=1), "'sparkle' learning_rate"),
    *((functools.partial(zoo.fit, "lenet5", **{name: value}), f"{name} {value!r}") for name, value in (
        ("deterministic", 1), ("seed", True), ("seed", None), ("seed", -1), ("seed", 1.5), ("seed", 2**32),
        ("limit", 2.5), ("limit", 0), ("name", 7), ("output_dir", 7), ("max_seconds", "60"), ("max_seconds", math.nan),
        ("max_seconds", 0), ("log", True))),
    (lambda: zoo.fit("lenet5", weights="mnist", two_stage=True, freeze="none", head_epochs=2.5), "head_epochs 2.5"),
    (lambda: zoo.find_learning_rate("lenet5", seed=-1), "seed -1"),
    (lambda: zoo.find_learning_rate("lenet5", limit=2.5), "limit 2.5"),
])
def test_an_error_is_one_line(call, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        call()
    check_message(error.value, *parts.split())
    assert list(tmp_path.iterdir()) == []


def test_integers_as_floats_and_scalars_of_numpy(tmp_path):
    run = zoo.fit("lenet5", "digits", recipe="notes", learning_rate=1, limit=np.int64(20), seed=np.int64(3),
                  epochs=np.int32(1), batch_size=np.int64(20), rho=np.float64(0.5), deterministic=np.False_,
                  output_dir=tmp_path, verbose=False)
    config = json.loads((run.path / "run.json").read_text())
    assert (config["limit"], config["seed"], config["deterministic"]) == (20, 3, False)
    assert repr(config["recipe"]["learning_rate"]) == "1.0" and config["recipe"]["rho"] == 0.5
    for method, value in ((lambda value: run.resume(epochs=value), "60"),
                          (lambda value: run.resume(max_seconds=value), -1),
                          (lambda value: run.evaluate(batch_size=value), -5)):
        with pytest.raises(UserError) as error:
            method(value)
        check_message(error.value, repr(value))
    assert run.resume(epochs=np.int64(2), verbose=False).history["epoch"] == [1, 2]


def test_an_invalid_argument_is_refused_before_a_backend_loads():
    code = ("import sys, zoo\n"
            "for keywords in {'epoch': 1}, {'seed': -1}, {'deterministic': 1}, {'log': True}:\n"
            "    try:\n        zoo.fit('lenet5', 'digits', **keywords)\n"
            "    except zoo.errors.UserError as error:\n        print(str(error).count('\\n'))\n"
            "print(*sorted({'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'} & set(sys.modules)))")
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout == "0\n0\n0\n0\n\n"


# -------------------------------------------------------------------------------------------------------- custom models

layers = keras.layers
FLAT_START = (layers.Input((28, 28, 1)), layers.Flatten())
MAPS_START = (layers.Input((28, 28, 1)), layers.AveragePooling2D(14))  # 2x2
IMAGE_START = (layers.Input((28, 28, 1)),)


class Twice(layers.Layer):
    """A layer that is not registered with Keras."""

    def call(self, inputs):
        return 2 * inputs


class NoConfig(layers.Layer):
    """A layer that Keras cannot describe."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def divide_by_two(inputs):
    return inputs / 2


def make_sequential(*parts, start=FLAT_START, name=None):
    return keras.Sequential([*start, *parts], name=name)


def make_functional(finish):
    """Return a functional model whose output is `finish` of ten logits."""
    image = keras.Input((28, 28, 1))
    return keras.Model(image, finish(layers.Dense(10)(layers.Flatten()(image))))


def make_head(*parts):
    return keras.Sequential([layers.Input((784,)), *parts])


def share_softmax(logits):
    softmax = layers.Softmax()
    return softmax(layers.Dense(10)(softmax(logits)))


def make_backbone(layer_name=None):
    image = keras.Input((28, 28, 1))
    return keras.Model(image, layers.Flatten()(layers.Conv2D(4, 5, strides=4, activation="relu",
                                                             name=layer_name)(image)))


def make_two_branches(*layer_names):
    image = keras.Input((28, 28, 1))
    return keras.Model(image, layers.Dense(10)(layers.Concatenate()(
        [make_backbone(layer_name)(image) for layer_name in layer_names])))


@pytest.mark.parametrize("make", [
    lambda: make_sequential(layers.Dense(10), layers.Softmax(), layers.Activation("linear", dtype="float32")),
    lambda: make_sequential(layers.Dense(10, activation="softmax"), layers.Reshape((10,))),
    lambda: make_sequential(layers.Dense(10), layers.Activation("softmax"), layers.Reshape((1, 10)),
                            layers.Flatten(name="flat")),
    lambda: make_sequential(layers.Conv2D(10, 2, activation="softmax"), layers.Flatten(), layers.Identity(),
                            start=MAPS_START),
    lambda: make_sequential(make_head(layers.Dense(10, activation="softmax"))),
    lambda: make_sequential(make_head(layers.Dense(10), layers.Softmax()), layers.Activation("linear")),
    lambda: make_functional(keras.ops.softmax),
    lambda: make_functional(lambda logits: keras.ops.reshape(layers.Softmax()(logits), (-1, 10))),
])
def test_a_softmax_is_found_before_layers_without_effect(make, tmp_path):
    info, path = zoo.load_data("digits", limit=10).info, tmp_path / "model.keras"
    keras.utils.set_random_seed(0)
    model = make()
    custom_model.save_custom_model(model, path)
    config = custom_model.make_custom_model_config(model, info)
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), np.uint8)
    expected = model.predict((images / 255 - 0.1) / 0.5, verbose=0)
    logits, probabilities = (custom_model.build_custom_model(config, path, (0.1,), (0.5,), end).predict(
        images, verbose=0) for end in (None, "softmax"))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    assert logits.min() < 0  # not probabilities
    np.testing.assert_allclose(logits - logits[:, :1], np.log(expected / expected[:, :1]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make, parts", [
    (lambda: keras.Sequential([layers.Flatten(), layers.Dense(10)], name="mine"), "mine keras.Input((28, 28, 1))"),
    (lambda: Twice, "Twice instance"),
    (lambda: make_sequential(layers.Dense(10), layers.Activation("sigmoid")), "sigmoid softmax Dense(10)"),
    (lambda: make_sequential(layers.Dense(10, activation="tanh"), layers.Identity()), "tanh softmax Dense(10)"),
    (lambda: make_functional(keras.ops.sigmoid), "sigmoid softmax Dense(10)"),
    (lambda: make_sequential(make_head(layers.Dense(10, activation="hard_sigmoid"))), "hardsigmoid softmax Dense(10)"),
    (lambda: make_sequential(layers.Dense(10, activation="softmax"), layers.Dropout(0.5, name="drop")),
     "drop Dense(10)"),
    (lambda: make_sequential(layers.Conv2D(10, 1, activation="softmax"), layers.GlobalAveragePooling2D(name="mean"),
                             start=MAPS_START),
     "mean Dense(10)"),
    (lambda: make_sequential(layers.Reshape((2, 392)), layers.Dense(5, activation="softmax", name="pair"),
                             layers.Flatten()),
     "pair 10 Dense(10)"),
    (lambda: make_functional(share_softmax), "softmax"),
    (lambda: make_two_branches("conv", "conv"), "2 'conv' name"),
    (lambda: make_sequential(layers.Dense(10), start=[keras.Input((28, 28, 1)), layers.Flatten(name="my flatten")]),
     "'my flatten' TensorFlow"),
    (lambda: make_sequential(make_head(layers.Dense(5, name="ü")), layers.Dense(10)), "'ü' TensorFlow"),
    (lambda: ModelWithCall(4), "ModelWithCall.call"),
    (lambda: make_sequential(Twice(), layers.Dense(10)), "Twice @keras.saving.register_keras_serializable()"),
    (lambda: make_sequential(make_head(Twice()), layers.Dense(10)),
     "Twice @keras.saving.register_keras_serializable()"),
    (lambda: make_sequential(layers.Activation(divide_by_two), layers.Dense(10)),
     "divide_by_two @keras.saving.register_keras_serializable()"),
    (lambda: make_sequential(NoConfig(lambda inputs: inputs / 2), layers.Dense(10)), "NoConfig get_config()"),
    (lambda: make_sequential(layers.Lambda(lambda inputs: inputs / 2), layers.Dense(10)), "Lambda keras.layers.Layer"),
])
def test_custom_models_that_are_refused(make, parts, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit(make(), "digits", **FEW, output_dir=tmp_path / "runs")
    check_message(error.value, *parts.split())
    assert "/" not in str(error.value) and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("keywords, parts", [
    ({"precision": "bfloat16"}, "precision='bfloat16' keras.config.set_dtype_policy('mixed_bfloat16')"),
    ({"dropout": 0.5}, "dropout catalogue"),
])
def test_arguments_without_effect_on_a_custom_model(keywords, parts, tmp_path):
    for function, output in ((zoo.fit, {"output_dir": tmp_path / "runs"}), (zoo.find_learning_rate, {})):
        with pytest.raises(UserError) as error:
            function(make_sequential(layers.Dense(10)), "digits", limit=10, **keywords, **output)
        check_message(error.value, *parts.split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("keywords", [{"head_layers": (64,)}, {"freeze": "all"}, {"pooling": "avg"}, {"width": 0.5},
                                      {"two_stage": True, "feature_layer": "dense"}, {"weights": "imagenet"}])
def test_the_message_names_the_argument_that_a_custom_model_does_not_take(keywords, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit(make_sequential(layers.Dense(10)), "digits", limit=10, output_dir=tmp_path, **keywords)
    assert "catalogue" in str(error.value) and str(error.value).split()[0] in keywords
    check_message(error.value)


@pytest.mark.parametrize("make", [
    pytest.param(lambda: make_sequential(layers.Dense(10, activation="relu")), marks=pytest.mark.slow),
    pytest.param(lambda: keras.Sequential([layers.Input((28, 28, 1)), make_backbone(),
                                           layers.Dense(10, activation="softmax")]), marks=pytest.mark.slow),
    lambda: make_functional(keras.Sequential([layers.Input((10,)), layers.Dense(10), layers.Softmax()])),
    lambda: keras.Sequential([layers.Input((28, 28, 1)), make_functional(layers.Softmax())]),
    lambda: make_two_branches("conv1", "conv2"),
])
def test_nested_custom_models(make, tmp_path):
    run = zoo.fit(make(), "digits", limit=50, epochs=1, output_dir=tmp_path, name="own")
    assert run.status == "finished" and run.evaluate()["accuracy"] == run.result["test_accuracy_best"]


def test_pixels_are_not_rescaled_for_a_model_that_rescales(tmp_path):
    inner = keras.Sequential([layers.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Flatten()])
    model = keras.Sequential([layers.Input((28, 28, 1)), inner, layers.Dense(10)])
    assert not custom_model.make_custom_model_config(model, zoo.load_data("digits", limit=10).info).rescale


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_a_softmax_in_half_precision_is_accepted(precision):
    model = make_sequential(layers.Dense(10, dtype=precision), layers.Softmax(dtype=precision),
                            layers.Activation("linear", dtype="float32"))
    custom_model.make_custom_model_config(model, zoo.load_data("digits", limit=10).info)
    logits_model = output_activation.remove_softmax(model, output_activation.drop_activation)
    assert logits_model.predict(np.ones((1, 28, 28, 1), "float32"), verbose=0).min() < 0


def test_automatic_names_of_keras_do_not_matter():
    info = zoo.load_data("digits", limit=10).info
    first, second, wider, named = (custom_model.make_custom_model_config(model, info) for model in (
        make_sequential(layers.Dense(10)), make_sequential(layers.Dense(10)),
        make_sequential(make_head(layers.Dense(20)), layers.Dense(10)),
        make_sequential(layers.Dense(10), name="net_2")))
    assert first == second and first.name == "sequential" and named.name == "net_2" and named.digest == first.digest
    assert custom_model.make_custom_model_config(make_sequential(make_head(layers.Dense(20, use_bias=False)),
                                                                 layers.Dense(10)),
                                                 info).digest != wider.digest


@pytest.mark.parametrize("one, other", [(layers.Dropout(0.2), layers.Dropout(0.5)),
                                        (layers.Activation("relu"), layers.Activation("elu"))])
def test_a_model_with_other_settings_is_another_one(one, other):
    info = zoo.load_data("digits", limit=10).info
    assert len({custom_model.make_custom_model_config(make_sequential(layer, layers.Dense(10)), info).digest
                for layer in (one, other)}) == 2


@keras.saving.register_keras_serializable("test")
class Block(layers.Layer):
    """A layer that creates others without names, which Keras names anew whenever the model is made."""

    def __init__(self, filters, **keywords):
        super().__init__(**keywords)
        self.filters, self.conv, self.norm = filters, layers.Conv2D(filters, 3, strides=2), layers.BatchNormalization()

    def build(self, shape):
        self.conv.build(shape)
        self.norm.build(self.conv.compute_output_shape(shape))

    def call(self, inputs, training=None):
        return self.norm(self.conv(inputs), training=training)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("test")
class ModelWithInit(keras.Model):
    """A functional model that creates its layers, without names, in `__init__`."""

    def __init__(self, filters, **keywords):
        image = keras.Input((28, 28, 1))
        x = layers.Conv2D(filters, 3, strides=2)(layers.Conv2D(filters, 3, strides=2)(image))
        super().__init__(image, layers.Dense(10)(layers.Flatten()(x)), **keywords)
        self.filters = filters

    def get_config(self):
        return {"filters": self.filters, "name": self.name}


class ModelWithCall(ModelWithInit):
    def call(self, inputs):
        return super().call(inputs) * 0


@pytest.mark.parametrize("make", [
    lambda: make_sequential(Block(4), Block(4), layers.Flatten(), layers.Dense(10), start=IMAGE_START),
    lambda: ModelWithInit(4)])
@pytest.mark.parametrize("ema_momentum", [0.0, 0.9])
def test_layers_that_keras_names_anew(make, ema_momentum, tmp_path):
    model = make()
    train_model = functools.partial(zoo.fit, model, "digits", limit=50, epochs=2, ema_momentum=ema_momentum,
                                    output_dir=tmp_path, verbose=False)
    whole = train_model(name="whole")
    assert whole.evaluate()["accuracy"] == whole.result["test_accuracy_best"]
    assert train_model(name="parts", callbacks=[StopAfter(1)]).status == "stopped"
    layers.Conv2D(4, 3)  # counts
    assert train_model(name="parts").history == whole.history


def test_an_open_name_scope_is_refused(tmp_path):
    with keras.name_scope("outer"), pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", limit=50, epochs=1, output_dir=tmp_path, name="a")
    check_message(error.value, "'outer'", "keras.name_scope")


def make_branches(operation=keras.ops.relu, is_swapped=False):
    """Return a functional model with two branches of one size, of which `operation` follows one."""
    image = keras.Input((28, 28, 1))
    first = layers.Dense(10)(layers.Flatten()(image))
    second = keras.Sequential([layers.Input((10,)), layers.Dense(10)])(first)
    if is_swapped:
        first, second = second, first
    return keras.Model(image, layers.Dense(10)(operation(first) + 2.0 * second))


def test_operations_and_connections_are_part_of_a_model():
    info = zoo.load_data("digits", limit=10).info
    digests = [custom_model.make_custom_model_config(model, info).digest for model in (
        make_branches(), make_branches(keras.ops.tanh), make_branches(is_swapped=True),
        make_branches(lambda tensor: keras.ops.leaky_relu(tensor, 0.1)),
        make_branches(lambda tensor: keras.ops.leaky_relu(tensor, 0.2)), make_branches())]
    assert digests[-1] == digests[0] and len({*digests}) == 5


def test_a_model_under_another_automatic_name_resumes(tmp_path):
    models = [make_sequential(layers.Dense(10)) for _ in range(2)]
    assert models[0].name != models[1].name
    run = zoo.fit(models[0], "digits", limit=50, epochs=2, output_dir=tmp_path, name="own", callbacks=[StopAfter(1)])
    assert run.status == "stopped"
    assert zoo.fit(models[1], "digits", limit=50, epochs=2, output_dir=tmp_path, name="own").history["epoch"] == [1, 2]
