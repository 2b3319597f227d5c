"""Evaluation on other images than a run's own, and predictions: files of them, and images of all channels."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from helpers import check_message, check_text
from PIL import Image

import zoo
from zoo.cli import evaluate, predict
from zoo.errors import UserError
from zoo.runs.data import reload_run_split

NAMES = ["bottom", "middle", "top"]


def make_stripes(count, seed=0, channels=1):
    """Return images of three classes, distinguished by the position of a white row (NAMES), and labels."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 120, (count, 28, 28, channels), np.uint8), np.arange(count) % 3
    images[np.arange(count), 20 - 7 * labels] = 255
    return images, labels


def write_folder(folder, images, labels, size=(28, 28)):
    """Write images as files, in a folder for each class."""
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / NAMES[label] / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).resize(size).save(path)
    return folder


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "stripes", *make_stripes(150))


@pytest.fixture(scope="module")
def run(data_folder, tmp_path_factory):
    """Train on a flat folder: 120 images for training, 15 for validation and 15 for the test."""
    run = zoo.fit("lenet5", data_folder, epochs=3, batch_size=8, output_dir=tmp_path_factory.mktemp("runs"),
                  name="stripes")
    assert run.result["test_accuracy_best"] > 0.9
    return run


def refusal_message(capsys, main, *arguments):
    """Return the one-line error of a command."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--gpu", "none"]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ") and output.err.count("\n") == 1
    return output.err


# Other images

def test_metrics_are_in_the_result_and_in_the_evaluation(run):
    scores, result = run.evaluate(), run.result
    for name in ("macro_precision", "macro_recall", "macro_f1", "per_class_metrics"):
        assert scores[name] == result[name]
    assert [row["class"] for row in result["per_class_metrics"]] == NAMES
    assert [row["recall"] for row in result["per_class_metrics"]] == [*result["per_class"].values()]


def test_all_images_of_a_flat_folder_of_any_size(run, tmp_path):
    images, labels = make_stripes(31, seed=1)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    scores = run.evaluate(write_folder(tmp_path / "other", images, labels, size=(56, 56)))
    assert scores["total"] == 31 and scores["per_class_total"] == [11, 10, 10] and scores["accuracy"] > 0.9
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_classes_are_matched_by_name(run, tmp_path):
    """The folder lacks the first class, so that its own class indices are one less."""
    images, labels = make_stripes(30, seed=1)
    is_kept = labels > 0
    scores = run.evaluate(write_folder(tmp_path / "two", images[is_kept], labels[is_kept]))
    assert scores["per_class_total"] == [0, 10, 10] and scores["accuracy"] > 0.9
    assert scores["per_class_metrics"][0]["images"] == 0
    recalls = [row["recall"] for row in scores["per_class_metrics"]]
    assert scores["macro_recall"] == pytest.approx((recalls[1] + recalls[2]) / 2)


def test_a_validation_split_with_other_images_is_not_the_runs(run, data_folder, tmp_path):
    copy = shutil.copytree(data_folder, tmp_path / "stripes")
    assert run.evaluate(split="validation", data_dir=copy) == run.evaluate(split="validation")
    images, labels = make_stripes(150, seed=3)
    write_folder(copy, images, labels)
    with pytest.raises(UserError, match="validation.*data_dir="):
        run.evaluate(split="validation", data_dir=copy)


def test_the_test_split_of_a_source_that_has_splits(run, tmp_path):
    for split, count in (("train", 9), ("val", 6), ("test", 12)):
        write_folder(tmp_path / "split" / split, *make_stripes(count, seed=2))
    assert run.evaluate(tmp_path / "split")["total"] == 12
    assert run.evaluate(tmp_path / "split", split="validation")["total"] == 6
    images, labels = make_stripes(12, seed=2)
    np.savez(tmp_path / "both.npz", x_train=images[:6], y_train=labels[:6], x_test=images, y_test=labels)
    assert run.evaluate(tmp_path / "both.npz")["total"] == 12
    np.savez(tmp_path / "one.npz", train_images=images[..., 0], train_labels=labels[:, None])
    assert run.evaluate(tmp_path / "one.npz")["total"] == 12
    np.savez(tmp_path / "test.npz", x_test=images / 255, y_test=np.eye(3)[labels])
    scores = run.evaluate(tmp_path / "test.npz")
    assert "0 to 1" in scores["notes"][0] and scores == run.evaluate(tmp_path / "one.npz") | {"notes": scores["notes"]}
    shutil.rmtree(tmp_path / "split" / "test")
    with pytest.raises(UserError, match=r"\btest\b.*\btrain, validation\b"):
        run.evaluate(tmp_path / "split")


@pytest.mark.parametrize("source, split, parts", [
    (None, "val", ("'val'; give 'validation'",)), (None, "Training", ("'Training'; give 'train'",)),
    (None, "rest", ("rest", "'validation'")),
    ("validation", "test", ("validation", "split='validation'")),
    ("val", "test", ("val", "split='validation'")), (make_stripes(6), "dev", ("'dev'; give 'validation'",)),
    ((make_stripes(6), make_stripes(6)), "validation", ("validation", "train, test"))])
def test_unknown_split_names(run, source, split, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        run.evaluate(source, split=split)
    check_text(str(error.value), *parts)


def test_a_folder_named_like_a_split(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "val", *make_stripes(6))
    assert run.evaluate("val")["total"] == 6


def test_arrays_and_datasets(run):
    images, labels = make_stripes(30, seed=3)
    scores = run.evaluate((images, labels))
    assert scores["total"] == 30 and scores["accuracy"] > 0.9
    assert run.evaluate((images[..., 0], labels[:, None])) == scores
    assert run.evaluate((make_stripes(60), (images, labels))) == scores  # as Keras's load_data() returns them
    assert run.evaluate(((images, labels), make_stripes(60)), split="train") == scores
    assert run.evaluate(zoo.load_data(make_stripes(60), test_data=(images, labels))) == scores
    backwards = zoo.load_data((images, 2 - labels), test_data=(images, 2 - labels), class_names=NAMES[::-1])
    assert run.evaluate(backwards) == scores  # by the names


def test_the_output_of_the_command_for_other_images(run, data_folder, tmp_path, capsys):
    images, labels = make_stripes(30, seed=1)
    folder = write_folder(tmp_path / "two", images[labels > 0], labels[labels > 0])
    assert evaluate.main([str(run.path), "--data", str(folder), "--gpu", "none"]) == 0
    output = capsys.readouterr().out
    [line] = [line for line in output.splitlines() if str(folder) in line]
    check_text(line, "20", str(folder))
    assert re.search(r"\nmacro\D+2\D+20 ", output)
    row, missing = (line.split() for line in output.splitlines() if "bottom" in line)  # which has no images
    assert row[:2] == ["bottom", "0"] and missing[-1] == "bottom"
    assert evaluate.main([str(run.path), "--data", str(folder), "--json", "--gpu", "none"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["total"], scores["is_own"], scores["split"], scores["source"]) == (20, False, None, str(folder))
    assert scores["notes"] == []  # which its own test split has
    assert evaluate.main([str(run.path), "--data", str(data_folder), "--gpu", "none"]) == 0
    output = capsys.readouterr().out
    [note] = run.evaluate(data_folder)["notes"]
    check_text(note, str(run.path), str(data_folder))
    # the data that it was trained on
    assert str(run.path) in output.splitlines()[-1] and str(data_folder) in output.splitlines()[-1]


@pytest.mark.parametrize("data, parts", [
    ("cifar10", ("cifar10", "32x32x3", "28x28x1")), ("imdb", ("imdb", "texts", "images", "digits")),
    ("digits", ("'0'", "bottom, middle, top")), ("a.csv", ("a.csv", "texts", "images")),
])
def test_named_datasets_that_do_not_fit(run, data, parts, tmp_path, monkeypatch, capsys):
    """They are refused before anything is searched for or downloaded."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    line = refusal_message(capsys, evaluate.main, run.path.absolute(), "--data", data)
    assert all(part in line for part in parts), line


def test_invalid_other_images(run, tmp_path, capsys):
    images, labels = make_stripes(12)
    (tmp_path / "strange" / "horse").mkdir(parents=True)
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "strange" / "horse" / "a.png")
    np.savez(tmp_path / "large.npz", x_test=np.zeros((3, 32, 32, 3), np.uint8), y_test=labels[:3])
    np.savez(tmp_path / "four.npz", x_test=images, y_test=np.arange(12) % 4)
    np.savez(tmp_path / "odd.npz", images=images)
    (tmp_path / "empty").mkdir()
    for arguments, parts in ((["strange"], ("'horse'", "bottom, middle, top")), (["large.npz"], ("32x32x3", "28x28x1")),
                             (["four.npz"], ("four.npz", "3")),
                             (["odd.npz"], ("x_test and y_test", "test_images and test_labels", "images")),
                             (["odd.npz", "--split", "validation"], ("x_val and y_val", "val_images and val_labels")),
                             (["nowhere"], ("nowhere",)), (["empty"], ("empty",)),
                             (["four.npz", "--data-dir", "x"], ("--data-dir",)),
                             (["strange", "--split", "validation"], ("validation",))):
        line = refusal_message(capsys, evaluate.main, run.path, "--data", tmp_path / arguments[0], *arguments[1:])
        assert all(part in line for part in parts), line
    for data, parts in (((images, labels + 1), ("3", "bottom, middle, top")),
                        ((images[:, :20], labels), ("20x28x1", "28x28x1")),
                        ((images, labels, 3), ("(images, labels)", "3")), (5, ("int",))):
        with pytest.raises(UserError) as error:
            run.evaluate(data)
        check_message(error.value, *parts)


def test_other_images_with_the_labels_of_the_run_are_not_its_own(run, tmp_path, capsys):
    """Both folders have the same names and counts, so that the splits have the same labels."""
    images, labels = make_stripes(150)
    same = write_folder(tmp_path / "same", images, labels)
    other = write_folder(tmp_path / "other", 255 - images, labels)
    for split in ("test", "validation"):
        assert evaluate.main([str(run.path), "--data-dir", str(same), "--split", split, "--gpu", "none"]) == 0
        line = refusal_message(capsys, evaluate.main, run.path, "--data-dir", other, "--split", split)
        check_text(line, split, str(other))


def test_labels_from_file_names_and_invalid_images(run, tmp_path, capsys):
    for index, (image, label) in enumerate(zip(*make_stripes(12, seed=1))):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{NAMES[label]}.{index}.png")
    (tmp_path / "top.bad.png").write_text("no image")
    line = refusal_message(capsys, evaluate.main, run.path, "--data", tmp_path)
    check_text(line, "--labels-from filename")
    line = refusal_message(capsys, evaluate.main, run.path, "--data", tmp_path, "--labels-from", "filename")
    check_text(line, "top.bad.png", "--invalid-images skip")
    scores = run.evaluate(tmp_path, labels_from="filename", invalid_images="skip")
    assert scores["per_class_total"] == [4, 4, 4] and "top.bad.png" in scores["notes"][0]
    assert evaluate.main([str(run.path), "--data", str(tmp_path), "--labels-from", "filename", "--invalid-images",
                          "skip", "--gpu", "none"]) == 0
    for source, arguments in ((None, {"labels_from": "folder"}), (None, {"invalid_images": "skip"}),
                              (make_stripes(6), {"labels_from": "filename"})):
        with pytest.raises(UserError) as error:
            run.evaluate(source, **arguments)
        check_message(error.value, *arguments)


def test_an_npz_file_of_the_same_counts_is_not_the_runs(tmp_path):
    """A run directory with only the files that are compared; --data-dir is the .npz file or its folder."""
    images, labels = make_stripes(30)
    run, same, other = tmp_path / "run", tmp_path / "same", tmp_path / "other"
    for folder, split_labels in ((run, labels), (same, labels), (other, 2 - labels)):
        folder.mkdir()
        np.savez(folder / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=split_labels)
    config = {"dataset": {"kind": "npz", "name": "a", "source": str(run / "a.npz"), "shape": [28, 28, 1], "test": 30,
                          "class_names": NAMES}}
    np.savez(run / "predictions.npz", labels=labels, probabilities=np.full((30, len(NAMES)), 0.25, np.float32))
    for data_dir in (None, same, same / "a.npz"):
        assert len(reload_run_split(run, config, "test", data_dir)[0]) == 30
    for data_dir in (other, other / "a.npz"):
        with pytest.raises(UserError) as error:
            reload_run_split(run, config, "test", data_dir)
        check_text(str(error.value), "test", str(data_dir))


# Predictions

@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write a gray image and one in color."""
    folder = tmp_path_factory.mktemp("files")
    gray, color = make_stripes(2, seed=4)[0][0, ..., 0], make_stripes(2, seed=5, channels=3)[0][1]
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(color).resize((40, 36)).save(folder / "color,1.png")
    return [folder / "gray.png", folder / "color,1.png"]


def test_predictions_as_csv_and_json(run, files, tmp_path, capsys):
    expected = run.predict(files, top_k=2)
    assert [[name for name, _ in row][0] for row in expected] == ["bottom", "middle"]
    arguments = [str(run.path), *map(str, files), "--top-k", "2", "--gpu", "none"]
    for ending in (".csv", ".json"):
        assert predict.main([*arguments, "-o", str(tmp_path / f"out{ending}")]) == 0
        out = capsys.readouterr().out
        check_text(out, str(tmp_path / f"out{ending}"), "2")
        assert out.count("\n") == 1
    with open(tmp_path / "out.csv", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["file", "rank", "class", "probability"]
    assert [[file, int(rank), name, float(probability)] for file, rank, name, probability in rows] == [
        [str(path), rank, name, probability] for path, row in zip(files, expected, strict=True)
        for rank, (name, probability) in enumerate(row, start=1)]
    content = json.loads((tmp_path / "out.json").read_text())
    assert content == [{"file": str(path), "predictions": [
        {"rank": rank, "class": name, "probability": probability} for rank, (name, probability) in enumerate(row, 1)]}
        for path, row in zip(files, expected, strict=True)]
    assert predict.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == content


def test_an_iterator_of_paths_and_a_folder_with_other_files(run, files, tmp_path):
    assert np.array_equal(run.predict(iter(files)), run.predict(files))
    shutil.copy(files[0], tmp_path / "a.png")
    assert np.array_equal(run.predict(tmp_path.glob("*.png")), run.predict(tmp_path / "a.png"))
    (tmp_path / "b.heic").touch()
    with pytest.warns(UserWarning, match="1 .heic") as warned:
        run.predict(tmp_path)
    assert warned[0].filename == __file__


def test_an_invalid_image_is_left_out_of_the_file(run, files, tmp_path, capsys):
    (tmp_path / "broken.png").write_text("no image")
    out = tmp_path / "out.json"
    assert predict.main([str(run.path), str(tmp_path / "broken.png"), str(files[0]), "-o", str(out), "--gpu",
                         "none"]) == 2
    assert [row["file"] for row in json.loads(out.read_text())] == [str(files[0])]
    assert "broken.png" in capsys.readouterr().err
    with pytest.raises(UserError, match="broken.png"):
        run.predict([files[0], tmp_path / "broken.png"])


def test_invalid_outputs(run, files, tmp_path, capsys):
    for output, part in (("out.txt", "out.txt"), ("out", ".csv or .json"), ("none/out.csv", "none")):
        assert part in refusal_message(capsys, predict.main, run.path, files[0], "-o", tmp_path / output)
    assert list(tmp_path.iterdir()) == []
    for top_k in (0, -1, 2.5, True):
        with pytest.raises(UserError, match="top_k"):
            run.predict(files, top_k=top_k)


@pytest.fixture(scope="module", params=[1, 3])
def run_and_channels(request, run, tmp_path_factory):
    """Return (a run on images of 1 or 3 channels, the number of channels)."""
    if request.param == 1:
        return run, 1
    return zoo.fit("lenet5", make_stripes(90, channels=3), epochs=1, batch_size=8, class_names=NAMES,
                   output_dir=tmp_path_factory.mktemp("runs"), name="color"), 3


def test_gray_and_color_files_in_any_order(run_and_channels, files, capsys):
    run, _ = run_and_channels

    def lines(*paths):
        assert predict.main([str(run.path), *map(str, paths), "--gpu", "none"]) == 0
        return capsys.readouterr().out.splitlines()

    alone = [*lines(files[0]), *lines(files[1])]
    assert len(alone) == 2 and lines(*files) == alone and lines(*files[::-1]) == alone[::-1]
    rows = run.predict(files)
    assert np.allclose(rows[::-1], run.predict(files[::-1]), atol=1e-6)
    assert np.allclose(rows, np.concatenate([run.predict(path) for path in files]), atol=1e-6)


def test_arrays_of_gray_and_color(run_and_channels):
    """Arrays give the same predictions as the same images in files."""
    run, channels = run_and_channels
    model = run.load_model()
    gray, color = make_stripes(4, seed=6)[0], make_stripes(4, seed=7, channels=3)[0]
    as_color = np.stack([gray[..., 0]] * 3, axis=3)
    as_gray = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in color])[..., None]

    def predict_expected(gray_images, color_images):
        return model.predict(gray_images if channels == 1 else color_images, verbose=0)

    for images in (gray, gray[..., 0], gray[..., 0].tolist(), gray / 255, gray.astype("float32"), as_color):
        assert np.allclose(run.predict(images), predict_expected(gray, as_color), atol=1e-6)
    assert np.allclose(run.predict(color), predict_expected(as_gray, color), atol=1e-6)
    assert np.array_equal(run.predict(color), run.predict(color / 255))
    for image in (gray[1], gray[1, ..., 0], color[1]):  # one image is a batch of one
        assert np.array_equal(run.predict(image), run.predict(image[None]))
    black_and_white = gray > 100
    assert np.array_equal(run.predict(black_and_white), run.predict(np.where(black_and_white, 255, 0)))


def test_pillow_images(run_and_channels, files, tmp_path):
    """Pillow images give the same predictions as the same images in files."""
    run, _ = run_and_channels
    expected = run.predict(files)
    pillow_images = [Image.open(file) for file in files]
    assert np.array_equal(run.predict(pillow_images), expected)
    assert np.allclose(run.predict(pillow_images[0]), expected[:1], atol=1e-6)
    large = Image.effect_noise((40, 48), 50)
    large.save(tmp_path / "large.png")
    assert np.array_equal(run.predict(large), run.predict(tmp_path / "large.png"))
    Image.fromarray(make_stripes(1)[0][0, ..., 0]).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    with pytest.raises(UserError, match="index 1"):
        run.predict([large, Image.open(tmp_path / "cut.png")])


@pytest.mark.parametrize("images, pattern", [
    (np.zeros((2, 32, 32), np.uint8), "32x32.*28x28"), (np.zeros((28, 30), np.uint8), "28x30.*28x28"),
    (np.zeros((40, 48, 3), np.uint8), "40x48.*28x28"), (np.full((28, 28), np.nan), "NaN"),
    (np.zeros((2, 28, 28, 4), np.uint8), "4"), (np.full((1, 28, 28), 300), "300"),
    (np.full((1, 28, 28), -1.0), "-1"), (np.array([[["a"]]]), "U1"), ([], r"\(0,\)")])
def test_arrays_that_are_not_images(run, images, pattern):
    with pytest.raises(UserError, match=pattern):
        run.predict(images)
