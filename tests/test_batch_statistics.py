"""Batch statistics recomputed after an epoch: against NumPy, and what a run stores of them."""

import dataclasses
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from helpers import module_at
import test_resume
from test_resume import CALM, DATA, make_split, train_in_sessions

from zoo import registry
from zoo.data import dataset_info as datasets
from zoo.data.datasets import load_dataset
from zoo.training import model_building, recipe as recipe_fields, recipes, run_config as plans, trainer
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import TrainingBatches
from zoo.training.distribution import data_parallel
from zoo.training.npz_file import read_arrays

ROOT = Path(__file__).resolve().parents[1]


def make_model(dropout=0.5, **normalization):
    """Return a model with two batch normalizations, the second after dropout."""
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 16, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 64, -2, name="preprocessing")(image)
    x = layers.Conv2D(4, 3, strides=2, name="conv")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn1", **normalization)(x))
    x = layers.Dropout(dropout, name="drop")(layers.Flatten(name="flatten")(x))
    x = layers.BatchNormalization(name="bn2")(x)
    return keras.Model(image, layers.Dense(3, name="out")(x), name="small")


def moments(x):
    axes = tuple(range(x.ndim - 1))
    return x.mean(axes, dtype="float64"), x.var(axes, dtype="float64")


def test_the_statistics_are_those_of_the_batches_in_numpy():
    split, model = make_split(50, 1), make_model()
    seeds = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.get_layer("drop").variables]
    BatchStatistics(model, split, 3, 8, 7, data_parallel.SINGLE_DEVICE).measure(epoch=2)
    batches = TrainingBatches(split, 3, 8, 7)
    images = [batches.slice_steps(2 * 7, 3 * 7)[index][0] for index in range(6)]  # 48 of 50: whole batches
    before_bn1 = keras.Model(model.input, model.get_layer("conv").output)
    features = [np.asarray(before_bn1.predict(batch, verbose=0), "float64") for batch in images]
    bn1, bn2 = model.get_layer("bn1"), model.get_layer("bn2")
    mean, variance = moments(np.concatenate(features))
    # float32 against float64: measured at most 4e-7 of the largest value
    assert keras.ops.convert_to_numpy(bn1.moving_mean) == pytest.approx(mean, rel=1e-5, abs=1e-6)
    assert keras.ops.convert_to_numpy(bn1.moving_variance) == pytest.approx(variance, rel=1e-5)
    # the second layer reads each batch normalized by the first with that batch's moments; dropout is off
    inputs = []
    for batch in features:
        mean, variance = moments(batch)
        inputs.append(np.maximum((batch - mean) / np.sqrt(variance + bn1.epsilon), 0).reshape(len(batch), -1))
    mean, variance = moments(np.concatenate(inputs))
    assert keras.ops.convert_to_numpy(bn2.moving_mean) == pytest.approx(mean, rel=1e-5, abs=1e-6)
    assert keras.ops.convert_to_numpy(bn2.moving_variance) == pytest.approx(variance, rel=1e-5, abs=1e-6)
    after = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.get_layer("drop").variables]
    assert all(np.array_equal(*pair) for pair in zip(seeds, after, strict=True))


def test_frozen_layers_are_unchanged_and_gamma_is_used():
    model = make_model(gamma_initializer="ones")
    model.get_layer("bn1").gamma.assign(keras.ops.full((4,), 3.0))
    model.get_layer("bn2").trainable = False
    measured = BatchStatistics(model, make_split(50, 1), 3, 8, 7, data_parallel.SINGLE_DEVICE).measure(epoch=0)
    assert sorted(measured) == ["bn1/moving_mean", "bn1/moving_variance"]
    assert np.array_equal(keras.ops.convert_to_numpy(model.get_layer("bn2").moving_mean), np.zeros(196))
    model.get_layer("bn2").trainable = True
    tripled = BatchStatistics(model, make_split(50, 1), 3, 8, 7,
                              data_parallel.SINGLE_DEVICE).measure(epoch=0)["bn2/moving_mean"]
    model.get_layer("bn1").gamma.assign(keras.ops.ones((4,)))
    single = BatchStatistics(model, make_split(50, 1), 3, 8, 7,
                             data_parallel.SINGLE_DEVICE).measure(epoch=0)["bn2/moving_mean"]
    assert tripled == pytest.approx(3 * single, rel=1e-4, abs=1e-5)


def test_a_network_without_normalization_has_no_statistics():
    image = keras.Input((16, 16, 1), dtype="uint8")
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(image))))
    assert BatchStatistics(model, make_split(50, 1), 3, 8, 7, data_parallel.SINGLE_DEVICE).measure(epoch=0) == {}


def nest(inner, **arguments):
    """Return a model that calls `inner`, whose input are its pixels divided by 64."""
    image = keras.Input((16, 16, 1), dtype="uint8")
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(
        inner(layers.Rescaling(1 / 64, -2)(image), **arguments))))


class Inner(keras.Model):
    """A functional model whose config has its own arguments."""

    def __init__(self, first, *others, name):
        image = keras.Input((16, 16, 1))
        x = first(image)
        for layer in others:
            x = layer(x)
        super().__init__(image, x, name=name)


@pytest.mark.parametrize("kind", ["functional", "sequential", "class", "in another"])
def test_nested_models_are_measured(kind):
    keras.utils.set_random_seed(0)
    parts = [layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="bn")]
    inner = keras.Sequential([layers.Input((16, 16, 1)), *parts], name="inner")
    if kind == "functional":
        inner = keras.Model(inner.inputs[0], inner.outputs[0], name="inner")
    elif kind == "class":
        inner = Inner(*parts, name="inner")
    elif kind == "in another":  # both have a layer of the same name
        inner = keras.Sequential([layers.Input((16, 16, 1)), inner, layers.BatchNormalization(name="bn")])
    split, model = make_split(40, 1), nest(inner)
    measured = BatchStatistics(model, split, 3, 40, 7, data_parallel.SINGLE_DEVICE).measure(epoch=0)
    features = keras.ops.convert_to_numpy(parts[0](split.batch(np.arange(40))[0].astype("float32") / 64 - 2))
    mean, variance = moments(features)
    assert len(measured) == (4 if kind == "in another" else 2)
    assert keras.ops.convert_to_numpy(parts[1].moving_mean) == pytest.approx(mean, rel=1e-4, abs=1e-5)
    assert keras.ops.convert_to_numpy(parts[1].moving_variance) == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize("freeze, arguments", [(True, {}), (False, {"training": False})])
def test_nested_models_that_training_does_not_update_are_unchanged(freeze, arguments):
    inner = keras.Sequential([layers.Input((16, 16, 1)), layers.BatchNormalization()])
    inner.trainable = not freeze
    model = nest(inner, **arguments)
    assert BatchStatistics(model, make_split(40, 1), 3, 40, 7, data_parallel.SINGLE_DEVICE).measure(epoch=0) == {}


def test_nested_normalization_is_synchronized_between_devices():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the other backends do so by themselves")
    inner = keras.Sequential([layers.Input((16, 16, 1)), layers.BatchNormalization()])
    data_parallel.DataParallel(devices=2).sync_batch_norm(nest(inner))
    assert inner.layers[0].synchronized


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_checkpoint_has_the_statistics_of_the_weights_in_it(ema, tmp_path, capsys):
    """With EMA, the statistics are those of the averaged weights; the trained weights have different ones."""
    recipe = dataclasses.replace(CALM, ema_momentum=ema, epochs=2, learning_rate=0.2, lr_schedule="constant",
                                 warmup_epochs=0.0)
    train_in_sessions(tmp_path, recipe, [10**6])
    arrays = read_arrays(tmp_path / "checkpoints" / "last.npz")

    def measure(kind):
        model = test_resume.make_model()
        for variable in model.weights:
            variable.assign(arrays.get(f"{kind}/{variable.path}", arrays[f"weights/{variable.path}"]))
        return BatchStatistics(model, DATA.train, 3, 8, 7, data_parallel.SINGLE_DEVICE).measure(epoch=1)

    stored = {path: arrays[f"weights/{path}"] for path in measure("weights")}
    assert len(stored) == 2
    for path, array in measure("weights").items():
        assert array == pytest.approx(stored[path], rel=1e-6, abs=1e-7)
    if ema:
        assert max(np.abs(array - stored[path]).max() for path, array in measure("trained").items()) > 1e-3


def test_validation_in_training_uses_the_statistics(tmp_path, capsys):
    """After one short epoch the moving averages would still be near their initial values."""
    progress = train_in_sessions(tmp_path, dataclasses.replace(CALM, epochs=1), [10**6])
    arrays = read_arrays(tmp_path / "checkpoints" / "last.npz")
    model = test_resume.make_model()
    for variable in model.weights:
        variable.assign(arrays[f"weights/{variable.path}"])
    validation = trainer.make_validator(model, DATA.validation, CALM)()
    assert validation["val_loss"] == pytest.approx(progress.history[0]["val_loss"], rel=1e-5)
    model.get_layer("bn").moving_variance.assign(np.ones(4, np.float32))
    model.get_layer("bn").moving_mean.assign(np.zeros(4, np.float32))
    assert trainer.make_validator(model, DATA.validation,
                                  CALM)()["val_loss"] != pytest.approx(validation["val_loss"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_exact_resume_with_statistics_and_averages_on_the_other_backends(backend):
    """The tests of this file and of resuming in the middle of an epoch, whose network normalizes, in a new process."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install '.[{backend}]'")
    process = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_resume.py",
                              "tests/test_batch_statistics.py", "-k", "after_any_step or classifiers_go or average or "
                              "statistics or frozen or validation"], cwd=ROOT, capture_output=True, text=True,
                             env={**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""})
    assert process.returncode == 0, process.stdout[-3000:]
    assert " passed" in process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.select_models("image"))
def test_no_network_validates_at_chance_when_it_has_learned_320_images(name, tmp_path, capsys):
    """Before the statistics were measured, Xception learned in training and stayed at chance in validation."""
    spec = registry.get_model_info(name)
    info = datasets.get_dataset_info("digits")
    recipe = dataclasses.replace(recipes.get_recipe(name, "digits"), batch_size=32, epochs=8)
    run_config = plans.RunConfig(registry.resolve_model_config(name, info.shape, 10, spec.small_preset.width,
                                                               options=spec.small_preset.options), info,
                                 recipe, 0, 320, keras.backend.backend(), False)
    (tmp_path / "checkpoints").mkdir()
    progress = trainer.train_model(model_building.build_run_model(run_config)[0], load_dataset(info, limit=320), recipe,
                                   0, tmp_path, aux_loss_weights=recipe_fields.resolve_aux_loss_weights(recipe, spec))
    last = progress.history[-1]
    assert last["accuracy"] < 0.6 or last["val_accuracy"] > 0.3, last


def test_the_measurement_takes_at_most_3_percent_of_an_epoch():
    benchmark = module_at(ROOT / "benchmarks" / "batch_statistics.py")
    rows = benchmark.csv_rows.read_rows(benchmark.CSV_PATH)
    assert [row["model"] for row in rows] == [*benchmark.MODELS]
    assert all(float(row["share"]) <= 0.03 for row in rows)
