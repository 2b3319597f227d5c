"""What a training changes in the whole process, and how it is put back. Importing this module loads no backend."""

import contextlib
import random
import sys
import threading
import time

import numpy as np

_training_lock = threading.RLock()  # reentrant: a callback can train, too


@contextlib.contextmanager
def train_alone(display=None):
    """Keep other threads from training until the block ends, and then restore the process's state.

    The random states belong to the whole process. While another thread is training, wait for it, and say so on the
    progress display, see `zoo.runs.progress_display`. Yield the seconds that this took.
    """
    start = time.monotonic()
    if not _training_lock.acquire(blocking=False):
        line = f"{'note':8} another thread of this process is training; waiting until it has finished"
        if display:
            display.write([line])
        else:
            print(line, flush=True)
        _training_lock.acquire()
    try:
        with keep_process_state():
            yield time.monotonic() - start
    finally:
        _training_lock.release()


@contextlib.contextmanager
def keep_process_state():
    """Restore the global random states, and PyTorch's choice of deterministic operations, when the block ends.

    A training seeds Python's, NumPy's and PyTorch's generators; without this, a random search around it would draw the
    same numbers for each trial.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    gpus = range(torch.cuda.device_count()) if torch and torch.cuda.is_initialized() else ()
    is_deterministic, is_warning_only = (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
        ) if torch else (False, False)
    try:
        with torch.random.fork_rng([*gpus]) if torch else contextlib.nullcontext():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if "torch" in sys.modules:
            sys.modules["torch"].use_deterministic_algorithms(is_deterministic, warn_only=is_warning_only)
