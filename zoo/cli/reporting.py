"""How a training ends, in success or failure: the messages and exit statuses of zoo.train and zoo finetune."""

import os
import sys

from zoo.cli.common import print_lines
from zoo.reports.missing_outputs import draw_missing_outputs
from zoo.runs.closing_lines import format_closing_line, format_finished_before
from zoo.utils import crashes
from zoo.utils.flag_names import translate_keywords


def report_if_finished(run, epochs):
    """Return whether the run has its result, and no more epochs are requested.

    If so, print the result, and draw what is missing because the run was killed before it.
    """
    from zoo.runs.stages import read_finished_result  # NumPy

    result = read_finished_result(run, epochs)
    if result is None:
        return False
    draw_missing_outputs(run)
    print_lines(format_finished_before(run, result))
    return True


def run_and_report(train, run, recipe, stopper, resume_hint, host_group=None):
    """Call `train()` -> (Progress or None, result or None), which trains into `run`; return the exit status.

    The result is the contents of result.json; without Progress the run was finished already. stopper: see
    zoo.training.stopping; resume_hint: text on how to resume the run; host_group: the connection to other hosts, of
    zoo.training.distribution.multihost.
    """
    from zoo.training import failures

    try:
        with crashes.explain_crashes(lambda name: failures.explain_crash(name, recipe, run)):
            progress, result = train()
    except BrokenPipeError:  # of the terminal, not a failed file
        raise
    except KeyboardInterrupt:
        print(file=sys.stderr)
        print_lines(f"interrupted; {resume_hint}", file=sys.stderr)
        return _exit(host_group, 130)
    except Exception as error:
        status, message = failures.explain_failure(error, recipe)
        if status is None:
            raise
        print_lines(f"error: {translate_keywords(message)}; {run} keeps its last checkpoint"
                    + (f"; {resume_hint}" if status == 4 else ""), file=sys.stderr)
        return _exit(host_group, status)
    reason = stopper.reason if stopper else None
    line = format_closing_line(run, progress, result, reason, resume_hint)
    if line:
        print_lines(line, file=sys.stderr if reason else sys.stdout)
    return 0 if not reason else 130 if reason == "interrupted" else 7


def _exit(host_group, status):
    """Return the exit status; with other hosts exit immediately, because the backend would wait for them."""
    if host_group:
        sys.stdout.flush()
        os._exit(status)
    return status
