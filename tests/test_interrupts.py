"""Trainings that a signal, a time limit or a disk ends: status, reason, and exact resume, all in this process."""

import io
import json
import os
import resource
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message

import zoo
from zoo.cli import train
from zoo.training.npz_file import read_arrays

FEW = {"limit": 60, "batch_size": 20, "epochs": 2, "verbose": False}  # three steps an epoch


class PressCtrlC(keras.callbacks.Callback):
    """Sends SIGINT to this process after a step, `times` times; records the run's status and the handlers by then."""

    def __init__(self, run, step, times=1):
        super().__init__()
        self.run, self.step, self.times, self.status, self.handlers = run, step, times, "", []

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == self.step:
            self.status = zoo.Run(self.run).status
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                self.handlers.append(signal.getsignal(signal.SIGINT))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return zoo.fit("lenet5", "digits", output_dir=tmp_path_factory.mktemp("whole"), name="whole", **FEW)


def check_equal_runs(run, other):
    assert run.status == other.status == "finished" and run.history == other.history
    for name in ("last", "best"):
        first, second = (read_arrays(each.path / "checkpoints" / f"{name}.npz") for each in (run, other))
        assert first.keys() == second.keys()
        assert [path for path in first if path != "progress/seconds"
                and not np.array_equal(first[path], second[path])] == []


def test_ctrl_c_finishes_the_step_and_the_run_resumes_exactly(whole, tmp_path, capsys):
    before, ctrl_c = signal.getsignal(signal.SIGINT), PressCtrlC(tmp_path / "run", 4)
    run = zoo.fit("lenet5", "digits", output_dir=tmp_path, name="run", callbacks=[ctrl_c], **FEW)
    assert (ctrl_c.status, run.status, run.reason) == ("running", "stopped", "interrupted")
    assert ctrl_c.handlers == [signal.default_int_handler]  # a second Ctrl-C would end it immediately
    assert signal.getsignal(signal.SIGINT) is before
    check_message(capsys.readouterr().err.strip(), "Ctrl-C")
    arrays = read_arrays(run.path / "checkpoints" / "last.npz")
    # callbacks come after zoo's own, which has saved nothing at step 4: the next one stops
    assert (int(arrays["progress/epoch"]), int(arrays["progress/step"])) == (1, 2)
    check_equal_runs(run.resume(verbose=False), whole)


def test_a_second_ctrl_c_ends_it_immediately(whole, tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        zoo.fit("lenet5", "digits", output_dir=tmp_path, name="run",
                callbacks=[PressCtrlC(tmp_path / "run", 5, times=2)], **FEW)
    assert signal.getsignal(signal.SIGINT) is before
    run = zoo.Run(tmp_path / "run")
    assert run.status == "stopped" and run.history["epoch"] == [1]
    arrays = read_arrays(run.path / "checkpoints" / "last.npz")
    assert (int(arrays["progress/epoch"]), int(arrays["progress/step"])) == (1, 0)
    check_equal_runs(run.resume(verbose=False), whole)


class PressCtrlCWhenPrinted(io.StringIO):
    """A stdout that sends SIGINT to this process when the line of the first epoch is printed."""

    def write(self, text):
        if " 1/3 " in text:
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


COMMAND = ["lenet5", "--limit", "60", "--batch-size", "20", "--gpu", "none", "--name", "run"]


def test_the_status_of_an_interrupted_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdout", PressCtrlCWhenPrinted())
    assert train.main([*COMMAND, "--epochs", "3"]) == 130
    at_once, at_the_end = capsys.readouterr().err.splitlines()
    check_message(at_once, "Ctrl-C")
    check_message(at_the_end, "epoch 1", "python -m zoo.train --resume runs/run")
    assert (zoo.Run("runs/run").status, zoo.Run("runs/run").reason) == ("stopped", "interrupted")


def test_the_status_of_a_command_that_is_out_of_time(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train.main([*COMMAND, "--epochs", "1000", "--max-seconds", "1"]) == 7
    check_message(capsys.readouterr().err.strip(), "epoch", "python -m zoo.train --resume runs/run")
    assert (zoo.Run("runs/run").status, zoo.Run("runs/run").reason) == ("stopped", "out of time")


@pytest.fixture
def small_files():
    """Let no file become longer than 100 kB; a checkpoint of lenet5 is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_status_of_a_command_whose_checkpoint_cannot_be_written(tmp_path, monkeypatch, capsys, small_files):
    monkeypatch.chdir(tmp_path)
    assert train.main([*COMMAND, "--epochs", "1"]) == 4
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    check_message(line, "File too large", "--resume")
    run = Path("runs", "run")
    assert json.loads((run / "run.json").read_text())["model"] == "lenet5"
    assert not (run / "result.json").exists()
    assert not [*(run / "checkpoints").iterdir()]  # no scratch file either
