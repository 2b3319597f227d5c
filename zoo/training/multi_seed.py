"""Repeating a training with several seeds, each in a process of its own, in sequence. Standard library only."""

import signal
import statistics
import subprocess
import sys
import time


def train_each_seed(seeds, arguments, name, deadline):
    """Train with each seed, as NAME-seed0, NAME-seed1, ...; return the first exit status that is not 0, or 0.

    arguments: the command line without --runs, --seed, --name and --max-seconds; deadline: on time.monotonic's clock.
    A finished run is reported and not trained again, so repeating an interrupted command resumes it.
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
    """Run a command and return its exit status; forward signals to it and wait until it has saved."""
    child = subprocess.Popen(command)
    old_handlers = {number: signal.signal(number, lambda number, frame: forward_signal(child, number))
                    for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return child.wait()
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)


def forward_signal(child, number):
    """Forward a signal to the child, which has already received a Ctrl-C of the terminal."""
    if number != signal.SIGINT or not sys.stdin.isatty():
        child.send_signal(number)


def format_mean_std(fractions):
    """Return the mean and the sample standard deviation (n - 1) of fractions as text in percent.

    >>> format_mean_std([0.99, 0.992])
    "99.10 ± 0.14%"
    """
    std = f" ± {100 * statistics.stdev(fractions):.2f}" if len(fractions) > 1 else ""
    return f"{100 * statistics.fmean(fractions):.2f}{std}%"
