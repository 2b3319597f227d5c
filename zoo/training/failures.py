"""What ended a training, or is about to, in words. Standard library only."""

import errno
import re
from pathlib import Path

# The last two are oneDNN's, TensorFlow's library on CPUs, when it gets no memory
OUT_OF_MEMORY_MESSAGES = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating", "can't allocate memory",
                          "bad_alloc", "could not execute a primitive", "could not create a memory object")


def is_out_of_memory(error):
    """Return whether an exception is one of those that backends raise for want of memory."""
    return isinstance(error, MemoryError) or any(word in str(error) for word in OUT_OF_MEMORY_MESSAGES)


def explain_failure(error, recipe):
    """Return (exit status, words) for an exception that ended a training; (None, "") for one that is our mistake."""
    if isinstance(error, FloatingPointError):
        return 3, f"{error}; a lower --lr may help"
    if is_out_of_memory(error):
        return 5, f"out of memory with batches of {recipe.batch_size}; {suggest_smaller_batch(recipe.batch_size)}"
    picture = re.search(r"^(?:.*\bUserError: )?(.* cannot be read as images: .*)$", str(error), re.MULTILINE)
    if picture:  # gone or damaged since training began; TensorFlow hands on the words of an error, not the error
        return 2, picture[1]
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return 4, f"cannot write the run: {error}" + ("; make room and go on with --resume" if full else "")
    return None, ""


def suggest_smaller_batch(batch_size):
    """Return words for what to try after a batch that did not fit."""
    if batch_size == 1:
        return "not even one picture fits: try a smaller --width, or a machine with more"
    return f"try --batch-size {batch_size // 2}"


def predict_out_of_memory(memory, recipe, free_bytes):
    """Return a warning that training will not fit, or "".

    The system kills a process that takes too much, without a word. memory: a zoo.analysis.memory.MemoryEstimate, or
    None where there is none, as for a model that holds another one.
    """
    if memory is None:
        return ""
    takes = memory.estimate_training(recipe.batch_size, recipe.optimizer)
    if takes <= free_bytes:
        return ""
    fits = memory.compute_max_training_batch(free_bytes, recipe.optimizer)
    advice = f"try --batch-size {fits}" if fits else "not even one picture may fit: try a smaller --width"
    return (f"training with batches of {recipe.batch_size} takes about {takes / 2**30:.1f} GiB, and "
            f"{free_bytes / 2**30:.1f} are free; {advice}")


def get_free_memory():
    """Return the bytes of memory that Linux can give; without an answer, as much as anybody has."""
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else 2**60
