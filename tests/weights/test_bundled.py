"""Bundled weights of small presets: models that they load into, refused models, and commands."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message, check_text, write_pets
from PIL import Image

import zoo
from zoo import registry
from zoo.cli import extract_features, finetune, predict, visualize
from zoo.data import dataset_info
from zoo.data.datasets import load_dataset_by_name
from zoo.errors import UserError
from zoo.models import builder
from zoo.weights import pretrained, sources

ROOT = Path(__file__).resolve().parents[2]
PACKED = {path.stem: path for path in sorted(pretrained.BUNDLED_FOLDER.glob("*.npz"))}
CPU = ("--gpu", "none")
# networks that differ in what the weights must fit: normalization, a small stem, auxiliary classifiers
FRESH = ("resnet18", "googlenet", "maxout_mnist")


def write_fresh_weights(network):
    """Write a freshly initialized small preset as the bundled weights of a network; return its arrays."""
    bundled = pretrained.find_bundled_weights(network)
    model = builder.build_model(bundled.model_config)
    rng = np.random.default_rng(0)
    arrays = {variable.path: np.float16(rng.normal(size=variable.shape) / math.sqrt(max(1, math.prod(
        variable.shape[:-1])))) for variable in model.weights}
    arrays |= {path: np.abs(array).astype(np.float32) + 0.5 for path, array in arrays.items() if "moving" in path}
    np.savez(bundled.path, **arrays)
    return arrays


@pytest.fixture
def fresh_weights(tmp_path, monkeypatch):
    """Return {network: arrays} of FRESH, bundled in a temporary folder."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(pretrained, "BUNDLED_FOLDER", folder)
    return {network: write_fresh_weights(network) for network in FRESH}


def test_every_file_belongs_to_a_preset():
    assert "lenet5-mnist" in PACKED
    assert set(PACKED) <= {f"{spec.name}-{spec.small_preset.dataset}"
                           for spec in registry.select_models("image").values()}


def test_all_files_together_are_small():
    assert sum(path.stat().st_size for path in PACKED.values()) < 25e6


@pytest.mark.parametrize("stem", PACKED)
def test_a_file_holds_float16_and_float32_statistics(stem):
    with np.load(PACKED[stem]) as file:
        kinds = {name: file[name].dtype for name in file.files}
    assert {str(kind) for name, kind in kinds.items() if "moving_" in name} <= {"float32"}
    assert {str(kind) for name, kind in kinds.items() if "moving_" not in name} == {"float16"}


def choose_one_per_module():
    """Return the stem of one file, the smallest, for each module of zoo/models: it has the layer names of all."""
    smallest = {}
    for stem in sorted(PACKED, key=lambda stem: PACKED[stem].stat().st_size):
        smallest.setdefault(registry.get_model_info(stem.rpartition("-")[0]).module, stem)
    return {*smallest.values()}


ONE_PER_MODULE = choose_one_per_module()


@pytest.mark.parametrize("stem", [pytest.param(stem, marks=[pytest.mark.slow] * (stem not in ONE_PER_MODULE))
                                  for stem in PACKED])
def test_every_file_loads_into_its_model(stem):
    network, _, dataset = stem.rpartition("-")
    model = zoo.build(network, weights=dataset)
    assert model.input_shape[1:] == dataset_info.get_dataset_info(dataset).shape and model.output_shape == (None, 10)
    with np.load(PACKED[stem]) as file:
        assert model.count_params() == sum(file[name].size for name in file.files)


@pytest.mark.parametrize("stem", [
    pytest.param(stem,
                 marks=[pytest.mark.slow] * (stem not in ("lenet5-mnist", "resnet18-cifar10"))) for stem in PACKED])
def test_every_file_classifies_its_images(stem, real_data):
    """On 200 images of the test split, as accurately as benchmarks/accuracy.csv says: within 4 standard errors."""
    network, _, dataset = stem.rpartition("-")
    info = dataset_info.get_dataset_info(dataset)
    images, labels = load_dataset_by_name(dataset, data_dir=real_data).test.batch(np.arange(200))
    pixels = ((images / 255 - np.array(info.mean)) / np.array(info.std)).astype(np.float32)
    predictions = zoo.build(network, weights=dataset).predict(pixels, verbose=0).argmax(axis=1)
    with open(ROOT / "benchmarks" / "accuracy.csv", newline="", encoding="utf-8") as file:
        [p] = {float(row["test_accuracy_best"]) for row in csv.DictReader(file)
               if (row["model"], row["dataset"]) == (network, dataset) and "--preset small" in row["command"]}
    assert (predictions == labels).mean() > p - 4 * math.sqrt(p * (1 - p) / 200)


@pytest.mark.parametrize("network", FRESH)
def test_the_weights_of_the_file_are_loaded(network, fresh_weights):
    dataset = registry.get_model_info(network).small_preset.dataset
    model = zoo.build(network, weights=dataset)
    for variable in model.weights:
        assert variable.dtype == "float32"
        assert np.array_equal(np.asarray(variable),
                              fresh_weights[network][variable.path].astype(np.float32)), variable.path
    assert pretrained.list_weights_names(network) == [dataset]


@pytest.mark.parametrize("network", FRESH)
def test_a_backbone_takes_any_size(network, fresh_weights):
    spec = registry.get_model_info(network)
    shape = (96, 80, dataset_info.get_dataset_info(spec.small_preset.dataset).shape[2])
    model = zoo.build(network, shape, 3, weights=spec.small_preset.dataset, include_top=False, pooling="avg")
    full_model = zoo.build(network, weights=spec.small_preset.dataset)
    stem = {"stem": "small"} if spec.small_stem_below else {}
    reference = zoo.build(network, shape, include_top=False, width=spec.small_preset.width, **stem,
                          **spec.small_preset.options)
    assert model.count_params() == reference.count_params()
    kernels = {variable.path: np.asarray(variable) for variable in full_model.weights}
    assert all(np.array_equal(np.asarray(variable), kernels[variable.path]) for variable in model.weights)


@pytest.mark.parametrize("keywords, parts", [
    ({"classes": 7}, (7, "include_top=False")), ({"input_shape": (64, 64, 3)}, ("64x64x3", "include_top=False")),
    ({"input_shape": (32, 32, 1)}, ("32x32x1", "channels=3")),
    ({"input_shape": (32, 32, 1), "include_top": False}, ("32x32x1", "channels=3")),
    ({"width": 1.0}, ("width=1.0",)), ({"width": 0.5, "include_top": False}, ("width=0.5",)),
    ({"stem": "paper"}, ("stem", "small")), ({"aux": True}, ("aux=True",))])
def test_other_model_options_are_refused(keywords, parts, fresh_weights):
    with pytest.raises(UserError) as error:
        zoo.build("googlenet", weights="cifar10", **keywords)
    check_message(error.value, "'cifar10'", "googlenet", *parts)


def test_options_must_be_those_of_the_preset(fresh_weights):
    write_fresh_weights("alexnet")
    with pytest.raises(UserError) as error:
        zoo.build("alexnet", weights="cifar10", groups=1)
    check_message(error.value, "'cifar10'", "alexnet", "groups=1")
    zoo.build("alexnet", weights="cifar10", dropout=0.1)  # dropout has no weights


@pytest.mark.parametrize("network, weights, available", [
    ("lenet5", "cifar10", "'mnist'"), ("resnet18", "mnist", "'cifar10'"), ("maxout_mnist", "imagenet", "'mnist'")])
def test_another_data_set_is_refused(network, weights, available, fresh_weights):
    if network == "lenet5":
        write_fresh_weights("lenet5")
    with pytest.raises(UserError) as error:
        zoo.build(network, weights=weights)
    check_message(error.value, repr(weights), network, f"weights={available}", "None")


def test_a_missing_file_is_one_line(fresh_weights, capsys):
    pretrained.find_bundled_weights("resnet18").path.unlink()
    with pytest.raises(UserError) as error:
        zoo.build("resnet18", weights="cifar10")
    check_message(error.value, "resnet18-cifar10.npz", pretrained.BUNDLED_FOLDER, "zoo")
    assert predict.main(["resnet18", "--weights", "cifar10", "a.png"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert pretrained.list_weights_names("resnet18") == []


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"PK\x03\x04" + data[4:2000],
    lambda data: data.replace(b"NUMPY", b"NUMPI")])
def test_a_damaged_file_is_one_line(damage, fresh_weights):
    path = pretrained.find_bundled_weights("maxout_mnist").path
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError) as error:
        zoo.build("maxout_mnist", weights="mnist")
    check_message(error.value, path.name, "zoo")


def test_a_file_of_another_model_is_reported_as_damaged(fresh_weights):
    source, target = (pretrained.find_bundled_weights(name).path for name in ("resnet18", "googlenet"))
    target.write_bytes(source.read_bytes())
    with pytest.raises(UserError) as error:
        zoo.build("googlenet", weights="cifar10")
    check_message(error.value, target.name, "zoo")


@pytest.mark.parametrize("network", registry.select_models("image"))
def test_paths_of_bundled_weights_are_derived_from_the_registry(network):
    small, bundled = registry.get_model_info(network).small_preset, pretrained.find_bundled_weights(network)
    dataset = dataset_info.get_dataset_info(small.dataset)
    assert bundled.path == Path(pretrained.__file__).parent / f"{network}-{small.dataset}.npz"
    assert (bundled.model_config.input_shape, bundled.model_config.classes) == (dataset.shape, 10)
    assert (bundled.model_config.width, bundled.model_config.aux) == (small.width, False)
    white = np.array(bundled.scaling.scale) * 255 + np.array(bundled.scaling.offset)
    np.testing.assert_allclose(white, (1 - np.array(dataset.mean)) / np.array(dataset.std), rtol=1e-6)


def test_a_network_without_a_preset_has_none(monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(registry.MODELS, "nin", replace(registry.get_model_info("nin"), small_preset=None))
    assert pretrained.list_weights_names("nin") == []
    with pytest.raises(UserError) as error:
        sources.resolve_weights_source("cifar10", "nin")
    check_message(error.value, "'cifar10'", "nin", "weights=None", "--weights none")


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    return path


def test_predict_names_the_classes(fresh_weights, image, capsys):
    assert predict.main(["resnet18", "--weights", "cifar10", str(image), "--top-k", "10", *CPU]) == 0
    line = capsys.readouterr().out
    assert all(name in line for name in dataset_info.CIFAR10_NAMES)


def test_predict_scales_the_pixels(fresh_weights, image, capsys):
    """The most probable class is that of the model on pixels scaled by hand."""
    pixels = np.asarray(Image.open(image).resize((32, 32), Image.Resampling.BILINEAR), np.float32)
    scaled = (pixels / 255 - np.float32(dataset_info.CIFAR10.mean)) / np.float32(dataset_info.CIFAR10.std)
    expected = zoo.build("resnet18", weights="cifar10").predict(scaled[None], verbose=0)[0]
    assert predict.main(["resnet18", "--weights", "cifar10", str(image), "--top-k", "1", *CPU]) == 0
    check_text(capsys.readouterr().out, dataset_info.CIFAR10_NAMES[expected.argmax()])


@pytest.mark.parametrize("arguments", [(), pytest.param(("--preset", "small"), marks=pytest.mark.slow)])
def test_visualize(fresh_weights, image, tmp_path, arguments, capsys):
    page = tmp_path / "look.html"
    assert visualize.main(["googlenet", "--weights", "cifar10", "--image", str(image), "-o", str(page), *arguments,
                           *CPU]) == 0
    assert "airplane" in page.read_text()  # unknown for random weights


def test_visualize_refuses_other_model_options(fresh_weights, image, capsys):
    arguments = ["googlenet", "--weights", "cifar10", "--image", str(image)]
    assert visualize.main([*arguments, "--width", "0.5"]) == 2
    check_message(capsys.readouterr().err, "'cifar10'", "googlenet", "--width 0.5")


def test_finetune_and_extract_features_use_the_backbone_of_the_preset(fresh_weights, tmp_path, capsys):
    pets, width = write_pets(tmp_path / "pets", (40, 30, 3),
                             ".png"), registry.get_model_info("resnet18").small_preset.width
    arguments = ["resnet18", "--data", str(pets), "--weights", "cifar10", *CPU]
    assert finetune.main([*arguments, "--epochs", "1", "--output-dir", str(tmp_path), "--name", "run"]) == 0
    config = json.loads((tmp_path / "run" / "run.json").read_text())
    assert config["model_config"]["width"] == width and config["dataset"]["shape"] == [32, 32, 3]
    assert config["model_config"]["stem"] == "small"
    assert extract_features.main([*arguments, "--image-size", "64", "-o", str(tmp_path / "f.npz")]) == 0
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape == (20, int(512 * width))
    capsys.readouterr()
    assert extract_features.main([*arguments, "--width", "1", "-o", str(tmp_path / "g.npz")]) == 2
    check_message(capsys.readouterr().err, "'cifar10'", "resnet18", "--width 1.0")
