"""Ending a training early, but after a whole step: a signal came, or the time that the run may take is up."""

import contextlib
import signal
import sys
import threading
import time

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what a cluster sends before it kills


class Stopper:
    """`reason` is None, or why training ends: "interrupted" or "out of time". `until` is on time.monotonic's clock."""

    def __init__(self, deadline=float("inf")):
        self.deadline, self.reason = deadline, None

    def should_stop(self, seconds):
        """Return whether to end now; `seconds` is how long going on and then ending may take."""
        if self.reason is None and time.monotonic() + seconds > self.deadline:
            self.reason = "out of time"
        return self.reason is not None

    def handle_signal(self, number, frame):
        """The first signal: end after the step. The next one finds Python's own handler, which ends at once."""
        self.reason = "interrupted"
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        start = "\r\033[K" if sys.stderr.isatty() else ""
        print(f"{start}finishing the step and saving; once more to leave at once", file=sys.stderr, flush=True)


@contextlib.contextmanager
def catch_signals(stopper):
    """Let signals set `leave.reason` instead of ending the program, until the block ends.

    Only the main thread can: elsewhere signals are as they were.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, stopper.handle_signal) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
