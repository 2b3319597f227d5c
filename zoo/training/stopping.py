"""When a training stops: early stopping, a signal or the time limit; and when it saves a checkpoint in mid-epoch."""

import contextlib
import math
import numbers
import signal
import sys
import threading
import time

from zoo.errors import UserError

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and the signal that clusters send before killing a job
DEFAULT_CHECKPOINT_MINUTES = 15.0


class Stopper:
    """When a training stops, and when it saves a checkpoint in the middle of an epoch.

    reason: None, or why training stops: "interrupted" or "out of time". deadline: on time.monotonic's clock.
    checkpoint_seconds: the maximum time between two checkpoints.
    """

    def __init__(self, deadline=float("inf"), checkpoint_seconds=float("inf")):
        self.deadline, self.checkpoint_seconds, self.reason = deadline, checkpoint_seconds, None
        self.last_save = time.monotonic()

    def should_stop(self, seconds):
        """Return whether to stop now; `seconds`: how long continuing and then stopping may take."""
        if self.reason is None and time.monotonic() + seconds > self.deadline:
            self.reason = "out of time"
        return self.reason is not None

    def should_save(self):
        """Return whether to save a checkpoint now, because the last one is too old."""
        return self.reason is None and time.monotonic() >= self.last_save + self.checkpoint_seconds

    def restart_save_timer(self):
        """Note that a checkpoint has just been saved."""
        self.last_save = time.monotonic()

    def handle_signal(self, number, frame):
        """Stop after the current step; a second signal reaches Python's own handler, which exits immediately."""
        self.reason = "interrupted"
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        line_start = "\r\033[K" if sys.stderr.isatty() else ""
        print(f"{line_start}finishing the step and saving a checkpoint; press Ctrl-C again to quit immediately",
              file=sys.stderr, flush=True)


def has_stopped_early(recipe, history):
    """Return whether early stopping ends training: `early_stopping_patience` epochs without a validation loss lower by
    `early_stopping_min_delta`.
    """
    best_loss, epochs_waited = float("inf"), 0
    for row in history:
        if row["val_loss"] < best_loss - recipe.early_stopping_min_delta:
            best_loss, epochs_waited = row["val_loss"], 0
        else:
            epochs_waited += 1
        if epochs_waited == recipe.early_stopping_patience > 0:
            return True
    return False


@contextlib.contextmanager
def catch_signals(stopper):
    """Let signals set `stopper.reason` instead of ending the program, until the block ends.

    Only the main thread can do so: in others, signals are handled as before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old_handlers = [signal.signal(number, stopper.handle_signal) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, old_handlers, strict=True):
            signal.signal(number, handler)


def convert_checkpoint_minutes(minutes, name="checkpoint_minutes"):
    """Return the seconds between two checkpoints; UserError, with the `name` of the argument, for an invalid number."""
    if (isinstance(minutes, bool) or not isinstance(minutes, numbers.Real) or not math.isfinite(minutes)
            or minutes <= 0):
        raise UserError(f"{name} must be a number of minutes greater than 0, such as 15 or 0.5; got {minutes!r}")
    return 60.0 * minutes
