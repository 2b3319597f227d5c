"""The bar that a person watches."""

import shutil
import sys
import time

import keras

from zoo.training.callbacks import select_metric_columns

BAR_WIDTH = 12  # characters: the whole line fits 80
REDRAW_INTERVAL = 0.1  # seconds between two drawings of the bar


class ProgressBar(keras.callbacks.Callback):
    """A bar that moves with the time left in the epoch, then a line that stays; in a log file the line alone.

    progress: the Progress that Records, which comes before this callback, keeps up to date.
    """

    def __init__(self, epochs, steps_per_epoch, progress, stream=None):
        super().__init__()
        self.epochs, self.steps_per_epoch, self.progress, self.stream = epochs, steps_per_epoch, progress, stream or sys.stdout
        self.run_start, self.initial_epoch = time.perf_counter(), progress.epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.name = f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"
        self.epoch_start = self.last_draw = time.perf_counter()
        self.initial_step = self.progress.step
        self.draw(self.initial_step / self.steps_per_epoch,
                  "")  # the first step of a run takes long, the network is compiled

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self.last_draw < REDRAW_INTERVAL:
            return
        self.last_draw, done = now, self.progress.step
        left = (now - self.epoch_start) / (done - self.initial_step) * (self.steps_per_epoch - done)
        seen = select_metric_columns(logs)
        self.draw(done / self.steps_per_epoch,
                  f"{format_duration(left)} left  loss {seen['loss']:.4f}  accuracy {seen['accuracy']:.2%}"
                  if done < self.steps_per_epoch else "validating")

    def draw(self, fraction, text):
        """Draw the bar over itself, cut to the terminal's width: a line that wraps could not be drawn over."""
        if self.stream.isatty():
            bar = "━" * int(BAR_WIDTH * fraction) + "╌" * (BAR_WIDTH - int(BAR_WIDTH * fraction))
            line = f"{self.name}  {bar} {fraction:4.0%}  {text}"
            self.write(f"\r\033[K{line[:shutil.get_terminal_size().columns - 1]}")

    def on_epoch_end(self, epoch, logs=None):
        start = "\r\033[K" if self.stream.isatty() else ""
        if self.progress.step:  # left in the middle
            self.write(start)
            return
        row, here = self.progress.history[-1], self.progress.epoch - self.initial_epoch
        left = (time.perf_counter() - self.run_start) / here * (self.epochs - epoch - 1)
        self.write(f"{start}{self.name}  loss {row['loss']:.4f}, accuracy {row['accuracy']:.2%}  "
                   f"validation {row['val_loss']:.4f}, {row['val_accuracy']:.2%}  "
                   f"{format_duration(self.progress.timings[-1]['seconds'])}"
                   f"{f', {format_duration(left)} left' if epoch + 1 < self.epochs else ''}\n")

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()


def format_duration(seconds):
    """Return a length of time as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds // 60 % 60:02d} min"
