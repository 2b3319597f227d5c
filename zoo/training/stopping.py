"""Stopping a training after a complete step: on a signal, or when the time limit is reached."""

import contextlib
import signal
import sys
import threading
import time

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and the signal that clusters send before killing a job


class Stopper:
    """`reason`: None, or why training stops: "interrupted" or "out of time". `deadline`: on time.monotonic's clock."""

    def __init__(self, deadline=float("inf")):
        self.deadline, self.reason = deadline, None

    def should_stop(self, seconds):
        """Return whether to stop now; `seconds`: how long continuing and then stopping may take."""
        if self.reason is None and time.monotonic() + seconds > self.deadline:
            self.reason = "out of time"
        return self.reason is not None

    def handle_signal(self, number, frame):
        """Stop after the current step; a second signal reaches Python's own handler, which exits immediately."""
        self.reason = "interrupted"
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        line_start = "\r\033[K" if sys.stderr.isatty() else ""
        print(f"{line_start}finishing the step and saving a checkpoint; press Ctrl-C again to quit immediately",
              file=sys.stderr, flush=True)


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
