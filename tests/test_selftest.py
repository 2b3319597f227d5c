"""zoo selftest: what passes, and that faults are detected."""

import dataclasses
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_text

from zoo import registry
from zoo.cli import train, training_command
from zoo.cli.selftest import main
from zoo.data import dataset_info as datasets
from zoo.training import losses, model_building, model_loading, recipe, recipes, reload_worker, selftest
from zoo.training.npz_file import read_arrays, write_arrays
from zoo.training.reload_worker import ARRAYS_FILE, KERAS_FILE, ReloadWorker, WEIGHTS_FILE
from zoo.training.selftest import OVERFIT_CONFIGS

ROOT = Path(__file__).resolve().parents[1]
DATASET_INFO = datasets.get_dataset_info("mnist")


def run_python(*arguments, scratch, **environment):
    """Run Python with zoo on its path and with `scratch` as the folder of temporary files."""
    return subprocess.run([sys.executable, *arguments], cwd=scratch, capture_output=True, text=True, encoding="utf-8",
                          env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TMPDIR": str(scratch),
                               **environment})


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_lenet5_passes(tmp_path, backend, monkeypatch, capsys):
    if not find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    if backend == keras.backend.backend():
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        status, (out, err) = main(["lenet5", "lenet5"]), capsys.readouterr()
    else:
        process = run_python("-m", "zoo", "selftest", "lenet5", "lenet5", scratch=tmp_path, KERAS_BACKEND=backend)
        status, out, err = process.returncode, process.stdout, process.stderr
    assert (status, err) == (0, "")
    header, row, last_line = out.splitlines()
    name, parameters, steps, first_loss, last_loss, seconds, reload = row.split()
    assert (name, parameters, reload) == ("lenet5", "61,706", "ok")
    assert 5 < int(steps) < 200 and int(steps) % 10 == 0
    assert 2 < float(first_loss) < 4 and 0 < float(last_loss) <= 0.1 * float(first_loss)
    assert header.split()[-1] == "reload" and header.index("reload") == row.index("ok") and 0 < float(seconds)
    check_text(last_line, "1", backend)
    assert re.findall(r"\d+", last_line)[:2] == ["1", "1"]
    assert list(tmp_path.glob("zoo-selftest-*")) == []


@pytest.mark.slow
def test_a_network_that_cannot_learn(tmp_path):
    """The command with only ten steps: status 1, and an error line with the network and its losses."""
    process = run_python("-c", "import sys\nfrom zoo.training import selftest\n"
                         "config = selftest.OverfitConfig(max_steps=10, loss_fraction=1e-9)\n"
                         "selftest.OVERFIT_CONFIGS['lenet5'] = config\n"
                         "from zoo.cli.selftest import main\nsys.exit(main(['lenet5']))\n", scratch=tmp_path)
    assert process.returncode == 1
    row, last_line = process.stdout.splitlines()[1:]
    _, _, steps, first_loss, last_loss, _, reload = row.split()
    assert (steps, reload) == ("10", "ok")
    assert re.findall(r"\d+", last_line)[:2] == ["0", "1"]
    line = process.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    check_text(line, "1", "lenet5", last_loss, "10", first_loss)


@pytest.mark.slow
def test_a_failing_network_does_not_stop_the_others(capsys, monkeypatch):
    monkeypatch.setitem(registry.MODELS, "vgg16", dataclasses.replace(registry.MODELS["vgg16"], min_size=64))
    failed, passed = selftest.run_selftest(["vgg16", "lenet5"])
    assert failed.error.startswith("UserError: ")
    check_text(failed.error, "vgg16", "64", "32x32")
    assert (passed.error, passed.reload_status) == ("", "ok")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["vgg16", "-", "-", "-", "-"]
    assert lines[2].split()[:2] == ["lenet5", "61,706"]


def test_a_loss_that_is_not_finite_is_a_failure(capsys, monkeypatch):
    monkeypatch.setitem(recipes.MODERN_RECIPES, "lenet5", dataclasses.replace(recipes.LENET, learning_rate=1e5))
    (outcome,) = selftest.run_selftest(["lenet5"])
    assert re.search(r"\b(nan|inf)\b", outcome.error)
    assert outcome.steps < 200


# The reload worker

MEAN, STD = (0.5,), (0.29,)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with ReloadWorker(tmp_path_factory.mktemp("reader")) as worker:
        yield worker


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """Save a lenet5 for reloading; return (folder, ModelConfig)."""
    keras.utils.set_random_seed(1)
    model_config = registry.resolve_model_config("lenet5")
    folder = tmp_path_factory.mktemp("kept") / "lenet5"
    reload_worker.save_for_reload(folder, model_loading.build_with_preprocessing(model_config, MEAN, STD, None),
                                  selftest.make_random_data(selftest.make_selftest_config("lenet5"))[0])
    return folder, model_config


def update_arrays(folder, **arrays):
    write_arrays(folder / ARRAYS_FILE, {**read_arrays(folder / ARRAYS_FILE), **arrays})


def write_other_weights(folder):
    model = model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5"), MEAN, STD, None)
    model.save_weights(folder / WEIGHTS_FILE)


def write_other_model(folder):
    model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5", classes=7), MEAN, STD,
                                           None).save(folder / KERAS_FILE)


def change_last_digits(folder):
    update_arrays(folder, logits=read_arrays(folder / ARRAYS_FILE)["logits"] * 1.0001)


def write_nan(folder):
    update_arrays(folder, logits=np.full((32, 10), np.nan, np.float32))


def truncate_file(folder):
    (folder / KERAS_FILE).write_bytes((folder / KERAS_FILE).read_bytes()[:1000])


@pytest.mark.parametrize("damage, expected_keras, expected_h5", [
    (lambda folder: None, "0", "0"),
    (write_other_weights, "0", r"\D*5\D*$"),  # the five biases are 0 in both
    (write_other_model, r"\D*6\D*$", "0"),
    (change_last_digits, "0.0001", "0.0001"),
    (write_nan, "inf", "inf"),
    (truncate_file, rf"UserError: .*{KERAS_FILE}", "0"),
    (lambda folder: (folder / WEIGHTS_FILE).unlink(), "0", "FileNotFoundError|ValueError|OSError"),
], ids=["nothing", "other weights", "other model", "other digits", "not a number", "cut off", "not there"])
def test_the_reload_worker_finds_differences(reader, saved_model, tmp_path, damage, expected_keras, expected_h5):
    folder = Path(shutil.copytree(saved_model[0], tmp_path / "lenet5"))
    damage(folder)
    reader.submit(folder, saved_model[1], MEAN, STD)
    differences = reader.get_result()
    assert [*differences] == [KERAS_FILE, WEIGHTS_FILE]
    for difference, expected in zip(differences.values(), (expected_keras, expected_h5), strict=True):
        assert re.match(expected, difference if isinstance(difference, str) else f"{difference:.1g}"), differences
    outcome = selftest.SelftestResult("lenet5")
    selftest.record_reload(outcome, differences)
    assert (outcome.reload_status == "ok") == (outcome.error == "") == (expected_keras == expected_h5 == "0")
    assert (KERAS_FILE in outcome.error, WEIGHTS_FILE in outcome.error) == (expected_keras != "0", expected_h5 != "0")


def test_a_process_that_ends_is_a_failure(saved_model, tmp_path):
    with ReloadWorker(tmp_path) as worker:
        worker.process.kill()
        worker.process.wait()
        for _ in range(2):
            worker.submit(*saved_model, MEAN, STD)
            outcome = selftest.SelftestResult("lenet5")
            selftest.record_reload(outcome, worker.get_result())
            assert outcome.reload_status == "failed"
            check_text(outcome.error, "-9")


@pytest.mark.parametrize("actual, expected, difference", [
    ([1.0, -2.0], [1.0, -2.0], 0.0), ([1.0, -2.0], [1.0, -2.5], 0.2), ([0.0], [0.0], 0.0),
    ([np.inf], [np.inf], np.inf), ([np.nan], [1.0], np.inf), ([1.0, 2.0], [1.0], np.inf)])
def test_compute_relative_difference(actual, expected, difference):
    actual, expected = np.array(actual, np.float32), np.array(expected, np.float32)
    assert reload_worker.compute_relative_difference(actual, expected) == pytest.approx(difference)


# Training

def test_the_limits_are_of_known_networks():
    assert {*OVERFIT_CONFIGS} <= {*registry.MODELS}


@pytest.mark.parametrize("name", registry.select_models("image"))
def test_every_network_is_trained_as_with_zoo_train(name):
    """The run config is that of the command, except for augmentation, batch size and learning rate."""
    spec, run_config = registry.get_model_info(name), selftest.make_selftest_config(name)
    arguments = [name, "--preset", "small", "--dataset", spec.small_preset.dataset]
    expected = training_command.parse_run_config(train.build_parser().parse_args(arguments))
    assert (run_config.model_config, run_config.dataset, run_config.precision) == (expected.model_config,
                                                                                   expected.dataset, expected.precision)
    fields, expected_fields = (recipe.serialize_recipe(item) for item in (run_config.recipe, expected.recipe))
    differences = {name for name in expected_fields if fields[name] != expected_fields[name]}
    assert differences <= {"augmentation", "batch_size", "lr_schedule", "warmup_epochs", "learning_rate"}
    assert run_config.recipe.learning_rate / 32 == pytest.approx(
        expected.recipe.learning_rate / expected.recipe.batch_size)


def test_the_random_images_are_always_the_same():
    run_config = selftest.make_selftest_config("vgg16")  # on CIFAR-10
    pixels, labels = selftest.make_random_data(run_config)
    assert (pixels.shape, pixels.dtype, labels.shape) == ((32, 32, 32, 3), np.uint8, (32,))
    assert np.array_equal(pixels, selftest.make_random_data(run_config)[0])
    assert {*labels} == {*range(10)}
    # CIFAR-10's mean and standard deviation, up to clipping and the error of 2,048 draws per channel
    assert pixels.mean((0, 1, 2)) / 255 == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.02)
    assert pixels.std((0, 1, 2)) / 255 == pytest.approx((0.2470, 0.2435, 0.2616), abs=0.02)


# Initial weights

def initialize(initializer, bias=0.0, name="vgg16"):
    run_config = selftest.make_selftest_config(name)
    run_config = dataclasses.replace(run_config, recipe=dataclasses.replace(run_config.recipe, initializer=initializer,
                                                                            initial_bias=bias))
    return model_building.build_run_model(run_config)[0]


def test_kernels_of_a_recipe_have_the_variance_of_their_inputs():
    model = initialize("he_normal", bias=0.5)
    for name, inputs in (("conv1_2", 9 * 12), ("conv5_3", 9 * 96), ("fc6", 96)):
        kernel = keras.ops.convert_to_numpy(model.get_layer(name).kernel)
        assert kernel.std() == pytest.approx((2 / inputs) ** 0.5, rel=0.1)
        assert abs(kernel.mean()) < 0.1 * kernel.std()
        assert keras.ops.convert_to_numpy(model.get_layer(name).bias).tolist() == [0.5] * kernel.shape[-1]
    rebuilt, other = initialize("he_normal"), initialize("lecun_uniform")
    first, same, different = (keras.ops.convert_to_numpy(variant.get_layer("conv5_3").kernel)
                              for variant in (model, rebuilt, other))
    assert np.array_equal(first, same)
    limit = (3 / (9 * 96)) ** 0.5
    assert np.abs(different).max() <= limit and different.std() == pytest.approx((1 / (9 * 96)) ** 0.5, rel=0.05)
    shallow = keras.ops.convert_to_numpy(model.get_layer("conv5_2").kernel)
    assert not np.array_equal(first, shallow)  # each kernel has its own seed


def test_the_fan_in_of_a_depthwise_kernel_is_one_channel():
    model = initialize("he_normal", name="xception")
    layer = next(separable for separable in model.layers if isinstance(separable, keras.layers.SeparableConv2D))
    kernel = np.concatenate([keras.ops.convert_to_numpy(separable.depthwise_kernel).ravel()
                             for separable in model.layers
                             if isinstance(separable, keras.layers.SeparableConv2D)])
    assert layer.depthwise_kernel.shape[:2] == (3, 3)
    assert kernel.std() == pytest.approx((2 / 9) ** 0.5, rel=0.05)


def test_the_papers_initializers_are_those_of_build():
    run_config = selftest.make_selftest_config("alexnet_2014")
    model = initialize("paper", name="alexnet_2014")
    assert np.array_equal(keras.ops.convert_to_numpy(model.get_layer("conv2").bias),
                          np.ones(int(192 * run_config.model_config.width), np.float32))
    assert keras.ops.convert_to_numpy(model.get_layer("conv3").kernel).std() == pytest.approx(0.01, rel=0.05)
    assert set(keras.ops.convert_to_numpy(initialize("he_normal",
                                                     name="alexnet_2014").get_layer("conv2").bias)) == {0.0}


@pytest.mark.parametrize("first, last, loss, expected", [
    # a uniform guess has a loss of 2.3026
    (2.4, 0.2303, losses.cross_entropy, False), (2.4, 0.23, losses.cross_entropy, True),
    (2.0, 0.21, losses.cross_entropy, False), (2.0, 0.2, losses.cross_entropy, True),
    (84.0, 8.5, losses.lenet_map_loss, False), (84.0, 8.4, losses.lenet_map_loss, True),
    (2.4, float("nan"), losses.cross_entropy, False)])
def test_has_overfitted(first, last, loss, expected):
    assert selftest.has_overfitted(first, last, loss, 0.1) == expected


# Output

class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_the_step_is_shown_and_overwritten(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    table = selftest.SelftestTable(["lenet5"], stream)
    table.show_progress("lenet5  step 7/200  loss 2.3021, and more than fits")
    table.write_row(selftest.SelftestResult("lenet5", 61706, 31, 2.3625, 0.2039, 2.31, "ok").format_cells())
    assert stream.getvalue().split("\r\033[K")[2:] == [
        "lenet5  step 7/200  loss 2.3021, and mo",
        "lenet5       61,706     31      2.3625     0.2039      2.3  ok\n"]


# Errors

# Runs the command, then prints the modules that it has loaded
LOADED = """
import sys
from zoo.cli.selftest import main
status = main(sys.argv[1:])
print("loaded:", *sorted({"keras", "tensorflow", "jax", "torch", "numpy", "matplotlib"} & set(sys.modules)))
sys.exit(status)
"""


@pytest.mark.parametrize("arguments, pins", [
    (["lenet6"], ("'lenet6'", "'lenet5'")), (["lenet5", "resnet43"], ("'resnet43'", "'resnet44'")),
    (["--fast"], ("'--fast'",))])
def test_invalid_arguments_get_one_line_before_anything_is_loaded(tmp_path, arguments, pins):
    process = run_python("-c", LOADED, *arguments, scratch=tmp_path)
    assert (process.returncode, process.stdout) == (2, "loaded:\n")
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: ")
    check_text(line, *pins)


def test_an_unknown_backend(tmp_path):
    process = run_python("-m", "zoo", "selftest", "lenet5", scratch=tmp_path, KERAS_BACKEND="tensorfow")
    assert (process.returncode, process.stdout) == (2, "") and len(process.stderr.splitlines()) == 1
    check_text(process.stderr, "'tensorfow'", "'tensorflow'")


@pytest.mark.slow
def test_the_whole_zoo_passes(tmp_path):
    process = run_python("-m", "zoo", "selftest", scratch=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert [line.split()[0] for line in process.stdout.splitlines()[1:-1]] == [*registry.MODELS]
