"""zoo finetune and zoo extract-features: frozen layers, pixel scaling, stages, and runs that every command can read."""

import contextlib
import csv
import io
import json
import re
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from helpers import check_message, check_text, write_pets
from PIL import Image
from test_parity import randomize

import zoo
from zoo import layers, registry
from zoo.cli import evaluate, export, extract_features, finetune, predict, train
from zoo.errors import UserError
from zoo.training import finetuned_model, finetuning, pretrained_backbone
from zoo.weights import pretrained

MODEL = ["resnet18", "--dataset", "digits", "--limit", "40", "-b", "20", "--gpu", "none"]


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def source(runs_dir):
    """Train a run from scratch, from which the others start."""
    assert finetune.main([*MODEL, "--weights", "none", "--width", "0.05", "--epochs", "2", "--output-dir",
                          str(runs_dir), "--name", "source"]) == 0
    return runs_dir / "source"


@pytest.fixture(scope="module")
def two_stage_run(runs_dir, source):
    """Fine-tune in two stages on the same backbone: the head, then the layers above conv3_1_add.

    Return (run directory, arguments, stdout).
    """
    arguments = [*MODEL, "--weights", str(source), "--freeze", "conv3_1_add", "--head-layers", "7,dropout=0.5",
                 "--two-stage", "--epochs", "2", "--output-dir", str(runs_dir), "--name", "staged"]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert finetune.main(arguments) == 0
    return runs_dir / "staged", arguments, output.getvalue()


def read_weights(run):
    with np.load(run / "checkpoints" / "best.npz") as file:
        return {name.removeprefix("weights/"): file[name] for name in file.files if name.startswith("weights/")}


def test_frozen_weights_stay_and_the_others_learn(source, two_stage_run):
    before, after = read_weights(source), read_weights(two_stage_run[0])
    head = read_weights(two_stage_run[0] / "stage1")
    backbone = zoo.build("resnet18", (28, 28, 1), include_top=False, width=0.05)
    names = [layer.name for layer in backbone.layers]
    for layer in backbone.layers:
        for variable in layer.weights:  # including the statistics of batch normalization
            assert np.array_equal(before[variable.path], head[variable.path]), variable.path
            is_frozen = names.index(layer.name) <= names.index("conv3_1_add")
            assert np.array_equal(before[variable.path], after[variable.path]) == is_frozen, variable.path
    assert not np.array_equal(head["head1/kernel"], after["head1/kernel"])


def test_a_stage_reports_the_freeze_boundary_and_trainable_parameters(two_stage_run):
    output = two_stage_run[2]
    backbone = zoo.build("resnet18", (28, 28, 1), include_top=False, width=0.05)
    frozen = [layer.name for layer in backbone.layers].index("conv3_1_add") + 1
    num_unfrozen = sum(np.prod(weight.shape) for layer in backbone.layers[frozen:]
                       for weight in layer.trainable_weights)
    num_classifier = backbone.output_shape[-1] * 7 + 7 + 7 * 10 + 10
    (stage_line,) = (line for line in output.splitlines() if "conv3_1_add" in line)
    check_message(stage_line, frozen, len(backbone.layers), f"{num_unfrozen + num_classifier:,}",
                  f"{backbone.count_params() + num_classifier:,}")
    (loaded_line,) = (line for line in output.splitlines() if "best.npz" in line and "fc" in line)
    check_message(loaded_line, 1, "fc")  # the layer of the file that the backbone lacks
    check_text(output, "learning_rate", "0.001")  # a tenth, for a trained backbone


def test_frozen_up_to_the_last_layer_with_weights_is_frozen():
    backbone = zoo.build("lenet5", include_top=False, width=0.5)
    expected = {"all": "S4", "C3": "S4", "S4": "S4", "4": "S4", "C1": "C1", "2": "C1", 0: "", "none": ""}
    assert {freeze: finetuned_model.find_freeze_boundary(backbone, freeze) for freeze in expected} == expected


def test_learning_rates_and_epochs_of_the_stages(two_stage_run):
    first, last = (json.loads((run / "run.json").read_text())
                   for run in (two_stage_run[0] / "stage1", two_stage_run[0]))
    assert (first["recipe"]["learning_rate"], first["recipe"]["epochs"]) == (0.01, 1)
    assert (last["recipe"]["learning_rate"], last["recipe"]["epochs"]) == (0.001, 2)
    assert first["finetuning"]["frozen_until"] == "conv5_relu" and last["finetuning"]["frozen_until"] == "conv3_1_add"
    with open(two_stage_run[0] / "history.csv") as file:
        assert len([*csv.DictReader(file)]) == 2
    assert not (two_stage_run[0] / "stage1" / "result.json").exists()  # the test split is evaluated once


def test_a_fine_tuned_run_works_with_all_commands(two_stage_run, tmp_path, capsys):
    run, arguments, _ = two_stage_run
    model = zoo.load(run)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)
    probabilities = model.predict(pixels, verbose=0)
    assert probabilities.shape == (3, 10) and np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert zoo.load(run / "stage1").get_layer("head1").units == 7
    model.save(tmp_path / "a.keras")
    assert np.allclose(zoo.load(tmp_path / "a.keras").predict(pixels, verbose=0), probabilities, atol=1e-6)
    result = json.loads((run / "result.json").read_text())
    capsys.readouterr()
    assert evaluate.main([str(run), "--gpu", "none"]) == 0
    assert re.search(rf"(?m)^accuracy\b.* {result['test_accuracy_best']:.2%}", capsys.readouterr().out)
    Image.fromarray(pixels[0, :, :, 0]).save(tmp_path / "a.png")
    assert predict.main([str(run), str(tmp_path / "a.png"), "--gpu", "none"]) == 0
    assert f"{probabilities[0].max():.2%}" in capsys.readouterr().out
    assert (run / "report.html").exists() and (run / "plots").is_dir()
    for command in (lambda: finetune.main(arguments), lambda: train.main(["--resume", str(run)])):
        (run / "report.html").unlink()  # as if it had been killed before
        assert command() == 0  # it reports that the run is finished, and draws what is missing
        check_message(capsys.readouterr().out, run, f"{result['test_accuracy_best']:.2%}")
        assert (run / "report.html").exists()
    for changes, parts in ((["--head-layers", "8"], ["head_layers", "(7, 0.5)", "(8,)"]),
                           (["--head-epochs", "2"], ["head_epochs", 1, 2]),
                           (["--lr", "0.5"], ["learning_rate", "0.001"]),
                           (["--freeze", "conv3_2_add"], ["frozen_until", "'conv3_1_add'", "'conv3_2_add'"])):
        assert finetune.main([*arguments, *changes]) == 2
        check_message(capsys.readouterr().err, run, *parts)
    assert finetune.main([*arguments, "--lr", "0.5", "--set", "learning_rate=0.1"]) == 2
    check_message(capsys.readouterr().err, "--lr 0.5", "--set learning_rate=0.1")


@pytest.mark.parametrize("network, module", [("vgg16", keras.applications.vgg16),
                                             ("xception", keras.applications.xception),
                                             ("inception_resnet_v2", keras.applications.inception_resnet_v2)])
def test_pixels_are_scaled_as_in_keras_applications(network, module):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    scaling = pretrained.KERAS_SCALINGS[network]
    scaled = keras.ops.convert_to_numpy(layers.PixelScaling(scaling.scale, scaling.offset,
                                                            scaling.channel_order)(pixels))
    np.testing.assert_allclose(scaled, module.preprocess_input(pixels.astype("float32")), rtol=1e-5, atol=1e-4)


def test_pixels_are_scaled_as_in_pytorch():
    """(x / 255 - mean) / std, from the documentation of torchvision's models."""
    scaling = pretrained.TORCH_SCALING
    scaled = keras.ops.convert_to_numpy(layers.PixelScaling(scaling.scale,
                                                            scaling.offset)(np.full((1, 1, 1, 3), 200, "uint8")))
    expected = [(200 / 255 - mean) / std for mean, std in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    np.testing.assert_allclose(scaled[0, 0, 0], expected, rtol=1e-5)


def test_gray_pixels_become_rgb():
    scaled = layers.PixelScaling((2, 3, 4), (0, 0, 1), "bgr")(np.full((1, 2, 2, 1), 10, "uint8"))
    assert keras.ops.convert_to_numpy(scaled)[0, 0, 0].tolist() == [41, 30, 20]


@pytest.mark.parametrize("network, stem, shape, expected", [
    ("xception", "paper", (28, 28, 1), (3, (84, 84, 1))), ("inception_v3", "paper", (28, 28, 1), (3, (84, 84, 1))),
    ("vgg16", "auto", (28, 28, 1), (2, (56, 56, 1))), ("vgg16", "auto", (32, 48, 3), (1, (32, 48, 3))),
    ("resnet18", "auto", (28, 28, 1), (1, (28, 28, 1))), ("xception", "small", (28, 28, 1), (1, (28, 28, 1)))])
def test_small_images_are_upsampled_by_integer_factors(network, stem, shape, expected):
    assert finetuning.compute_upsampled_shape(shape, network, stem) == expected


def build_finetuned(network, shape, head=(), features="", pooling="avg", width=0.05):
    origin = pretrained_backbone.find_backbone_weights(network, "none", width)
    model_config, factor, _ = pretrained_backbone.resolve_model_input(network, shape, origin, 5)
    scaling = pretrained.make_standard_scaling((0.5,) * 3, (0.5,) * 3)
    config = finetuning.FineTuneConfig("", head, pooling, features, "", factor, scaling.scale, scaling.offset, "rgb")
    return finetuned_model.build_finetuning_model(model_config, config, shape, 5, "softmax"), model_config


def test_28_pixels_are_upsampled_to_84_for_xception():
    (model, backbone), _ = build_finetuned("xception", (28, 28, 1), (16, 0.5))
    assert model.get_layer("upsample").output.shape == (None, 84, 84, 3)
    assert [layer.name for layer in model.layers[-5:]] == ["head_pool", "head1", "head2_drop", "head", "predictions"]
    reference = zoo.build("xception", (84, 84, 3), include_top=False, width=0.05, stem="paper")
    assert [layer.name for layer in backbone.layers][1:] == [layer.name for layer in reference.layers][1:]
    assert finetuned_model.find_freeze_boundary(backbone, 36) == reference.layers[35].name
    assert finetuned_model.find_freeze_boundary(backbone, "all") == reference.layers[-1].name
    assert finetuned_model.find_freeze_boundary(backbone, "none") == ""


def test_the_model_is_the_backbone_and_a_dense_layer():
    """Against the backbone and the dense layer combined in NumPy."""
    (model, backbone), model_config = build_finetuned("vgg16", (20, 20, 3), pooling="flatten")
    randomize(model)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), np.uint8)
    upsampled = keras.ops.convert_to_numpy(keras.layers.UpSampling2D(2, interpolation="bilinear")(pixels / 127.5 - 1))
    reference = zoo.build("vgg16", model_config.input_shape, include_top=False, width=0.05)
    reference.set_weights(backbone.get_weights())
    features = reference.predict(upsampled, verbose=0).reshape(2, -1)
    kernel, bias = model.get_layer("head").get_weights()
    exponentials = np.exp(features @ kernel + bias)
    np.testing.assert_allclose(model.predict(pixels, verbose=0), exponentials / exponentials.sum(axis=1, keepdims=True),
                               rtol=1e-4)


@pytest.mark.parametrize("network, expected", [("inception_v3", r"mixed\d"), ("xception", r"block\d+_add"),
                                               ("resnet18", r"conv\d_\d_(add|preact_bn)"),
                                               ("vgg16", r"conv3_\d|pool\d|conv4_1")])
def test_the_layer_at_half_depth_is_a_cut_of_the_graph(network, expected):
    (_, backbone), _ = build_finetuned(network, (32, 32, 3))
    name = finetuned_model.find_layer_at_fraction(backbone, 0.5)
    assert re.fullmatch(expected, name)
    names = [layer.name for layer in backbone.layers]
    assert abs(names.index(name) / len(names) - 0.5) < 0.1
    assert finetuned_model.find_layer_at_fraction(backbone, 1) == registry.get_model_info(network).feature_layer


@pytest.mark.parametrize("feature_layer, freeze, is_frozen", [
    ("conv3_3", "conv4_1", True), ("conv3_3", "conv3_3", True), ("pool3", "conv3_3", True),
    ("conv3_3", "conv3_2", False), ("conv3_3", "all", True), ("conv3_3", "none", False), ("", "conv5_2", False),
    ("", "conv5_3", True)])
def test_all_that_the_head_depends_on_is_frozen(feature_layer, freeze, is_frozen):
    """The layers after the feature layer are not in the model, so whether they are frozen is nothing to the head."""
    model_config = registry.resolve_model_config("vgg16", (32, 32, 3), width=0.05)
    config = finetuning.FineTuneConfig("a", (), "avg", feature_layer, "", 1, (1.0,) * 3, (0.0,) * 3, "rgb")
    options = finetuning.FineTuneOptions(weights="a", freeze=freeze, feature_layer=feature_layer)
    recipe = finetuning.FINETUNE_RECIPE
    _, _, last_recipe = finetuned_model.resolve_finetuning(model_config, config, options, recipe, (32, 32, 3), 5)
    assert last_recipe.learning_rate == (recipe.learning_rate if is_frozen else recipe.learning_rate * 0.1)
    if is_frozen:
        with pytest.raises(UserError) as error:
            finetuned_model.resolve_finetuning(model_config, config, replace(options, backbone_learning_rate=0.1),
                                               recipe, (32, 32, 3), 5)
        check_message(error.value, "--backbone-lr", "freeze='none'")


@pytest.mark.parametrize("strategy, frozen, stages", [("small-similar", 1, False),
                                                      pytest.param("large-similar", 0.5, True, marks=pytest.mark.slow),
                                                      pytest.param("small-different", 1, False, marks=pytest.mark.slow),
                                                      pytest.param("large-different", 0, True, marks=pytest.mark.slow)])
def test_strategies(strategy, frozen, stages, source, runs_dir, capsys):
    name = f"plan-{strategy}"
    assert finetune.main([*MODEL, "--weights", str(source), "--strategy", strategy, "--epochs", "1", "--output-dir",
                          str(runs_dir), "--name", name]) == 0
    output = capsys.readouterr().out
    (line,) = (line for line in output.splitlines() if finetuning.FINETUNE_STRATEGIES[strategy].reason in line)
    check_message(line, strategy)
    assert (runs_dir / name / "stage1").is_dir() == stages == bool(re.search(r"(?m)^stage\b.*\b2\b.*\b2\b", output))
    config = json.loads((runs_dir / name / "run.json").read_text())["finetuning"]
    assert bool(config["feature_layer"]) == (strategy == "small-different")
    if frozen == 0.5:
        assert re.fullmatch(r"conv\d_\d_(add|preact_bn)", config["frozen_until"])
    else:
        assert config["frozen_until"] == {1: "conv5_relu", 0: ""}[frozen]


@pytest.mark.parametrize("arguments, parts", [
    ("resnet18 --dataset digits --weights none --head-layers 10,drop", "--head-layers 'drop' 1024,dropout=0.5"),
    ("resnet18 --dataset digits --weights none --head-layers dropout1.5", "--head-layers 'dropout1.5' dropout=0.5"),
    ("resnet18 --dataset digits --weights none --pooling sum", "'sum' avg max flatten"),
    ("resnet18 --weights none", "--dataset NAME FOLDER FILE.npz"),
    ("resnet18 --dataset digits --weights none --strategy small", "'small' small-similar large-different"),
    ("lenet5 --dataset digits --weights mnist --set aux_loss_weights=0.3", "aux_loss_weights"),
    ("vgg16 --dataset digits --dropout 0.5", "dropout"),
    ("vgg16 --dataset digits --strategy small-similar --freeze all", "strategy freeze"),
    ("resnet18 --dataset digits", "'imagenet' resnet18"),
    ("resnet43 --dataset digits", "'resnet43' 'resnet44'"),
    ("resnet18 --dataset digits --weights gone.h5", "'gone.h5'"),
    ("resnet18 --data gone --weights none", "'gone' digits cifar10 .npz"),
    ("resnet18 --dataset digits --image-size 64 --weights none", "--image-size")])
def test_invalid_arguments_are_refused_immediately(arguments, parts, capsys):
    assert finetune.main(arguments.split()) == 2
    check_message(capsys.readouterr().err, *parts.split())


@pytest.mark.parametrize("arguments, option", [  # without the other option that it needs
    ("lenet5 --dataset digits --weights mnist --head-epochs 2", "head.epochs"),
    ("lenet5 --dataset digits --weights mnist --strategy small-similar --head-epochs 2", "head.epochs"),
    ("resnet18 --dataset digits --weights none --strategy small-similar", "strategy"),
    ("resnet18 --dataset digits --weights none --freeze all", "freeze"),
    ("resnet18 --dataset digits --weights none --backbone-lr 0.1", "backbone.(lr|learning.rate)")])
def test_an_option_alone_is_refused(arguments, option, capsys):
    assert finetune.main(arguments.split()) == 2
    message = capsys.readouterr().err
    check_message(message)
    assert re.search(option, message)


@pytest.mark.parametrize("arguments, parts", [
    (["--freeze", "conv3_1_ad"], ["resnet18", "'conv3_1_ad'", "'conv3_1_add'"]),
    (["--freeze", "500"], ["freeze", 500, 66, "all"]),
    (["--two-stage", "--freeze", "all"], ["freeze"]),
    (["--backbone-lr", "0.1"], ["freeze", "frozen"]),
    (["--width", "0.5"], ["--width"])])
def test_invalid_arguments_that_need_the_network(arguments, parts, source, runs_dir, capsys):
    assert finetune.main([*MODEL, "--weights", str(source), *arguments, "--output-dir", str(runs_dir), "--name",
                          "wrong"]) == 2
    check_message(capsys.readouterr().err, *parts)
    assert not (runs_dir / "wrong").exists()


@pytest.fixture
def pets(tmp_path):
    return write_pets(tmp_path / "pets", (40, 30, 3), ".png")


def test_a_folder_is_trained_on_and_evaluated(pets, runs_dir, capsys):
    assert finetune.main(["lenet5", "--data", str(pets), "--image-size", "28", "--weights", "mnist", "--epochs", "1",
                          "--gpu", "none", "--output-dir", str(runs_dir), "--name", "pets"]) == 0
    assert evaluate.main([str(runs_dir / "pets"), "--gpu", "none"]) == 0
    assert "cat" in capsys.readouterr().out


def test_extract(pets, tmp_path, capsys):
    output = tmp_path / "features.npz"
    assert extract_features.main(["vgg16", "--data", str(pets), "--image-size", "33", "--weights", "none", "--width",
                                  "0.05", "-o", str(output), "--gpu", "none", "-b", "7"]) == 0
    with np.load(output) as file:
        arrays = {name: file[name] for name in file.files}
    assert arrays["features"].shape == (20, 25) and arrays["features"].dtype == np.float32  # int(512 * 0.05)
    assert arrays["labels"].tolist() == [0] * 10 + [1] * 10 and arrays["class_names"].tolist() == ["cat", "dog"]
    assert arrays["files"][0] == "cat/0.png" and arrays["splits"].tolist() == [""] * 20
    keras.utils.set_random_seed(0)
    backbone = zoo.build("vgg16", (33, 33, 3), include_top=False, width=0.05)
    pixels = np.asarray(Image.open(pets / "dog" / "9.png").resize((33, 33), Image.Resampling.BILINEAR), "float32")
    expected = keras.ops.convert_to_numpy(backbone(pixels[None] / 127.5 - 1)).mean(axis=(1, 2))
    np.testing.assert_allclose(arrays["features"][-1:], expected, rtol=1e-4, atol=1e-6)


def test_the_notes_of_a_dataset_are_printed_with_its_features(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "stripes.npz", x_train=rng.integers(0, 256, (20, 28, 28), np.uint8), y_train=np.arange(20) % 2)
    assert extract_features.main(["lenet5", "--dataset", str(tmp_path / "stripes.npz"), "--weights", "none", "--gpu",
                                  "none", "-o", str(tmp_path / "features.npz")]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ")]
    assert notes and "validation" in notes[0]  # it is split off from the training images


def test_extract_features_overwrites_only_features(pets, source, tmp_path, capsys):
    output = tmp_path / "best.npz"
    output.write_bytes((source / "checkpoints" / "best.npz").read_bytes())
    arguments = ["lenet5", "--data", str(pets), "--weights", "mnist", "-o", str(output), "--gpu", "none"]
    assert extract_features.main(arguments) == 2
    check_message(capsys.readouterr().err, output)
    assert output.read_bytes() == (source / "checkpoints" / "best.npz").read_bytes()
    np.savez(output, features=np.zeros(3))
    assert extract_features.main(arguments) == 0
    with np.load(output) as file:
        assert file["features"].shape == (20, 16)


def test_an_unknown_pixel_scaling_is_reported(pets, tmp_path, capsys):
    zoo.build("lenet5", include_top=False).save_weights(tmp_path / "a.weights.h5")
    assert extract_features.main(["lenet5", "--data", str(pets), "--weights", str(tmp_path / "a.weights.h5"),
                                  "--image-size", "28", "-o", str(tmp_path / "a.npz"), "--gpu", "none"]) == 0
    assert re.search(r"(?i)a\.weights\.h5\b.*\bpixels\b|\bpixels\b.*a\.weights\.h5\b", capsys.readouterr().out)


def test_weights_that_do_not_fit_leave_no_run(source, tmp_path, capsys):
    path = shutil.copy(source / "checkpoints" / "best.npz", tmp_path)  # no longer known as a run of resnet18
    assert finetune.main(["resnet34", "--dataset", "digits", "--width", "0.05", "--limit", "20", "--weights",
                          str(path), "--output-dir", str(tmp_path / "runs"), "--gpu",
                          "none"]) == 2
    check_text(capsys.readouterr().err.splitlines()[-1], "best.npz", "resnet34")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("copy", [False, True])
def test_bundled_weights_given_by_path_are_named(copy, tmp_path, capsys):
    path = pretrained.BUNDLED_FOLDER / "resnet18-cifar10.npz"
    if copy:
        path = shutil.copy(path, tmp_path)
    assert finetune.main(["resnet18", "--dataset", "digits", "--limit", "20", "--weights", str(path), "--output-dir",
                          str(tmp_path / "runs"), "--gpu", "none"]) == 2
    check_message(capsys.readouterr().err.splitlines()[-1], "resnet18-cifar10.npz", "--weights cifar10")
    assert not (tmp_path / "runs").exists()


def test_a_custom_head_is_not_loaded_into_a_network(two_stage_run):
    with pytest.raises(ValueError) as error:
        zoo.build("resnet18", (28, 28, 1), 10, width=0.05, weights=str(two_stage_run[0]))
    check_message(error.value, "staged", "zoo.load")
    zoo.build("resnet18", (28, 28, 1), include_top=False, width=0.05, weights=str(two_stage_run[0]))


def test_the_model_of_a_run_is_built_for_larger_images(source):
    model = zoo.build("resnet18", (112, 112, 1), include_top=False, weights=str(source))
    assert model.get_layer("conv1").strides == (1, 1)  # of the small stem; the paper's fits the weights, too
    kernel = read_weights(source)["conv2_1_conv1/kernel"]
    assert np.array_equal(model.get_layer("conv2_1_conv1").get_weights()[0], kernel)
    with pytest.raises(UserError) as error:
        zoo.build("resnet18", (112, 112, 1), include_top=False, weights=str(source), stem="paper")
    check_message(error.value, source, "stem", "small")


def test_the_statistics_of_the_dataset_are_not_needed_for_an_export(two_stage_run, tmp_path, capsys):
    """The pixels of a fine-tuned run are scaled as its own configuration says."""
    run = shutil.copytree(two_stage_run[0], tmp_path / "run")
    config = json.loads((run / "run.json").read_text())
    del config["dataset"]["mean"]
    (run / "run.json").write_text(json.dumps(config))
    assert export.main([str(run), "--format", "weights", "-o", str(tmp_path / "a.weights.h5"), "--gpu", "none"]) == 0
    check_text(capsys.readouterr().out, "a.weights.h5", "stem='small'", "rgb")


def test_a_damaged_run_json_is_refused(two_stage_run, tmp_path):
    shutil.copytree(two_stage_run[0], tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(ValueError) as error:
        zoo.build("resnet18", weights=str(tmp_path / "run"))
    check_message(error.value, tmp_path / "run" / "run.json")


def test_extract_an_inner_layer_of_a_run(source, tmp_path):
    output = tmp_path / "f.npz"
    assert extract_features.main(["resnet18", "--dataset", "digits", "--limit", "5", "--weights", str(source),
                                  "--feature-layer",
                                  "conv3_1_add", "--pooling", "none", "-o", str(output), "--gpu", "none"]) == 0
    with np.load(output) as file:
        assert file["features"].shape == (15, 14, 14, 6) and file["files"][6] == "validation/1"


@pytest.mark.slow
@pytest.mark.parametrize("network", sorted(registry.select_models("image")))
def test_extract_for_every_network(network, tmp_path):
    """On images of 64x64; lenet5_1998 on 32x32, its maximum."""
    (tmp_path / "a").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a" / "a.png")
    size = "32" if registry.get_model_info(network).max_size else "64"
    assert extract_features.main([network, "--data", str(tmp_path), "--image-size", size, "--weights", "none",
                                  "-o", str(tmp_path / "f.npz"), "--gpu", "none"]) == 0
    with np.load(tmp_path / "f.npz") as file:
        assert np.isfinite(file["features"]).all() and file["features"].std() > 0


def test_predict_with_bundled_weights(tmp_path, capsys):
    from zoo.data.datasets import load_dataset_by_name

    images, labels = load_dataset_by_name("digits").test.batch([0, 1, 2])
    for index, image in enumerate(images):
        Image.fromarray(image[:, :, 0]).save(tmp_path / f"{index}.png")
    assert predict.main(["lenet5", "--weights", "mnist", str(tmp_path), "--top-k", "1", "--gpu", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == [str(label) for label in labels]
    assert predict.main(["lenet5", str(tmp_path)]) == 2
    check_message(capsys.readouterr().err, "lenet5", "--weights")
    assert predict.main(["lenet5", str(tmp_path), "--weights", "mnst"]) == 2
    check_message(capsys.readouterr().err, "'mnst'", "'mnist'")


def check_fetch(message, folder):
    """Check that a message names the file that could not be downloaded, its URL and the path for it."""
    name = re.search(r"xception_weights_tf_dim\S*\.h5", message)[0]
    check_text(message, (folder / "nowhere").as_uri(), folder / "models" / name)


def test_weights_that_cannot_be_fetched_leave_no_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "KERAS_URL", (tmp_path / "nowhere").as_uri() + "/")
    arguments = ["xception", "--dataset", "digits", "--limit", "5", "--gpu", "none"]
    assert finetune.main([*arguments, "--output-dir", str(tmp_path / "runs")]) == 2
    check_fetch(capsys.readouterr().err, tmp_path)
    assert not (tmp_path / "runs").exists()
    assert extract_features.main([*arguments, "-o", str(tmp_path / "f.npz")]) == 2
    check_fetch(capsys.readouterr().err, tmp_path)
