"""What a training changes in the whole process, and how it is put back. Importing this module loads no backend."""

import contextlib
import random
import sys

import numpy as np


@contextlib.contextmanager
def keep_random_state():
    """Restore the global random states of Python, NumPy and, if it is loaded, PyTorch when the block ends.

    A training seeds them all; without this, a random search around it would draw the same numbers for each trial.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    gpus = range(torch.cuda.device_count()) if torch and torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng([*gpus]) if torch else contextlib.nullcontext():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
