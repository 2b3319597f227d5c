"""What a value of `weights` is, a name, a run or a file, and what a run determines. No backend is loaded."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import check_message

from zoo import registry
from zoo.cli import visualize
from zoo.data.dataset_info import get_dataset_info
from zoo.errors import UserError
from zoo.training import finetuning, pretrained_backbone
from zoo.training.distribution import multihost
from zoo.training.recipe import Recipe
from zoo.training.run_config import RunConfig, resume_run_config
from zoo.weights import pretrained, sources


def write_run(run, name="xception", shape=(32, 32, 3), **changes):
    """Write a run directory with the files that weights are read from, and weights of one layer; return its Path."""
    model_config = registry.resolve_model_config(name, shape, 7, width=0.5, options=changes.pop("options", None))
    dataset = {"name": "made up", "shape": shape, "class_names": [*"abcdefg"], "mean": [0.5] * shape[2],
               "std": [0.25] * shape[2]}
    (run / "checkpoints").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"model": name, "dataset": dataset,
                                              "model_config": registry.serialize_model_config(model_config)} | changes))
    np.savez(run / "checkpoints" / "best.npz", **{"weights/layer/kernel": np.zeros(2, np.float32)})
    return run


FINETUNING = {"weights": "mnist", "head_layers": [], "pooling": "avg", "feature_layer": "", "frozen_until": "",
              "upsample": 1, "scale": [2.0], "offset": [1.0], "channel_order": "rgb"}


@pytest.mark.parametrize("file", ["", "checkpoints/best.npz"])
def test_the_model_is_that_of_the_run(file, tmp_path):
    """The names and shapes of the weights are those of both stems, so the file would load into either."""
    source = sources.resolve_weights_source(write_run(tmp_path / "run", options={"dropout": 0.25}) / file, "xception")
    model_config = source.resolve_model_config()
    assert (model_config.input_shape, model_config.classes, model_config.width) == ((32, 32, 3), 7, 0.5)
    large = source.resolve_model_config((128, 128, 3), 3)
    assert (large.stem, large.width, large.options, large.classes) == ("small", 0.5, {"dropout": 0.25}, 3)
    assert registry.resolve_model_config("xception", (128, 128, 3)).stem == "paper"
    with pytest.raises(UserError) as error:
        source.resolve_model_config((128, 128, 3), stem="paper")
    check_message(error.value, tmp_path / "run", "xception", "small", "stem")


def test_a_run_of_another_model(tmp_path):
    with pytest.raises(UserError) as error:
        sources.resolve_weights_source(write_run(tmp_path / "run"), "googlenet")
    check_message(error.value, tmp_path / "run", "xception", "googlenet")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model_config": 3}', '{"model_config": {"name": "xception"}}',
                                     '{"model_config": {"name": "xception", "size": 3}}'])
def test_a_damaged_run_json(content, tmp_path):
    (write_run(tmp_path / "run") / "run.json").write_text(content)
    if content == '{"model_config": {"name": "xception"}}':  # the paper's model
        assert sources.resolve_weights_source(tmp_path / "run", "xception").model_config.stem == "paper"
        return
    with pytest.raises(UserError) as error:
        sources.resolve_weights_source(tmp_path / "run", "xception")
    check_message(error.value, tmp_path / "run" / "run.json")


def test_a_folder_is_not_what_weights_of_its_name_are(tmp_path, monkeypatch):
    """Folders of images are often called after the dataset, and a run can be, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifar10" / "cats").mkdir(parents=True)
    (tmp_path / "imagenet").mkdir()
    write_run(tmp_path / "mnist", "lenet5", (28, 28, 1), finetuning=FINETUNING)
    for model, name in (("resnet18", "cifar10"), ("vgg16", "imagenet"), ("lenet5", "mnist")):
        weights = pretrained_backbone.find_backbone_weights(model, name)
        assert (weights.source.run, weights.source.has_custom_head, weights.name) == (None, False, name)
        assert bool(weights.source.remote_weights) == (name == "imagenet") != bool(weights.source.bundled_weights)
    for given in ("./mnist", Path("mnist"), tmp_path / "mnist", "mnist/checkpoints/best.npz"):
        weights = pretrained_backbone.find_backbone_weights("lenet5", given)
        assert weights.source.run.resolve() == tmp_path / "mnist" and weights.source.has_custom_head, given
        assert (weights.width, weights.scaling.scale) == (0.5, (2.0,)), given
    with pytest.raises(UserError) as error:
        pretrained_backbone.find_backbone_weights("lenet5", "./cifar10")
    check_message(error.value, "cifar10", "run")


def test_a_folder_with_the_name_of_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg16").mkdir()
    write_run(tmp_path / "lenet5", "lenet5", (28, 28, 1))
    assert visualize.find_run_directory("vgg16") is None
    assert visualize.find_run_directory("lenet5") == Path("lenet5")


def test_a_run_records_where_its_weights_are(tmp_path, monkeypatch):
    """Resumed in another working directory, it finds them."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "run")
    recorded = pretrained_backbone.find_backbone_weights("xception", os.path.join("run", "..", "run")).name
    assert recorded == str(tmp_path / "run")
    assert finetuning.get_weights_name(Path("mnist")) == str(tmp_path / "mnist")  # no name of weights
    monkeypatch.setenv("HOME", str(tmp_path))
    assert finetuning.get_weights_name(Path("~/run")) == str(tmp_path / "run")


def test_a_checkpoint_of_another_program_is_a_file(tmp_path):
    """Sacred writes a run.json into the folder of each run, too."""
    run = write_run(tmp_path / "run")
    assert pretrained.find_run(run / "checkpoints" / "best.npz") == run
    (run / "run.json").write_text('{"command": "train", "status": "COMPLETED"}')
    assert pretrained.find_run(run / "checkpoints" / "best.npz") is None


def test_moved_weights_are_taken_from_where_they_are_now():
    config = finetuning.deserialize_finetune_config(FINETUNING | {"weights": "/old/w.h5"})
    runs = {weights: RunConfig(registry.resolve_model_config("lenet5"), get_dataset_info("digits"), Recipe(), 0, None,
                               "tensorflow", False, finetuning=replace(config, weights=weights))
            for weights in ("/old/w.h5", "/new/w.h5", "/new/v.h5")}
    old, moved, other = runs.values()
    assert resume_run_config(Path("a"), old, moved).finetuning.weights == "/new/w.h5"
    with pytest.raises(UserError) as error:
        resume_run_config(Path("a"), old, other)
    check_message(error.value, "w.h5", "v.h5")
    splits = SimpleNamespace(train=[1, 2], validation=[], test=[])
    mine, theirs, others = (multihost.collect_shared_settings(run, splits) for run in runs.values())
    assert mine == theirs != others and mine["images for train"] == 2


def test_weights_in_a_folder_that_may_not_be_entered(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(UserError) as error:
        pretrained.check_weights(tmp_path / "a.h5", "lenet5")
    check_message(error.value, tmp_path / "a.h5", "Permission denied")


def test_images_with_another_number_of_channels(tmp_path):
    weights = pretrained_backbone.find_backbone_weights("xception", write_run(tmp_path / "run"))
    with pytest.raises(UserError) as error:
        pretrained_backbone.resolve_model_input("xception", (32, 32, 4), weights, 5)
    check_message(error.value, tmp_path / "run", 3, 4)
