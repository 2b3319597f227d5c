"""Image folders on the command line: training, evaluation, prediction and export."""

import json
import os

import numpy as np
import pytest
from helpers import check_message, check_text, write_pets
from PIL import Image

import zoo
from zoo.cli import evaluate, export, extract_features, finetune, predict, report

GPU = ["--gpu", "none"]


def train(folder, capsys):
    arguments = ["lenet5", "--data", str(folder), "--weights", "none", "--image-size", "28", "-b", "8", "--epochs", "1",
                 *GPU, "--output-dir", str(folder.parent), "--name", "run"]
    assert finetune.main(arguments) == 0
    return folder.parent / "run", capsys.readouterr().out


def test_a_class_name_that_is_not_utf8_in_all_commands(tmp_path, capsys):
    pets = write_pets(tmp_path / "pets", (28, 28, 3), ".png")
    os.rename(pets / "cat", bytes(pets) + b"/caf\xe9")
    run, _ = train(pets, capsys)
    assert json.loads((run / "run.json").read_text())["dataset"]["class_names"] == ["caf\ufffd", "dog"]
    assert (run / "plots" / "confusion.png").is_file() and "caf\ufffd" in (run / "report.html").read_text()
    assert report.main([str(run)]) == 0
    assert evaluate.main([str(run), "--data", str(pets), *GPU]) == 0
    check_text(capsys.readouterr().out, 20)
    assert predict.main([str(run), str(pets), "-o", str(tmp_path / "p.csv"), *GPU]) == 0
    assert (tmp_path / "p.csv").read_text(errors="replace").count("caf\ufffd,") == 20
    assert export.main([str(run), "--format", "keras", "-o", str(tmp_path / "m.keras"), *GPU]) == 0
    assert (tmp_path / "m.labels.txt").read_text() == "caf\ufffd\ndog\n"


def test_a_run_keeps_the_white_level_of_its_16_bit_images(tmp_path, capsys):
    for name, largest in (("low", 255), ("high", 4095)):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for index in range(10):
            gradient = np.linspace(0, largest, 64).reshape(8, 8).astype(np.uint16)
            Image.fromarray(gradient).save(tmp_path / "scans" / name / f"{index}.png")
    run, out = train(tmp_path / "scans", capsys)
    check_text(out, "0..4095", "0..255")
    assert json.loads((run / "run.json").read_text())["dataset"]["white_levels"] == {"integer": 4095}
    low = tmp_path / "scans" / "low" / "0.png"
    assert predict.main([str(run), str(low), *GPU]) == 0
    check_text(capsys.readouterr().out, "0..4095", "0..255")
    gradient = np.asarray(Image.open(low), np.float64) / 4095 * 255
    image = Image.fromarray(np.rint(gradient).astype(np.uint8)).resize((28, 28), Image.Resampling.BILINEAR)
    loaded_run = zoo.Run(run)
    np.testing.assert_allclose(loaded_run.predict(str(low)), loaded_run.predict(np.asarray(image)[None]), atol=1e-6)
    assert evaluate.main([str(run), "--data", str(tmp_path / "scans"), *GPU]) == 0
    check_text(capsys.readouterr().out, "0..4095", "0..255")
    (tmp_path / "scans" / "high").rename(tmp_path / "high")  # the largest remaining value is 255
    assert extract_features.main(["lenet5", "--data", str(tmp_path / "scans"), "--weights", str(run), "--image-size",
                                  "28", *GPU, "-o", str(tmp_path / "f.npz")]) == 0
    check_text(capsys.readouterr().out, "0..4095", "0..255")  # the scale of the run, not of this folder


@pytest.mark.parametrize("main, arguments", [(finetune.main, ["lenet5", "--weights", "none", "--data"]),
                                             (extract_features.main, ["lenet5", "--weights", "none", "--data"])])
def test_an_ambiguous_layout_is_refused_in_a_line(tmp_path, capsys, main, arguments):
    for name in ("train/cat", "train/dog", "eval/cat", "eval/dog"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / name / "0.png")
    assert main([*arguments, str(tmp_path), *GPU]) == 2
    check_message(capsys.readouterr().err, tmp_path, "eval/", "val", "test")


def test_skipped_files_are_reported_before_a_prediction(tmp_path, capsys):
    pets = write_pets(tmp_path / "pets", (28, 28, 3), ".png")
    (pets / "cat" / "paper.pdf").write_bytes(b"%PDF-1.4")
    (pets / "cat" / "more.jfif").write_bytes(b"")
    Image.new("RGB", (28, 28)).save(pets / "cat" / "more.jfif", format="JPEG")
    assert predict.main(["lenet5", "--weights", "mnist", str(pets), *GPU]) == 0
    out, err = capsys.readouterr()
    assert "1 .pdf" in err and "more.jfif: " in out
