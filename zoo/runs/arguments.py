"""Checks of the arguments of `zoo.fit` and `Run.resume` that are not data, model or recipe. Loads no backend."""

import os
import time
from numbers import Real

from zoo.errors import UserError
from zoo.training import loggers
from zoo.utils.validation import check_positive_integer, is_integer

MAX_SEED = 2**32 - 1
# Keras's callbacks that do what zoo does itself, and what to give in place of them
REFUSED_CALLBACKS = {
    "ReduceLROnPlateau": "sets the learning rate, which the recipe already does; leave it out and give "
                         "lr_schedule='plateau', lr_patience and gamma",
    "LearningRateScheduler": "sets the learning rate, which the recipe already does; leave it out and give "
                             "lr_schedule, learning_rate and warmup_epochs",
    "BackupAndRestore": "restores weights, which zoo already does from the run's checkpoints; leave it out, and resume "
                        "with Run.resume(), or with the same call and the same name=...",
}
# Columns of history.csv by the names that older Keras and other trainers give them, for callbacks that monitor one
MONITOR_NAMES = {"acc": "accuracy", "val_acc": "val_accuracy", "validation_loss": "val_loss",
                 "validation_accuracy": "val_accuracy", "lr": "learning_rate"}


def check_seed(seed):
    """Return the seed as an int; UserError unless it is an integer from 0 to MAX_SEED."""
    if not is_integer(seed) or not 0 <= seed <= MAX_SEED:
        raise UserError(f"seed must be an integer from 0 to {MAX_SEED}; got {seed!r}")
    return int(seed)


def check_limit(limit):
    """Return the maximum number of images of a split as an int, or None; UserError for anything else."""
    return None if limit is None else check_positive_integer("limit", limit)


def check_run_location(output_dir, name):
    """Raise UserError unless the folder of a run directory is a path, and its name, None for a new one, a text."""
    if not isinstance(output_dir, (str, os.PathLike)):
        raise UserError(f"output_dir must be the path of a folder, such as 'runs'; got {output_dir!r}")
    if not isinstance(name, (str, type(None))):
        raise UserError(f"name must be the name of a run directory, such as 'mine'; got {name!r}")


def compute_deadline(max_seconds):
    """Return the time, on time.monotonic's clock, at which to save and stop: never for None."""
    if max_seconds is None:
        return float("inf")
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, Real) or not max_seconds > 0:  # also NaN
        raise UserError(f"max_seconds must be a number of seconds greater than 0, such as 600; got {max_seconds!r}")
    return time.monotonic() + max_seconds


def check_callbacks(callbacks):
    """Return None, one callback or several as a tuple; UserError for anything that is not a Keras callback."""
    callbacks = callbacks or ()
    callbacks = tuple(callbacks) if isinstance(callbacks, (list, tuple)) else (callbacks,)
    for callback in callbacks:
        if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
            raise UserError("callbacks must be a list of keras.callbacks.Callback objects, such as "
                            f"[keras.callbacks.EarlyStopping(\"val_loss\")]; got {callback!r}")
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor in MONITOR_NAMES:
            raise UserError(f"the callback {type(callback).__name__} monitors {monitor!r}, which is called "
                            f"{MONITOR_NAMES[monitor]!r} here")
        for name in {kind.__name__ for kind in type(callback).__mro__} & {*REFUSED_CALLBACKS}:
            raise UserError(f"the callback {name} {REFUSED_CALLBACKS[name]}")
    return callbacks


def check_logger_names(log):
    """Return `log`, which is None, a logger name or several, as a tuple of checked names."""
    logger_names = () if log is None else (log,) if isinstance(log, str) else log
    if not isinstance(logger_names, (list, tuple)):
        raise UserError(f"log must be the name of a logger, such as 'tensorboard', or a list of names; got {log!r}")
    loggers.check_loggers(logger_names)
    return tuple(logger_names)
