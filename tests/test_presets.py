"""--preset small: the width and the options of the registry, in every command that builds a network."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import check_text

from zoo import registry
from zoo.cli import common, diagram, summary, train, training_command
from zoo.model_info import Preset
from zoo.weights import pretrained

ROOT = Path(__file__).resolve().parents[1]


def parse_config(*arguments):
    return training_command.parse_run_config(train.build_parser().parse_args([*arguments]))


@pytest.mark.parametrize("network", registry.select_models("image"))
def test_train_builds_the_preset(network):
    small = registry.get_model_info(network).small_preset
    model_config = parse_config(network, "--preset", "small", "--dataset", small.dataset).model_config
    assert model_config.width == small.width and small.options.items() <= model_config.options.items()
    assert model_config == pretrained.resolve_preset_config(registry.get_model_info(network), "small")
    assert parse_config(network, "--dataset", small.dataset).model_config.width == 1


@pytest.mark.parametrize("network", registry.select_models("text"))
def test_networks_without_a_preset(network, capsys):
    for main in (train.main, summary.main):
        assert main([network, "--preset", "small", *(["--dataset", "imdb"] if main is train.main else [])]) == 2
        error = capsys.readouterr().err
        check_text(error, "--preset small", network, "bundled weights", "--width")
        assert error.count("\n") == 1


@pytest.fixture
def narrow_vgg(monkeypatch):
    """Give vgg16 a preset that sets an option; return arguments that use it."""
    preset = Preset("cifar10", 0.25, {"batch_norm": True})
    monkeypatch.setitem(registry.MODELS, "vgg16", replace(registry.get_model_info("vgg16"), small_preset=preset))
    return ["vgg16", "--preset", "small", "--dataset", "cifar10"]


def test_other_options_can_be_combined_with_a_preset(narrow_vgg):
    model_config = parse_config(*narrow_vgg, "--model-option", "dropout=0.3").model_config
    assert (model_config.width, model_config.options) == (0.25, {"batch_norm": True, "dropout": 0.3})
    assert parse_config(*narrow_vgg, "--set", "dropout=0.2").model_config.options == {"batch_norm": True,
                                                                                      "dropout": 0.2}


@pytest.mark.parametrize("arguments, pin", [
    (["--width", "0.5"], "--width"), (["--width", "0.25"], "--width"),
    (["--model-option", "batch_norm=false"], "--model-option batch_norm")])
def test_options_set_by_the_preset_are_refused(arguments, pin, narrow_vgg, capsys):
    assert train.main([*narrow_vgg, *arguments]) == 2
    error = capsys.readouterr().err
    check_text(error, pin, "small")
    assert error.count("\n") == 1
    assert summary.main(["vgg16", "--preset", "small", *arguments]) == 2
    check_text(capsys.readouterr().err, pin, "small")


def test_a_mistyped_preset_names_the_nearest_before_anything_loads():
    code = ("import sys; from zoo.cli import train; print(train.main(['nin', '--preset', 'smal']), "
            "[name for name in ('numpy', 'keras') if name in sys.modules])")
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert process.stdout == "2 []\n"
    check_text(process.stderr, "'smal'", "'small'")
    assert process.stderr.count("\n") == 1


def test_the_same_command_resumes(tmp_path, capsys):
    arguments = ["maxout_mnist", "--preset", "small", "--limit", "20", "--epochs", "1", "--gpu", "none", "--output-dir",
                 str(tmp_path), "--name", "run"]
    assert train.main(arguments) == 0
    width = json.loads((tmp_path / "run" / "run.json").read_text())["model_config"]["width"]
    assert width == registry.get_model_info("maxout_mnist").small_preset.width
    assert train.main(arguments) == 0  # it is finished
    assert train.main(["--resume", str(tmp_path / "run")]) == 0
    assert train.main(["--resume", str(tmp_path / "run"), "--preset", "small"]) == 2
    assert "--preset" in capsys.readouterr().err


@pytest.mark.parametrize("command", [summary, diagram])
def test_summary_and_diagram_use_the_image_size_of_the_preset(command):
    model_config = common.parse_model_config("resnet34",
                                             command.build_parser().parse_args(["resnet34", "--preset", "small"]))
    assert model_config == pretrained.resolve_preset_config(registry.get_model_info("resnet34"), "small")
    assert (model_config.input_shape, model_config.classes, model_config.stem) == ((32, 32, 3), 10, "small")
    large = common.parse_model_config("resnet34", command.build_parser().parse_args(
        ["resnet34", "--preset", "small", "--image-size", "224", "--classes", "5"]))
    assert (large.input_shape, large.classes, large.width) == ((224, 224, 3), 5, model_config.width)
