"""Explain errors that stopped training, and predict running out of memory. No NumPy, no backend."""

import errno
import re
from pathlib import Path

from zoo.errors import UNREADABLE_IMAGES

# The last two are messages of oneDNN, TensorFlow's CPU library, when an allocation fails
OUT_OF_MEMORY_MESSAGES = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating", "can't allocate memory",
                          "bad_alloc", "could not execute a primitive", "could not create a memory object")


def is_out_of_memory(error):
    """Return whether an exception is one that backends raise when they run out of memory."""
    return isinstance(error, MemoryError) or any(message in str(error) for message in OUT_OF_MEMORY_MESSAGES)


def explain_failure(error, recipe):
    """Return (exit status, message) for an exception that stopped training; (None, "") for a bug in zoo."""
    if isinstance(error, FloatingPointError):
        return 3, f"{error}; a lower learning_rate=... may help"
    if is_out_of_memory(error):
        return 5, f"out of memory with batch size {recipe.batch_size}; {suggest_smaller_batch(recipe.batch_size)}"
    unreadable = re.search(rf"^(?:.*\bUserError: )?(.* {UNREADABLE_IMAGES}: .*)$", str(error), re.MULTILINE)
    if unreadable:  # deleted or damaged during training; TensorFlow passes on an error's text, not the error
        return 2, unreadable[1]
    if isinstance(error, OSError):
        is_disk_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "; free disk space, then resume the run" if is_disk_full else ""
        return 4, f"cannot write the run: {error}{advice}"
    return None, ""


def suggest_smaller_batch(batch_size):
    """Return advice for a batch that did not fit in memory."""
    if batch_size == 1:
        return "not even one image fits: try a smaller width=..., or a machine with more memory"
    return f"try batch_size={batch_size // 2}"


def predict_out_of_memory(memory, recipe, free_bytes):
    """Return a warning if training will not fit in memory, or "".

    The system kills a process that uses too much without a message. memory: a zoo.analysis.memory.MemoryEstimate, or
    None if there is none, as for a model with a nested model.
    """
    if memory is None:
        return ""
    required_bytes = memory.estimate_training(recipe.batch_size, recipe.optimizer)
    if required_bytes <= free_bytes:
        return ""
    max_batch_size = memory.compute_max_training_batch(free_bytes, recipe.optimizer)
    advice = (f"try batch_size={max_batch_size}" if max_batch_size
              else "not even one image may fit: try a smaller width=...")
    return (f"training with batch size {recipe.batch_size} takes about {required_bytes / 2**30:.1f} GiB, but only "
            f"{free_bytes / 2**30:.1f} GiB are free; {advice}")


def get_free_memory():
    """Return the available memory in bytes according to Linux; 2**60 if unknown."""
    try:
        match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        match = None
    return int(match[1]) * 1024 if match else 2**60
