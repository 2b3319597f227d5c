"""Floor 0: options as people type them, names that do not exist, files that are never half written."""

from pathlib import Path

import pytest

from zoo.errors import UserError, unknown
from zoo.utils.io import writable, write_text, written_whole
from zoo.utils.validation import assignments, checked, parsed


def said(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("text, default, value", [
    ("true", False, True), ("True", False, True), ("yes", False, True), ("1", False, True),
    ("false", True, False), ("NO", True, False), ("0", True, False),
    ("32", 1, 32), ("-3", 1, -3),
    ("0.5", 1.0, 0.5), ("1e-4", 1.0, 1e-4), ("3", 1.0, 3.0),
    ("adam", "sgd", "adam"), ("3", "sgd", "3"), ("", "sgd", ""),
])
def test_parsed(text, default, value):
    found = parsed("--set x", text, default)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text, default, words", [
    ("maybe", True, "--set x is true or false; given 'maybe'"),
    ("", True, "--set x is true or false; given ''"),
    ("2", True, "--set x is true or false; given '2'"),
    ("1.5", 1, "--set x is a whole number; given '1.5'"),
    ("1e3", 1, "--set x is a whole number; given '1e3'"),
    ("", 1, "--set x is a whole number; given ''"),
    ("nan", 1, "--set x is a whole number; given 'nan'"),
    ("fast", 1.0, "--set x is a number; given 'fast'"),
    ("nan", 1.0, "--set x is a finite number; given 'nan'"),
    ("inf", 1.0, "--set x is a finite number; given 'inf'"),
    ("1e999", 1.0, "--set x is a finite number; given '1e999'"),
])
def test_parsed_refuses(text, default, words):
    assert said(parsed, "--set x", text, default) == words


def test_a_whole_number_too_large_for_a_float():
    assert parsed("--set x", "1" + 400 * "0", 1) == 10**400


@pytest.mark.parametrize("value, default, expected", [(True, False, True), (3, 1, 3), (3, 1.0, 3.0), ("a", "b", "a")])
def test_checked(value, default, expected):
    found = checked("x", value, default)
    assert found == expected
    assert type(found) is type(default)


@pytest.mark.parametrize("value, default, words", [
    (1, True, "x is of type bool; given 1"),
    (True, 1, "x is of type int; given True"),
    (True, 1.0, "x is of type float; given True"),
    (1.0, 1, "x is of type int; given 1.0"),
    (None, "a", "x is of type str; given None"),
])
def test_checked_refuses(value, default, words):
    assert said(checked, "x", value, default) == words


DEFAULTS = {"dropout": 0.5, "batch_norm": False, "label": ""}


def test_assignments():
    assert assignments("--option", [], DEFAULTS) == {}
    pairs = ["batch_norm=true", "dropout=0", "label=a=b"]
    assert assignments("--option", pairs, DEFAULTS) == {"batch_norm": True, "dropout": 0.0, "label": "a=b"}


@pytest.mark.parametrize("pairs, words", [
    (["dropout"], "--option takes NAME=VALUE; given 'dropout'"),
    (["dropuot=0.1"], "no --option name is called 'dropuot'; did you mean 'dropout'? "
                      "(there are: batch_norm, dropout, label)"),
    (["=1"], "no --option name is called ''; there are: batch_norm, dropout, label"),
    (["dropout=0.1", "dropout=0.2"], "--option dropout is given twice; give it once"),
    (["dropout=high"], "--option dropout is a number; given 'high'"),
])
def test_assignments_refuses(pairs, words):
    assert said(assignments, "--option", pairs, DEFAULTS) == words


def test_an_unknown_name():
    assert str(unknown("network", "resnet43", ["vgg16", "resnet34"])) == (
        "no network is called 'resnet43'; did you mean 'resnet34'? (there are: resnet34, vgg16)")
    assert str(unknown("option", "x", [])) == "no option is called 'x'; there are: none"


# ------------------------------------------------------------------------------------------------------------ files

def test_a_block_that_ends_well_gives_the_file_its_name(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("old")
    with written_whole(path) as scratch:
        scratch.write_text("new")
        assert path.read_text() == "old"
        assert scratch.parent == tmp_path  # the same disk, or the last step would copy
        assert scratch.suffix == ".csv"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file(tmp_path, failure):
    path = tmp_path / "best.npz"
    path.write_bytes(b"old")
    with pytest.raises(failure), written_whole(path) as scratch:
        scratch.write_bytes(b"half of the n")
        raise failure
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_makes_no_file(tmp_path):
    with pytest.raises(RuntimeError), written_whole(tmp_path / "best.npz") as scratch:
        scratch.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_text_is_utf_8_and_whole(tmp_path):
    path = tmp_path / "run.json"
    write_text(path, "Löwe\n")
    assert path.read_bytes() == b"L\xc3\xb6we\n"
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half, then a lone surrogate \ud800")
    assert path.read_bytes() == b"L\xc3\xb6we\n"
    assert list(tmp_path.iterdir()) == [path]


def refused(path):
    with pytest.raises(UserError) as caught:
        writable(path, "another -o")
    assert str(path) in str(caught.value) and "give another -o" in str(caught.value)
    return str(caught.value)


def test_a_file_that_can_be_written_leaves_nothing_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "old.png").write_bytes(b"old")
    assert writable("new.png") == Path("new.png") and writable("~/new.png") == tmp_path / "new.png"
    assert writable(tmp_path / "old.png").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "old.png"]


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert "it is a folder" in refused(tmp_path)
    assert f"there is no folder {tmp_path / 'gone'}; make it first" in refused(tmp_path / "gone" / "a.png")
    assert f"there is no folder {tmp_path / 'file'};" in refused(tmp_path / "file" / "a.png")
    assert refused("/proc/a.png").startswith("cannot write /proc/a.png: ")  # not even to root
