"""The training callback: saves after each epoch, and within a long one, and stops training when it is time.

`CallbackGroup` calls the callbacks of the user after it.
"""

import math
import time

import keras
import numpy as np

from zoo.training import checkpoints, run_files, schedules
from zoo.training.failures import NONFINITE_LOSS
from zoo.training.stopping import has_stopped_early

# The metric behind the reported loss: Keras's own loss includes label smoothing and auxiliary classifiers
REPORTED_LOSS = "bare_loss"
EXIT_SECONDS = 1.0  # seconds reserved for exiting, in case the disk is slow
TIME_SAFETY_FACTOR = 1.5  # times the slowest step or save so far
DROPOUT_STREAM = 3  # the last word of Philox's counter; 0 to 2: the order of the images, augmentation, initialization


def put_history_row(logs, row):
    """Replace `logs`, which the user's callbacks see after this one, by the columns of history.csv.

    Without the epoch: Keras's callbacks get it as an argument, and ModelCheckpoint rejects a second one.
    """
    for name in [name for name in logs if name.endswith(REPORTED_LOSS)]:
        del logs[name]
    logs.update({name: value for name, value in row.items() if name != "epoch"})


class CheckpointAndLog(keras.callbacks.Callback):
    """Write history.csv, timings.csv and checkpoints, reduce the learning rate on a plateau, and stop early.

    run: Path of the run directory, or None if another host writes it. metrics: those of the model. progress: a
    Progress, updated in place. statistics: a BatchStatistics. validate: function that returns {"val_loss": ...,
    "val_accuracy": ...}. stopper: a zoo.training.stopping.Stopper.
    """

    def __init__(self, run, recipe, batches, metrics, progress, statistics, validate, stopper):
        super().__init__()
        self.run, self.recipe, self.batches, self.metrics = run, recipe, batches, metrics
        self.progress, self.statistics, self.validate, self.stopper = progress, statistics, validate, stopper
        self.restored_metrics = []  # arrays of the metrics; set when resuming in the middle of an epoch
        self.max_step_seconds, self.max_save_seconds = 0.0, 0.0  # of the slowest step and save
        self.saved_step = 0  # of this epoch, at which last.npz was written

    def on_epoch_begin(self, epoch, logs=None):
        self.learning_rate = schedules.compute_epoch_learning_rate(self.recipe, self.batches.steps_per_epoch,
                                                                   self.progress.history)
        if self.recipe.lr_schedule == "plateau":
            self.model.optimizer.learning_rate = self.learning_rate
        if self.restored_metrics:  # Keras has just reset the metrics
            for variable, array in zip(checkpoints.get_metric_variables(self.metrics), self.restored_metrics,
                                       strict=True):
                variable.assign(array)
            self.restored_metrics = []
        self.initial_step = self.saved_step = self.progress.step
        self.epoch_start = self.last_step_time = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if keras.backend.backend() == "torch":  # dropout uses PyTorch's own generator, which is not a variable
            keras.utils.set_random_seed(derive_step_seed(self.batches.seed, self.progress.epoch, self.progress.step))

    def on_train_batch_end(self, batch, logs=None):  # after one or several steps; `batch` is the last
        now, progress = time.perf_counter(), self.progress
        first, last = progress.step + 1, self.initial_step + batch + 1
        if not math.isfinite(logs["loss"]):
            steps = f"step {last}" if first == last else f"steps {first} to {last}"
            raise FloatingPointError(f"{NONFINITE_LOSS} in epoch {progress.epoch + 1}, {steps}; "
                                     + describe_nonfinite_weight(self.model))
        progress.step = last
        self.max_step_seconds, self.last_step_time = max(self.max_step_seconds, now - self.last_step_time), now
        if progress.step < self.batches.steps_per_epoch and self.stopper.should_save():
            self.save_within_epoch()
        validation = progress.validation_seconds if progress.step >= self.batches.steps_per_epoch - 1 else 0
        if self.stopper.should_stop(EXIT_SECONDS + TIME_SAFETY_FACTOR * (self.max_step_seconds + self.max_save_seconds
                                                                         + validation)):
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        progress = self.progress
        if progress.step < self.batches.steps_per_epoch:  # stopped in the middle of the epoch
            if progress.step != self.saved_step:
                self.save_within_epoch()
            return
        end_time = time.perf_counter()
        progress.seconds += end_time - self.epoch_start
        arrays = checkpoints.get_training_state(self.model)
        validation = self.validate_weights(epoch, arrays)
        row = {"epoch": epoch + 1, "learning_rate": shorten_float32(self.learning_rate), **select_metric_columns(logs),
               **validation}
        if not math.isfinite(row["val_loss"]):  # the checkpoints of the epoch before are kept
            raise FloatingPointError(f"{NONFINITE_LOSS} in the validation after epoch {epoch + 1}")
        if logs is not None:
            put_history_row(logs, row)
        progress.history.append(row)
        progress.timings.append({"epoch": epoch + 1, "seconds": round(progress.seconds, 3)})
        progress.epoch, progress.step, progress.seconds = epoch + 1, 0, 0.0
        if self.run:
            self.write_files(arrays)
        self.stopper.restart_save_timer()
        save_seconds = time.perf_counter() - end_time - progress.validation_seconds
        self.max_save_seconds = max(self.max_save_seconds, save_seconds)
        if (self.stopper.should_stop(EXIT_SECONDS
                                     + TIME_SAFETY_FACTOR * (self.max_step_seconds + self.max_save_seconds))
                or has_stopped_early(self.recipe, progress.history)):
            self.model.stop_training = True

    def save_within_epoch(self):
        """Write last.npz with the steps of this epoch so far; all hosts take part, since reading may be collective."""
        start, progress = time.perf_counter(), self.progress
        progress.seconds += start - self.epoch_start
        self.epoch_start = start
        arrays = checkpoints.get_training_state(self.model)  # with JAX, `self.model` first gets its variables back
        if self.run:
            checkpoints.save_checkpoint(self.run / "checkpoints", arrays, self.metrics, progress)
        self.saved_step, self.last_step_time = progress.step, time.perf_counter()
        self.max_save_seconds = max(self.max_save_seconds, self.last_step_time - start)
        self.stopper.restart_save_timer()

    def write_files(self, arrays):
        """Write the history, the timings and the checkpoints after an epoch."""
        progress = self.progress
        run_files.write_history(self.run, progress.history)
        run_files.write_timings(self.run, progress.timings)
        checkpoints.save_checkpoint(self.run / "checkpoints", arrays, self.metrics, progress)
        if progress.best["epoch"] == progress.epoch:
            checkpoints.copy_last_to_best(self.run / "checkpoints")

    def validate_weights(self, epoch, arrays):
        """Return the validation metrics of the weights that are evaluated: the EMA weights where there are any.

        Their batch statistics are measured first, and assigned to the model and to `arrays`, a checkpoint's.
        """
        averaged = {variable.path: variable for variable in self.model.trainable_variables
                    if f"trained/{variable.path}" in arrays}
        for path, variable in averaged.items():
            variable.assign(arrays[f"weights/{path}"])
        statistics = self.statistics.measure(epoch)
        arrays |= {f"weights/{path}": array for path, array in statistics.items()}
        start_time = time.perf_counter()
        row = {name: shorten_float32(value) for name, value in self.validate().items()}
        self.progress.validation_seconds = max(self.progress.validation_seconds, time.perf_counter() - start_time)
        for path, variable in averaged.items():
            variable.assign(arrays[f"trained/{path}"])
        return row


class CallbackGroup(keras.callbacks.Callback):
    """Call other callbacks as in one `fit`, although zoo calls it twice where it resumes in the middle of an epoch.

    on_train_begin is called once, on_train_end by `finish`, and on_epoch_end only for an epoch that is complete, whose
    logs have all columns of history.csv. progress: the Progress that CheckpointAndLog, which precedes this callback,
    updates.
    """

    def __init__(self, callbacks, progress):
        super().__init__()
        self.callbacks, self.progress = callbacks, progress
        self.has_started, self.last_logs = False, {}

    def set_params(self, params):
        super().set_params(params)
        self.call("set_params", params)

    def set_model(self, model):
        super().set_model(model)
        self.call("set_model", model)

    def on_train_begin(self, logs=None):
        if not self.has_started:
            self.has_started = True
            self.call("on_train_begin", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.call("on_epoch_begin", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self.call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.call("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        if not self.progress.step:  # else training was stopped in the middle of the epoch
            self.last_logs = logs
            self.call("on_epoch_end", epoch, logs)

    def finish(self):
        """Call on_train_end, with the logs of the last epoch, if training has started."""
        if self.has_started:
            self.call("on_train_end", self.last_logs)

    def call(self, method, *arguments):
        """Call a method of each callback; mark an OSError, which does not mean that the run cannot be written."""
        try:
            for callback in self.callbacks:
                getattr(callback, method)(*arguments)
        except OSError as error:
            error.is_of_callback = True
            raise


def describe_nonfinite_weight(model):
    """Describe the first weights of a model, from the input on, that are not finite."""
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            return f"{variable.path} is the first of the weights that are not finite"
    return "all weights are finite: the loss itself overflowed"


def derive_step_seed(seed, epoch, step):
    """Return PyTorch's 32-bit seed for a step, so that a resumed run draws the same numbers."""
    return int(np.random.Philox(key=[seed, epoch], counter=[0, step, 0, DROPOUT_STREAM]).random_raw()) >> 32


def select_metric_columns(logs):
    """Return the training columns of a row: loss and accuracy, those of auxiliary classifiers with their names."""
    names = sorted(name.removesuffix(REPORTED_LOSS) for name in logs
                   if name.endswith(REPORTED_LOSS))  # "", or aux1_, ..., main_
    names = names[-1:] + names[:-1]
    return {f"{name.removeprefix('main_')}{column}": shorten_float32(logs[f"{name}{metric}"]) for name in names
            for column, metric in (("loss", REPORTED_LOSS), ("accuracy", "accuracy"))}


def shorten_float32(value):
    """Return the shortest decimal equal in float32, Keras's precision: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))
