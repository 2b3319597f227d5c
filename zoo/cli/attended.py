"""A training that is seen to its end, good or bad: what zoo.train and zoo finetune say and return then."""

import os
import sys
import time

from zoo.reports.missing import draw_missing


def is_over(run, epochs):
    """Return whether the run has its result, and no more epochs are asked for; say so if it is."""
    from zoo.runs.stages import finished_result  # NumPy

    result = finished_result(run, epochs)
    if result is None:
        return False
    draw_missing(run)
    print(f"{run} is finished: {said(result)}")
    return True


def said(result):
    """Return words for what result.json holds."""
    return (f"test accuracy {result['test_accuracy_best']:.2%} with the weights of epoch {result['best_epoch']}, the "
            f"best by validation, {result['test_accuracy_last']:.2%} with the last")


def to_the_end(work, run, recipe, leave, again, link=None):
    """Call `work()` -> (Progress or None, result or None), which trains into `run`; return the exit status.

    A result is what result.json holds; without Progress the run was finished already. leave: see
    zoo.training.leaving; again: words for how to go on after it; link: the zoo.training.distribution.hosts.Link to
    other hosts.
    """
    from zoo.training import failures
    from zoo.training.distribution import hosts

    try:
        progress, result = work()
    except BrokenPipeError:  # of the terminal, not of a file
        raise
    except KeyboardInterrupt:
        print(f"\ninterrupted; {again}", file=sys.stderr)
        return _left(link, 130)
    except Exception as error:
        status, words = failures.explained(error, recipe)
        if status is None:
            if link:
                time.sleep(hosts.SILENCE)  # a lost host is told, and ends this, elsewhere
            raise
        print(f"error: {words}; {run} keeps what was saved", file=sys.stderr)
        return _left(link, status)
    if leave and leave.reason:
        print(f"{leave.reason} after epoch {progress.epoch}, step {progress.step}; {again}", file=sys.stderr)
        return 130 if leave.reason == "interrupted" else 7
    if result and progress is None:
        print(f"{run} is finished: {said(result)}")
    elif result:
        print(f"{said(result)}; in {run}")
    return 0


def _left(link, status):
    """Return the exit status; with other hosts leave at once, for the backend would wait for them."""
    if link:
        sys.stdout.flush()
        os._exit(status)
    return status
