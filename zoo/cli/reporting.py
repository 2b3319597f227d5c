"""A training that is seen to its end, good or bad: what zoo.train and zoo finetune say and return then."""

import os
import sys
import time

from zoo.reports.missing_outputs import draw_missing_outputs


def is_finished(run, epochs):
    """Return whether the run has its result, and no more epochs are asked for; say so if it is."""
    from zoo.runs.stages import read_finished_result  # NumPy

    result = read_finished_result(run, epochs)
    if result is None:
        return False
    draw_missing_outputs(run)
    print(f"{run} is finished: {format_result(result)}")
    return True


def format_result(result):
    """Return words for what result.json holds."""
    return (f"test accuracy {result['test_accuracy_best']:.2%} with the weights of epoch {result['best_epoch']}, the "
            f"best by validation, {result['test_accuracy_last']:.2%} with the last")


def run_and_report(train, run, recipe, stopper, resume_hint, host_group=None):
    """Call `work()` -> (Progress or None, result or None), which trains into `run`; return the exit status.

    A result is what result.json holds; without Progress the run was finished already. leave: see
    zoo.training.stopping; again: words for how to go on after it; link: the zoo.training.distribution.multihost.Link to
    other hosts.
    """
    from zoo.training import failures
    from zoo.training.distribution import multihost

    try:
        progress, result = train()
    except BrokenPipeError:  # of the terminal, not of a file
        raise
    except KeyboardInterrupt:
        print(f"\ninterrupted; {resume_hint}", file=sys.stderr)
        return _exit(host_group, 130)
    except Exception as error:
        status, words = failures.explain_failure(error, recipe)
        if status is None:
            if host_group:
                time.sleep(multihost.HEARTBEAT_TIMEOUT)  # a lost host is told, and ends this, elsewhere
            raise
        print(f"error: {words}; {run} keeps what was saved", file=sys.stderr)
        return _exit(host_group, status)
    if stopper and stopper.reason:
        print(f"{stopper.reason} after epoch {progress.epoch}, step {progress.step}; {resume_hint}", file=sys.stderr)
        return 130 if stopper.reason == "interrupted" else 7
    if result and progress is None:
        print(f"{run} is finished: {format_result(result)}")
    elif result:
        print(f"{format_result(result)}; in {run}")
    return 0


def _exit(host_group, status):
    """Return the exit status; with other hosts leave at once, for the backend would wait for them."""
    if host_group:
        sys.stdout.flush()
        os._exit(status)
    return status
