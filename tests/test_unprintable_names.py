"""Names with line ends, terminal escapes and bidirectional marks are escaped wherever they are displayed."""

import csv
import json
import re

import numpy as np
import pytest
from helpers import check_text
from PIL import Image

from zoo.cli import evaluate, export, finetune, predict, report, train
from zoo.errors import UserError
from zoo.utils.table import format_table
from zoo.utils.text import escape_unprintable, format_class_name

GPU = ["--gpu", "none"]
CLASSES = ["a\nb", "c\x1b[31md", "e\u202ef", "café 猫 שלום"]
ESCAPED = [r"a\nb", r"c\x1b[31md", r"e\u202ef", "café 猫 שלום"]
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # line ends separate lines


@pytest.mark.parametrize("text, expected", [
    ("a\nb\tc\rd", r"a\nb\tc\rd"), ("\x1b[2J\x07\x00\x7f\x9b", r"\x1b[2J\x07\x00\x7f\x9b"),
    ("x\u202egnp.exe", r"x\u202egnp.exe"), ("\u2066a\u2069\u200fb\u2028c", r"\u2066a\u2069\u200fb\u2028c"),
    ("caf\udce9", r"caf\udce9"), ("C:\\new", "C:\\new"),
])
def test_unprintable_characters_are_escaped(text, expected):
    assert escape_unprintable(text) == expected
    assert escape_unprintable(expected) == expected


@pytest.mark.parametrize("name", ["café", "naïve Ångström", "e\u0301", "猫", "ネコ", "고양이", "кошка",
                                  "שלום", "قطة", "नमस्ते",
                                  "می\u200cخواهم", "\U0001f600", "\U0001f469\u200d\U0001f469\u200d\U0001f467",
                                  "☂\ufe0f"])
def test_names_in_any_language_are_unchanged(name):
    assert escape_unprintable(name) == name
    assert str(UserError(f"no class {name}")) == f"no class {name}"
    assert format_class_name(name) == name


def test_tables_are_aligned_by_the_escaped_text():
    assert format_table([("class", "images"), ("a\nb", "3"), ("猫", "4")]) == [
        "class  images", "a\\nb   3", "猫      4"]
    assert str(UserError("no class 'a\n\x1bb'")) == r"no class 'a\n\x1bb'"


@pytest.mark.parametrize("arguments, expected", [
    (["lenet5", "--dataset", "a\nb\x1b\u202e"], r"a\nb\x1b\u202e"), (["le\nnet"], r"le\nnet"),
    (["--resume", "runs/\x1b[31m"], r"\x1b[31m"), (["lenet5", "--no\u202ething", "3"], r"--no\u202ething"),
    (["lenet5", "--set", "x\ny"], r"x\ny"),
])
def test_arguments(arguments, expected, capsys):
    assert train.main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), HIDDEN.search(err)) == ("", 1, None)
    assert expected in err


def check_escaped(text, names=ESCAPED):
    """Check that a text contains these names, and no unprintable characters."""
    assert HIDDEN.search(text) is None
    check_text(text, *names)


def test_classes_and_files(tmp_path, capsys):
    rng = np.random.default_rng(3)
    folder, source = tmp_path / "pets\u202e", tmp_path / "pets\u202e" / "train"
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(folder / split / name / f"{index}.png")
    run = tmp_path / "ru\x1bns" / "run"
    run.parent.mkdir()
    assert finetune.main(["lenet5", "--data", str(folder), "--weights", "none", "--image-size", "28", "--epochs", "1",
                          *GPU, "--output-dir", str(run.parent), "--name", run.name]) == 0
    check_escaped(capsys.readouterr().out, [r"pets\u202e", r"ru\x1bns/run"])
    assert json.loads((run / "run.json").read_text())["dataset"]["class_names"] == sorted(CLASSES)

    assert report.main([str(run)]) == 0
    check_escaped(capsys.readouterr().out, [r"ru\x1bns/run"])
    check_escaped((run / "report.html").read_text())

    assert evaluate.main([str(run), *GPU]) == 0
    check_escaped(capsys.readouterr().out)
    assert evaluate.main([str(run), *GPU, "--json"]) == 0
    out = capsys.readouterr().out
    assert HIDDEN.search(out) is None
    assert [row["class"] for row in json.loads(out)["per_class_metrics"]] == sorted(CLASSES)

    image, broken = source / CLASSES[0] / "g\x1b[2Jh\u202e.png", source / CLASSES[0] / "br\nken.png"
    (source / CLASSES[0] / "0.png").rename(image)
    broken.write_bytes(b"no image")
    assert predict.main([str(run), str(image), str(broken), "--top-k", "4", *GPU]) == 2
    out, err = capsys.readouterr()
    check_escaped(out, [r"g\x1b[2Jh\u202e.png", *ESCAPED])
    check_escaped(err, [r"br\nken.png"])
    assert (out.count("\n"), err.count("\n")) == (1, 2)
    assert predict.main([str(run), str(image), "--top-k", "4", "--json", "-o", str(tmp_path / "p.csv"), *GPU]) == 0
    [record] = json.loads(capsys.readouterr().out)
    assert record["file"] == str(image) and {row["class"] for row in record["predictions"]} == {*CLASSES}
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as file:
        assert {row["class"] for row in csv.DictReader(file)} == {*CLASSES}

    assert export.main([str(run), "--format", "keras", "-o", str(tmp_path / "m\x07.keras"), *GPU]) == 0
    check_escaped(capsys.readouterr().out, [r"m\x07.keras"])
    labels = (tmp_path / "m\x07.labels.txt").read_text(encoding="utf-8")
    assert sorted(labels.split("\n")) == sorted(["", "a b", *CLASSES[1:]])  # one per line
    assert predict.main([str(tmp_path / "m\x07.keras"), str(image), "--top-k", "4", *GPU]) == 0
    check_escaped(capsys.readouterr().out, ["a b", *ESCAPED[1:]])
