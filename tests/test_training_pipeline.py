"""From scratch, fine-tuned and a model of one's own: one pipeline, from Python and from the command line."""

import json
import os
import shutil
import sys
import types

import keras
import numpy as np
import pytest
from helpers import check_message
from PIL import Image

import zoo
from zoo.cli import finetune, train
from zoo.errors import UserError
from zoo.training import class_weights, loggers, losses

FEW = {"limit": 200, "epochs": 2}


def arrays(run, name="last"):
    with np.load(run.path / "checkpoints" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files if not key.startswith("progress/")}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture
def shapes(tmp_path):
    """A folder of three classes of 40, 15 and 9 images: bright to the left, to the right, or nowhere."""
    rng = np.random.default_rng(0)
    for name, count in (("left", 40), ("none", 15), ("right", 9)):
        (tmp_path / "shapes" / name).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 120, (28, 28), np.uint8)
            if name != "none":
                pixels[:, slice(0, 10) if name == "left" else slice(18, 28)] //= 2
                pixels[:, slice(0, 10) if name == "left" else slice(18, 28)] += 120
            Image.fromarray(pixels).save(tmp_path / "shapes" / name / f"{index}.png")
    return tmp_path / "shapes"


# ------------------------------------------------------------------------------------------------------- fine-tuning

class StopAfterSteps(keras.callbacks.Callback):
    """Ends training after some epochs, whatever the stage."""

    def __init__(self, epochs):
        super().__init__()
        self.left = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.left -= 1
        self.model.stop_training = self.left <= 0


STAGED = {"weights": "mnist", "freeze": "C1", "head_layers": (16, 0.3), "two_stage": True, "limit": 100, "epochs": 4,
          "head_epochs": 2, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    return zoo.fit("lenet5", "digits", **STAGED, output_dir=tmp_path_factory.mktemp("runs"), name="staged")


def test_fit_fine_tunes_in_two_stages(staged):
    config = staged.config
    assert config["finetuning"]["head_layers"] == [16, 0.3] and config["finetuning"]["frozen_until"] == "C1"
    assert config["head_recipe"]["epochs"] == 2 and config["head_recipe"]["learning_rate"] == 0.003
    assert config["recipe"]["learning_rate"] == pytest.approx(0.0003) and config["recipe"]["optimizer"] == "adam"
    first = zoo.Run(staged.path / "stage1")
    assert first.history["epoch"] == [1, 2] and staged.history["epoch"] == [1, 2, 3, 4]
    bundled = zoo.build("lenet5", weights="mnist").get_layer("C1").get_weights()[0]
    assert np.array_equal(staged.load_model().get_layer("C1").get_weights()[0], bundled)
    assert not np.array_equal(staged.load_model().get_layer("C3").get_weights()[0],
                              first.load_model().get_layer("C3").get_weights()[0])


@pytest.mark.parametrize("epochs", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_fine_tuning_that_was_stopped_resumes_exactly(staged, tmp_path, epochs):
    """In the first stage, between the two, and in the second."""
    run = zoo.fit("lenet5", "digits", **STAGED, output_dir=tmp_path, name="staged", callbacks=[StopAfterSteps(epochs)])
    assert run.status == "stopped" and "callback" in run.reason
    whole = run.resume()
    assert whole.status == "finished" and whole.history == staged.history and same(arrays(whole), arrays(staged))


def test_the_command_resumes_and_refuses_the_same_fine_tuning(staged, capsys):
    assert train.main(["--resume", str(staged.path)]) == 0
    check_message(capsys.readouterr().out, staged.path, f"{staged.result['test_accuracy_best']:.2%}")
    for changed, field in (({"head_epochs": 1}, "head_epochs"), ({"backbone_learning_rate": 0.1}, "learning_rate"),
                           ({"freeze": "C3"}, "frozen_until"), ({"head_layers": (8,)}, "head_layers")):
        with pytest.raises(UserError, match=field):
            zoo.fit("lenet5", "digits", **{**STAGED, **changed}, output_dir=staged.path.parent, name="staged")


@pytest.mark.slow  # two seeds are two processes
def test_fine_tuning_has_what_training_has(tmp_path, capsys):
    arguments = ["lenet5", "--data", "digits", "--weights", "mnist", "--limit", "60", "--epochs", "2", "--gpu", "none",
             "--output-dir", str(tmp_path), "--name", "a", "--recipe", "modern", "--precision", "bfloat16",
             "--max-seconds", "600"]
    assert finetune.main(arguments) == 0
    config = json.loads((tmp_path / "a" / "run.json").read_text())
    assert config["precision"] == "bfloat16" and config["recipe"]["optimizer"] == "nesterov"
    assert finetune.main([*arguments[:9], "--gpu", "none", "--output-dir", str(tmp_path), "--name", "two", "--runs",
                          "2"]) == 0
    assert (tmp_path / "two-seed1" / "result.json").exists()
    assert json.loads((tmp_path / "two-seed1" / "run.json").read_text())["finetuning"]["weights"] == "mnist"


def test_a_folder_from_scratch_is_the_whole_network(shapes, tmp_path):
    common = [str(shapes), "--epochs", "1", "--gpu", "none", "--image-size", "28", "--output-dir", str(tmp_path)]
    assert train.main(["lenet5", "--data", *common, "--name", "scratch"]) == 0
    assert finetune.main(["lenet5", "--data", *common, "--name", "none", "--weights", "none"]) == 0
    assert finetune.main(["lenet5", "--data", *common, "--name", "tuned", "--weights", "mnist"]) == 0
    built = zoo.build("lenet5", (28, 28, 1), 3).count_params()
    parameters = [json.loads((tmp_path / name / "run.json").read_text())["parameters"]
                  for name in ("scratch", "none", "tuned")]
    assert parameters == [built, built, 16 * 3 + 3 + 2_572]  # C1 and C3 with their biases: 156 and 2,416


# ------------------------------------------------------------------------------------- a resumed run refuses other data

def test_other_classes_or_files_are_refused(shapes, tmp_path):
    fields = {"epochs": 3, "batch_size": 16, "image_size": 28, "output_dir": tmp_path, "name": "run"}
    run = zoo.fit("lenet5", shapes, **fields, callbacks=[StopAfterSteps(1)])
    (shapes / "left").rename(shapes / "links")
    with pytest.raises(UserError, match="left"):
        zoo.fit("lenet5", shapes, **fields)
    with pytest.raises(UserError, match="left"):
        run.resume()
    (shapes / "links").rename(shapes / "left")
    file = next((shapes / "left").iterdir())
    before = file.read_bytes()
    Image.fromarray(np.zeros((30, 31), np.uint8)).save(file)
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", shapes, **fields)
    check_message(error.value, shapes)
    file.write_bytes(before)
    moved = shutil.move(shapes, tmp_path / "elsewhere")
    assert run.resume(data_dir=moved).status == "finished"


# ---------------------------------------------------------------------------------------------------- class weights

def test_class_weights_are_those_of_scikit_learn(shapes):
    dataset = zoo.load_data(shapes, image_size=28)
    counts = np.bincount(dataset.train.labels)
    expected = len(dataset.train) / (3 * counts)  # compute_class_weight("balanced", ...)
    assert class_weights.resolve_class_weight("balanced", dataset) == pytest.approx(tuple(expected))
    assert class_weights.resolve_class_weight({"right": 4, 0: 0.5}, dataset) == (0.5, 1.0, 4.0)
    for wrong, parts in (({"rihgt": 1}, "rihgt right"), ({"left": 0}, "left 0"), ({7: 1.0}, "7 left none right"),
                         ("balance", "class_weight balanced balance"), ({"left": float("nan")}, "left 0 nan")):
        with pytest.raises(UserError) as error:
            class_weights.resolve_class_weight(wrong, dataset)
        check_message(error.value, *parts.split())


def test_the_loss_is_weighed_by_the_targets_classes():
    targets = np.array([[1, 0, 0], [0, 0.25, 0.75]], np.float32)  # the second is mixed
    logits = np.array([[2.0, -1, 0], [0.5, 0, 1]], np.float32)
    log_odds = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(targets * log_odds).sum(axis=1) * np.array([2.0, 0.25 * 1 + 0.75 * 4])
    found = losses.make_class_weighted_loss(losses.cross_entropy, (2.0, 1.0, 4.0))(targets, logits)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, rtol=1e-5)


def test_class_weights_change_the_recall_of_the_smallest_class(shapes, tmp_path):
    recalls = []
    for weight in (None, {"right": 50.0}):
        run = zoo.fit("lenet5", shapes, image_size=28, epochs=4, batch_size=16, class_weight=weight, augmentation="",
                      learning_rate=0.01, output_dir=tmp_path, name=f"weight{weight is not None}")
        model, dataset = run.load_model("last"), zoo.load_data(shapes, shape=(28, 28, 1))
        predicted = model.predict(dataset.train.images[:], verbose=0).argmax(axis=1)
        recalls.append((predicted == 2)[dataset.train.labels == 2].mean())
    assert recalls[0] < recalls[1]
    assert run.config["class_weight"] == [1.0, 1.0, 50.0]
    with pytest.raises(UserError, match="class_weight"):
        zoo.fit("lenet5", shapes, image_size=28, epochs=4, batch_size=16, augmentation="", learning_rate=0.01,
                output_dir=tmp_path, name="weightTrue")


# ----------------------------------------------------------------------------------------------- a model of one's own

def own_model(ending="softmax", classes=10):
    layers = keras.layers
    body = [layers.Input((28, 28, 1)), layers.Conv2D(4, 5, strides=2, activation="relu"), layers.BatchNormalization(),
            layers.Flatten()]
    if ending == "layer":
        return keras.Sequential([*body, layers.Dense(classes), layers.Softmax()], name="own_net")
    return keras.Sequential([*body, layers.Dense(classes, activation=ending)], name="own_net")


@pytest.mark.parametrize("ending", ["softmax", "layer", None])
def test_a_keras_model_of_ones_own(ending, tmp_path):
    keras.utils.set_random_seed(0)
    model = own_model(ending)
    before = model.get_weights()
    run = zoo.fit(model, "digits", **FEW, output_dir=tmp_path, name="own")
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
    assert run.status == "finished" and run.config["model"] == "own_net" and run.config["parameters"] == 104 + 16 + 5_770
    probabilities = run.predict(zoo.load_data("digits", limit=200).test.images[:3])
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert run.evaluate()["accuracy"] == run.result["test_accuracy_best"]
    assert (run.path / "report.html").exists() and (run.path / "plots" / "architecture.svg").exists()


@pytest.mark.parametrize("is_folder", [False, True])
def test_the_header_says_how_pixels_are_scaled_for_ones_own_model(is_folder, shapes, tmp_path, capsys):
    """A folder is not measured: its pixels are brought to -1..1."""
    model, data = (own_model(classes=3), shapes) if is_folder else (own_model(), "digits")
    zoo.fit(model, data, limit=30, epochs=1, output_dir=tmp_path)
    [note] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note") and "pixels" in line]
    assert ("x / 127.5 - 1" in note) == is_folder


def test_the_logits_of_ones_own_model_are_those_of_its_softmax(tmp_path):
    from zoo.training import custom_model

    info = zoo.load_data("digits", limit=10).info
    keras.utils.set_random_seed(0)
    model = own_model("softmax")
    custom_model.save_custom_model(model, tmp_path / "model.keras")
    made = custom_model.build_custom_model(custom_model.make_custom_model_config(model, info), tmp_path / "model.keras",
                                           (0.1,), (0.5,), None)
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), np.uint8)
    logits = made.predict(images, verbose=0)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = model.predict((images / 255 - 0.1) / 0.5, verbose=0)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, rtol=1e-4, atol=1e-6)


def test_ones_own_model_resumes_exactly(tmp_path):
    keras.utils.set_random_seed(0)
    model = own_model()
    whole = zoo.fit(model, "digits", **FEW, output_dir=tmp_path, name="whole")
    run = zoo.fit(model, "digits", **FEW, output_dir=tmp_path, name="part", callbacks=[StopAfterSteps(1)])
    assert run.status == "stopped"
    finished = zoo.fit(own_model(), "digits", **FEW, output_dir=tmp_path, name="part")  # other weights, the same layers
    assert finished.history == whole.history and same(arrays(finished), arrays(whole))
    with pytest.raises(UserError, match="digest"):
        zoo.fit(keras.Sequential([keras.layers.Input((28, 28, 1)), *own_model().layers[:-1], keras.layers.Dense(20),
                                  keras.layers.Dense(10)]), "digits",
                **FEW, output_dir=tmp_path, name="part")


@pytest.mark.parametrize("make, keywords, parts", [
    (lambda: 3, {}, ["zoo.list_models()", "int"]),
    (lambda: keras.Model(), {}, ["zoo.list_models()", "Model"]),
    (lambda: keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(7)],
                              name="seven"), {}, ["seven", 7, "digits", 10]),
    (lambda: keras.Sequential([keras.layers.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)],
                              name="large"), {}, ["large", "(32, 32, 3)", "digits", "(28, 28, 1)"]),
    (own_model, {"width": 0.5}, ["width"]),
    (own_model, {"recipe": "paper"}, ["recipe", "paper"]),
    (own_model, {"epohcs": 3}, ["'epohcs'", "'epochs'"]),
])
def test_models_that_cannot_be_trained(make, keywords, parts, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit(make(), "digits", **{**FEW, **keywords}, output_dir=tmp_path / "runs")
    check_message(error.value, *parts)
    assert not (tmp_path / "runs").exists()


# ---------------------------------------------------------------------------------------------- other programs' loggers

def test_tensorboard_gets_the_columns_of_the_history(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.util import tensor_util

    run = zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="a", log="tensorboard")
    found = {}
    for part in ("train", "validation"):
        events = accumulator.EventAccumulator(str(run.path / "tensorboard" / part)).Reload()
        for tag in events.Tags()["tensors"]:
            found[part, tag] = [float(tensor_util.make_ndarray(each.tensor_proto)) for each in events.Tensors(tag)]
    assert found["validation", "epoch_accuracy"] == pytest.approx(run.history["val_accuracy"])
    assert found["validation", "epoch_loss"] == pytest.approx(run.history["val_loss"])
    assert found["train", "epoch_accuracy"] == pytest.approx(run.history["accuracy"])


def test_loggers_that_are_not_there(capsys):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", log="tensorbord")
    check_message(error.value, "tensorbord", "tensorboard", "wandb")
    assert train.main(["lenet5", "--log", "wandbb"]) == 2
    check_message(capsys.readouterr().err, "wandbb", "wandb")


def test_a_logger_that_cannot_start_is_one_line(monkeypatch, tmp_path):
    def refuse(**settings):
        raise ConnectionError("no\nserver")

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(run=None, init=refuse))
    for name in ("wandb.integration", "wandb.integration.keras"):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(WandbMetricsLogger=None))
    with pytest.raises(UserError) as error:
        loggers.make_logger_callbacks(("wandb",), tmp_path / "a", {})
    check_message(error.value, "wandb", "no server", "log='wandb'")


def test_a_first_stage_is_logged_under_the_name_of_its_run(tmp_path):
    assert loggers.get_logged_name(tmp_path / "mine") == "mine"
    assert loggers.get_logged_name(tmp_path / "mine" / "stage1") == "mine-stage1"


def test_mlflow_gets_the_columns_of_the_history(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    run = zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="a", log="mlflow")
    (logged,) = mlflow.search_runs(experiment_names=["zoo"], output_format="list")
    assert (logged.info.run_name, logged.info.status) == ("a", "FINISHED")
    assert logged.data.metrics["val_accuracy"] == pytest.approx(run.history["val_accuracy"][-1])
    assert logged.data.params["learning_rate"] == "0.05" and mlflow.active_run() is None


def test_early_stopping_says_so(tmp_path, capsys):
    run = zoo.fit("lenet5", "digits", limit=60, epochs=9, learning_rate=1e-6, early_stopping_patience=2,
                  early_stopping_min_delta=1.0, output_dir=tmp_path, name="a")
    assert run.status == "finished" and run.result["epochs"] == 3
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "early" in line and line.startswith("stopped"))
    check_message(line, 3, 9)


@pytest.mark.parametrize("freeze", [True, False, -1, 1.5])
def test_what_freezes_nothing_that_can_be_meant(freeze):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", weights="mnist", freeze=freeze)
    check_message(error.value, "freeze", "'none'", freeze)


def test_keras_callbacks_find_their_columns(tmp_path):
    kept = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{val_accuracy:.2f}.keras", "val_accuracy")
    run = zoo.fit("lenet5", "digits", limit=60, epochs=9, learning_rate=1e-6, output_dir=tmp_path, verbose=False,
                  callbacks=[kept, keras.callbacks.EarlyStopping("val_accuracy", patience=1, min_delta=0.5)])
    assert (run.status, [*run.history["epoch"]]) == ("stopped", [1, 2])
    first = keras.saving.load_model(sorted(tmp_path.glob("*.keras"))[0], compile=False)  # with augmentation
    assert len(first.inputs) == 2
    assert [path.name for path in sorted(tmp_path.glob("*.keras"))] == [
        f"{epoch}-{accuracy:.2f}.keras" for epoch, accuracy in enumerate(run.history["val_accuracy"], 1)]


@pytest.mark.parametrize("callbacks, parts", [
    ([keras.callbacks.ReduceLROnPlateau()], ["ReduceLROnPlateau", "lr_schedule='plateau'"]),
    (keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), ["LearningRateScheduler", "lr_schedule"]),
    ([keras.callbacks.EarlyStopping], ["callbacks", "EarlyStopping"])])
def test_callbacks_that_cannot_be(callbacks, parts, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", limit=60, epochs=1, callbacks=callbacks, output_dir=tmp_path)
    check_message(error.value, *parts)
    assert list(tmp_path.iterdir()) == []


def test_a_backend_that_is_refused_is_not_remembered(tmp_path):
    other = next(name for name in ("jax", "tensorflow") if name != keras.backend.backend())
    for choose in (lambda: zoo.set_device(backend=other), lambda: zoo.fit("lenet5", "digits", limit=60, backend=other)):
        with pytest.raises(UserError):
            choose()
    assert os.environ.get("KERAS_BACKEND", keras.backend.backend()) == keras.backend.backend()


def test_a_run_serves_as_a_path(tmp_path):
    run = zoo.fit("lenet5", "digits", limit=60, epochs=1, output_dir=tmp_path, name="a", verbose=False)
    assert zoo.Run(run).path == run.path and zoo.load(run).count_params() == run.config["parameters"]
    tuned = zoo.fit("lenet5", "digits", limit=60, epochs=1, weights=run, head_layers=8, output_dir=tmp_path, name="b",
                    verbose=False)
    assert tuned.config["finetuning"]["weights"] == str(run.path) and tuned.config["finetuning"]["head_layers"] == [8]


def test_a_new_head_without_weights_takes_images_as_training_from_scratch_does(shapes, tmp_path):
    run = zoo.fit("resnet18", shapes, width=0.0625, head_layers=(8,), epochs=1, output_dir=tmp_path, verbose=False)
    assert run.config["model_config"]["input_shape"] == [32, 32, 3] and run.config["model_config"]["stem"] == "small"


def test_weights_of_another_type(tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", weights=5, output_dir=tmp_path)
    check_message(error.value, "weights", 5)
