"""Checkpoints: last.npz and best.npz hold all that training changes, so that a run goes on as if it had never ended.

    weights/PATH     what is tested: the averages where the recipe has `ema_momentum`
    raw/PATH         with `ema_momentum`: what is trained
    seeds/N          of dropout
    optimizer/PATH   momenta, averages, the number of the step
    metrics/N        in the middle of an epoch: its sums so far
    progress/epoch, progress/step     whole epochs done, and steps of the next one; progress/seconds: those of that one
"""

import os
import shutil
from dataclasses import dataclass, field

import keras
import numpy as np

from zoo.errors import UserError
from zoo.training import precision, run_files
from zoo.training.npz_file import make_damaged_file_error, read_arrays, write_arrays
from zoo.utils.io import atomic_write


def get_selection_key(row):
    """Return the key by which epochs are compared; the greatest is the best."""
    return row["val_accuracy"], -row["val_loss"]


@dataclass
class Progress:
    """How far a run is: `epoch` whole epochs, whose rows are `history` and `timings`, and `step` steps of the next."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    validation_seconds: float = 0.0  # seconds that it has taken in this session, at most
    history: list = field(default_factory=list)
    timings: list = field(default_factory=list)

    @property
    def best(self):
        """The row of the best epoch by validation, the first among equals; None before there is one."""
        return max(self.history, key=get_selection_key, default=None)


def get_training_variables(model):
    """Return {path: variable} of all that training changes in a compiled model."""
    weights = {f"weights/{variable.path}": variable for variable in model.weights}
    seeds = [variable for variable in model.variables if f"weights/{variable.path}" not in weights]
    return {**weights, **{f"seeds/{number}": seed for number, seed in enumerate(seeds)},
            **{f"optimizer/{variable.path}": variable for variable in model.optimizer.variables}}


def convert_to_arrays(variables):
    """Return {path: array} of {path: variable}."""
    return {path: np.array(keras.ops.convert_to_numpy(variable)) for path, variable in variables.items()}


def get_training_state(model):
    """Return {path: array} of all that training changes; the weights are the averages where there are any."""
    arrays = convert_to_arrays(get_training_variables(model))
    if not precision.get_inner_optimizer(model.optimizer).use_ema:
        return arrays
    trained = {variable.path: variable for variable in model.trainable_variables}
    raw = {path: arrays[f"weights/{path}"] for path in trained}
    model.optimizer.finalize_variable_values([*trained.values()])  # puts the averages in their place
    averages = convert_to_arrays(trained)
    for path, variable in trained.items():
        variable.assign(raw[path])
    return {**arrays, **{f"weights/{path}": array for path, array in averages.items()},
            **{f"raw/{path}": array for path, array in raw.items()}}


def save_checkpoint(folder, arrays, metrics, progress):
    """Write last.npz: `arrays`, which state() gave; in the middle of an epoch `metrics` too, keras.metrics.Metric."""
    metrics = {f"metrics/{number}": variable for number, variable in enumerate(get_metric_variables(metrics))}
    write_arrays(folder / "last.npz", {
        **arrays, **(convert_to_arrays(metrics) if progress.step else {}), "progress/epoch": np.int64(progress.epoch),
        "progress/step": np.int64(progress.step), "progress/seconds": np.float64(progress.seconds)})


def get_metric_variables(metrics):
    """Return the variables of metrics, which Keras's own list leaves out before the first step."""
    return [variable for metric in metrics for variable in metric.variables]


def copy_last_to_best(folder):
    """Make best.npz of last.npz."""
    with atomic_write(folder / "best.npz") as scratch:
        shutil.copyfile(folder / "last.npz", scratch)


def restore_checkpoint(model, folder):
    """Give `model`, compiled and its optimizer built, the state of last.npz; return the arrays of its metrics.

    UserError when it is another model's.
    """
    path = folder / "last.npz"
    arrays = read_arrays(path)
    for name, variable in get_training_variables(model).items():
        assign_checked(path, model, name, variable, arrays.get(name.replace("weights/", "raw/", 1), arrays.get(name)))
    metrics = [f"metrics/{number}" for number in range(sum(name.startswith("metrics/") for name in arrays))]
    if not {*metrics} <= {*arrays}:
        raise make_damaged_file_error(path, "its metrics are not numbered 0, 1, 2, ...")
    return [arrays[name] for name in metrics]


def assign_checked(path, model, name, variable, array):
    """Assign; UserError when the file at `path` has nothing of this shape and type for it."""
    if array is None or array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise UserError(f"{path} is not a checkpoint of this {model.name}: {name.partition('/')[2]} is {found}")
    variable.assign(array)


def recover_progress(run):
    """Return the Progress of a run directory, and mend what a kill between two files has left.

    last.npz is written after history.csv and before best.npz: rows of an epoch that it does not know are dropped,
    and a best epoch that it is itself is copied.
    """
    folder = run / "checkpoints"
    if not (folder / "last.npz").exists():
        return Progress()
    epoch, step, seconds = read_progress(folder / "last.npz")
    history, timings = (read(run)[:epoch] if epoch else []
                        for read in (run_files.read_history_rows, run_files.read_timings))
    progress = Progress(epoch, step, seconds, history=history, timings=timings)
    if not len(history) == len(timings) == epoch:
        raise UserError(f"{run / 'history.csv'} has {len(history)} epochs and checkpoints/last.npz {epoch}: the run is "
                        "damaged; begin a new one")
    kept = read_progress(folder / "best.npz")[0] if (folder / "best.npz").exists() else None
    if progress.best and progress.best["epoch"] != kept:
        if step or progress.best["epoch"] != epoch:
            raise UserError(f"{folder / 'best.npz'} is not of epoch {progress.best['epoch']}, the best: the run is "
                            "damaged; begin a new one")
        copy_last_to_best(folder)
    return progress


def read_progress(path):
    """Return (whole epochs, steps of the next, their seconds) of a checkpoint file."""
    arrays = read_arrays(path, lambda name: name.startswith("progress/"))
    try:
        epoch, step = int(arrays["progress/epoch"]), int(arrays["progress/step"])
        if min(epoch, step) < 0:
            raise ValueError
        return epoch, step, float(arrays["progress/seconds"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{os.fspath(path)} does not say how far its run was: it cannot go on; begin a new "
                        "one") from None
