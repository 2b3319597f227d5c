"""Files are written atomically, and a path that cannot be written is refused."""

import _pyio
import io
import os
from pathlib import Path

import pytest
from helpers import check_message

from zoo.errors import UserError
from zoo.utils.io import atomic_write, check_writable, is_scratch_file, write_text


def test_a_successful_block_replaces_the_file(tmp_path):
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
def test_a_failing_block_leaves_the_old_file(tmp_path, failure):
    path = tmp_path / "best.npz"
    path.write_bytes(b"old")
    with pytest.raises(failure), atomic_write(path) as scratch:
        scratch.write_bytes(b"half of the n")
        raise failure
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_share_a_scratch_file(tmp_path):
    """Threads, or processes with one ID in two containers."""
    with atomic_write(tmp_path / "a.npz") as first, atomic_write(tmp_path / "a.npz") as second:
        assert first != second and is_scratch_file(first)
        first.write_text("one")
        second.write_text("two")
    assert (tmp_path / "a.npz").read_text() == "one" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name, suffix", [
    ("x" * 251 + ".png", ".png"), ("x" * 255, ""), ("x." + "y" * 253, ""), ("ü" * 120 + ".weights.h5", ".weights.h5"),
    ("a.b.weights.h5", ".weights.h5"), ("run.2.keras", ".keras")])
def test_a_long_name_can_be_written(name, suffix, tmp_path):
    with atomic_write(check_writable(tmp_path / name)) as scratch:
        scratch.write_text("a")
        assert scratch.name.partition(".")[2].partition(".")[2] == suffix.removeprefix(".")
    assert (tmp_path / name).read_text() == "a"


def test_line_ends_are_written_as_they_are(tmp_path, monkeypatch):
    """Also on Windows, whose line ends the text files in pure Python have here."""
    monkeypatch.setattr(os, "linesep", "\r\n")
    monkeypatch.setattr(io, "open", _pyio.open)
    (tmp_path / "b.txt").write_text("a\n")
    assert (tmp_path / "b.txt").read_bytes() == b"a\r\n"
    write_text(tmp_path / "a.txt", "a\nb\r\n")
    assert (tmp_path / "a.txt").read_bytes() == b"a\nb\r\n"


def test_a_failing_block_creates_no_file(tmp_path):
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "best.npz") as scratch:
        scratch.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_text_is_utf_8_and_atomic(tmp_path):
    path = tmp_path / "run.json"
    write_text(path, "Löwe\n")
    assert path.read_bytes() == b"L\xc3\xb6we\n"
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half, then a lone surrogate \ud800")
    assert path.read_bytes() == b"L\xc3\xb6we\n"
    assert list(tmp_path.iterdir()) == [path]


def refusal_message(path):
    with pytest.raises(UserError) as error:
        check_writable(path, "another -o")
    check_message(error.value, path, "another -o")
    return str(error.value)


def test_the_check_of_a_writable_file_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "old.png").write_bytes(b"old")
    assert check_writable("new.png") == Path("new.png") and check_writable("~/new.png") == tmp_path / "new.png"
    assert check_writable(tmp_path / "old.png").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "old.png"]


def test_unwritable_paths_are_refused(tmp_path):
    (tmp_path / "file").touch()
    refusal_message(tmp_path)  # a folder
    assert refusal_message(tmp_path / "gone" / "a.png").count(str(tmp_path / "gone")) == 2  # the missing folder
    assert refusal_message(tmp_path / "file" / "a.png").count(str(tmp_path / "file")) == 2
    refusal_message("/proc/a.png")  # not even writable for root
