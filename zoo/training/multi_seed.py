"""One command with several seeds: a process for each, one after the other. Standard library only."""

import signal
import statistics
import subprocess
import sys
import time


def train_each_seed(seeds, arguments, name, deadline):
    """Train with each of the seeds, as NAME-seed0, NAME-seed1, ...; return the first exit status that is not 0, or 0.

    words: the command line without --runs, --seed, --name and --max-seconds; until: on time.monotonic's clock.
    A run that is finished says so and is not trained again, so the same command goes on where it was ended.
    """
    for seed in seeds:
        command = [sys.executable, "-m", "zoo.train", *arguments, "--seed", str(seed), "--name", f"{name}-seed{seed}"]
        if deadline < float("inf"):
            command += ["--max-seconds", str(max(1, int(deadline - time.monotonic())))]
        status = run_child_process(command)
        if status:
            return status
    return 0


def run_child_process(command):
    """Run a command and return its exit status; signals end it and not us, who wait until it has saved."""
    child = subprocess.Popen(command)
    before = {number: signal.signal(number, lambda number, frame: forward_signal(child, number))
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def forward_signal(child, number):
    """Hand a signal to the child; a terminal's Ctrl-C it has had already."""
    if number != signal.SIGINT or not sys.stdin.isatty():
        child.send_signal(number)


def format_mean_std(fractions):
    """Return words for the mean and the standard deviation of shares, that of a sample (n - 1).

    >>> format_mean_std([0.99, 0.992])
    "99.10 ± 0.14 %"
    """
    deviation = f" ± {100 * statistics.stdev(fractions):.2f}" if len(fractions) > 1 else ""
    return f"{100 * statistics.fmean(fractions):.2f}{deviation} %"
