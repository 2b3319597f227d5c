"""zoo evaluate and zoo predict on a run; zoo compare; their refusals."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message, check_text
from PIL import Image

import zoo
from zoo.cli import compare, evaluate, predict, train
from zoo.data.datasets import load_dataset_by_name
from zoo.errors import UserError
from zoo.runs.data import (check_same_data, find_data_dir, find_run_dataset, load_given_dataset,
                           reload_run_split)
from zoo.runs.evaluation import is_within
from zoo.training import evaluation, header, keras_file
from zoo.weights import pretrained

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train a run of two epochs on 150 images."""
    folder = tmp_path_factory.mktemp("runs")
    assert train.main(["lenet5", "--gpu", "none", "--limit", "150", "--epochs", "2", "--output-dir", str(folder),
                       "--name", "first"]) == 0
    return folder / "first"


@pytest.fixture
def run_copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def read_config(run):
    return json.loads((run / "run.json").read_text())


def check_refusal(capsys, main, *arguments, parts):
    """Check the one-line error of a command."""
    assert main([str(argument) for argument in arguments]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ")
    check_message(output.err, *parts)


# zoo evaluate

@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_evaluation_reproduces_the_metrics_of_the_training(run, checkpoint):
    config, result = read_config(run), json.loads((run / "result.json").read_text())
    split = load_dataset_by_name("digits", limit=150).test
    probabilities = evaluation.predict_probabilities(evaluation.load_logits_model(run, config, checkpoint), split,
                                                     config["recipe"]["batch_size"])
    metrics = evaluation.compute_metrics(probabilities, split.labels)
    assert metrics["accuracy"] == result[f"test_accuracy_{checkpoint}"]
    if checkpoint == "best":
        assert np.array_equal(probabilities, np.load(run / "predictions.npz")["probabilities"])
        assert metrics["ece"] == result["ece"]
        recalls = [correct / total for correct, total in zip(metrics["per_class_correct"], metrics["per_class_total"],
                                                             strict=True)]
        assert dict(zip("0123456789", recalls, strict=True)) == result["per_class"]


def test_the_output_of_evaluate(run, capsys):
    assert evaluate.main([str(run), "--gpu", "none"]) == 0
    result = json.loads((run / "result.json").read_text())
    lines = capsys.readouterr().out.splitlines()
    values = dict(line.split(maxsplit=1) for line in lines[:7])
    num_correct = round(result["test_accuracy_best"] * 150)
    check_message(values["split"], "test", 150)
    check_message(values["accuracy"], f"{result['test_accuracy_best']:.2%}", num_correct, 150)
    check_message(values["ece"], f"{result['ece']:.4f}")
    first = next(index for index, line in enumerate(lines) if line.split()[-1:] == ["F1"])
    table = [line.split() for line in lines[first + 1:][:10]]
    assert [[name, images, recall] for name, images, _, recall, _ in table] == [
        [name, "15", f"{fraction:.2%}"] for name, fraction in result["per_class"].items()]
    assert lines[first + 11].split()[-2:] == [f"{result['macro_recall']:.2%}", f"{result['macro_f1']:.2%}"]
    assert lines[-1].startswith("note: ")
    check_message(lines[-1], "test")


def test_evaluate_on_the_validation_split(run, capsys):
    assert evaluate.main([str(run), "--split", "validation", "--gpu", "none"]) == 0
    output = capsys.readouterr().out
    result = json.loads((run / "result.json").read_text())
    assert re.search(rf"^accuracy +{result['val_accuracy_best']:.2%}", output, re.MULTILINE) and "note: " not in output


@pytest.mark.parametrize("arguments, parts", [
    (["--checkpoint", "lst"], ["'lst'", "'last'"]), (["--split", "train"], ["'train'", "test, validation"]),
    (["--batch-size", "0"], ["--batch-size", "'0'"]), (["--gpu", "x"], ["--gpu", "x", "auto"]),
    (["--data"], ["--data"]), (["--dat", "x"], ["'--dat'", "--data"])])
def test_invalid_arguments_of_evaluate(run, capsys, arguments, parts):
    check_refusal(capsys, evaluate.main, run, *arguments, parts=parts)


def test_evaluate_requires_a_run_with_an_epoch(run_copy, tmp_path, capsys):
    check_refusal(capsys, evaluate.main, tmp_path / "nowhere", parts=[tmp_path / "nowhere"])
    check_refusal(capsys, evaluate.main, tmp_path, parts=[tmp_path, "run.json"])
    (run_copy / "checkpoints" / "last.npz").unlink()
    check_refusal(capsys, evaluate.main, run_copy, "--checkpoint", "last", parts=[run_copy, "'last'"])


@pytest.mark.parametrize("name, content", [
    ("run.json", b"{"), ("checkpoints/best.npz", b"PK\3\4"), ("predictions.npz", b"")])
def test_evaluate_names_a_damaged_file(run_copy, capsys, name, content):
    (run_copy / name).write_bytes(content)
    check_refusal(capsys, evaluate.main, run_copy, "--gpu", "none", parts=[run_copy / name])


@pytest.mark.parametrize("change, parts", [
    (lambda config: config.pop("model_config"), ["run.json", "model_config"]),
    (lambda config: config["model_config"].update(width="wide"), ["run.json", "width", "'wide'"]),
    (lambda config: config["dataset"].update(std=[0.0]), ["run.json", "std", "[0.0]"]),
    (lambda config: config["dataset"].update(name="digit"), ["'digit'", "'digits'"]),
    (lambda config: config.update(limit=100), ["test", 100, 150, "--data-dir", "--data"]),
    (lambda config: config.update(limit="all"), ["run.json", "limit", "'all'"]),
], ids=["no model_config", "width", "std", "dataset", "another limit", "no limit"])
def test_evaluate_refuses_an_inconsistent_run_json(run_copy, capsys, change, parts):
    config = read_config(run_copy)
    change(config)
    (run_copy / "run.json").write_text(json.dumps(config))
    check_refusal(capsys, evaluate.main, run_copy, "--gpu", "none", parts=parts)


def test_evaluate_refuses_another_test_split(run_copy, capsys):
    arrays = dict(np.load(run_copy / "predictions.npz"))
    np.savez(run_copy / "predictions.npz", **{**arrays, "labels": arrays["labels"][::-1]})
    check_refusal(capsys, evaluate.main, run_copy, "--gpu", "none", parts=["test", run_copy, "--data-dir", "--data"])


def test_an_image_folder_that_has_moved(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(10):
            Image.new("L", (4, 4), index).save(tmp_path / "pets" / name / f"{index}.png")
    config = {"dataset": {"name": "pets", "kind": "folder", "labels_from": "folder", "source": str(tmp_path / "pets"),
                          "shape": [4, 4, 1], "class_names": ["cat", "dog"], "test": 2}}
    assert len(reload_run_split(tmp_path / "run", config, "test")[0]) == 2
    (tmp_path / "pets").rename(tmp_path / "animals")
    with pytest.raises(UserError) as error:
        reload_run_split(tmp_path / "run", config, "test")
    check_message(error.value, tmp_path / "run", tmp_path / "pets", "--data-dir")
    split, source = reload_run_split(tmp_path / "run", config, "test", tmp_path / "animals")
    assert len(split) == 2 and source == str(tmp_path / "animals")
    (tmp_path / "animals" / "cat").rename(tmp_path / "animals" / "owl")
    with pytest.raises(UserError) as error:
        reload_run_split(tmp_path / "run", config, "test", tmp_path / "animals")
    check_message(error.value, "without 'cat', with 'owl'", "--data-dir", "--data")


def test_a_resumed_run_takes_its_files_from_another_place_with_its_own_arguments(tmp_path):
    for index in range(20):
        path = tmp_path / "pets" / f"{('cat', 'dog')[index % 2]}.{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4), index).save(path)
    (tmp_path / "pets" / "cat.bad.png").write_text("no image")
    dataset = zoo.load_data(tmp_path / "pets", shape=(4, 4, 1), labels_from="filename", invalid_images="skip")
    config = {"model": "lenet5", "dataset": json.loads(json.dumps(header.make_dataset_metadata(dataset)))}
    (tmp_path / "run.json").write_text(json.dumps(config))
    (tmp_path / "pets").rename(tmp_path / "animals")
    moved = load_given_dataset(tmp_path, config, tmp_path / "animals")
    check_same_data(tmp_path, moved)
    assert moved.info.class_names == ("cat", "dog") and moved.origin["labels_from"] == "filename"


def test_images_of_the_same_names_and_sizes_with_another_white_level_are_not_the_runs(tmp_path):
    for name in ("low", "high"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for index in range(10):
            Image.fromarray(np.array([[4095, index]], np.uint16)).save(tmp_path / "scans" / name / f"{index}.tif")
    dataset = zoo.load_data(tmp_path / "scans", shape=(1, 2, 1))
    config = {"model": "lenet5", "dataset": header.make_dataset_metadata(dataset)}
    (tmp_path / "run.json").write_text(json.dumps(config))
    check_same_data(tmp_path, zoo.load_data(tmp_path / "scans", shape=(1, 2, 1)))
    for path in (tmp_path / "scans").rglob("*.tif"):
        Image.fromarray(np.asarray(Image.open(path)) * np.uint16(16)).save(path)
    with pytest.raises(UserError) as error:
        check_same_data(tmp_path, zoo.load_data(tmp_path / "scans", shape=(1, 2, 1)))
    check_message(error.value, 4095, 65535, "--data-dir")


def test_an_npz_file_that_has_moved(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros((30, 4, 4), np.uint8), y_train=np.arange(30) % 2)
    config = {"dataset": {"kind": "npz", "name": "a", "source": str(tmp_path / "old" / "a.npz"), "shape": [4, 4, 1],
                          "class_names": ["cat", "dog"]}}
    with pytest.raises(UserError) as error:
        find_run_dataset(tmp_path / "run", config)
    check_message(error.value, tmp_path / "run", tmp_path / "old" / "a.npz", "--data-dir")
    for location in (tmp_path, tmp_path / "a.npz"):
        assert len(find_run_dataset(tmp_path / "run", config, location).train) == 24
    del config["dataset"]["class_names"]
    with pytest.raises(UserError) as error:
        find_run_dataset(tmp_path / "run", config, tmp_path)
    check_message(error.value, tmp_path / "run" / "run.json", "class_names")


@pytest.mark.parametrize("path, expected", [("proj/pets", True), ("proj/../proj/pets/cat", True), ("link", True),
                                            ("proj/pets2", False), ("proj", False)])
def test_images_within_the_folder_of_the_training(path, expected, tmp_path):
    (tmp_path / "proj" / "pets" / "cat").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "proj" / "pets")
    assert is_within(str(tmp_path / path), str(tmp_path / "proj" / "pets")) == expected
    assert not is_within("arrays", "arrays")


def test_data_are_searched_where_the_training_found_them(tmp_path):
    entry = {"name": "cifar100", "source": str(tmp_path)}
    assert find_data_dir(entry) is None
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).touch()
    assert find_data_dir(entry) == tmp_path
    assert find_data_dir({"name": "cifar10", "source": str(tmp_path)}) is None
    (tmp_path / "mnist.npz").touch()
    assert find_data_dir({"name": "mnist", "source": str(tmp_path / "mnist.npz")}) == tmp_path
    assert find_data_dir({"name": "cifar100", "source": "a package, and no folder"}) is None


# zoo predict

@pytest.fixture(scope="module")
def images_dir(tmp_path_factory):
    """Write a folder of images of several kinds; digit.png is image 0 of the test split."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "deep" / "deeper").mkdir(parents=True)
    digit = Image.fromarray(load_dataset_by_name("digits", limit=150).test.batch([0])[0][0, ..., 0])
    digit.save(folder / "digit.png")
    digit.resize((90, 50)).convert("RGB").save(folder / "deep" / "color.jpg")
    Image.eval(digit, lambda value: 255 - value).save(folder / "deep" / "deeper" / "inverted.bmp")
    (folder / "deep" / "notes.txt").write_text("no image")
    return folder


def test_predict_reproduces_the_probabilities_of_the_test(run, images_dir, capsys):
    assert predict.main([str(run), str(images_dir / "digit.png"), "--top-k", "3", "--gpu", "none"]) == 0
    probabilities = np.load(run / "predictions.npz")["probabilities"][0]
    best = np.argsort(-probabilities)[:3]
    predictions = ", ".join(f"{name} {probabilities[name]:.2%}" for name in best)
    assert capsys.readouterr().out == f"{images_dir / 'digit.png'}: {predictions}\n"


def test_folders_are_searched_and_transformations_are_reported(run, images_dir, capsys):
    assert predict.main([str(run), str(images_dir), "--top-k", "1", "--gpu", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        str(images_dir / name) for name in ("deep/color.jpg", "deep/deeper/inverted.bmp", "digit.png")]
    assert ["(" in line for line in lines] == [True, True, False]
    check_text(lines[0], "50x90", "28x28")
    check_text(lines[1], "digits")


def test_invalid_images_are_named_and_the_others_are_predicted(run, images_dir, tmp_path, capsys):
    content = (images_dir / "digit.png").read_bytes()
    (tmp_path / "half.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "words.png").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    shutil.copy(images_dir / "digit.png", tmp_path / "sound.png")
    assert predict.main([str(run), str(tmp_path), "--gpu", "none"]) == 2
    output = capsys.readouterr()
    assert output.out.startswith(f"{tmp_path / 'sound.png'}: ") and output.out.count("\n") == 1
    *errors, last = output.err.splitlines()
    for line, name in zip(errors, ("empty.jpg", "half.png", "words.png"), strict=True):
        check_message(line, tmp_path / name)
    check_message(last, 3, 4)
    check_refusal(capsys, predict.main, run, tmp_path / "half.png", "--gpu", "none", parts=[tmp_path / "half.png"])


def test_a_keras_file_without_class_names(run, images_dir, tmp_path, capsys):
    zoo.load(run).save(tmp_path / "model.keras")
    arguments = [tmp_path / "model.keras", images_dir / "digit.png", "--top-k", "2", "--gpu", "none"]
    assert predict.main([*map(str, arguments)]) == 0
    probabilities = np.load(run / "predictions.npz")["probabilities"][0]
    best = np.argsort(-probabilities)[:2]
    predictions = re.findall(r"\b(\d) (\d+\.\d\d%)", capsys.readouterr().out.rpartition("digit.png")[2])
    assert predictions == [(str(name), f"{probabilities[name]:.2%}") for name in best]


def test_a_keras_file_with_a_labels_file(run, images_dir, tmp_path, capsys):
    zoo.load(run).save(tmp_path / "model.keras")
    names = "nought one two three four five six seven eight nine".split()
    (tmp_path / "model.labels.txt").write_text("\n".join(names) + "\n")
    arguments = [str(tmp_path / "model.keras"), str(images_dir / "digit.png"), "--top-k", "1", "--gpu", "none"]
    assert predict.main(arguments) == 0
    best = np.load(run / "predictions.npz")["probabilities"][0].argmax()
    check_message(capsys.readouterr().out, images_dir / "digit.png", names[best])


@pytest.mark.parametrize("content, parts", [(b"cat\ndog\n", [2, "my.keras", 3]), (b"cat\ndog\n\xff\n", [])],
                         ids=["fewer", "no text"])
def test_class_names_that_do_not_fit_are_ignored(tmp_path, capsys, content, parts):
    assert keras_file.read_class_names(tmp_path / "my.keras", 3) is None and capsys.readouterr().err == ""
    (tmp_path / "my.labels.txt").write_bytes(content)
    assert keras_file.read_class_names(tmp_path / "my.keras", 3) is None
    check_message(capsys.readouterr().err, tmp_path / "my.labels.txt", *parts)


def test_a_keras_file_without_probabilities_is_refused(tmp_path, images_dir, capsys):
    import keras

    image = keras.Input((28, 28, 1))
    logits = keras.layers.Dense(10, bias_initializer=keras.initializers.Constant(-1.0))(keras.layers.Flatten()(image))
    keras.Model(image, logits).save(tmp_path / "logits.keras")
    check_refusal(capsys, predict.main, tmp_path / "logits.keras", images_dir / "digit.png", "--gpu", "none",
                  parts=[tmp_path / "logits.keras", "softmax"])


def test_invalid_arguments_of_predict(run, images_dir, tmp_path, capsys):
    digit = images_dir / "digit.png"
    (tmp_path / "bad.keras").write_text("no model")
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    for arguments, parts in (([run, tmp_path / "none.png"], [tmp_path / "none.png"]),
                             ([run, tmp_path], [tmp_path, "2 .keras", ".png", ".jpg"]),
                             ([tmp_path / "x.keras", digit], [tmp_path / "x.keras"]),
                             ([tmp_path / "bad.keras", digit], [tmp_path / "bad.keras", "zip"]),
                             ([tmp_path / "odd.keras", digit], [tmp_path / "odd.keras", "config.json"]),
                             ([tmp_path, digit], [tmp_path, "run.json"]),
                             ([run, digit, "--top-k", "0"], ["--top-k", "'0'"]),
                             ([run, digit, "--checkpoint", "lst"], ["'lst'", "'last'"]), ([run], ["IMAGE"])):
        check_refusal(capsys, predict.main, *arguments, parts=parts)


@pytest.mark.parametrize("arguments, parts", [
    (["lenet5"], ["lenet5", "--weights mnist"]), (["vgg16"], ["vgg16", "--weights imagenet", "FILE"]),
    (["alexnet_2014"], ["alexnet_2014", "--weights", "FILE"]),
    (["lenet5", "--weights", "RUN"], ["python -m zoo predict run IMAGE"]),
    (["lenet5", "--weights", "my.keras"], ["python -m zoo predict my.keras IMAGE"]),
    (["RUN", "--weights", "mnist"], ["--weights", "run"]),
    (["my.keras", "--weights", "mnist"], ["--weights", "my.keras"]),
    (["lenet5", "--weights", "mnist", "--checkpoint", "last"], ["--checkpoint", "mnist"])])
def test_invalid_weights_of_predict(tmp_path, monkeypatch, capsys, arguments, parts):
    import keras

    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]).save("my.keras")
    arguments = ["run" if argument == "RUN" else argument for argument in arguments]
    check_refusal(capsys, predict.main, *arguments, "x.png", parts=parts)


def test_a_network_without_weights_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pretrained, "BUNDLED_FOLDER", tmp_path)  # without bundled weights
    check_refusal(capsys, predict.main, "nin", "x.png", parts=["nin", "python -m zoo.train nin"])


@pytest.mark.parametrize("change, parts", [
    (lambda config: config.pop("model_config"), [1, 3, "None"]),
    (lambda config: config["model_config"].update(input_shape=[28, 28]), [1, 3, "[28, 28]"]),
    (lambda config: config["dataset"].update(mean=["x"]), ["run.json"]),
    (lambda config: config["dataset"].update(class_names=["0", "1"]), ["run.json", 2, 10]),
], ids=["no model_config", "shape", "mean", "names"])
def test_predict_refuses_an_inconsistent_run_json(run_copy, images_dir, capsys, change, parts):
    config = read_config(run_copy)
    change(config)
    (run_copy / "run.json").write_text(json.dumps(config))
    check_refusal(capsys, predict.main, run_copy, images_dir / "digit.png", "--gpu", "none", parts=[run_copy, *parts])


# zoo compare: run directories with only the files that it reads

@pytest.fixture
def make_run(tmp_path):
    def write(name, accuracies=None, seed=0, **recipe):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({
            "model": "lenet5", "parameters": 61706, "seed": seed, "recipe": {"epochs": 2, **recipe},
            "dataset": {"name": "digits", "class_names": ["0", "1"]}}))
        rows = "".join(f"{epoch},0.1,1.0,0.5,{1 / epoch},0.{4 + epoch}\n" for epoch in (1, 2)[: 2 if accuracies else 1])
        (folder / "history.csv").write_text(f"epoch,learning_rate,loss,accuracy,val_loss,val_accuracy\n{rows}")
        if accuracies:
            (folder / "result.json").write_text(json.dumps({
                "test_accuracy_best": accuracies[0], "test_accuracy_last": accuracies[1], "best_epoch": 2,
                "seconds": 12.4}))
        return str(folder)

    return write


def test_the_table_of_differences_and_the_spread_over_seeds(make_run, tmp_path, capsys):
    """The standard deviation of 96, 97 and 99 is sqrt((16/9 + 1/9 + 25/9) / 2) = sqrt(7/3) = 1.53."""
    runs = [make_run("a", (0.96, 0.95), 0, learning_rate=0.05), make_run("b", (0.97, 0.95), 1, learning_rate=0.05),
            make_run("c", (0.99, 0.95), 2, learning_rate=0.05), make_run("d", (0.5, 0.5), 0, learning_rate=5.0),
            make_run("e", None, 3, learning_rate=0.05)]
    image = tmp_path / "out.png"
    assert compare.main([*runs, "-o", str(image)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "run" and "learning_rate" in lines[0] and "seed" in lines[0]
    assert lines[1].split() == "a lenet5 61,706 digits 0 0.05 2 12 96.00% 95.00%".split()
    unfinished = lines[5].split()
    assert unfinished[:7] == "e lenet5 61,706 digits 3 0.05 1".split() and unfinished[-4:] == ["2", "-", "-", "-"]
    check_message(lines[7], "lenet5", "digits", 3, "97.33 ± 1.53%", "95.00 ± 0.00%")
    check_message(lines[8], "a, b, c")
    assert lines[-1] == str(image) and image.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_fields_missing_in_a_run_json_are_noted_and_not_compared(make_run, tmp_path, capsys):
    runs = [make_run("a", (0.9, 0.9), 0, momentum=0.9), make_run("b", (0.8, 0.8), 1)]
    assert compare.main([*runs, "-o", str(tmp_path / "x.png")]) == 0
    output = capsys.readouterr().out
    [note] = [line for line in output.splitlines() if line.startswith("note: ")]
    check_message(note, "run.json", "momentum")
    assert "±" not in output
    assert "momentum" not in output.splitlines()[0]


def test_the_same_seed_twice_is_no_spread(make_run, tmp_path, capsys):
    assert compare.main([make_run("a", (0.9, 0.9)), make_run("b", (0.9, 0.9)), "-o", str(tmp_path / "x.png")]) == 0
    assert "±" not in capsys.readouterr().out


FINETUNING = {"weights": "imagenet", "head_layers": [], "pooling": "avg", "feature_layer": "", "frozen_until": "",
              "upsample": 1, "scale": [1.0], "offset": [0.0], "channel_order": "rgb"}


@pytest.mark.parametrize("entry, one, other, column", [
    ("precision", "float32", "bfloat16", "precision"),
    ("model_config", {"name": "lenet5", "input_shape": [32, 32, 1]}, {"name": "lenet5", "input_shape": [64, 64, 1]},
     "input_shape"),
    ("finetuning", FINETUNING, {**FINETUNING, "scale": [1 / 127.5], "offset": [-1.0]}, "preprocessing"),
    ("dataset", {"name": "digits", "class_names": ["0", "1"], "mean": [0.5]},
     {"name": "digits", "class_names": ["0", "1"], "mean": [0.1]}, None),
    ("dataset", {"name": "arrays", "class_names": ["0", "1"], "fingerprint": "0123456789"},
     {"name": "arrays", "class_names": ["0", "1"], "fingerprint": "abcdefghij"}, "data"),
    ("a later setting", 1, 2, None)])
def test_runs_that_differ_in_more_than_the_seed_are_not_averaged(make_run, tmp_path, entry, one, other, column):
    runs = [make_run("a", (0.9, 0.9), 0), make_run("b", (0.8, 0.8), 1), make_run("c", (0.7, 0.7), 2)]
    for run, value in zip(runs, (one, one, other), strict=True):
        path = Path(run) / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), entry: value, "device": run, "command": run}))
    comparison = zoo.compare_runs(runs)
    assert "85.00 ± 7.07%" in str(comparison) and "(a, b)" in str(comparison)
    assert column is None or column in comparison.columns


def test_the_page_of_a_comparison(make_run, tmp_path, capsys):
    page = tmp_path / "out.html"
    assert compare.main([make_run("a", (0.9, 0.9)), make_run("b<i>", (0.8, 0.8), 1), "-o", str(page)]) == 0
    text = page.read_text()
    assert "85.00 ± 7.07%" in text and "b&lt;i&gt;" in text and "<i>" not in text
    assert text.count('<svg class="chart"') == 5


def test_runs_without_an_epoch_have_no_curves(make_run, tmp_path, capsys):
    runs = [make_run("a"), make_run("b", None, 1)]
    for run in runs:
        (Path(run) / "history.csv").unlink()
    assert compare.main([*runs, "-o", str(tmp_path / "x.png")]) == 0
    output = capsys.readouterr().out
    assert "curves" in output and "x.png" not in output
    assert not (tmp_path / "x.png").exists()


def test_invalid_arguments_of_compare(make_run, tmp_path, capsys):
    a, b = make_run("a", (0.9, 0.9)), make_run("b", (0.9, 0.9), 1)
    (tmp_path / "link").symlink_to(a)
    for arguments, parts in (([a], [a]), ([a, a], [a]), ([a, b, tmp_path / "link"], [tmp_path / "link"]),
                             ([a, tmp_path], [tmp_path, "run.json"]),
                             ([a, b, "-o", "x.gif"], [".png", ".html", "'x.gif'"]),
                             ([a, b, "-o", tmp_path / "none" / "x.png"],
                              [tmp_path / "none" / "x.png", tmp_path / "none"])):
        check_refusal(capsys, compare.main, *arguments, parts=parts)
    (Path(b) / "history.csv").write_text("damage")
    check_refusal(capsys, compare.main, a, b, parts=[Path(b) / "history.csv"])


def test_refusals_and_help_load_no_backend():
    code = ("import sys\nfrom zoo.cli import compare, evaluate, predict\n"
            "for command in (compare, evaluate, predict):\n"
            "    assert command.main(['nowhere', 'nothing']) == 2\n"
            "    try:\n        command.main(['--help'])\n    except SystemExit:\n        pass\n"
            "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules), file=sys.stderr)")
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stderr.splitlines()[-1] == "set()"
