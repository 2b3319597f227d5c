"""zoo selftest: what passes, and that what is wrong does not."""

import dataclasses
import io
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_text

from zoo import registry
from zoo.cli import train, training_command
from zoo.data import dataset_info as datasets
from zoo.training import losses, model_building, model_loading, recipe, recipes, reload_worker, selftest
from zoo.training.npz_file import read_arrays, write_arrays
from zoo.training.reload_worker import ARRAYS_FILE, KERAS_FILE, ReloadWorker, WEIGHTS_FILE
from zoo.training.selftest import OVERFIT_CONFIGS

ROOT = Path(__file__).resolve().parents[1]
FACTS = datasets.get_dataset_info("mnist")


def python(*arguments, scratch, **environment):
    """Run Python in an environment in which zoo is found and temporary files go to the folder `scratch`."""
    return subprocess.run([sys.executable, *arguments], cwd=scratch, capture_output=True, text=True, encoding="utf-8",
                          env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TMPDIR": str(scratch),
                               **environment})


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_lenet5_passes(tmp_path, backend):
    if not find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    done = python("-m", "zoo", "selftest", "lenet5", "lenet5", scratch=tmp_path, KERAS_BACKEND=backend)
    assert (done.returncode, done.stderr) == (0, "")
    head, row, last = done.stdout.splitlines()
    name, parameters, steps, first, small, seconds, reload = row.split()
    assert (name, parameters, reload) == ("lenet5", "61,706", "ok")
    assert 5 < int(steps) < 200 and int(steps) % 10 == 0
    assert 2 < float(first) < 4 and 0 < float(small) <= 0.1 * float(first)
    assert head.split()[-1] == "reload" and head.index("reload") == row.index("ok") and 0 < float(seconds) < 300
    check_text(last, "1", backend)
    assert re.findall(r"\d+", last)[:2] == ["1", "1"]
    assert list(tmp_path.glob("zoo-selftest-*")) == []


@pytest.mark.slow
def test_a_network_that_cannot_learn(tmp_path):
    """Ten steps, in the whole command: status 1, and the line that says which and how."""
    done = python("-c", "import sys\nfrom zoo.training import selftest\n"
                  "selftest.OVERFIT_CONFIGS['lenet5'] = selftest.OverfitConfig(max_steps=10, loss_fraction=1e-9)\n"
                  "from zoo.cli.selftest import main\nsys.exit(main(['lenet5']))\n", scratch=tmp_path)
    assert done.returncode == 1
    row, last = done.stdout.splitlines()[1:]
    _, _, steps, first, small, _, reload = row.split()
    assert (steps, reload) == ("10", "ok")
    assert re.findall(r"\d+", last)[:2] == ["0", "1"]
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    check_text(line, "1", "lenet5", small, "10", first)


@pytest.mark.slow
def test_one_that_fails_does_not_stop_the_others(capsys, monkeypatch):
    monkeypatch.setitem(registry.MODELS, "vgg16", dataclasses.replace(registry.MODELS["vgg16"], min_size=64))
    wrong, right = selftest.run_selftest(["vgg16", "lenet5"])
    assert wrong.error.startswith("UserError: ")
    check_text(wrong.error, "vgg16", "64", "32x32")
    assert (right.error, right.reload_status) == ("", "ok")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["vgg16", "-", "-", "-", "-"]
    assert lines[2].split()[:2] == ["lenet5", "61,706"]


def test_a_loss_that_is_not_finite_is_a_failure(capsys, monkeypatch):
    monkeypatch.setitem(recipes.MODERN_RECIPES, "lenet5", dataclasses.replace(recipes.LENET, learning_rate=1e5))
    (outcome,) = selftest.run_selftest(["lenet5"])
    assert re.search(r"\b(nan|inf)\b", outcome.error)
    assert outcome.steps < 200


# The process that reads

MEAN, STD = (0.5,), (0.29,)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with ReloadWorker(tmp_path_factory.mktemp("reader")) as started:
        yield started


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with what a lenet5 leaves, and its ModelConfig."""
    keras.utils.set_random_seed(1)
    model_config = registry.resolve_model_config("lenet5")
    folder = tmp_path_factory.mktemp("kept") / "lenet5"
    reload_worker.save_for_reload(folder, model_loading.build_with_preprocessing(model_config, MEAN, STD, None),
                                  selftest.make_random_data(FACTS)[0])
    return folder, model_config


def change(folder, **arrays):
    write_arrays(folder / ARRAYS_FILE, {**read_arrays(folder / ARRAYS_FILE), **arrays})


def other_weights(folder):
    model = model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5"), MEAN, STD, None)
    model.save_weights(folder / WEIGHTS_FILE)


def other_model(folder):
    model_loading.build_with_preprocessing(registry.resolve_model_config("lenet5", classes=7), MEAN, STD,
                                           None).save(folder / KERAS_FILE)


def other_last_digits(folder):
    change(folder, logits=read_arrays(folder / ARRAYS_FILE)["logits"] * 1.0001)


def not_a_number(folder):
    change(folder, logits=np.full((32, 10), np.nan, np.float32))


def cut_off(folder):
    (folder / KERAS_FILE).write_bytes((folder / KERAS_FILE).read_bytes()[:1000])


@pytest.mark.parametrize("spoil, keras_says, h5_says", [
    (lambda folder: None, "0", "0"),
    (other_weights, "0", r"\D*5\D*$"),  # the five biases are zeros in both
    (other_model, r"\D*6\D*$", "0"),
    (other_last_digits, "0.0001", "0.0001"),
    (not_a_number, "inf", "inf"),
    (cut_off, rf"UserError: .*{KERAS_FILE}", "0"),
    (lambda folder: (folder / WEIGHTS_FILE).unlink(), "0", "FileNotFoundError|ValueError|OSError"),
], ids=["nothing", "other weights", "other model", "other digits", "not a number", "cut off", "not there"])
def test_what_the_process_that_reads_finds(reader, kept, tmp_path, spoil, keras_says, h5_says):
    folder = Path(shutil.copytree(kept[0], tmp_path / "lenet5"))
    spoil(folder)
    reader.submit(folder, kept[1], MEAN, STD)
    found = reader.get_result()
    assert [*found] == [KERAS_FILE, WEIGHTS_FILE]
    for said, expected in zip(found.values(), (keras_says, h5_says), strict=True):
        assert re.match(expected, said if isinstance(said, str) else f"{said:.1g}"), found
    outcome = selftest.SelftestResult("lenet5")
    selftest.record_reload(outcome, found)
    assert (outcome.reload_status == "ok") == (outcome.error == "") == (keras_says == h5_says == "0")
    assert (KERAS_FILE in outcome.error, WEIGHTS_FILE in outcome.error) == (keras_says != "0", h5_says != "0")


def test_a_process_that_ends_is_a_failure(kept, tmp_path):
    with ReloadWorker(tmp_path) as killed:
        killed.process.kill()
        killed.process.wait()
        for _ in range(2):
            killed.submit(*kept, MEAN, STD)
            outcome = selftest.SelftestResult("lenet5")
            selftest.record_reload(outcome, killed.get_result())
            assert outcome.reload_status == "failed"
            check_text(outcome.error, "-9")


@pytest.mark.parametrize("found, expected, difference", [
    ([1.0, -2.0], [1.0, -2.0], 0.0), ([1.0, -2.0], [1.0, -2.5], 0.2), ([0.0], [0.0], 0.0),
    ([np.inf], [np.inf], np.inf), ([np.nan], [1.0], np.inf), ([1.0, 2.0], [1.0], np.inf)])
def test_the_difference(found, expected, difference):
    found, expected = np.array(found, np.float32), np.array(expected, np.float32)
    assert reload_worker.compute_relative_difference(found, expected) == pytest.approx(difference)


# What is trained

def test_the_limits_are_of_networks_that_there_are():
    assert {*OVERFIT_CONFIGS} <= {*registry.MODELS}


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_network_is_trained_as_zoo_train_would(name):
    """The plan is that of the command, but for the images that a batch holds, and how long it takes."""
    spec, model_config = registry.get_model_info(name), selftest.make_selftest_config(name)
    arguments = [name, "--preset", "small", "--dataset", spec.small_preset.dataset]
    asked_for = training_command.parse_run_config(train.build_parser().parse_args(arguments))
    assert (model_config.model_config, model_config.dataset, model_config.precision) == (asked_for.model_config, asked_for.dataset,
                                                                 asked_for.precision)
    differences = recipe.diff_recipes(model_config.recipe, asked_for.recipe)
    assert {*differences} <= {"augmentation", "batch_size", "lr_schedule", "warmup_epochs", "learning_rate"}
    assert model_config.recipe.learning_rate / 32 == pytest.approx(
        asked_for.recipe.learning_rate / asked_for.recipe.batch_size)


def test_the_random_images_are_always_the_same():
    pixels, labels = selftest.make_random_data(datasets.get_dataset_info("cifar10"))
    assert (pixels.shape, pixels.dtype, labels.shape) == ((32, 32, 32, 3), np.uint8, (32,))
    assert np.array_equal(pixels, selftest.make_random_data(datasets.get_dataset_info("cifar10"))[0]) and {*labels} == {*range(10)}
    # CIFAR-10's mean and standard deviation, but for the clipping and for 2,048 draws a channel
    assert pixels.mean((0, 1, 2)) / 255 == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.02)
    assert pixels.std((0, 1, 2)) / 255 == pytest.approx((0.2470, 0.2435, 0.2616), abs=0.02)


# First weights

def drawn(initializer, bias=0.0, name="vgg16"):
    model_config = selftest.make_selftest_config(name)
    model_config = dataclasses.replace(model_config, recipe=dataclasses.replace(model_config.recipe, initializer=initializer,
                                                                initial_bias=bias))
    return model_building.build_run_model(model_config)[0]


def test_kernels_of_a_recipe_have_the_variance_of_their_inputs():
    model = drawn("he_normal", bias=0.5)
    for name, inputs in (("conv1_2", 9 * 12), ("conv5_3", 9 * 96), ("fc6", 96)):
        kernel = keras.ops.convert_to_numpy(model.get_layer(name).kernel)
        assert kernel.std() == pytest.approx((2 / inputs) ** 0.5, rel=0.1)
        assert abs(kernel.mean()) < 0.1 * kernel.std()
        assert keras.ops.convert_to_numpy(model.get_layer(name).bias).tolist() == [0.5] * kernel.shape[-1]
    again, other = drawn("he_normal"), drawn("lecun_uniform")
    first, same, different = (keras.ops.convert_to_numpy(each.get_layer("conv5_3").kernel)
                              for each in (model, again, other))
    assert np.array_equal(first, same)
    limit = (3 / (9 * 96)) ** 0.5
    assert np.abs(different).max() <= limit and different.std() == pytest.approx((1 / (9 * 96)) ** 0.5, rel=0.05)
    shallow = keras.ops.convert_to_numpy(model.get_layer("conv5_2").kernel)
    assert not np.array_equal(first, shallow)  # each kernel has a seed of its own


def test_a_depthwise_kernel_counts_one_channel_as_its_input():
    model = drawn("he_normal", name="xception")
    layer = next(each for each in model.layers if isinstance(each, keras.layers.SeparableConv2D))
    kernel = np.concatenate([keras.ops.convert_to_numpy(each.depthwise_kernel).ravel() for each in model.layers
                             if isinstance(each, keras.layers.SeparableConv2D)])
    assert layer.depthwise_kernel.shape[:2] == (3, 3)
    assert kernel.std() == pytest.approx((2 / 9) ** 0.5, rel=0.05)


def test_the_papers_weights_are_those_of_build():
    model_config = selftest.make_selftest_config("alexnet_2014")
    model = drawn("paper", name="alexnet_2014")
    assert np.array_equal(keras.ops.convert_to_numpy(model.get_layer("conv2").bias),
                          np.ones(int(192 * model_config.model_config.width), np.float32))
    assert keras.ops.convert_to_numpy(model.get_layer("conv3").kernel).std() == pytest.approx(0.01, rel=0.05)
    assert set(keras.ops.convert_to_numpy(drawn("he_normal", name="alexnet_2014").get_layer("conv2").bias)) == {0.0}


@pytest.mark.parametrize("first, last, loss, enough", [
    (2.4, 0.2303, losses.cross_entropy, False), (2.4, 0.23, losses.cross_entropy, True),  # a guess costs 2.3026
    (2.0, 0.21, losses.cross_entropy, False), (2.0, 0.2, losses.cross_entropy, True),
    (84.0, 8.5, losses.lenet_map_loss, False), (84.0, 8.4, losses.lenet_map_loss, True),
    (2.4, float("nan"), losses.cross_entropy, False)])
def test_what_counts_as_overfitted(first, last, loss, enough):
    assert selftest.has_overfitted(first, last, loss, 0.1) == enough


# What is shown

class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_the_step_is_shown_and_written_over(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    table = selftest.SelftestTable(["lenet5"], stream)
    table.show_progress("lenet5  step 7/200  loss 2.3021, and more than fits")
    table.write_row(selftest.SelftestResult("lenet5", 61706, 31, 2.3625, 0.2039, 2.31, "ok").format_cells())
    assert stream.getvalue().split("\r\033[K")[2:] == [
        "lenet5  step 7/200  loss 2.3021, and mo",
        "lenet5       61,706     31      2.3625     0.2039      2.3  ok\n"]


# Mistakes

# Runs the command and then tells what it has loaded
LOADED = """
import sys
from zoo.cli.selftest import main
status = main(sys.argv[1:])
print("loaded:", *sorted({"keras", "tensorflow", "jax", "torch", "numpy", "matplotlib"} & set(sys.modules)))
sys.exit(status)
"""


@pytest.mark.parametrize("arguments, pins", [
    (["lenet6"], ("'lenet6'", "'lenet5'")), (["lenet5", "resnet43"], ("'resnet43'", "'resnet34'")),
    (["--fast"], ("'--fast'",))])
def test_a_mistake_gets_one_line_before_anything_is_loaded(tmp_path, arguments, pins):
    done = python("-c", LOADED, *arguments, scratch=tmp_path)
    assert (done.returncode, done.stdout) == (2, "loaded:\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    check_text(line, *pins)


def test_an_unknown_backend(tmp_path):
    done = python("-m", "zoo", "selftest", "lenet5", scratch=tmp_path, KERAS_BACKEND="tensorfow")
    assert (done.returncode, done.stdout) == (2, "") and len(done.stderr.splitlines()) == 1
    check_text(done.stderr, "'tensorfow'", "'tensorflow'")


def test_help_comes_at_once(tmp_path):
    def seconds():
        began = time.perf_counter()
        assert "lenet5" in python("-m", "zoo", "selftest", "--help", scratch=tmp_path).stdout
        return time.perf_counter() - began

    assert min(seconds() for _ in range(4)) < 0.5


@pytest.mark.slow
def test_the_whole_zoo_passes(tmp_path):
    done = python("-m", "zoo", "selftest", scratch=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:-1]] == [*registry.MODELS]
