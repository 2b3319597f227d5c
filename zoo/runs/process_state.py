"""What a training changes in the whole process, and how it is put back. Importing this module loads no backend."""

import contextlib
import random
import sys

import numpy as np


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
