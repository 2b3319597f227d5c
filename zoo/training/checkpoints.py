"""Checkpoints: last.npz and best.npz hold the full training state, so that a run resumes exactly where it stopped.

    weights/PATH     the evaluated weights: the averages if the recipe has `ema_momentum`
    trained/PATH         with `ema_momentum`: the trained weights
    seeds/N          random seeds of dropout
    optimizer/PATH   momenta, averages, the step counter
    metrics/N        in the middle of an epoch: the metrics' running sums
    progress/epoch, progress/step     completed epochs, and steps of the next epoch; progress/seconds: time spent in it
"""

import os
import re
import shutil
from dataclasses import dataclass, field

import keras
import numpy as np

from zoo.errors import UserError
from zoo.training import precision, run_files
from zoo.training.npz_file import make_damaged_file_error, read_arrays, write_arrays
from zoo.utils.io import atomic_write


def get_selection_key(row):
    """Return the sort key of an epoch; the best epoch has the largest."""
    return row["val_accuracy"], -row["val_loss"]


@dataclass
class Progress:
    """Progress of a run: `epoch` completed epochs, with rows `history` and `timings`, and `step` steps of the next."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    validation_seconds: float = 0.0  # longest validation in this session
    history: list = field(default_factory=list)
    timings: list = field(default_factory=list)

    @property
    def best(self):
        """The row of the best epoch on the validation split, the earliest of equals; None before the first epoch."""
        return max(self.history, key=get_selection_key, default=None)


def get_training_variables(model):
    """Return {path: variable} of all variables that training changes in a compiled model."""
    weights = {f"weights/{variable.path}": variable for variable in model.weights}
    seeds = [variable for variable in model.variables if f"weights/{variable.path}" not in weights]
    return {**weights, **{f"seeds/{index}": seed for index, seed in enumerate(seeds)},
            **{f"optimizer/{variable.path}": variable for variable in model.optimizer.variables}}


def convert_to_arrays(variables):
    """Convert {path: variable} to {path: array}."""
    return {path: np.array(keras.ops.convert_to_numpy(variable)) for path, variable in variables.items()}


def get_training_state(model):
    """Return the training state as {path: array}; the weights are the averages if there are any."""
    arrays = convert_to_arrays(get_training_variables(model))
    if not precision.get_inner_optimizer(model.optimizer).use_ema:
        return arrays
    trained = {variable.path: variable for variable in model.trainable_variables}
    unaveraged = {path: arrays[f"weights/{path}"] for path in trained}
    model.optimizer.finalize_variable_values([*trained.values()])  # replaces the weights by their averages
    averages = convert_to_arrays(trained)
    for path, variable in trained.items():
        variable.assign(unaveraged[path])
    return {**arrays, **{f"weights/{path}": array for path, array in averages.items()},
            **{f"trained/{path}": array for path, array in unaveraged.items()}}


def save_checkpoint(folder, arrays, metrics, progress):
    """Write last.npz: `arrays` from `get_training_state` and, in the middle of an epoch, the Keras `metrics`."""
    metrics = {f"metrics/{index}": variable for index, variable in enumerate(get_metric_variables(metrics))}
    write_arrays(folder / "last.npz", {
        **arrays, **(convert_to_arrays(metrics) if progress.step else {}), "progress/epoch": np.int64(progress.epoch),
        "progress/step": np.int64(progress.step), "progress/seconds": np.float64(progress.seconds)})


def get_metric_variables(metrics):
    """Return the variables of metrics, which Keras's own list omits before the first step."""
    return [variable for metric in metrics for variable in metric.variables]


def copy_last_to_best(folder):
    """Copy last.npz to best.npz."""
    with atomic_write(folder / "best.npz") as temporary_path:
        shutil.copyfile(folder / "last.npz", temporary_path)


def restore_checkpoint(model, folder):
    """Restore the state of `model`, compiled with its optimizer built, from last.npz; return the metrics' arrays.

    Raise UserError if the checkpoint belongs to another model.
    """
    path = folder / "last.npz"
    variables = get_training_variables(model)
    arrays = match_automatic_names(read_arrays(path), variables)
    for name, variable in variables.items():
        assign_checked(path, model, name, variable,
                       arrays.get(name.replace("weights/", "trained/", 1), arrays.get(name)))
    metrics = [f"metrics/{index}" for index in range(sum(name.startswith("metrics/") for name in arrays))]
    if not {*metrics} <= {*arrays}:
        raise make_damaged_file_error(path, "its metrics are not numbered 0, 1, 2, ...")
    return [arrays[name] for name in metrics]


def match_automatic_names(arrays, names):
    """Return the `arrays` of a checkpoint under `names`, if only the counters of Keras's automatic names differ.

    Layers that a user's own layer creates without names are called conv2d_4 and conv2d_5 when the model is made, and
    conv2d_9 and conv2d_10 when it is made again. Their order is the same.
    """
    new_names = {}
    for section in ("weights/", "optimizer/"):
        stored, expected = ([name for name in given if name.startswith(section)] for given in (arrays, names))
        if {*stored} != {*expected} and [*map(remove_counters, stored)] == [*map(remove_counters, expected)]:
            new_names |= zip(stored, expected, strict=True)
    new_names |= {old.replace("weights/", "trained/", 1): new.replace("weights/", "trained/", 1)
                  for old, new in new_names.items() if old.startswith("weights/")}
    return {new_names.get(name, name): array for name, array in arrays.items()}


def remove_counters(path):
    """Return the path of a variable without counters: block/conv2d/kernel for block/conv2d_4/kernel."""
    return re.sub(r"_\d+(?=[_/]|$)", "", path)


def assign_checked(path, model, name, variable, array):
    """Assign `array` to `variable`; raise UserError if it is missing or has another shape or dtype."""
    if array is None or array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
        actual = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise UserError(f"{path} is not a checkpoint of this {model.name}: {name.partition('/')[2]} is {actual}")
    variable.assign(array)


def recover_progress(run):
    """Return the Progress of a run directory, and repair the files if the process was killed between two writes.

    last.npz is written after history.csv and before best.npz: later rows of history.csv are dropped, and last.npz is
    copied to best.npz if its epoch is the best.
    """
    folder = run / "checkpoints"
    if not (folder / "last.npz").exists():
        return Progress()
    epoch, step, seconds = read_progress(folder / "last.npz")
    history, timings = (read(run)[:epoch] if epoch else []
                        for read in (run_files.read_history_rows, run_files.read_timings))
    progress = Progress(epoch, step, seconds, history=history, timings=timings)
    if not len(history) == len(timings) == epoch:
        raise UserError(f"{run / 'history.csv'} has {len(history)} epochs but checkpoints/last.npz has {epoch}: the "
                        "run is damaged; start a new one")
    best_epoch = read_progress(folder / "best.npz")[0] if (folder / "best.npz").exists() else None
    if progress.best and progress.best["epoch"] != best_epoch:
        if step or progress.best["epoch"] != epoch:
            raise UserError(f"{folder / 'best.npz'} is not the checkpoint of epoch {progress.best['epoch']}, the best: "
                            "the run is damaged; start a new one")
        copy_last_to_best(folder)
    return progress


def read_progress(path):
    """Return (completed epochs, steps of the next, their seconds) of a checkpoint file."""
    arrays = read_arrays(path, lambda name: name.startswith("progress/"))
    try:
        epoch, step = int(arrays["progress/epoch"]), int(arrays["progress/step"])
        if min(epoch, step) < 0:
            raise ValueError
        return epoch, step, float(arrays["progress/seconds"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{os.fspath(path)} does not record the progress of its run, which cannot be resumed; start a "
                        "new one") from None
