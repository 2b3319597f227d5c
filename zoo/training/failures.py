"""Explain errors that stopped training, and predict running out of memory. No NumPy, no backend."""

import errno
import re

from zoo.errors import UNREADABLE_IMAGES, OutOfMemory
from zoo.utils import crashes, process_memory
from zoo.utils.flag_names import translate_keywords
from zoo.utils.process_memory import format_gib
from zoo.utils.text import flatten_whitespace

OUT_OF_MEMORY_MESSAGES = (
    "RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating", "can't allocate memory", "bad_alloc",
    "Cannot allocate memory", "cannot allocate memory", "failed to map segment",  # of the dynamic linker
    "can't start new thread",  # Python's: a thread needs memory for its stack
    # of oneDNN, TensorFlow's CPU library
    "could not execute a primitive", "could not create a primitive", "could not create a memory object")
NODE_NAMES = re.compile(r"\{\{.*?\}\} *| on /job:.*")  # in TensorFlow's messages
NONFINITE_LOSS = "the loss is not finite"
MAX_REASON_LENGTH = 200  # characters of an exception's text in run.json
MORE_MEMORY = "free memory, raise the limit if there is one (ulimit -v), or use a smaller model (width=...)"


def is_out_of_memory(error, handled=None):
    """Return whether an exception, or one that it was raised for, is of those that stand for a lack of memory.

    handled: an exception that the caller was handling already, such as that of an earlier attempt, or None; Python
    notes it as the context of `error`, and it is no reason.
    """
    while error not in (None, handled):
        if (isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
                or any(message in str(error) for message in OUT_OF_MEMORY_MESSAGES)):
            return True
        error = error.__cause__ or error.__context__
    return False


def describe_out_of_memory(error):
    """Return the message for an exception outside training, for which there is no batch size to try."""
    if isinstance(error, OutOfMemory):
        return str(error)
    reason = NODE_NAMES.sub("", (str(error).strip().splitlines() or [""])[0])[:200]
    reason = reason or process_memory.describe_shortage()
    return f"out of memory{reason and f' ({reason})'}; {MORE_MEMORY}"


def explain_crash(signal_name, recipe=None, run=None):
    """Return (message, exit status) for a crash of native code that a lack of memory explains, or None.

    signal_name: "" for a crash that leaves too little memory to call this function. recipe, run: of a training. See
    zoo.utils.crashes.
    """
    shortage = ("no memory was left" if not signal_name else "std::bad_alloc" if crashes.is_bad_alloc()
                else process_memory.describe_shortage())
    if not shortage:
        return None
    reason = f"the backend crashed{signal_name and f' ({signal_name})'}, {shortage}"
    if recipe is None:
        return translate_keywords(f"error: out of memory: {reason}; {MORE_MEMORY}"), 5
    advice = translate_keywords(suggest_smaller_batch(recipe.batch_size))
    return (f"error: out of memory with batch size {recipe.batch_size}: {reason}; {advice}; {run} keeps its last "
            "checkpoint"), 5


def explain_failure(error, recipe, handled=None):
    """Return (exit status, message) for an exception that stopped training; (None, "") for a bug in zoo or a callback.

    handled: see `is_out_of_memory`.
    """
    if isinstance(error, FloatingPointError):
        return 3, f"{error}; a lower learning_rate=... may help"
    if isinstance(error, OutOfMemory):
        return error.exit_status, str(error)
    if is_out_of_memory(error, handled):
        return 5, f"out of memory with batch size {recipe.batch_size}; {suggest_smaller_batch(recipe.batch_size)}"
    unreadable = re.search(rf"^(?:.*\bUserError: )?(.* {UNREADABLE_IMAGES}: .*)$", str(error), re.MULTILINE)
    if unreadable:  # deleted or damaged during training; TensorFlow passes on an error's text, not the error
        return 2, unreadable[1]
    if isinstance(error, OSError) and not getattr(error, "is_of_callback", False):
        is_disk_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "; free disk space, then resume the run" if is_disk_full else ""
        return 4, f"cannot write the run: {error}{advice}"
    return None, ""


def describe_stop(error, handled=None):
    """Return the stop_reason for run.json, one line, of a training that an exception ended.

    handled: see `is_out_of_memory`.
    """
    if isinstance(error, FloatingPointError) and str(error).startswith(NONFINITE_LOSS):
        return NONFINITE_LOSS
    if is_out_of_memory(error, handled):
        return "out of memory"
    message = flatten_whitespace(str(error).strip())
    message = message if len(message) <= MAX_REASON_LENGTH else f"{message[:MAX_REASON_LENGTH]}..."
    return f"an exception: {type(error).__name__}{message and f': {message}'}"


def suggest_smaller_batch(batch_size):
    """Return advice for a batch that did not fit in memory."""
    if batch_size == 1:
        return "not even one image fits: try a smaller width=..., or a machine with more memory"
    return f"try batch_size={batch_size // 2}"


def predict_out_of_memory(memory, recipe, free_bytes):
    """Return a warning if training will not fit in memory, or "".

    OutOfMemory if it would take more than twice as much as a limit leaves: the system kills a process that uses too
    much without a message. memory: a zoo.analysis.memory.MemoryEstimate, or None if there is none, as for a model with
    a nested model.
    """
    if memory is None:
        return ""
    required_bytes = memory.estimate_training(recipe.batch_size, recipe.optimizer)
    if required_bytes <= free_bytes:
        return ""
    max_batch_size = memory.compute_max_training_batch(free_bytes, recipe.optimizer)
    advice = (f"try batch_size={max_batch_size}" if max_batch_size
              else "not even one image may fit: try a smaller width=...")
    needs = f"training with batch size {recipe.batch_size} takes about {format_gib(required_bytes)} of memory"
    exceeded = process_memory.find_exceeded_limit(required_bytes)
    if exceeded:
        raise OutOfMemory(f"{needs}, and of the limit of {format_gib(exceeded.limit)} ({exceeded.name}) "
                          f"{format_gib(exceeded.used)} are in use; {advice}, or raise the limit")
    return f"{needs}, but only {format_gib(free_bytes)} are free; {advice}"
