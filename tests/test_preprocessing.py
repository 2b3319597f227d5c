"""The scaling of pixels for given weights: reported by every command, and set with --preprocessing."""

import json

import keras
import numpy as np
import pytest
from helpers import check_text, write_pets
from PIL import Image
from test_parity import randomize, relative_difference

import zoo
from zoo.cli import extract_features, finetune, predict, visualize
from zoo.data import dataset_info
from zoo.errors import UserError
from zoo.weights import pretrained, sources

NARROW = ("--width", "0.0625", "--image-size", "32", "--gpu", "none")
# a white pixel, scaled by hand, in the channel order of the network's input
WHITE = {"imagenet-caffe": (255 - 103.939, 255 - 116.779, 255 - 123.68), "symmetric": (1,) * 3, "none": (255,) * 3,
         "imagenet-torch": ((1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write pets/ and a narrow vgg16 backbone, as ours.h5 and, with the names of keras.applications, as theirs.h5."""
    folder = tmp_path_factory.mktemp("preprocessing")
    write_pets(folder / "pets", (32, 32, 3), ".png")
    Image.fromarray(np.full((32, 32, 3), 255, np.uint8)).save(folder / "white.png")
    model = zoo.build("vgg16", (32, 32, 3), width=0.0625, include_top=False)
    randomize(model)
    model.save(folder / "ours.h5")
    keras_names = {f"conv{block}_{index}": f"block{block}_conv{index}" for block in range(1, 6)
                   for index in range(1, 4)}

    def rename(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, "name": keras_names.get(layer.name, layer.name)})

    renamed_model = keras.models.clone_model(model, clone_function=rename)
    renamed_model.set_weights(model.get_weights())
    renamed_model.save(folder / "theirs.h5")
    return folder


def scale_white(config):
    white = [255 * scale + offset for scale, offset in zip(config["scale"], config["offset"], strict=True)]
    return white[::-1] if config["channel_order"] == "bgr" else white


@pytest.mark.parametrize("file, preprocessing, expected, note", [
    ("theirs.h5", None, WHITE["imagenet-caffe"], True), ("theirs.h5", "symmetric", WHITE["symmetric"], False),
    ("ours.h5", "imagenet-torch", WHITE["imagenet-torch"], False), ("ours.h5", "none", WHITE["none"], False)])
def test_finetune_reports_and_stores_the_scaling(folder, file, preprocessing, expected, note, tmp_path, capsys):
    arguments = ["vgg16", "--data", str(folder / "pets"), "--weights", str(folder / file), *NARROW, "--epochs", "1",
                 "-b", "8", "--output-dir", str(tmp_path), "--name", "run"]
    assert finetune.main(arguments + (["--preprocessing", preprocessing] if preprocessing else [])) == 0
    config = json.loads((tmp_path / "run" / "run.json").read_text())["finetuning"]
    np.testing.assert_allclose(scale_white(config), expected, rtol=1e-5)
    header = capsys.readouterr().out
    (line,) = [line for line in header.splitlines() if line.startswith("pixels ")]
    assert (preprocessing or "imagenet-caffe") in line
    assert ("--preprocessing" in header) == note


def test_weights_of_a_run_keep_its_scaling(folder, tmp_path):
    """--preprocessing run is the default here; another name overrides it."""
    common = ["lenet5", "--data", "digits", "--limit", "30", "-b", "10", "--epochs", "1", "--gpu", "none", "--weights",
              "mnist", "--output-dir", str(tmp_path)]
    info = dataset_info.get_dataset_info("mnist")
    for name, arguments, expected in (("plain", [], (1 - info.mean[0]) / info.std[0]),
                                      ("run", ["--preprocessing", "run"], (1 - info.mean[0]) / info.std[0]),
                                      ("symmetric", ["--preprocessing", "symmetric"], 1)):
        assert finetune.main([*common, "--name", name, *arguments]) == 0
        config = json.loads((tmp_path / name / "run.json").read_text())["finetuning"]
        np.testing.assert_allclose(scale_white(config), [expected], rtol=1e-5)


def test_zoo_fit(folder, tmp_path):
    run = zoo.fit("vgg16", folder / "pets", weights=str(folder / "ours.h5"), preprocessing="symmetric", width=0.0625,
                  image_size=32, epochs=1, batch_size=10, gpu="none", output_dir=tmp_path)
    assert scale_white(run.config["finetuning"]) == pytest.approx([1, 1, 1])


def test_extract(folder, tmp_path, capsys):
    """The features are those of the backbone for pixels scaled by hand."""
    path = tmp_path / "features.npz"
    arguments = ["vgg16", "--data", str(folder / "pets"), *NARROW, "-o", str(path), "--weights"]
    assert extract_features.main([*arguments, str(folder / "ours.h5"), "--preprocessing", "imagenet-caffe"]) == 0
    assert "imagenet-caffe" in capsys.readouterr().out
    with np.load(path) as file:
        features, files = file["features"], file["files"]
    images = np.stack([np.asarray(Image.open(folder / "pets" / name), np.float32) for name in files])
    model = zoo.build("vgg16", (32, 32, 3), width=0.0625, include_top=False, pooling="avg",
                      weights=str(folder / "ours.h5"))
    expected = model.predict(images[..., ::-1] - np.float32([103.939, 116.779, 123.68]), verbose=0)
    assert relative_difference(features, expected) < 1e-5


@pytest.fixture(scope="module")
def lenet(folder):
    """Write a weights file of lenet5, which does not state the scaling of pixels."""
    model = zoo.build("lenet5")
    randomize(model)
    model.save(folder / "lenet.h5")
    return model


def test_predict(folder, lenet, capsys):
    arguments = ["lenet5", "--weights", str(folder / "lenet.h5"), str(folder / "white.png"), "--top-k", "1", "--gpu",
                 "none"]
    assert predict.main(arguments) == 2
    assert "--preprocessing" in capsys.readouterr().err
    for name, white in (("none", 255), ("symmetric", 1)):
        assert predict.main([*arguments, "--preprocessing", name]) == 0
        output = capsys.readouterr()
        probabilities = lenet.predict(np.full((1, 28, 28, 1), white, np.float32), verbose=0)[0]
        check_text(output.out, str(folder / "white.png"), str(probabilities.argmax()), f"{probabilities.max():.2%}")
        assert output.err.startswith("pixels ") and name in output.err
    assert predict.main([*arguments, "--preprocessing", "run"]) == 2
    error = capsys.readouterr().err
    check_text(error, str(folder / "lenet.h5"), "preprocessing", "run")
    assert error.count("\n") == 1


def test_visualize(folder, lenet, tmp_path, capsys):
    arguments = ["lenet5", "--image", str(folder / "white.png"), "--plot", "prediction", "-o", str(tmp_path / "a.png"),
                 "--gpu", "none"]
    assert visualize.main([*arguments, "--weights", str(folder / "lenet.h5")]) == 2
    assert visualize.main([*arguments, "--preprocessing", "none"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2 and "--preprocessing" in error[1] and "--weights" in error[1]
    assert visualize.main([*arguments, "--weights", str(folder / "lenet.h5"), "--preprocessing", "symmetric"]) == 0
    assert "symmetric" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, pins", [
    (["--weights", "mnist", "--preprocessing", "caffe"], ("'caffe'", "imagenet-caffe")),
    (["--weights", "mnist", "--preprocessing", "imagenet-torch"], ("imagenet-torch", "3", "1")),
    (["--weights", "none", "--preprocessing", "symmetric"], ("preprocessing",))])
def test_invalid_arguments_are_refused(arguments, pins, tmp_path, capsys):
    assert finetune.main(["lenet5", "--data", "digits", "--gpu", "none", "--output-dir", str(tmp_path),
                          *arguments]) == 2
    error = capsys.readouterr().err
    check_text(error, *pins)
    assert error.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_class_names_are_not_downloaded_for_files_of_zoo(folder, tmp_path):
    """A thousand classes imply ImageNet only in files of other programs."""
    from zoo.training import class_names

    zoo.build("lenet5", classes=1000, width=0.05).save(tmp_path / "a.h5")
    assert class_names.get_weights_class_names(sources.resolve_weights_source(tmp_path / "a.h5", "lenet5"),
                                               1000) is None


@pytest.mark.parametrize("name", pretrained.PREPROCESSING)
def test_the_scaling_of_each_name(name):
    scaling = pretrained.get_scaling(name)
    white = [255 * scale + offset for scale, offset in zip(scaling.scale, scaling.offset, strict=True)]
    np.testing.assert_allclose(white[::-1] if scaling.channel_order == "bgr" else white, WHITE[name], rtol=1e-5)
    assert name in pretrained.describe_scaling(scaling)


def test_a_scaling_without_a_name_is_described_by_its_numbers():
    description = pretrained.describe_scaling(pretrained.make_standard_scaling((0.1307,), (0.3081,)))
    assert "0.1307" in description and "0.3081" in description
    with pytest.raises(UserError, match=r"\b3\b"):
        pretrained.get_scaling("imagenet-caffe", 1)
