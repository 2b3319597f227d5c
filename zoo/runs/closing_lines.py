"""The closing line of a training: the result of a finished run, or where a run stopped. No backend is loaded."""


def format_result(result):
    """Return the contents of result.json as text."""
    return (f"test accuracy {result['test_accuracy_best']:.2%} with the weights of epoch {result['best_epoch']}, the "
            f"best by validation, {result['test_accuracy_last']:.2%} with the last")


def format_finished_before(run, result):
    """Return the line for a run that was finished already: nothing was trained."""
    return f"{run} is finished: {format_result(result)}"


def format_closing_line(run, progress, result, reason, resume_hint):
    """Return the last line of a training, or "" if there is nothing to report, as on other hosts.

    Args:
        run: Path of the run directory.
        progress: the Progress of zoo.training.checkpoints; None for a run that was finished already.
        result: the contents of result.json, or None.
        reason: the reason of the Stopper, or None.
        resume_hint: text on how to resume the run.
    """
    if reason:
        return f"{reason} after epoch {progress.epoch}, step {progress.step}; {resume_hint}"
    if not result:
        return ""
    return format_finished_before(run, result) if progress is None else f"{format_result(result)}; in {run}"
