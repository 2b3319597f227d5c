"""Run directories that a kill, a disk or somebody's editor has left in any state: one line, at once, or repaired."""

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message, check_text

import zoo
from zoo.cli import compare, evaluate, export, predict, report, train, visualize
from zoo.errors import RunLocked, UserError
from zoo.training import checkpoints, run_directory, run_files
from zoo.training.npz_file import read_arrays, write_arrays
from zoo.utils import io, process

FEW = ("lenet5", "--limit", "60", "--epochs", "2", "--lr-schedule", "constant")
HEADER = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy"


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A finished run of two epochs, which can become longer."""
    folder = tmp_path_factory.mktemp("runs")
    assert train.main([*FEW, "--output-dir", str(folder), "--name", "a"]) == 0
    return folder / "a"


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(finished_run, tmp_path / "a"))


@pytest.fixture(scope="module")
def dead_pid():
    """The number of a process that is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def get_refusal(capsys, command, *arguments):
    """Return the one line with which a command refuses."""
    capsys.readouterr()
    assert command.main([str(word) for word in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and len(line) < 600
    return line


def update_json(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


# run.json

def test_the_format_comes_first(finished_run):
    config = json.loads((finished_run / "run.json").read_text())
    assert [*config][0] == "format" and config["format"] == 1


@pytest.mark.parametrize("command, arguments", [
    (train, ["--resume"]), (report, []), (evaluate, []), (export, ["--format", "keras"]), (predict, ["x.png"]),
    (visualize, ["--image", "x.png"])], ids=lambda value: getattr(value, "__name__", ""))
def test_a_run_of_a_newer_zoo_is_refused(run, capsys, command, arguments):
    update_json(run / "run.json", format=2)
    order = [*arguments, run] if command is train else [run, *arguments]
    check_text(get_refusal(capsys, command, *order), "run.json", "2", "1")


def test_a_run_json_without_a_format_is_read(run, capsys):
    config = json.loads((run / "run.json").read_text())
    del config["format"]
    (run / "run.json").write_text(json.dumps(config))
    assert train.main(["--resume", str(run)]) == 0
    for key in ("versions", "device", "seed"):
        (run / "run.json").write_text(json.dumps({name: value for name, value in config.items() if name != key}))
        line = get_refusal(capsys, train, "--resume", run)
        check_text(line, str(run), key)


@pytest.mark.parametrize("values", [
    {"format": "1"}, {"format": True}, {"format": None}, {"seed": 2**70}, {"seed": -1}, {"seed": "0"}, {"seed": 0.5},
    {"limit": 0}, {"limit": "60"}, {"versions": []}, {"recipe": 3}, {"model_config": None}, {"dataset": []},
    {"model": None}, {"device": 1}, {"deterministic": "no"}, {"dataset": {"name": "digits", "class_names": [0]}},
    {"parameters": -1}, {"backend": None}, {"backend": ""}, {"precision": 16}], ids=str)
def test_a_value_of_run_json_that_no_training_wrote(run, capsys, values):
    update_json(run / "run.json", **values)
    for command, arguments in ((train, ["--resume", run]), (report, [run]), (compare, [run, run.parent])):
        check_text(get_refusal(capsys, command, *arguments), str(run / "run.json"))


@pytest.mark.parametrize("recipe",
                         [{"epochs": 2.5}, {"learning_rate": "x"}, {"augmentation": 3}, {"aux_loss_weights": None}],
                         ids=str)
def test_a_recipe_that_no_training_wrote(run, capsys, recipe):
    config = json.loads((run / "run.json").read_text())
    update_json(run / "run.json", recipe={**config["recipe"], **recipe})
    check_text(get_refusal(capsys, train, "--resume", run), str(run / "run.json"))


# result.json

RESULT = {"test_accuracy_best": 0.5, "test_accuracy_last": 0.5, "best_epoch": 1}
BAD_RESULTS = {"list": "[]", "null": "null", "number": "3", "empty": "", "binary": b"\xff\xfe\x00\x9f",
               "cut": '{"best_epoch": 1', "deep": "[" * 100_000, "deep objects": '{"a":' * 100_000, "no keys": "{}",
               "no best": json.dumps({**RESULT, "best_epoch": None}),
               "text": json.dumps({**RESULT, "test_accuracy_best": "0.5"}),
               "boolean": json.dumps({**RESULT, "best_epoch": True}),
               "NaN": json.dumps({**RESULT, "test_accuracy_last": float("nan")}),
               "1e308": json.dumps({**RESULT, "test_accuracy_last": 1e308}),
               "1e999": '{"test_accuracy_best": 1e999, "test_accuracy_last": 0.5, "best_epoch": 1}',
               "negative": json.dumps({**RESULT, "test_accuracy_best": -0.1}),
               "2**70": json.dumps({**RESULT, "best_epoch": 2**70}),
               "asked": json.dumps({**RESULT, "max_epochs": "2"}),
               "seconds": json.dumps({**RESULT, "seconds": 1e308}),
               "per_class": json.dumps({**RESULT, "per_class": [1]}), "digits": '{"best_epoch": ' + "9" * 5000 + "}",}


@pytest.mark.parametrize("content", BAD_RESULTS.values(), ids=BAD_RESULTS)
def test_a_damaged_result_is_one_line(run, capsys, content):
    (run / "result.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    (run.parent / "b").mkdir()
    shutil.copy(run / "run.json", run.parent / "b" / "run.json")
    for command, arguments in ((train, ["--resume", run]), (train, [*FEW, "--output-dir", run.parent, "--name", "a"]),
                           (report, [run]), (compare, [run, run.parent / "b"])):
        check_text(get_refusal(capsys, command, *arguments), str(run / "result.json"))
    assert "result.json" in repr(zoo.Run(run))
    with pytest.raises(UserError, match="result.json"):
        zoo.Run(run).result  # noqa: B018
    with pytest.raises(UserError, match="result.json"):
        zoo.Run(run).resume()


# history.csv

@pytest.mark.parametrize("before, after", [
    ("val_loss", "val_lozs"), (",loss", ",lcss"), ("accuracy", "adcuracy"), ("epoch", "epoci"),
    ("learning_rate", "learning_rata"), ("loss,accuracy", "loss,accuracy,aux1_loss"), ("loss", "accuracy")])
def test_a_flipped_letter_is_found_before_an_epoch_is_trained(run, capsys, before, after):
    text = (run / "history.csv").read_text()
    assert before in text
    (run / "history.csv").write_text(text.replace(before, after, 1))
    kept = (run / "checkpoints" / "last.npz").read_bytes()
    assert "history.csv" in get_refusal(capsys, train, "--resume", run, "--epochs", "3")
    assert (run / "checkpoints" / "last.npz").read_bytes() == kept


def test_columns_of_another_training_are_found_before_an_epoch_is_trained(run, capsys):
    header, *rows = (run / "history.csv").read_text().splitlines()
    lines = [f"{header},aux1_loss,aux1_accuracy", *(f"{row},1.0,0.5" for row in rows)]
    (run / "history.csv").write_text("\n".join(lines) + "\n")
    check_text(get_refusal(capsys, train, "--resume", run, "--epochs", "3"), "aux1_accuracy", "aux1_loss")


@pytest.mark.parametrize("row", ["1,.1,1,.5,nan,.5", "1,.1,1,.5,1,inf", "1,.1,1,.5,1", "2,.1,1,.5,1,.5",
                                 "1,.1,1,.5,1,x", "1.0,.1,1,.5,1,.5", f"{'9' * 5000},.1,1,.5,1,.5",
                                 "1,.1,\x00,.5,1,.5"])
def test_a_row_that_no_training_wrote(tmp_path, row):
    (tmp_path / "history.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(UserError, match="history.csv"):
        run_files.read_history_rows(tmp_path)


def test_a_history_of_200_000_epochs(tmp_path, alarm):
    rows = "".join(f"{epoch},0.1,1.2345678,0.87654321,1.2345678,0.5\n" for epoch in range(1, 200_001))
    (tmp_path / "history.csv").write_text(f"{HEADER}\n{rows}")
    history = run_files.read_history(tmp_path)
    assert history["epoch"][-1] == 200_000 and history["loss"].shape == (200_000,)


# Arrays

def write_npz(path, header, data=b"", compression=zipfile.ZIP_STORED, name="labels.npy"):
    """Write an archive with one member: a header of NumPy's format 1.0 and what follows it."""
    text = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)


@pytest.mark.parametrize("shape",
                         [(2**70,), (2**40,), (2**62, 0, 5), (3,), (-1,), (-1, -3), (2**31, 2**33), "x", (2.5,)])
def test_a_shape_that_the_file_does_not_hold_allocates_nothing(tmp_path, shape):
    write_npz(tmp_path / "x.npz", f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape!r}}}", bytes(16))
    before = process.get_peak_memory()
    with pytest.raises(UserError, match="x.npz"):
        read_arrays(tmp_path / "x.npz")
    assert process.get_peak_memory() - before < 64


@pytest.mark.parametrize("header", ["", "{" * 100, "{'descr': '|O', 'fortran_order': False, 'shape': (2,)}",
                                    "{'descr': '|S0', 'fortran_order': False, 'shape': (2,)}", "((((((", "'\\",
                                    "1" * 100])
def test_a_header_that_no_training_wrote(tmp_path, header):
    write_npz(tmp_path / "x.npz", header, bytes(16))
    with pytest.raises(UserError, match="x.npz"):
        read_arrays(tmp_path / "x.npz")


def test_a_member_that_is_compressed_or_promises_more_than_the_file_has(tmp_path):
    write_npz(tmp_path / "x.npz", "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000,)}", bytes(10**7),
             zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"x\.npz.*compressed"):
        read_arrays(tmp_path / "x.npz")
    write_arrays(tmp_path / "y.npz", {"labels": np.arange(3)})
    content = (tmp_path / "y.npz").read_bytes()
    size = struct.pack("<I", 128 + 24)  # of the member: its header and three int64
    assert content.count(size) >= 2
    (tmp_path / "y.npz").write_bytes(content.replace(size, struct.pack("<I", 2**31)))
    with pytest.raises(UserError, match="y.npz"):
        read_arrays(tmp_path / "y.npz")


@pytest.mark.parametrize("damage", range(4))
def test_any_byte_of_an_archive_may_change(tmp_path, damage):
    """What is read is what was written, or the damage is one line."""
    rng = np.random.default_rng(damage)
    arrays = {"labels": np.arange(20), "weights/conv/kernel": rng.normal(size=(3, 4)).astype("float32")}
    write_arrays(tmp_path / "x.npz", arrays)
    content = (tmp_path / "x.npz").read_bytes()
    for _ in range(150):
        changed = bytearray(content)
        for index in rng.integers(0, len(content), rng.integers(1, 4)):
            changed[index] = rng.integers(0, 256)
        (tmp_path / "x.npz").write_bytes(changed[: rng.integers(1, len(content))] if rng.random() < 0.3 else changed)
        try:
            found = read_arrays(tmp_path / "x.npz")
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
        else:
            for name in {*found} & {*arrays}:
                np.testing.assert_array_equal(found[name], arrays[name])


# What is no regular file

@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path),
                                  lambda path: os.symlink("nowhere", path)], ids=["pipe", "folder", "device", "link"])
@pytest.mark.parametrize("name", ["run.json", "history.csv", "result.json", "predictions.npz", "samples.npz"])
def test_what_is_not_a_regular_file_is_refused(run, capsys, name, make, alarm):
    (run / name).unlink()
    make(run / name)
    assert name in get_refusal(capsys, report, run)
    if name in ("run.json", "result.json"):
        assert name in get_refusal(capsys, train, "--resume", run)


@pytest.mark.parametrize("name", ["last.npz", "best.npz"])
def test_a_checkpoint_that_is_a_pipe(run, capsys, name, alarm):
    (run / "checkpoints" / name).unlink()
    os.mkfifo(run / "checkpoints" / name)
    get_refusal(capsys, evaluate, run, "--checkpoint", name.removesuffix(".npz"))
    assert name in get_refusal(capsys, train, "--resume", run, "--epochs", "3")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "x.json", "wb") as file:
        file.truncate(2**33)  # holes, no bytes
    with pytest.raises(ValueError, match=f"{io.MAX_JSON_BYTES:,}"):
        io.read_json(tmp_path / "x.json")


# Kills

@pytest.mark.parametrize("left", [["PID-run.json"], ["checkpoints/"], ["stage1/"],
                                  ["stage1/checkpoints/", "stage1/run.json"],
                                  [".lock", "checkpoints/PID-last.npz", "PID-run.json"]], ids=str)
def test_a_kill_in_the_first_moments_does_not_refuse_the_same_command(tmp_path, dead_pid, left, capsys):
    run = tmp_path / "a"
    for name in left:
        path = run / name.replace("PID", f".{dead_pid}")
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("half")
    assert run_directory.is_empty_run(run)
    run_directory.check_output_dir(tmp_path, "a")
    with run_directory.lock_new_run(run):
        kept = [path.name for path in run.rglob("*") if path.is_file()]
    assert kept == [".lock"]


@pytest.mark.parametrize("name", ["diary", "checkpoints/best.npz", "stage1/diary", ".1-", "history.csv"])
def test_what_a_kill_does_not_leave_is_not_trained_over(tmp_path, name):
    path = tmp_path / "a" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert not run_directory.is_empty_run(tmp_path / "a")
    with pytest.raises(UserError, match=rf"{tmp_path / 'a'}.*name="):
        run_directory.check_output_dir(tmp_path, "a")


def test_scratch_files_of_dead_processes_go_and_others_stay(run, dead_pid):
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        for folder in (run, run / "checkpoints", run / "plots"):
            for pid in (dead_pid, alive.pid, os.getpid()):
                (folder / f".{pid}-x.npz").touch()
        with run_directory.lock_run(run):
            pass
    finally:
        alive.communicate(b"\n")
    kept = {path.relative_to(run).as_posix() for path in run.rglob(".*-*")}
    assert kept == {f"{folder}.{pid}-x.npz" for folder in ("", "checkpoints/", "plots/")
                    for pid in (alive.pid, os.getpid())}


@pytest.mark.parametrize("again, missing", [
    (lambda run: train.main(["--resume", str(run)]), ["report.html"]),
    (lambda run: zoo.Run(run).resume(), ["report.html", "plots/curves.png", "plots/confusion.png"]),
    (lambda run: zoo.fit("lenet5", "digits", limit=60, epochs=2, lr_schedule="constant", output_dir=run.parent,
                         name="a"),
     [])], ids=["--resume", "resume", "fit"])
def test_a_kill_between_the_result_and_the_report(run, again, missing):
    before = (run / "report.html").read_bytes()
    for name in missing:
        (run / name).unlink()
    if not missing:  # the report is that of the run before it became longer
        (run / "report.html").write_text("old")
        os.utime(run / "report.html", (1, 1))
    again(run)
    assert (run / "report.html").read_bytes() == before and all((run / name).exists() for name in missing)
    drawn = (run / "report.html").stat().st_mtime_ns
    again(run)
    assert (run / "report.html").stat().st_mtime_ns == drawn


def test_lock_files_that_no_training_wrote(run):
    path = run / "checkpoints" / "last.npz"
    arrays = read_arrays(path)
    for name, value in (("progress/epoch", -1), ("progress/step", -1), ("progress/epoch", float("nan")),
                        ("progress/epoch", float("inf")), ("progress/step", [1, 2])):
        write_arrays(path, {**arrays, name: np.asarray(value)})
        with pytest.raises(UserError) as error:
            checkpoints.recover_progress(run)
        check_message(error.value, path)


# Two commands

def test_a_run_that_another_command_has_started_meanwhile(run, tmp_path):
    with pytest.raises(UserError, match=rf"{run}.*name=") as error, run_directory.lock_new_run(run):
        raise AssertionError
    assert error.value.exit_status == 2
    with run_directory.lock_run(run), pytest.raises(RunLocked) as error, run_directory.lock_new_run(run):
        raise AssertionError
    assert error.value.exit_status == 6


def test_a_second_command_that_resolved_its_config_before_the_first_one_wrote_run_json(run, monkeypatch, capsys):
    """The second one looks, and sees no run; the first one trains; the second one gets the lock."""
    other = run.parent / "other"
    create = run_directory.create_run

    def create_late(*arguments):
        made = create(*arguments)
        shutil.copytree(run, made, dirs_exist_ok=True)
        return made

    monkeypatch.setattr(run_directory, "create_run", create_late)
    line = get_refusal(capsys, train, "lenet5", "--limit", "60", "--epochs", "1", "--seed", "3",
                       "--output-dir", run.parent, "--name", "other")
    check_text(line, str(other), "--name")
    assert (other / "run.json").read_bytes() == (run / "run.json").read_bytes()


def test_a_disk_without_locks(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(37, "No locks available")  # ENOLCK

    monkeypatch.setattr(fcntl, "flock", flock)
    with run_directory.lock_run(tmp_path), pytest.raises(RunLocked), run_directory.lock_run(tmp_path):
        raise AssertionError
    assert not run_directory.is_run_locked(tmp_path)
    with run_directory.lock_run(tmp_path):
        assert run_directory.is_run_locked(tmp_path)


def test_a_platform_without_resource(monkeypatch):
    assert 10 < process.get_peak_memory() < 100_000
    monkeypatch.setattr(process, "resource", None)
    assert process.get_peak_memory() is None
