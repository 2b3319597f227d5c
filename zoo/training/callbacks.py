"""What happens beside the steps: the run's files after each epoch, and the end when it is time."""

import math
import time

import keras
import numpy as np

from zoo.training import checkpoints, diagnosis, run_files, schedules

# The metric that people see as the loss: Keras's own has smoothing and side classifiers in it
REPORTED_LOSS = "bare_loss"
EXIT_SECONDS = 1.0  # seconds kept for leaving: a disk that is slow for once
TIME_SAFETY_FACTOR = 1.5  # times the slowest so far
DROPOUT_STREAM = 3  # the last word of Philox's counter; 0 to 2: the order of the images, augmentation, first weights


def put_history_row(logs, row):
    """Make `logs`, which the user's callbacks see after this one, the columns of history.csv.

    Not the epoch: Keras's callbacks have it as an argument, and ModelCheckpoint takes no second one.
    """
    for name in [name for name in logs if name.endswith(REPORTED_LOSS)]:
        del logs[name]
    logs.update({name: value for name, value in row.items() if name != "epoch"})


class CheckpointAndLog(keras.callbacks.Callback):
    """history.csv, timings.csv and the checkpoints; the rate on a plateau, and the end before the last epoch.

    run: its directory, or None where another host writes it. metrics: those of the model; progress: how far the run is,
    kept up to date; statistics: a BatchStatistics; validated: a function that returns {"val_loss": ...,
    "val_accuracy": ...}; leave: a zoo.training.stopping.Leave.
    """

    def __init__(self, run, recipe, batches, metrics, progress, statistics, validate, stopper):
        super().__init__()
        self.run, self.recipe, self.batches, self.metrics = run, recipe, batches, metrics
        self.progress, self.statistics, self.validate, self.stopper = progress, statistics, validate, stopper
        self.restored_metrics = []  # of the metrics, arrays: set by who goes on in the middle of an epoch
        self.max_step_seconds, self.max_save_seconds = 0.0, 0.0  # seconds, at most, of a step and of saving

    def on_epoch_begin(self, epoch, logs=None):
        self.learning_rate = schedules.compute_epoch_learning_rate(self.recipe, self.batches.steps_per_epoch,
                                                                   self.progress.history)
        if self.recipe.lr_schedule == "plateau":
            self.model.optimizer.learning_rate = self.learning_rate
        if self.restored_metrics:  # Keras has just made them 0
            for variable, array in zip(checkpoints.get_metric_variables(self.metrics), self.restored_metrics,
                                       strict=True):
                variable.assign(array)
            self.restored_metrics = []
        self.initial_step = self.progress.step
        self.epoch_start = self.last_step_time = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if keras.backend.backend() == "torch":  # dropout draws from PyTorch's own generator, which no variable holds
            keras.utils.set_random_seed(derive_step_seed(self.batches.seed, self.progress.epoch, self.progress.step))

    def on_train_batch_end(self, batch, logs=None):  # after one step or several, `batch` is the last
        now, progress = time.perf_counter(), self.progress
        first, last = progress.step + 1, self.initial_step + batch + 1
        if not math.isfinite(logs["loss"]):
            steps = f"step {last}" if first == last else f"steps {first} to {last}"
            raise FloatingPointError(f"the loss is not finite in epoch {progress.epoch + 1}, {steps}; "
                                     + diagnosis.describe_nonfinite_weight(self.model))
        progress.step = last
        self.max_step_seconds, self.last_step_time = max(self.max_step_seconds, now - self.last_step_time), now
        validation = progress.validation_seconds if progress.step >= self.batches.steps_per_epoch - 1 else 0
        if self.stopper.should_stop(EXIT_SECONDS + TIME_SAFETY_FACTOR * (self.max_step_seconds + self.max_save_seconds
                                                                         + validation)):
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        ended, progress = time.perf_counter(), self.progress
        progress.seconds += ended - self.epoch_start
        if progress.step < self.batches.steps_per_epoch:  # left in the middle
            arrays = checkpoints.get_training_state(self.model)
            if self.run:
                checkpoints.save_checkpoint(self.run / "checkpoints", arrays, self.metrics, progress)
            return
        arrays = checkpoints.get_training_state(self.model)
        tested = self.validate_weights(epoch, arrays)
        row = {"epoch": epoch + 1, "learning_rate": shorten_float32(self.learning_rate), **select_metric_columns(logs),
               **tested}
        if not math.isfinite(row["val_loss"]):  # the checkpoints stay those of the epoch before
            raise FloatingPointError(f"the loss is not finite in the validation after epoch {epoch + 1}")
        if logs is not None:
            put_history_row(logs, row)
        progress.history.append(row)
        progress.timings.append({"epoch": epoch + 1, "seconds": round(progress.seconds, 3)})
        progress.epoch, progress.step, progress.seconds = epoch + 1, 0, 0.0
        if self.run:
            self.write_files(arrays)
        self.max_save_seconds = max(self.max_save_seconds, time.perf_counter() - ended - progress.validation_seconds)
        if (self.stopper.should_stop(EXIT_SECONDS
                                     + TIME_SAFETY_FACTOR * (self.max_step_seconds + self.max_save_seconds))
                or schedules.has_stopped_early(self.recipe, progress.history)):
            self.model.stop_training = True

    def write_files(self, arrays):
        """Write what is known after an epoch."""
        progress = self.progress
        run_files.write_history(self.run, progress.history)
        run_files.write_timings(self.run, progress.timings)
        checkpoints.save_checkpoint(self.run / "checkpoints", arrays, self.metrics, progress)
        if progress.best["epoch"] == progress.epoch:
            checkpoints.copy_last_to_best(self.run / "checkpoints")

    def validate_weights(self, epoch, arrays):
        """Return what validation says of the weights that are tested: with an average, that.

        Their batch statistics are measured before, and become those of the model and of `arrays`, a checkpoint's.
        """
        averaged = {variable.path: variable for variable in self.model.trainable_variables
                    if f"raw/{variable.path}" in arrays}
        for path, variable in averaged.items():
            variable.assign(arrays[f"weights/{path}"])
        measured = self.statistics.measure(epoch)
        arrays |= {f"weights/{path}": array for path, array in measured.items()}
        began = time.perf_counter()
        row = {name: shorten_float32(value) for name, value in self.validate().items()}
        self.progress.validation_seconds = max(self.progress.validation_seconds, time.perf_counter() - began)
        for path, variable in averaged.items():
            variable.assign(arrays[f"raw/{path}"])
        return row


def derive_step_seed(seed, epoch, step):
    """Return the seed, 32 bits, of what PyTorch draws in a step: a resumed run draws the same."""
    return int(np.random.Philox(key=[seed, epoch], counter=[0, step, 0, DROPOUT_STREAM]).random_raw()) >> 32


def select_metric_columns(logs):
    """Return the training columns of a row: loss and accuracy, of side classifiers under their names."""
    names = sorted(name.removesuffix(REPORTED_LOSS) for name in logs
                   if name.endswith(REPORTED_LOSS))  # "", or aux1_, ..., main_
    names = names[-1:] + names[:-1]
    return {f"{name.removeprefix('main_')}{column}": shorten_float32(logs[f"{name}{metric}"]) for name in names
            for column, metric in (("loss", REPORTED_LOSS), ("accuracy", "accuracy"))}


def shorten_float32(value):
    """Return the number with the fewest digits that is the same float32, Keras's precision: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))
