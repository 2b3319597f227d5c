"""The run directory: its files, written whole and read without executing anything.

    run.json           what was asked and with what: written first
    history.csv        a row an epoch: rate of its last step, losses, accuracies; timings.csv: its seconds
    checkpoints/       best.npz and last.npz: every variable by path
    predictions.npz    labels (n,) int64 and probabilities (n, classes) float32 of the test split, at the best epoch
    samples.npz        training pictures and the first hundred mistakes, uint8
    plots/             by zoo.reports
    result.json        written last: the run is finished
"""

import contextlib
import csv
import fcntl
import io
import json
import os
import tempfile
import zlib
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from zoo.errors import RunInUse, UserError
from zoo.utils.io import expanded, write_text, written_whole

# What numpy.load and the reading of its arrays raised on thousands of archives with bytes changed or cut off.
DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, RuntimeError, MemoryError, BadZipFile, zlib.error)

LOCK = ".lock"


def check_place(output_dir, name):
    """Raise UserError unless a run called `name` (None: a new name) can be written below `output_dir`.

    Nothing is left behind: a nameless file is tried in the nearest folder that exists.
    """
    if name is not None and (not name or name != Path(name).name or name.startswith(".") or len(name) > 100
                             or not name.isprintable()):
        raise UserError(f"--name is the plain name of a folder, without slashes, at most 100 letters; given {name!r}")
    there = output_dir
    try:
        folder = expanded(output_dir)
        if name is not None and not is_new(folder / name):
            raise UserError(f"{folder / name} is there already, and is no run; choose another --name")
        there = folder.absolute()
        while not there.exists() and not there.is_symlink() and there != there.parent:
            there = there.parent
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise UserError(f"cannot write runs to {output_dir}: {error.strerror} ({there}); "
                        "choose another --output-dir") from None


def is_new(run):
    """Return whether `run` is not there, or is what a process left that was killed while it made it."""
    return not run.exists() or (run.is_dir() and {path.name for path in run.iterdir()} <= {LOCK, "checkpoints"}
                                and not [*run.glob("checkpoints/*")])


@contextlib.contextmanager
def held(run):
    """Hold the run directory, as one process at a time can; RunInUse at once when another one has it.

    By a lock on a file, which stays; the system frees it however we end.
    """
    with open(run / LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunInUse(f"another process is at work on {run}; wait for it to end, or choose another "
                           "--name") from None
        yield


def is_held(run):
    """Return whether a process holds the run directory; see `held`."""
    if not (run / LOCK).exists():
        return False
    try:
        with held(run):
            return False
    except RunInUse:
        return True
    except OSError:
        return False


def new_name(network, dataset):
    """Return what a run without a name is called: network-dataset-date-time."""
    return f"{network}-{dataset}-{datetime.now():%Y%m%d-%H%M%S}"


def create(output_dir, name, network, dataset):
    """Make and return the run directory: `name`, or a new one, with a number where that is taken."""
    output_dir = expanded(output_dir)
    stem = name or new_name(network, dataset)
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {output_dir}: {error.strerror}; choose another --output-dir") from None
    taken = 0
    while True:
        run = output_dir / (f"{stem}-{taken + 1}" if taken else stem)
        try:
            run.mkdir(exist_ok=name is not None)
        except FileExistsError:
            if name:
                raise UserError(f"{run} is there already, and is no folder; choose another --name") from None
            taken += 1
            continue
        (run / "checkpoints").mkdir(exist_ok=True)
        return run


def write_json(path, content):
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_csv(path, rows):
    """Write a list of dicts with the same keys as a CSV file with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_arrays(path, arrays):
    """Write {name: array} as an .npz file."""
    with written_whole(path) as scratch, open(scratch, "wb") as file:
        np.savez(file, **arrays)


def read_csv(path):
    """Return the rows of a CSV file that write_csv wrote: dicts of numbers. UserError when it is damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [{name: int(text) if text.isdecimal() else float(text) for name, text in row.items()}
                    for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def read_arrays(path, wanted=lambda name: True):
    """Return {name: array} of an .npz file, of the names that are wanted; pickled objects are refused.

    UserError when it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if wanted(name)}
    except DAMAGE as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def read_json(path):
    """Return what a JSON file of a run holds, a dict; UserError when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object")
    return content


def read_facts(run):
    """Return what run.json says; UserError when `run` is no run directory."""
    path = Path(run) / "run.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{run} is no run directory: it has no run.json; name a folder that zoo.train made") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{os.fspath(path)} is damaged: {error}") from None
