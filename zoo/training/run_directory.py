"""The run directory itself: its location, its name, and the lock that lets one process write to it at a time."""

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
LOCK_TIMEOUT = 0.3  # seconds to wait for the lock, which a status query of another process holds for a moment


def check_output_dir(output_dir, name):
    """Raise UserError unless a run called `name` (None: a new name) can be written in `output_dir`.

    Nothing is left behind: the check creates an unnamed file in the nearest existing folder.
    """
    if name is not None and (not name or name != Path(name).name or name.startswith(".") or len(name) > 100
                             or not name.isprintable()):
        raise UserError(f"name={name!r} is not a plain folder name, without slashes, of at most 100 "
                        "characters; give another name=...")
    parent = output_dir
    try:
        folder = expand_user(output_dir)
        if name is not None and not is_empty_run(folder / name):
            raise UserError(f"{folder / name} already exists and is not a run; choose another name=...")
        parent = folder.absolute()
        while not parent.exists() and not parent.is_symlink() and parent != parent.parent:
            parent = parent.parent
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise UserError(f"cannot write runs to {output_dir}: {error.strerror} ({parent}); "
                        "choose another output_dir=...") from None


def is_empty_run(run):
    """Return whether `run` does not exist, or holds only leftovers of a process killed while creating it."""
    return not run.exists() or (run.is_dir() and all(map(_is_leftover, run.iterdir())))


def _is_leftover(path):
    """Return whether a file or folder in a run directory without run.json is a leftover of a killed process."""
    if path.is_dir():
        return path.name in ("checkpoints", "plots", FIRST_STAGE_DIR) and all(map(_is_leftover, path.iterdir()))
    return (path.name in (*LOCK_FILES, MODEL_FILE) or is_scratch_file(path)
            or (path.parent.name == FIRST_STAGE_DIR and path.name == "run.json"))


@contextlib.contextmanager
def lock_run(run):
    """Hold the lock of a run directory; RunLocked immediately when another process holds it.

    It is a lock on a file, which stays; the system releases it however this process ends. Partly written files of
    killed processes in the run directory are removed.
    """
    try:
        lock = acquire_lock(run / LOCK_FILE, LOCK_TIMEOUT)
    except TimeoutError:
        raise RunLocked(f"another process is using {run}; wait for it to finish, or choose another "
                        "name=...") from None
    except OSError as error:
        raise UserError(f"cannot lock {run}: {error.strerror} ({run / LOCK_FILE})") from None
    with lock:
        remove_stale_scratch_files(run.rglob(".*-*"))
        yield


@contextlib.contextmanager
def lock_new_run(run):
    """Hold the lock of a run directory without run.json; UserError when another command has started the run."""
    with lock_run(run):
        if (run / "run.json").exists():
            raise UserError(f"another command has started {run} meanwhile; repeat this command to resume it, or choose "
                            "another name=...")
        # Left by a killed command, possibly another one
        (run / FIRST_STAGE_DIR / "run.json").unlink(missing_ok=True)
        yield


def is_run_locked(run):
    """Return whether a process holds the lock of a run directory; see `lock_run`."""
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
    """Return the default name of a run: MODEL-DATASET-DATE-TIME."""
    return f"{model_name}-{dataset_name}-{datetime.now():%Y%m%d-%H%M%S}"


def create_run(output_dir, name, model_name, dataset_name):
    """Create and return the run directory: `name`, or the default name with a number appended where it is taken."""
    output_dir = expand_user(output_dir)
    base_name = name or make_run_name(model_name, dataset_name)
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot create {output_dir}: {error.strerror}; choose another output_dir=...") from None
    suffix = 0
    while True:
        run = output_dir / (f"{base_name}-{suffix + 1}" if suffix else base_name)
        try:
            run.mkdir(exist_ok=name is not None)
        except FileExistsError:
            if name:
                raise UserError(f"{run} already exists and is not a folder; choose another name=...") from None
            suffix += 1
            continue
        (run / "checkpoints").mkdir(exist_ok=True)
        return run
