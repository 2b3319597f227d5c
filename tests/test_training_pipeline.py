"""Training from scratch, fine-tuning and custom models: one pipeline, from Python and from the command line."""

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


def read_arrays(run, name="last"):
    with np.load(run.path / "checkpoints" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files if not key.startswith("progress/")}


def arrays_equal(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture
def shapes_folder(tmp_path):
    """Write a folder of three classes of 40, 15 and 9 images: bright on the left, nowhere, or on the right."""
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

class StopAfterEpochs(keras.callbacks.Callback):
    """Stops training after some epochs, in any stage."""

    def __init__(self, epochs):
        super().__init__()
        self.remaining_epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.remaining_epochs -= 1
        self.model.stop_training = self.remaining_epochs <= 0


TWO_STAGE = {"weights": "mnist", "freeze": "C1", "head_layers": (16, 0.3), "two_stage": True, "limit": 100, "epochs": 4,
             "head_epochs": 2, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def two_stage_run(tmp_path_factory):
    return zoo.fit("lenet5", "digits", **TWO_STAGE, output_dir=tmp_path_factory.mktemp("runs"), name="staged")


def test_fit_fine_tunes_in_two_stages(two_stage_run):
    config = two_stage_run.config
    assert config["finetuning"]["head_layers"] == [16, 0.3] and config["finetuning"]["frozen_until"] == "C1"
    assert config["head_recipe"]["epochs"] == 2 and config["head_recipe"]["learning_rate"] == 0.003
    assert config["recipe"]["learning_rate"] == pytest.approx(0.0003) and config["recipe"]["optimizer"] == "adam"
    first = zoo.Run(two_stage_run.path / "stage1")
    assert first.history["epoch"] == [1, 2] and two_stage_run.history["epoch"] == [1, 2, 3, 4]
    bundled = zoo.build("lenet5", weights="mnist").get_layer("C1").get_weights()[0]
    assert np.array_equal(two_stage_run.load_model().get_layer("C1").get_weights()[0], bundled)
    assert not np.array_equal(two_stage_run.load_model().get_layer("C3").get_weights()[0],
                              first.load_model().get_layer("C3").get_weights()[0])


@pytest.mark.parametrize("epochs", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_an_interrupted_fine_tuning_resumes_exactly(two_stage_run, tmp_path, epochs):
    """Interrupted in the first stage, between the stages, and in the second."""
    run = zoo.fit("lenet5", "digits", **TWO_STAGE, output_dir=tmp_path, name="staged",
                  callbacks=[StopAfterEpochs(epochs)])
    assert run.status == "stopped" and "callback" in run.reason
    resumed = run.resume()
    assert resumed.status == "finished" and resumed.history == two_stage_run.history
    assert arrays_equal(read_arrays(resumed), read_arrays(two_stage_run))


def test_the_command_resumes_and_refuses_the_same_fine_tuning(two_stage_run, capsys):
    assert train.main(["--resume", str(two_stage_run.path)]) == 0
    check_message(capsys.readouterr().out, two_stage_run.path, f"{two_stage_run.result['test_accuracy_best']:.2%}")
    for changes, field in (({"head_epochs": 1}, "head_epochs"), ({"backbone_learning_rate": 0.1}, "learning_rate"),
                           ({"freeze": "none"}, "frozen_until"), ({"head_layers": (8,)}, "head_layers")):
        with pytest.raises(UserError, match=field):
            zoo.fit("lenet5", "digits", **{**TWO_STAGE, **changes}, output_dir=two_stage_run.path.parent, name="staged")


@pytest.mark.slow  # two seeds are two processes
def test_fine_tuning_accepts_the_options_of_training(tmp_path, capsys):
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


def test_a_folder_from_scratch_trains_the_whole_network(shapes_folder, tmp_path):
    common = [str(shapes_folder), "--epochs", "1", "--gpu", "none", "--image-size", "28", "--output-dir", str(tmp_path)]
    assert train.main(["lenet5", "--data", *common, "--name", "scratch"]) == 0
    assert finetune.main(["lenet5", "--data", *common, "--name", "none", "--weights", "none"]) == 0
    assert finetune.main(["lenet5", "--data", *common, "--name", "tuned", "--weights", "mnist"]) == 0
    num_parameters = zoo.build("lenet5", (28, 28, 1), 3).count_params()
    parameters = [json.loads((tmp_path / name / "run.json").read_text())["parameters"]
                  for name in ("scratch", "none", "tuned")]
    # C1 and C3 with their biases: 156 and 2,416
    assert parameters == [num_parameters, num_parameters, 16 * 3 + 3 + 2_572]


# ------------------------------------------------------------------------------------- a resumed run refuses other data

def test_other_classes_or_files_are_refused(shapes_folder, tmp_path):
    fields = {"epochs": 3, "batch_size": 16, "image_size": 28, "output_dir": tmp_path, "name": "run"}
    run = zoo.fit("lenet5", shapes_folder, **fields, callbacks=[StopAfterEpochs(1)])
    (shapes_folder / "left").rename(shapes_folder / "links")
    with pytest.raises(UserError, match="left"):
        zoo.fit("lenet5", shapes_folder, **fields)
    with pytest.raises(UserError, match="left"):
        run.resume()
    (shapes_folder / "links").rename(shapes_folder / "left")
    file = next((shapes_folder / "left").iterdir())
    before = file.read_bytes()
    Image.fromarray(np.zeros((30, 31), np.uint8)).save(file)
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", shapes_folder, **fields)
    check_message(error.value, shapes_folder)
    file.write_bytes(before)
    moved = shutil.move(shapes_folder, tmp_path / "elsewhere")
    assert run.resume(data_dir=moved).status == "finished"


# ---------------------------------------------------------------------------------------------------- class weights

def test_class_weights_are_those_of_scikit_learn(shapes_folder):
    dataset = zoo.load_data(shapes_folder, image_size=28)
    counts = np.bincount(dataset.train.labels)
    expected = len(dataset.train) / (3 * counts)  # compute_class_weight("balanced", ...)
    assert class_weights.resolve_class_weight("balanced", dataset) == pytest.approx(tuple(expected))
    assert class_weights.resolve_class_weight({"right": 4, 0: 0.5}, dataset) == (0.5, 1.0, 4.0)
    for invalid, parts in (({"rihgt": 1}, "rihgt right"), ({"left": 0}, "left 0"), ({7: 1.0}, "7 left none right"),
                           ("balance", "class_weight balanced balance"), ({"left": float("nan")}, "left 0 nan"),
                           (expected, "class_weight balanced ndarray dict"), ({"left": 2, 0: 3}, "class_weight left 0"),
                           ([1.0, 2.0, 3.0], "class_weight balanced list dict")):
        with pytest.raises(UserError) as error:
            class_weights.resolve_class_weight(invalid, dataset)
        check_message(error.value, *parts.split())
    assert class_weights.resolve_class_weight(dict(enumerate(expected)), dataset) == tuple(expected)  # as is advised


def test_a_class_weight_is_not_given_twice(capsys):
    assert train.main(["lenet5", "--class-weight", "3=2,4=1,3=5"]) == 2
    check_message(capsys.readouterr().err, "--class-weight", 3)


def test_the_loss_is_weighted_by_the_class_of_the_target():
    targets = np.array([[1, 0, 0], [0, 0.25, 0.75]], np.float32)  # the second is mixed
    logits = np.array([[2.0, -1, 0], [0.5, 0, 1]], np.float32)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(targets * log_probabilities).sum(axis=1) * np.array([2.0, 0.25 * 1 + 0.75 * 4])
    weighted = losses.make_class_weighted_loss(losses.cross_entropy, (2.0, 1.0, 4.0))(targets, logits)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weighted), expected, rtol=1e-5)


def test_class_weights_change_the_recall_of_the_smallest_class(shapes_folder, tmp_path):
    recalls = []
    for weight in (None, {"right": 50.0}):
        run = zoo.fit("lenet5", shapes_folder, image_size=28, epochs=4, batch_size=16, class_weight=weight,
                      augmentation="", learning_rate=0.01, output_dir=tmp_path, name=f"weight{weight is not None}")
        model, dataset = run.load_model("last"), zoo.load_data(shapes_folder, shape=(28, 28, 1))
        predicted = model.predict(dataset.train.images[:], verbose=0).argmax(axis=1)
        recalls.append((predicted == 2)[dataset.train.labels == 2].mean())
    assert recalls[0] < recalls[1]
    assert run.config["class_weight"] == [1.0, 1.0, 50.0]
    with pytest.raises(UserError, match="class_weight"):
        zoo.fit("lenet5", shapes_folder, image_size=28, epochs=4, batch_size=16, augmentation="", learning_rate=0.01,
                output_dir=tmp_path, name="weightTrue")


# -------------------------------------------------------------------------------------------------------- custom models

def make_custom_model(ending="softmax", classes=10):
    layers = keras.layers
    backbone = [layers.Input((28, 28, 1)), layers.Conv2D(4, 5, strides=2, activation="relu"),
                layers.BatchNormalization(), layers.Flatten()]
    if ending == "layer":
        return keras.Sequential([*backbone, layers.Dense(classes), layers.Softmax()], name="own_net")
    return keras.Sequential([*backbone, layers.Dense(classes, activation=ending)], name="own_net")


@pytest.mark.parametrize("ending", ["softmax", pytest.param("layer", marks=pytest.mark.slow), None])
def test_a_custom_keras_model(ending, tmp_path):
    keras.utils.set_random_seed(0)
    model = make_custom_model(ending)
    before = model.get_weights()
    run = zoo.fit(model, "digits", **FEW, output_dir=tmp_path, name="own")
    assert all(np.array_equal(weight_before, weight_after)
               for weight_before, weight_after in zip(before, model.get_weights(), strict=True))
    assert run.status == "finished" and run.config["model"] == "own_net"
    assert run.config["parameters"] == 104 + 16 + 5_770
    probabilities = run.predict(zoo.load_data("digits", limit=200).test.images[:3])
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert run.evaluate()["accuracy"] == run.result["test_accuracy_best"]
    assert (run.path / "report.html").exists() and (run.path / "plots" / "architecture.svg").exists()


@pytest.mark.parametrize("is_folder", [False, True])
def test_the_header_reports_the_pixel_scaling_of_a_custom_model(is_folder, shapes_folder, tmp_path, capsys):
    """The mean of a folder is not computed: its pixels are scaled to -1..1."""
    model, data = (make_custom_model(classes=3), shapes_folder) if is_folder else (make_custom_model(), "digits")
    zoo.fit(model, data, limit=30, epochs=1, output_dir=tmp_path)
    [note] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note") and "pixels" in line]
    assert ("x / 127.5 - 1" in note) == is_folder


def test_the_logits_of_a_custom_model_are_those_before_its_softmax(tmp_path):
    from zoo.training import custom_model

    info = zoo.load_data("digits", limit=10).info
    keras.utils.set_random_seed(0)
    model = make_custom_model("softmax")
    custom_model.save_custom_model(model, tmp_path / "model.keras")
    logits_model = custom_model.build_custom_model(custom_model.make_custom_model_config(model, info),
                                                   tmp_path / "model.keras", (0.1,), (0.5,), None)
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), np.uint8)
    logits = logits_model.predict(images, verbose=0)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = model.predict((images / 255 - 0.1) / 0.5, verbose=0)
    np.testing.assert_allclose(exponentials / exponentials.sum(axis=1, keepdims=True), expected, rtol=1e-4, atol=1e-6)


def test_a_custom_model_resumes_exactly(tmp_path):
    keras.utils.set_random_seed(0)
    model = make_custom_model()
    uninterrupted = zoo.fit(model, "digits", **FEW, output_dir=tmp_path, name="whole")
    run = zoo.fit(model, "digits", **FEW, output_dir=tmp_path, name="part", callbacks=[StopAfterEpochs(1)])
    assert run.status == "stopped"
    # other weights, the same layers
    finished = zoo.fit(make_custom_model(), "digits", **FEW, output_dir=tmp_path, name="part")
    assert finished.history == uninterrupted.history and arrays_equal(read_arrays(finished), read_arrays(uninterrupted))
    with pytest.raises(UserError, match="architecture"):
        zoo.fit(keras.Sequential([keras.layers.Input((28, 28, 1)), *make_custom_model().layers[:-1],
                                  keras.layers.Dense(20), keras.layers.Dense(10)]), "digits",
                **FEW, output_dir=tmp_path, name="part")


@pytest.mark.parametrize("make, keywords, parts", [
    (lambda: 3, {}, ["zoo.list_models()", "int"]),
    (lambda: keras.Model(), {}, ["zoo.list_models()", "Model"]),
    (lambda: keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(7)],
                              name="seven"), {}, ["seven", 7, "digits", 10]),
    (lambda: keras.Sequential([keras.layers.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)],
                              name="large"), {}, ["large", "(32, 32, 3)", "digits", "(28, 28, 1)"]),
    (make_custom_model, {"width": 0.5}, ["width"]),
    (make_custom_model, {"recipe": "paper"}, ["recipe", "paper"]),
    (make_custom_model, {"epohcs": 3}, ["'epohcs'", "'epochs'"]),
])
def test_models_that_cannot_be_trained(make, keywords, parts, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit(make(), "digits", **{**FEW, **keywords}, output_dir=tmp_path / "runs")
    check_message(error.value, *parts)
    assert not (tmp_path / "runs").exists()


# ------------------------------------------------------------------------------------------ loggers of other programs

def test_tensorboard_gets_the_columns_of_the_history(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.util import tensor_util

    run = zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="a", log="tensorboard")
    values = {}
    for part in ("train", "validation"):
        events = accumulator.EventAccumulator(str(run.path / "tensorboard" / part)).Reload()
        for tag in events.Tags()["tensors"]:
            values[part, tag] = [float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
    assert values["validation", "epoch_accuracy"] == pytest.approx(run.history["val_accuracy"])
    assert values["validation", "epoch_loss"] == pytest.approx(run.history["val_loss"])
    assert values["train", "epoch_accuracy"] == pytest.approx(run.history["accuracy"])


def test_unknown_loggers(capsys):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", log="tensorbord")
    check_message(error.value, "tensorbord", "tensorboard", "wandb")
    assert train.main(["lenet5", "--log", "wandbb"]) == 2
    check_message(capsys.readouterr().err, "wandbb", "wandb")


def replace_wandb(monkeypatch, init, active_run=None):
    """Replace Weights & Biases, which needs a server."""
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(run=active_run, init=init))
    for name in ("wandb.integration", "wandb.integration.keras"):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(WandbMetricsLogger=keras.callbacks.Callback))


def test_a_logger_that_cannot_start_is_one_line(monkeypatch, tmp_path):
    def refuse(**settings):
        raise ConnectionError("no\nserver")

    replace_wandb(monkeypatch, refuse)
    with pytest.raises(UserError) as error, loggers.log_training(("wandb",), tmp_path / "a", {}):
        pass
    check_message(error.value, "wandb", "no server", "log='wandb'")


def test_wandb_has_a_run_for_each_directory_that_ends_with_the_training(monkeypatch, tmp_path):
    started, exit_codes = [], []

    def init(**settings):
        started.append((settings["name"], settings["id"]))
        return types.SimpleNamespace(finish=lambda exit_code: exit_codes.append(exit_code))

    replace_wandb(monkeypatch, init)
    for run in (tmp_path / "one" / "a", tmp_path / "two" / "a", tmp_path / "one" / "a"):  # the last is resumed
        with loggers.log_training(("wandb",), run, {}) as callbacks:
            assert len(callbacks) == 1 and len(exit_codes) == len(started) - 1
    assert [name for name, _ in started] == ["a"] * 3
    assert started[0] == started[2] and started[0] != started[1] and exit_codes == [0, 0, 0]
    with pytest.raises(KeyboardInterrupt), loggers.log_training(("wandb",), tmp_path / "b", {}):
        raise KeyboardInterrupt
    assert exit_codes == [0, 0, 0, 1]
    replace_wandb(monkeypatch, init, active_run="the user's")
    with loggers.log_training(("wandb",), tmp_path / "c", {}) as callbacks:
        assert len(callbacks) == 1
    assert len(started) == len(exit_codes) == 4


def test_a_first_stage_is_logged_under_the_name_of_its_run(tmp_path):
    assert loggers.get_logged_name(tmp_path / "mine") == "mine"
    assert loggers.get_logged_name(tmp_path / "mine" / "stage1") == "mine-stage1"


def test_mlflow_gets_the_columns_of_the_history(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment("mine")
    run = zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="a", log="mlflow")
    (logged,) = mlflow.search_runs(experiment_names=["mine"], output_format="list")
    assert (logged.info.run_name, logged.info.status) == ("a", "FINISHED")
    assert logged.data.metrics["val_accuracy"] == pytest.approx(run.history["val_accuracy"][-1])
    assert logged.data.params["learning_rate"] == "0.05" and mlflow.active_run() is None


def test_mlflow_does_not_go_on_with_the_run_of_a_failed_training(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")

    def fail(epoch, logs):
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        zoo.fit("lenet5", "digits", **FEW, output_dir=tmp_path, name="a", log="mlflow",
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=fail)])
    assert mlflow.active_run() is None
    (logged,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert (logged.info.run_name, logged.info.status) == ("a", "FAILED")


def test_early_stopping_is_reported(tmp_path, capsys):
    run = zoo.fit("lenet5", "digits", limit=60, epochs=9, learning_rate=1e-6, early_stopping_patience=2,
                  early_stopping_min_delta=1.0, output_dir=tmp_path, name="a")
    assert run.status == "finished" and run.result["epochs"] == 3
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "early" in line and line.startswith("stopped"))
    check_message(line, 3, 9)


@pytest.mark.parametrize("freeze", [True, False, -1, 1.5])
def test_invalid_values_of_freeze(freeze):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", weights="mnist", freeze=freeze)
    check_message(error.value, "freeze", "'none'", freeze)


def test_keras_callbacks_find_their_columns(tmp_path):
    checkpoint_callback = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{val_accuracy:.2f}.keras", "val_accuracy")
    run = zoo.fit("lenet5", "digits", limit=60, epochs=9, learning_rate=1e-6, output_dir=tmp_path, verbose=False,
                  callbacks=[checkpoint_callback,
                             keras.callbacks.EarlyStopping("val_accuracy", patience=1, min_delta=0.5)])
    assert (run.status, [*run.history["epoch"]]) == ("stopped", [1, 2])
    first = keras.saving.load_model(sorted(tmp_path.glob("*.keras"))[0], compile=False)  # with augmentation
    assert len(first.inputs) == 2
    assert [path.name for path in sorted(tmp_path.glob("*.keras"))] == [
        f"{epoch}-{accuracy:.2f}.keras" for epoch, accuracy in enumerate(run.history["val_accuracy"], 1)]


@pytest.mark.parametrize("callbacks, parts", [
    ([keras.callbacks.ReduceLROnPlateau()], ["ReduceLROnPlateau", "lr_schedule='plateau'"]),
    (keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), ["LearningRateScheduler", "lr_schedule"]),
    ([keras.callbacks.BackupAndRestore("backup")], ["BackupAndRestore", "Run.resume()", "name=..."]),
    ([keras.callbacks.EarlyStopping], ["callbacks", "EarlyStopping"]),
    ([keras.callbacks.EarlyStopping("val_acc")], ["EarlyStopping", "'val_acc'", "'val_accuracy'"])])
def test_invalid_callbacks(callbacks, parts, tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", limit=60, epochs=1, callbacks=callbacks, output_dir=tmp_path)
    check_message(error.value, *parts)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_backend_is_not_stored(tmp_path):
    other = next(name for name in ("jax", "tensorflow") if name != keras.backend.backend())
    for select in (lambda: zoo.set_device(backend=other), lambda: zoo.fit("lenet5", "digits", limit=60, backend=other)):
        with pytest.raises(UserError):
            select()
    assert os.environ.get("KERAS_BACKEND", keras.backend.backend()) == keras.backend.backend()


def test_a_run_can_be_used_as_a_path(tmp_path):
    run = zoo.fit("lenet5", "digits", limit=60, epochs=1, output_dir=tmp_path, name="a", verbose=False)
    assert zoo.Run(run).path == run.path and zoo.load(run).count_params() == run.config["parameters"]
    tuned = zoo.fit("lenet5", "digits", limit=60, epochs=1, weights=run, head_layers=8, output_dir=tmp_path, name="b",
                    verbose=False)
    assert tuned.config["finetuning"]["weights"] == str(run.path) and tuned.config["finetuning"]["head_layers"] == [8]


def test_a_new_head_without_weights_uses_the_input_shape_of_training_from_scratch(shapes_folder, tmp_path):
    run = zoo.fit("resnet18", shapes_folder, width=0.0625, head_layers=(8,), epochs=1, output_dir=tmp_path,
                  verbose=False)
    assert run.config["model_config"]["input_shape"] == [32, 32, 3] and run.config["model_config"]["stem"] == "small"


def test_weights_of_another_type(tmp_path):
    with pytest.raises(UserError) as error:
        zoo.fit("lenet5", "digits", weights=5, output_dir=tmp_path)
    check_message(error.value, "weights", 5)
