"""What ended a training, in words. Standard library only."""

import errno

MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating", "can't allocate memory", "bad_alloc")


def explained(error, recipe):
    """Return (exit status, words) for an exception that ended a training; (None, "") for one that is our mistake."""
    if isinstance(error, FloatingPointError):
        return 3, f"{error}; a lower --lr may help"
    if isinstance(error, MemoryError) or any(word in str(error) for word in MEMORY):
        return 5, f"out of memory with batches of {recipe.batch_size}; {smaller(recipe.batch_size)}"
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return 4, f"cannot write the run: {error}" + ("; make room and go on with --resume" if full else "")
    return None, ""


def smaller(batch_size):
    """Return words for what to try after a batch that did not fit."""
    if batch_size == 1:
        return "not even one picture fits: try a smaller --width, or a machine with more"
    return f"try --batch-size {batch_size // 2}"
