"""Files that are never seen half written, and that are read without surprises."""

import contextlib
import errno
import json
import math
import os
import re
import stat
import tempfile
from pathlib import Path

from zoo.errors import UserError
from zoo.utils.process import is_process_alive

# What a name can be at fault for; a full disk is another matter.
PATH_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
               errno.EOPNOTSUPP}
SCRATCH_NAME = re.compile(r"\.(\d{1,10})-.")  # how the name of a scratch file begins: with the process that writes it
SURROGATE = re.compile("[\ud800-\udfff]")  # how Python holds the bytes of a name that are no UTF-8
MAX_JSON_BYTES = 64 * 2**20  # bytes: more is no file of ours


def expand_user(path):
    """Return `path` as a Path, with ~ as the home it stands for; UserError when nobody has that home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path} begins with the home of nobody; give the folder in full") from None


def check_writable(path, alternative="another name"):
    """Return `path` as a Path, with ~ as a home; UserError, in one line, where no file of that name can be written.

    wanted: what to give instead, in words. Nothing is left in the folder: that it takes a file is tried with one that
    has no name there. A full disk stays an OSError.

    A command calls this first: a mistyped name is then told before a network is built.
    """
    target = expand_user(path)
    if os.path.isdir(target):
        raise UserError(f"cannot write {path}: it is a folder; give {alternative}")
    if not os.path.isdir(target.parent):
        raise UserError(f"cannot write {path}: there is no folder {target.parent}; make it first, or give {alternative}")
    with convert_path_errors(path, alternative), tempfile.TemporaryFile(dir=target.parent):
        pass
    return target


@contextlib.contextmanager
def convert_path_errors(path, alternative):
    """Raise a UserError for the OSErrors that come of a name where nothing can be written; a full disk is none."""
    try:
        yield
    except OSError as error:
        if error.errno not in PATH_ERRNOS:
            raise
        raise UserError(f"cannot write {path}: {error.strerror}; give {alternative}, in a folder of yours") from None


@contextlib.contextmanager
def atomic_write(path):
    """Yield a scratch path beside `path`; when the block ends well, flush it to the disk and give it the name.

    When the block fails the scratch file is removed and what stood at `path` stays as it was. The scratch
    name ends as `path` does, because libraries choose a format by the ending.
    """
    path = Path(path)
    scratch = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield scratch
        with open(scratch, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def is_scratch_file(path):
    """Return whether `path` is named as the scratch files of `atomic_write` are."""
    return SCRATCH_NAME.match(path.name) is not None


def remove_stale_scratch_files(folder):
    """Remove, in `folder` and below, the scratch files of processes that were killed while they wrote."""
    for path in folder.rglob(".*-*"):
        match = SCRATCH_NAME.match(path.name)
        if match and not is_process_alive(int(match[1])) and not path.is_dir():
            with contextlib.suppress(OSError):
                path.unlink()


def write_text(path, text):
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with atomic_write(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def open_regular_file(path):
    """Return the file `path`, opened to read bytes; OSError at once where it is a folder, a pipe or a device.

    Opening a pipe would wait until somebody writes into it.
    """
    def check(mode):
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {describe_file_kind(mode)}")

    check(os.stat(path).st_mode)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    try:
        check(os.fstat(file.fileno()).st_mode)  # another one may have taken its place
    except OSError:
        file.close()
        raise
    return file


FILE_KINDS = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISCHR: "a device", stat.S_ISBLK: "a device",
              stat.S_ISSOCK: "a socket"}


def describe_file_kind(mode):
    """Return words for the kind of a file that is no regular one."""
    return next((name for is_kind, name in FILE_KINDS.items() if is_kind(mode)), "not a regular file")


def replace_surrogates(name):
    """Return a name of the file system as text that can be written anywhere: a byte that is no UTF-8 becomes U+FFFD."""
    return SURROGATE.sub("\ufffd", str(name))


def read_bytes(path, max_bytes):
    """Return what a regular file holds; OSError where it is none, ValueError where it is longer than `max_bytes`."""
    with open_regular_file(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise ValueError(f"it is larger than {max_bytes:,} bytes")
        return file.read()


def read_json(path):
    """Return the dict that a JSON file holds, all of its numbers finite; OSError or ValueError where it does not."""
    def finite(text):
        if not math.isfinite(float(text)):
            raise ValueError(f"{text} is no finite number")
        return float(text)

    try:
        content = json.loads(read_bytes(path, MAX_JSON_BYTES).decode("utf-8"), parse_float=finite,
                             parse_constant=finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content
