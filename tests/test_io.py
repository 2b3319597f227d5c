"""Files are written atomically, and a path that cannot be written is refused."""

from pathlib import Path

import pytest
from helpers import check_message

from zoo.errors import UserError
from zoo.utils.io import check_writable, write_text, atomic_write


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
