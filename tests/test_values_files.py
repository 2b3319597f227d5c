"""Floor 0: options as people type them, names that do not exist, files that are never half written."""

from pathlib import Path

import pytest
from helpers import check_message

from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import check_writable, write_text, atomic_write
from zoo.utils.validation import parse_assignments, check_type, parse_value


def check_refused(parts, function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    check_message(error.value, *parts.split())


@pytest.mark.parametrize("text, default, value", [
    ("true", False, True), ("True", False, True), ("yes", False, True), ("1", False, True),
    ("false", True, False), ("NO", True, False), ("0", True, False),
    ("32", 1, 32), ("-3", 1, -3),
    ("0.5", 1.0, 0.5), ("1e-4", 1.0, 1e-4), ("3", 1.0, 3.0),
    ("adam", "sgd", "adam"), ("3", "sgd", "3"), ("", "sgd", ""),
])
def test_parsed(text, default, value):
    found = parse_value("--set x", text, default)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text, default, parts", [
    ("maybe", True, "--set x true false 'maybe'"),
    ("", True, "--set x true false ''"),
    ("2", True, "--set x true false '2'"),
    ("1.5", 1, "--set x '1.5'"),
    ("1e3", 1, "--set x '1e3'"),
    ("", 1, "--set x ''"),
    ("nan", 1, "--set x 'nan'"),
    ("fast", 1.0, "--set x 'fast'"),
    ("nan", 1.0, "--set x 'nan'"),
    ("inf", 1.0, "--set x 'inf'"),
    ("1e999", 1.0, "--set x '1e999'"),
])
def test_parsed_refuses(text, default, parts):
    check_refused(parts, parse_value, "--set x", text, default)


def test_a_whole_number_too_large_for_a_float():
    assert parse_value("--set x", "1" + 400 * "0", 1) == 10**400


@pytest.mark.parametrize("value, default, expected", [(True, False, True), (3, 1, 3), (3, 1.0, 3.0), ("a", "b", "a")])
def test_checked(value, default, expected):
    found = check_type("x", value, default)
    assert found == expected
    assert type(found) is type(default)


@pytest.mark.parametrize("value, default, parts", [
    (1, True, "x bool 1"),
    (True, 1, "x int True"),
    (True, 1.0, "x float True"),
    (1.0, 1, "x int 1.0"),
    (None, "a", "x str None"),
])
def test_checked_refuses(value, default, parts):
    check_refused(parts, check_type, "x", value, default)


DEFAULTS = {"dropout": 0.5, "batch_norm": False, "label": ""}


def test_assignments():
    assert parse_assignments("--model-option", [], DEFAULTS) == {}
    pairs = ["batch_norm=true", "dropout=0", "label=a=b"]
    assert parse_assignments("--model-option", pairs, DEFAULTS) == {"batch_norm": True, "dropout": 0.0, "label": "a=b"}


@pytest.mark.parametrize("pairs, parts", [
    (["dropout"], "--model-option NAME=VALUE 'dropout'"),
    (["dropuot=0.1"], "--model-option 'dropuot' batch_norm dropout label"),
    (["=1"], "--model-option '' batch_norm dropout label"),
    (["dropout=0.1", "dropout=0.2"], "--model-option dropout"),
    (["dropout=high"], "--model-option dropout 'high'"),
])
def test_assignments_refuses(pairs, parts):
    check_refused(parts, parse_assignments, "--model-option", pairs, DEFAULTS)


def test_an_unknown_name():
    message = str(unknown_name_error("network", "resnet43", ["vgg16", "alexnet", "resnet34"]))
    check_message(message, "network", "'resnet43'", "alexnet", "resnet34", "vgg16")
    check_message(message[:message.index("alexnet")], "resnet34")  # the nearest, before all of them
    message = str(unknown_name_error("network", "y", ["vgg16", "alexnet", "resnet34"]))
    assert message.count("resnet34") == message.count("vgg16") == message.count("alexnet") == 1  # none is near
    check_message(unknown_name_error("option", "x", []), "option", "'x'")


# ------------------------------------------------------------------------------------------------------------ files

def test_a_block_that_ends_well_gives_the_file_its_name(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("old")
    with atomic_write(path) as scratch:
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
    with pytest.raises(failure), atomic_write(path) as scratch:
        scratch.write_bytes(b"half of the n")
        raise failure
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_makes_no_file(tmp_path):
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "best.npz") as scratch:
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
    with pytest.raises(UserError) as error:
        check_writable(path, "another -o")
    check_message(error.value, path, "another -o")
    return str(error.value)


def test_a_file_that_can_be_written_leaves_nothing_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "old.png").write_bytes(b"old")
    assert check_writable("new.png") == Path("new.png") and check_writable("~/new.png") == tmp_path / "new.png"
    assert check_writable(tmp_path / "old.png").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "old.png"]


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    refused(tmp_path)  # a folder
    assert refused(tmp_path / "gone" / "a.png").count(str(tmp_path / "gone")) == 2  # what there is not
    assert refused(tmp_path / "file" / "a.png").count(str(tmp_path / "file")) == 2
    refused("/proc/a.png")  # not even to root
