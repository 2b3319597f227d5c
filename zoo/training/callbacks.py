"""What happens beside the steps: the run's files after each epoch, and the bar that a person watches."""

import math
import shutil
import sys
import time

import keras
import numpy as np

from zoo.training import run as runs
from zoo.training.saved import state

LOSS = "bare_loss"  # the metric that people see as the loss: Keras's own has the penalty and the smoothing in it
BAR = 12  # characters: the whole line fits 80
REDRAWN = 0.1  # seconds between two drawings of the bar


class Records(keras.callbacks.Callback):
    """history.csv, timings.csv and the checkpoints; `best` is the row of the best epoch by validation accuracy.

    Equal accuracies: the one with the lower validation loss, then the earlier one. `rate` gives the learning rate of
    an epoch, counted from 0.
    """

    def __init__(self, run, rate):
        super().__init__()
        self.run, self.rate, self.history, self.timings, self.best = run, rate, [], [], None

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "learning_rate": shortest(self.rate(epoch)),
               "loss": shortest(logs[LOSS]), "accuracy": shortest(logs["accuracy"]),
               "val_loss": shortest(logs[f"val_{LOSS}"]), "val_accuracy": shortest(logs["val_accuracy"])}
        self.history.append(row)
        self.timings.append({"epoch": epoch + 1, "seconds": round(time.perf_counter() - self.began, 3)})
        runs.write_csv(self.run / "history.csv", self.history)
        runs.write_csv(self.run / "timings.csv", self.timings)
        if not math.isfinite(row["loss"] + row["val_loss"]):  # the checkpoints stay those of the epoch before
            raise FloatingPointError(f"the loss is not finite in epoch {epoch + 1}: {row['loss']}, "
                                     f"in validation {row['val_loss']}")
        arrays = state(self.model)
        runs.write_arrays(self.run / "checkpoints" / "last.npz", arrays)
        if self.best is None or rank(row) > rank(self.best):
            self.best = row
            runs.write_arrays(self.run / "checkpoints" / "best.npz", arrays)


def shortest(value):
    """Return the number with the fewest digits that is the same float32, Keras's precision: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))


def rank(row):
    """Return the key by which epochs are compared; the greatest is the best."""
    return row["val_accuracy"], -row["val_loss"]


class Progress(keras.callbacks.Callback):
    """A bar that moves with the time left in the epoch, then a line that stays; in a log file the line alone."""

    def __init__(self, epochs, steps, stream=None):
        super().__init__()
        self.epochs, self.steps, self.stream = epochs, steps, stream or sys.stdout

    def on_train_begin(self, logs=None):
        self.run_began = time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        self.name = f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"
        self.began = self.drawn = time.perf_counter()
        self.draw(0, "")  # the first step of a run takes long, the network is compiled

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self.drawn < REDRAWN:
            return
        self.drawn, done = now, (batch + 1) / self.steps
        left = (now - self.began) / done * (1 - done)
        self.draw(done, f"{words(left)} left  loss {float(logs[LOSS]):.4f}  accuracy {float(logs['accuracy']):.2%}")

    def on_test_begin(self, logs=None):
        self.draw(1, "validating")

    def draw(self, done, text):
        """Draw the bar over itself, cut to the terminal's width: a line that wraps could not be drawn over."""
        if self.stream.isatty():
            bar = "━" * int(BAR * done) + "╌" * (BAR - int(BAR * done))
            line = f"{self.name}  {bar} {done:4.0%}  {text}"
            self.write(f"\r\033[K{line[:shutil.get_terminal_size().columns - 1]}")

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        left = (now - self.run_began) / (epoch + 1) * (self.epochs - epoch - 1)
        start = "\r\033[K" if self.stream.isatty() else ""
        self.write(f"{start}{self.name}  loss {logs[LOSS]:.4f}, accuracy {logs['accuracy']:.2%}  "
                   f"validation {logs[f'val_{LOSS}']:.4f}, {logs['val_accuracy']:.2%}  "
                   f"{words(now - self.began)}{f', {words(left)} left' if epoch + 1 < self.epochs else ''}\n")

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()


def words(seconds):
    """Return a length of time as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds // 60 % 60:02d} min"
