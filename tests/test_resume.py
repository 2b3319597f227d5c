"""An interrupted and resumed run equals an uninterrupted one."""

import contextlib
import dataclasses
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_message
from keras import layers

from zoo import registry
from zoo.analysis.memory import MemoryEstimate
from zoo.data.datasets import Dataset
from zoo.data.splits import Split
from zoo.errors import RunLocked, UserError
from zoo.training import checkpoints, failures, model_loading, run_config as plans, run_directory, trainer
from zoo.training.stopping import Stopper
from zoo.training.npz_file import read_arrays
from zoo.training.recipe import Recipe
from zoo.train import main
from zoo.utils import process_memory

ROOT = Path(__file__).resolve().parents[1]


# In this process: an end after every few steps

def make_split(count, seed):
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 16, 16, 1), np.uint8), rng.integers(0, 3, count), np.arange(count))


DATA = Dataset(None, make_split(50, 1), make_split(20, 2), None, "", ())
CALM = Recipe(learning_rate=0.01, batch_size=8, epochs=4)
RECIPES = {
    "cosine, average, augmentation": dataclasses.replace(CALM, ema_momentum=0.9,
                                                             augmentation="flip crop=2 rotation=5 cutout=4 mixup=1"),
    "plateau": dataclasses.replace(CALM, optimizer="adadelta", learning_rate=1.0, lr_schedule="plateau", lr_patience=1,
                                   gamma=0.5),
    "steps, rmsprop": dataclasses.replace(CALM, optimizer="rmsprop", learning_rate=1e-3, lr_schedule="step",
                                          milestones="1.5 3", global_clipnorm=1.0, max_norm="2"),
    "early end": dataclasses.replace(CALM, optimizer="adamw", learning_rate=1e-3, lr_schedule="constant", epochs=9,
                                     early_stopping_patience=1, early_stopping_min_delta=0.5, label_smoothing=0.1),
}


def make_model(aux_names=()):
    """A small network with everything that has state: weights, batch normalization, dropout; auxiliary outputs."""
    keras.utils.set_random_seed(5)
    image = keras.Input((16, 16, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 64, -2, name="preprocessing")(image)
    x = layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    x = layers.Dropout(0.5, name="drop")(layers.Flatten(name="flatten")(x))
    outputs = {name: layers.Dense(3, name=f"{name}_out")(x) for name in ("main", *aux_names)}
    return keras.Model(image, outputs if aux_names else outputs["main"], name="small")


class StopAfterSteps(Stopper):
    """Ends training after a given number of steps of this session."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def should_stop(self, seconds):
        self.left -= 1
        if self.left <= 0:
            self.reason = "out of time"
        return self.reason is not None


def train_in_sessions(folder, recipe, sessions, aux_names=None):
    """Train in sessions of so many steps each, a new network for each; return the last Progress."""
    (folder / "checkpoints").mkdir(parents=True)
    for steps in sessions:
        leave = StopAfterSteps(steps)
        progress = trainer.train_model(make_model(aux_names or ()), DATA, recipe, 7, folder, leave, aux_names)
        if leave.reason is None:
            return progress
    raise AssertionError("the sessions were too few")


def assert_equal_runs(one, other):
    assert (one / "history.csv").read_text() == (other / "history.csv").read_text()
    for name in ("last", "best"):
        first, second = (read_arrays(run / "checkpoints" / f"{name}.npz") for run in (one, other))
        assert [*first] == [*second]
        different = [path for path in first if not np.array_equal(first[path], second[path])]
        assert [path for path in different if path != "progress/seconds"] == []


@pytest.mark.parametrize("kind", RECIPES)
def test_an_interrupted_run_resumes_exactly(kind, tmp_path, capsys):
    recipe = RECIPES[kind]
    uninterrupted_run = train_in_sessions(tmp_path / "whole", recipe, [10**6])
    assert (uninterrupted_run.epoch < recipe.epochs) == (kind == "early end")
    sessions = [1, 3, 12, 5, 10**6] if recipe.ema_momentum else [4, 12, 10**6]  # each session compiles the model
    parts = train_in_sessions(tmp_path / "parts", recipe, sessions)
    assert parts.history == uninterrupted_run.history and len(uninterrupted_run.history) == uninterrupted_run.epoch
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


class KillError(BaseException):
    """Stands for SIGKILL: nothing of the training code runs any more."""


class SaveEachStep(Stopper):
    """Saves after each step, and "kills" the training after a given number of them."""

    def __init__(self, steps):
        super().__init__(checkpoint_seconds=0.0)
        self.left = steps

    def should_stop(self, seconds):
        self.left -= 1
        if self.left <= 0:
            raise KillError
        return False


def test_a_kill_loses_nothing_that_was_saved_in_the_middle_of_an_epoch(tmp_path, capsys):
    """Of a network with auxiliary classifiers; the processes below have none."""
    recipe = dataclasses.replace(RECIPES["cosine, average, augmentation"], epochs=2)
    aux_names = {"aux1": 0.3, "aux2": 0.3}
    train_in_sessions(tmp_path / "whole", recipe, [10**6], aux_names)
    killed = tmp_path / "killed"
    (killed / "checkpoints").mkdir(parents=True)
    for steps, expected in ((3, (0, 3)), (6, (1, 1)), (2, (1, 3))):  # 7 steps an epoch, and a question after it
        with pytest.raises(KillError):
            trainer.train_model(make_model(aux_names), DATA, recipe, 7, killed, SaveEachStep(steps), aux_names)
        assert checkpoints.read_progress(killed / "checkpoints" / "last.npz")[:2] == expected
    trainer.train_model(make_model(aux_names), DATA, recipe, 7, killed, None, aux_names)
    assert_equal_runs(tmp_path / "whole", killed)
    assert (killed / "history.csv").read_text().splitlines()[0] == (
        "epoch,learning_rate,loss,accuracy,aux1_loss,aux1_accuracy,aux2_loss,aux2_accuracy,val_loss,val_accuracy")


def test_time_limit_after_a_save_at_the_same_step_does_not_save_again(tmp_path, capsys, monkeypatch):
    saved, save = [], checkpoints.save_checkpoint
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda *given: (saved.append(given[3].step), save(*given)))
    (tmp_path / "checkpoints").mkdir()
    stopper = Stopper(deadline=0.0, checkpoint_seconds=0.0)
    assert trainer.train_model(make_model(), DATA, CALM, 7, tmp_path, stopper).step == 1
    assert (saved, stopper.reason) == ([1], "out of time")


def test_checkpoints_are_saved_when_they_are_due(tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    stopper = Stopper(checkpoint_seconds=1000.0)
    assert not stopper.should_save()
    stopper.last_save -= 1001
    assert stopper.should_save()
    stopper.restart_save_timer()
    assert not stopper.should_save()
    stopper.last_save -= 1001
    stopper.reason = "interrupted"  # saves anyway
    assert not stopper.should_save()


def test_averaged_weights_are_tested_and_saved(tmp_path, capsys):
    recipe = dataclasses.replace(CALM, ema_momentum=0.5, epochs=1, batch_size=50, lr_schedule="constant",
                                 warmup_epochs=0.0)
    before = make_model().get_layer("conv").get_weights()[0]
    progress = train_in_sessions(tmp_path, recipe, [10])
    arrays = read_arrays(tmp_path / "checkpoints" / "best.npz")
    tested, raw = (arrays[f"{kind}/conv/kernel"] for kind in ("weights", "trained"))
    assert np.abs(raw - before).max() > 1e-4
    # the first step: the average is the new weights, whatever the decay
    assert np.array_equal(tested, raw)
    two = train_in_sessions(tmp_path / "two", dataclasses.replace(recipe, epochs=2), [10])
    again = read_arrays(tmp_path / "two" / "checkpoints" / "last.npz")
    decay = (1 + 1) / (10 + 1)  # of the second step, number 1: less than 0.5
    expected = decay * raw + (1 - decay) * again["trained/conv/kernel"]
    assert again["weights/conv/kernel"] == pytest.approx(expected, abs=1e-7)
    network = make_model()
    model_loading.load_checkpoint_weights(network, tmp_path / "two" / "checkpoints" / "last.npz")
    found = trainer.make_validator(network, DATA.validation, recipe)()
    assert found["val_loss"] == pytest.approx(two.history[-1]["val_loss"], rel=1e-5)
    assert progress.history[0] == two.history[0]


def test_a_kill_between_two_files_is_repaired(tmp_path, capsys):
    """last.npz is written, best.npz not yet; or history.csv is, last.npz not yet."""
    recipe = dataclasses.replace(CALM, epochs=3)
    train_in_sessions(tmp_path / "whole", recipe, [10**6])
    (tmp_path / "cut" / "checkpoints").mkdir(parents=True)
    cut = tmp_path / "cut"
    trainer.train_model(make_model(), DATA, recipe, 7, cut, StopAfterSteps(8))  # an epoch: 7 steps, 1 save
    assert checkpoints.recover_progress(cut).epoch == 1
    kept = (cut / "checkpoints" / "best.npz").read_bytes()
    (cut / "checkpoints" / "best.npz").unlink()
    checkpoints.recover_progress(cut)
    assert (cut / "checkpoints" / "best.npz").read_bytes() == kept
    for name in ("history.csv", "timings.csv"):
        shutil.copy(tmp_path / "whole" / name, cut / name)  # rows of epochs that last.npz has not seen
    assert [row["epoch"] for row in checkpoints.recover_progress(cut).history] == [1]
    trainer.train_model(make_model(), DATA, recipe, 7, cut)
    assert_equal_runs(tmp_path / "whole", cut)


def test_a_damaged_run_is_not_resumed(tmp_path, capsys):
    train_in_sessions(tmp_path, dataclasses.replace(CALM, epochs=2), [10**6])
    lines = (tmp_path / "history.csv").read_text().splitlines()
    (tmp_path / "history.csv").write_text("\n".join(lines[:2]) + "\n")
    with pytest.raises(UserError) as error:
        checkpoints.recover_progress(tmp_path)
    check_message(error.value, tmp_path, 1, "checkpoints/last.npz", 2)
    (tmp_path / "history.csv").write_text("\n".join(lines).replace("0.", "zero.", 1))
    with pytest.raises(UserError) as error:
        checkpoints.recover_progress(tmp_path)
    check_message(error.value, tmp_path / "history.csv")


def test_one_process_at_a_time(tmp_path):
    with run_directory.lock_run(tmp_path), pytest.raises(RunLocked) as error:
        with run_directory.lock_run(tmp_path):
            pass
    check_message(error.value, tmp_path, "--name")
    with run_directory.lock_run(tmp_path):  # free again
        pass


@pytest.mark.parametrize("error, status, parts", [
    (FloatingPointError("the loss is not finite in epoch 2"), 3,
     ["the loss is not finite in epoch 2", "learning_rate=..."]),
    (OSError(28, "No space left on device"), 4, ["No space left on device", "resume"]),
    (OSError(5, "Input/output error"), 4, ["Input/output error"]),
    (MemoryError(), 5, [100, "batch_size=50"]),
    (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes"), 5, [100, "batch_size=50"]),
    (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), 5, [100, "batch_size=50"]),
])
def test_exit_status_of_each_failure(error, status, parts):
    found, message = failures.explain_failure(error, Recipe(batch_size=100))
    assert found == status
    check_message(message, *parts)
    assert ("resume" in message) == (isinstance(error, OSError) and error.errno == 28)


def test_an_internal_error_is_not_explained():
    assert failures.explain_failure(ValueError("a mistake of ours"), Recipe()) == (None, "")


def test_a_batch_that_does_not_fit_is_predicted():
    """40 bytes of weights (1 with a gradient, a momentum, 2 for the update: 5 times), 1.2 * 100 bytes per image."""
    takes = MemoryEstimate(parameters=40, trainable_parameters=40, largest_weight=40, saved_activations=50,
                           training_peak=100, inference_peak=60)
    free = 2 * 2**30
    assert failures.predict_out_of_memory(takes, Recipe(batch_size=1000), free) == ""
    message = failures.predict_out_of_memory(takes, Recipe(batch_size=30_000_000), free)
    check_message(message, 30000000, "3.4 GiB", "2.0", "batch_size=17895695")
    message = failures.predict_out_of_memory(takes, Recipe(batch_size=1), 100)
    check_message(message, "width=...")
    assert "batch_size" not in message
    assert 2**20 < process_memory.get_free_memory() <= 2**60


def make_run_config(**changes):
    recipe = Recipe(**{name: changes.pop(name) for name in [*changes] if hasattr(Recipe, name)})
    plan = plans.RunConfig(registry.resolve_model_config("lenet5"), None, recipe, 0, None, "tensorflow", False)
    return dataclasses.replace(plan, **{"dataset": type("Facts", (), {"name": "digits", "classes": 10}), **changes})


@pytest.mark.parametrize("before, now, parts", [
    ({}, {"seed": 1}, ["seed", 0, 1]),
    ({}, {"model_config": registry.resolve_model_config("lenet5_bn")}, ["model", "'lenet5'", "'lenet5_bn'"]),
    ({}, {"learning_rate": 0.5, "limit": 9}, ["learning_rate", "0.1", "0.5", "limit", "None", 9]),
    ({}, {"backend": "jax"}, ["backend", "tensorflow", "jax"]),
    ({}, {"epochs": 40}, ["cosine", 30, 40]),
    ({"lr_schedule": "constant"}, {"lr_schedule": "constant", "epochs": 4}, [30, 4]),
])
def test_a_changed_command_names_what_differs(before, now, parts):
    with pytest.raises(UserError) as error:
        plans.resume_run_config(Path("runs/a"), make_run_config(**before), make_run_config(**now))
    check_message(error.value, "runs/a", *parts, "--name")
    assert str(error.value).count("lenet5_bn") <= 1
    fields = ["learning_rate", "seed", "limit", "backend", "momentum"]
    assert {field for field in fields if field in str(error.value)} == {*fields} & {*now}


def test_more_epochs_where_the_schedule_is_extendable():
    before = make_run_config(lr_schedule="step", milestones="9")
    assert plans.resume_run_config(Path("a"), before, make_run_config(lr_schedule="step", milestones="9")) is before
    longer = plans.resume_run_config(Path("a"), before, make_run_config(lr_schedule="step", milestones="9", epochs=40))
    assert longer.recipe == dataclasses.replace(before.recipe, epochs=40)


# As people run it

COMMAND = ("lenet5", "--limit", "300", "--epochs", "5", "--set", "ema_momentum=0.9", "--set", "lr_schedule=step",
           "--set", "milestones=2")


@pytest.fixture(scope="session")
def train(tmp_path_factory):
    """Return a function that starts zoo.train; its runs lie in `train.folder`."""
    folder = tmp_path_factory.mktemp("resumed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUTF8": "1"}

    def start(*arguments, limits=None):
        return subprocess.Popen([sys.executable, "-m", "zoo.train", *arguments], cwd=folder, env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limits)

    start.folder = folder
    return start


def wait_for(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def run_here(train, *arguments):
    """Run zoo.train in this process, in the folder of `train`; return (status, stdout, stderr) as `ended` does."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(train.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*arguments, "--gpu", "none"])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="session")
def uninterrupted_run(train):
    status, out, err = run_here(train, *COMMAND, "--name", "whole")
    assert (status, err) == (0, "")
    return train.folder / "runs" / "whole"


def read_line(process, part):
    """Read the output of a process up to the line that has `part`."""
    for line in process.stdout:
        if part in line:
            return line
    raise AssertionError(f"no line with {part!r}; {process.stderr.read()}")


@pytest.mark.parametrize("backend", ["tensorflow", *(pytest.param(name, marks=pytest.mark.slow)
                                                     for name in ("jax", "torch"))])
def test_a_run_killed_within_an_epoch_resumes_exactly(train, backend):
    def finish(*arguments):
        return run_here(train, *arguments) if backend == keras.backend.backend() else wait_for(train(*arguments))

    command = (*COMMAND[:3], "--epochs", "2", "--batch-size", "1", "--augmentation", "rotation=5", "--set",
               "ema_momentum=0.9", "--backend", backend)
    assert finish(*command, "--name", f"whole-{backend}", "--checkpoint-minutes", "100")[0] == 0
    killed = train.folder / "runs" / f"killed-{backend}"
    process = train(*command, "--name", killed.name, "--checkpoint-minutes", "0.001")
    last = killed / "checkpoints" / "last.npz"
    while not (last.exists() and checkpoints.read_progress(last)[1]):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    epoch, step, seconds = checkpoints.read_progress(last)
    assert (epoch, process.returncode) == (0, -signal.SIGKILL) and 0 < step < 300 and 0 < seconds
    status, out, err = finish("--resume", f"runs/{killed.name}", "--checkpoint-minutes", "50", "--backend", backend)
    assert (status, err) == (0, "")
    check_message(next(line for line in out.splitlines() if line.startswith("resumed")), f"step {step}")
    assert_equal_runs(killed.with_name(f"whole-{backend}"), killed)


@pytest.mark.slow  # every point of a run; the tests above stop after chosen steps
def test_a_run_killed_and_interrupted_resumes_exactly(train, uninterrupted_run):
    chance = random.Random(11)
    for signal_sent, after in ((signal.SIGINT, " 1/5 "), (signal.SIGKILL, "/5 ")):
        process = train(*COMMAND, "--name", "killed")
        read_line(process, after)
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal_sent)
        status, out, err = wait_for(process)
        if signal_sent == signal.SIGKILL:
            assert status == -signal.SIGKILL
            continue
        assert status == 130
        assert len(err.splitlines()) == 2  # at once, and when all is saved
        check_message(err.splitlines()[-1], "python -m zoo.train --resume runs/killed")
    status, out, err = wait_for(train("--resume", "runs/killed"))
    assert (status, err) == (0, "")
    killed = train.folder / "runs" / "killed"
    assert_equal_runs(uninterrupted_run, killed)
    first, second = (json.loads((run / "result.json").read_text()) for run in (uninterrupted_run, killed))
    for facts in (first, second):
        facts.pop("seconds"), facts.pop("peak_memory")
    assert first == second
    assert (uninterrupted_run / "predictions.npz").read_bytes() == (killed / "predictions.npz").read_bytes()


def test_a_finished_run_is_reported_and_not_trained_again(train, uninterrupted_run):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted_run.rglob("*")}
    for arguments in ((*COMMAND, "--name", "whole"), ("--resume", "runs/whole")):
        status, out, err = run_here(train, *arguments)
        assert (status, err) == (0, "")
        result = json.loads((uninterrupted_run / "result.json").read_text())
        check_message(out, "runs/whole", f"{result['test_accuracy_best']:.2%}")
    assert {path: path.stat().st_mtime_ns for path in uninterrupted_run.rglob("*")} == before


@pytest.mark.slow
def test_an_extended_run_equals_a_longer_run(train, uninterrupted_run):
    status, _, err = wait_for(train(*(word if word != "5" else "3" for word in COMMAND), "--name", "longer"))
    assert (status, err) == (0, "")
    status, out, err = wait_for(train("--resume", "runs/longer", "--epochs", "5"))
    assert (status, err) == (0, "")
    check_message(next(line for line in out.splitlines() if line.startswith("resumed")), 3)
    assert_equal_runs(uninterrupted_run, train.folder / "runs" / "longer")


@pytest.mark.parametrize("arguments, parts", [
    ((*COMMAND, "--seed", "3", "--name", "whole"), "runs/whole seed 0 3 --name"),
    (("lenet5", "--name", "whole"), "runs/whole epochs 5 15 --name"),
    (("--resume", "runs/whole", "--lr", "1"), "--resume --learning-rate --epochs"),
    (("vgg16", "--resume", "runs/whole"), "--resume --epochs"),
    (("--resume", "runs/nothing"), "runs/nothing"),
    (("--resume", "runs/whole", "--epochs", "2"), "runs/whole 5 2 --name"),
    (("lenet5", "--max-seconds", "0"), "--max-seconds 1 0"),
    (("lenet5", "--checkpoint-minutes", "0"), "--checkpoint-minutes 15 0.0"),
    (("lenet5", "--checkpoint-minutes", "inf"), "--checkpoint-minutes inf"),
    (("lenet5", "--runs", "0"), "--runs 1 0"),
])
def test_what_cannot_be_resumed_is_refused_before_training(train, uninterrupted_run, arguments, parts):
    status, out, err = run_here(train, *arguments)
    assert (status, out) == (2, "") and err.startswith("error: ")
    check_message(err, *parts.split())


def test_a_second_process_is_refused(train, uninterrupted_run):
    shutil.copytree(uninterrupted_run, uninterrupted_run.with_name("busy"))
    (uninterrupted_run.with_name("busy") / "result.json").unlink()
    with run_directory.lock_run(uninterrupted_run.with_name("busy")):
        status, out, err = run_here(train, "--resume", "runs/busy")
    assert (status, out) == (6, "")
    assert err.startswith("error: ")
    check_message(err, "runs/busy", "--name")


@pytest.mark.slow
def test_a_run_out_of_time_saves_and_resumes(train, uninterrupted_run):
    command = [word for word in COMMAND if word not in ("--epochs", "5")] + ["--set", "epochs=5", "--name", "timed"]
    status, out, err = wait_for(train(*command, "--max-seconds", "1"))  # not one step fits, and one is made
    assert status == 7
    check_message(err, "epoch 0", "step 1", "python -m zoo.train --resume runs/timed")
    status, out, err = wait_for(train("--resume", "runs/timed", "--max-seconds", "1000"))
    assert (status, err) == (0, "")
    check_message(next(line for line in out.splitlines() if line.startswith("resumed")), "epoch 0", "step 1")
    assert_equal_runs(uninterrupted_run, train.folder / "runs" / "timed")


@pytest.mark.slow
def test_a_loss_that_is_not_finite(train):
    status, out, err = wait_for(train("lenet5", "--limit", "300", "--lr", "100000", "--name", "wild", "--set",
                                   "warmup_epochs=0"))
    assert status == 3
    assert err.startswith("error: ")
    check_message(err, "loss", "epoch 1", "step", "--lr")


@pytest.mark.slow
def test_a_full_disk_keeps_the_previous_checkpoint(train, uninterrupted_run):
    """No file may be longer than 100 kB, and a checkpoint is."""
    def limits():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    shutil.copytree(uninterrupted_run, uninterrupted_run.with_name("full"))
    (uninterrupted_run.with_name("full") / "result.json").unlink()
    kept = (uninterrupted_run.with_name("full") / "checkpoints" / "last.npz").read_bytes()
    status, out, err = wait_for(train("--resume", "runs/full", "--epochs", "6", limits=limits))
    assert status == 4
    assert err.splitlines()[-1].startswith("error: ")
    check_message(err.splitlines()[-1], "File too large", "--resume")
    assert (uninterrupted_run.with_name("full") / "checkpoints" / "last.npz").read_bytes() == kept


@pytest.mark.slow
def test_several_seeds_and_their_standard_deviation(train):
    arguments = ("lenet5", "--limit", "100", "--epochs", "1", "--name", "many", "--runs", "2", "--seed", "4")
    status, out, err = wait_for(train(*arguments))
    assert (status, err) == (0, "")
    results = [json.loads((train.folder / "runs" / f"many-seed{seed}" / "result.json").read_text()) for seed in (4, 5)]
    best = np.array([each["test_accuracy_best"] for each in results]) * 100
    check_message(out.splitlines()[-1], f"{best.mean():.2f} ± {best.std(ddof=1):.2f}", "%", 2)
    first, second = (read_arrays(train.folder / "runs" / f"many-seed{seed}" / "checkpoints" / "last.npz")
                     for seed in (4, 5))
    assert not np.array_equal(first["weights/C1/kernel"], second["weights/C1/kernel"])
    # the same command: all are finished
    out = wait_for(train(*arguments))[1]
    assert [len(re.findall(rf"runs/many-seed{seed}\b", out)) for seed in (4, 5)] == [1, 1]
    status, *_ = wait_for(train("lenet5", "--limit", "100", "--epochs", "1", "--name", "again", "--seed", "5"))
    again = read_arrays(train.folder / "runs" / "again" / "checkpoints" / "last.npz")
    assert status == 0
    assert all(np.array_equal(again[path], second[path]) for path in second if path != "progress/seconds")
