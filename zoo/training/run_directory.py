"""The run directory itself: where it may be, its name, and the lock that lets one process write it at a time."""

import contextlib
import tempfile
from datetime import datetime
from pathlib import Path

from zoo.data.file_lock import acquire_lock
from zoo.errors import RunLocked, UserError
from zoo.training.finetuning import FIRST_STAGE_DIR
from zoo.training.run_config import MODEL_FILE
from zoo.utils.io import expand_user, is_scratch_file, remove_stale_scratch_files

LOCK_FILE = ".lock"
LOCK_FILES = {LOCK_FILE, f"{LOCK_FILE}.soft"}
LOCK_TIMEOUT = 0.3  # seconds to wait for a lock, which a process that only looks at a run's status takes for a moment


def check_output_dir(output_dir, name):
    """Raise UserError unless a run called `name` (None: a new name) can be written below `output_dir`.

    Nothing is left behind: a nameless file is tried in the nearest folder that exists.
    """
    if name is not None and (not name or name != Path(name).name or name.startswith(".") or len(name) > 100
                             or not name.isprintable()):
        raise UserError(f"--name is the plain name of a folder, without slashes, at most 100 letters; given {name!r}")
    there = output_dir
    try:
        folder = expand_user(output_dir)
        if name is not None and not is_empty_run(folder / name):
            raise UserError(f"{folder / name} is there already, and is no run; choose another --name")
        there = folder.absolute()
        while not there.exists() and not there.is_symlink() and there != there.parent:
            there = there.parent
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise UserError(f"cannot write runs to {output_dir}: {error.strerror} ({there}); "
                        "choose another --output-dir") from None


def is_empty_run(run):
    """Return whether `run` is not there, or holds only what a process left that was killed while it made it."""
    return not run.exists() or (run.is_dir() and all(map(_is_leftover, run.iterdir())))


def _is_leftover(path):
    """Return whether a file or folder of a run directory without run.json is what a killed process left there."""
    if path.is_dir():
        return path.name in ("checkpoints", "plots", FIRST_STAGE_DIR) and all(map(_is_leftover, path.iterdir()))
    return (path.name in (*LOCK_FILES, MODEL_FILE) or is_scratch_file(path)
            or (path.parent.name == FIRST_STAGE_DIR and path.name == "run.json"))


@contextlib.contextmanager
def lock_run(run):
    """Hold the run directory, as one process at a time can; RunLocked at once when another one has it.

    By a lock on a file, which stays; the system frees it however we end. What killed processes left half written in
    the run directory is removed.
    """
    try:
        lock = acquire_lock(run / LOCK_FILE, LOCK_TIMEOUT)
    except TimeoutError:
        raise RunLocked(f"another process is at work on {run}; wait for it to end, or choose another "
                        "--name") from None
    except OSError as error:
        raise UserError(f"cannot lock {run}: {error.strerror} ({run / LOCK_FILE})") from None
    with lock:
        remove_stale_scratch_files(run)
        yield


@contextlib.contextmanager
def lock_new_run(run):
    """Hold a run directory that has no run.json yet; UserError when another command has begun that run meanwhile."""
    with lock_run(run):
        if (run / "run.json").exists():
            raise UserError(f"another command has begun {run} meanwhile; give this command again to go on with it, or "
                            "choose another --name")
        # Of a command that was killed, perhaps another one
        (run / FIRST_STAGE_DIR / "run.json").unlink(missing_ok=True)
        yield


def is_run_locked(run):
    """Return whether a process holds the run directory; see `lock_run`."""
    if not (run / LOCK_FILE).exists():
        return False
    try:
        with acquire_lock(run / LOCK_FILE):
            return False
    except TimeoutError:
        return True
    except OSError:
        return False


def make_run_name(model_name, dataset_name):
    """Return what a run without a name is called: network-dataset-date-time."""
    return f"{model_name}-{dataset_name}-{datetime.now():%Y%m%d-%H%M%S}"


def create_run(output_dir, name, model_name, dataset_name):
    """Make and return the run directory: `name`, or a new one, with a number where that is taken."""
    output_dir = expand_user(output_dir)
    stem = name or make_run_name(model_name, dataset_name)
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
