"""The progress bar of a training."""

import shutil
import sys
import time

import keras

from zoo.training.callbacks import select_metric_columns
from zoo.utils.numbers import format_loss

BAR_WIDTH = 12  # characters: the whole line fits 80
REDRAW_INTERVAL = 0.1  # seconds between two updates of the bar


class ProgressBar(keras.callbacks.Callback):
    """A progress bar with the remaining time of the epoch, then a permanent line; in a log file the line alone.

    progress: the Progress that CheckpointAndLog, which precedes this callback, updates.
    """

    def __init__(self, epochs, steps_per_epoch, progress, stream=None):
        super().__init__()
        self.epochs, self.steps_per_epoch, self.progress = epochs, steps_per_epoch, progress
        self.stream = stream or sys.stdout
        self.run_start, self.initial_epoch = time.perf_counter(), progress.epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.name = f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"
        self.epoch_start = self.last_draw = time.perf_counter()
        self.initial_step = self.progress.step
        # before the first step, which takes long in a new run: the model is compiled
        self.draw(self.initial_step / self.steps_per_epoch, "")

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self.last_draw < REDRAW_INTERVAL:
            return
        self.last_draw, steps_done = now, self.progress.step
        seconds_left = (now - self.epoch_start) / (steps_done - self.initial_step) * (self.steps_per_epoch - steps_done)
        metrics = select_metric_columns(logs)
        self.draw(steps_done / self.steps_per_epoch,
                  f"{format_duration(seconds_left)} left  loss {format_loss(metrics['loss'])}  "
                  f"accuracy {metrics['accuracy']:.2%}"
                  if steps_done < self.steps_per_epoch else "validating")

    def draw(self, fraction, text):
        """Redraw the bar, truncated to the width of the terminal: a wrapped line could not be overwritten."""
        if self.stream.isatty():
            bar = "━" * int(BAR_WIDTH * fraction) + "╌" * (BAR_WIDTH - int(BAR_WIDTH * fraction))
            line = f"{self.name}  {bar} {fraction:4.0%}  {text}"
            self.write(f"\r\033[K{line[:shutil.get_terminal_size().columns - 1]}")

    def on_epoch_end(self, epoch, logs=None):
        line_start = "\r\033[K" if self.stream.isatty() else ""
        if self.progress.step:  # interrupted within the epoch
            self.write(line_start)
            return
        row, epochs_done = self.progress.history[-1], self.progress.epoch - self.initial_epoch
        seconds_left = (time.perf_counter() - self.run_start) / epochs_done * (self.epochs - epoch - 1)
        self.write(f"{line_start}{self.name}  loss {format_loss(row['loss'])}, accuracy {row['accuracy']:.2%}  "
                   f"validation {format_loss(row['val_loss'])}, {row['val_accuracy']:.2%}  "
                   f"{format_duration(self.progress.timings[-1]['seconds'])}"
                   f"{f', {format_duration(seconds_left)} left' if epoch + 1 < self.epochs else ''}\n")

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()


def format_duration(seconds):
    """Return a duration as text: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds // 60 % 60:02d} min"
