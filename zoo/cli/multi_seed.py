"""Repeating a training with several seeds, each in a process of its own, in sequence. No backend, no NumPy."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from zoo.cli import common
from zoo.errors import UserError
from zoo.utils.io import expand_user
from zoo.utils.numbers import format_mean_std


def train_seeds(arguments, command_line, deadline):
    """Train with the seeds of --runs, one after the other, and print mean and standard deviation of the accuracy.

    Return the exit status.
    """
    count, first = (common.parse_int(flag, text, min_value, 2**32 - 1) for flag, text, min_value in (
        ("--runs", arguments.runs, 1), ("--seed", arguments.seed, 0)))
    if first + count > 2**32:
        raise UserError(f"--runs {count} from --seed {first} exceeds the largest seed, {2**32 - 1}; give a smaller "
                        "--seed")

    from zoo.training import run_directory, run_files

    run_directory.check_output_dir(arguments.output_dir, None)
    name = arguments.name or run_directory.make_run_name(arguments.network, Path(arguments.dataset).stem)
    command_line = strip_flags(command_line, ("--runs", "--seeds", "--seed", "--name", "--max-seconds"))
    if "--weights" not in {argument.partition("=")[0] for argument in command_line}:
        command_line += ["--weights", arguments.weights]  # zoo.train, which trains each seed, has another default
    seeds = range(first, first + count)
    status = train_each_seed(seeds, command_line, name, deadline)
    if status:
        return status
    results = [run_files.read_result(expand_user(arguments.output_dir) / f"{name}-seed{seed}") for seed in seeds]
    best, last = (format_mean_std([result[f"test_accuracy_{checkpoint}"] for result in results])
                  for checkpoint in ("best", "last"))
    print(f"test accuracy {best}, n = {len(results)}, with the best epochs by validation; {last}, with the last")
    return 0


def strip_flags(argv, flags):
    """Return the command line without these flags and their values, as --flag value or --flag=value."""
    kept, skip = [], False
    for argument in argv:
        if not skip and argument.partition("=")[0] not in flags:
            kept.append(argument)
        skip = not skip and argument in flags
    return kept


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
    """Run a command, forward signals to it and wait until it has saved; return its exit status, as a shell does.

    That of a process which a signal has terminated is 128 and the signal's number.
    """
    child = subprocess.Popen(command)
    old_handlers = {number: signal.signal(number, lambda number, frame: forward_signal(child, number))
                    for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = child.wait()
        return status if status >= 0 else 128 - status
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)


def forward_signal(child, number):
    """Forward a signal to the child, which has already received a Ctrl-C of the terminal."""
    if number != signal.SIGINT or not is_in_foreground():
        child.send_signal(number)


def is_in_foreground():
    """Return whether a terminal sends its Ctrl-C to this process and its children, even if stdin is redirected."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # no terminal
        return False
