"""Atomic writing of files, and safe reading of untrusted ones."""

import contextlib
import errno
import json
import math
import os
import re
import stat
import tempfile
import zlib
from pathlib import Path

from zoo.errors import UserError
from zoo.utils.process import is_process_alive

# Errors that a wrong path can cause; a full disk is not one of them.
PATH_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
               errno.EOPNOTSUPP}
FORMAT_SUFFIX = re.compile(r"(\.weights)?\.\w{1,16}$")  # that of a file name by which libraries choose the format
SCRATCH_NAME = re.compile(r"\.(\d{1,10})-.")  # the name of a scratch file begins with the ID of the writing process
MAX_NAME_BYTES = 255  # of a file or folder, in all common file systems
SURROGATE = re.compile("[\ud800-\udfff]")  # how Python represents bytes of a file name that are not valid UTF-8
MAX_JSON_BYTES = 64 * 2**20  # zoo writes no larger JSON file


def expand_user(path):
    """Return `path` as a Path, with ~ expanded; UserError if there is no such home directory, or no such name at all.
    """
    try:
        path = Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: the home directory of this user is not found; give the full path") from None
    name = next((name for name in path.parts if len(os.fsencode(name)) > MAX_NAME_BYTES or "\0" in name), None)
    if name is not None:
        problem = "a null character" if "\0" in name else f"more than {MAX_NAME_BYTES} bytes"
        raise UserError(f"{name[:40]}{'...' if len(name) > 40 else ''} cannot be the name of a file or folder: it has "
                        f"{problem}; give another name")
    return path


def check_writable(path, alternative="another name"):
    """Return `path` as a Path, with ~ expanded; UserError if no file can be written there.

    Commands call this first, so that a mistyped path is reported before a model is built. An unnamed temporary file
    tests whether the folder is writable, so nothing is left behind. A full disk remains an OSError.

    alternative: what to give instead, for the message.
    """
    target = expand_user(path)
    if os.path.isdir(target):
        raise UserError(f"cannot write {path}: it is a folder; give {alternative}")
    if not os.path.isdir(target.parent):
        raise UserError(f"cannot write {path}: the folder {target.parent} does not exist; create it first, or give "
                        f"{alternative}")
    with convert_path_errors(path, alternative), tempfile.TemporaryFile(dir=target.parent):
        pass
    return target


def check_page_path(path):
    """Return `path` as a Path to which a page can be written; UserError if that fails, or if it is not .html."""
    target = check_writable(path)
    if target.suffix.lower() != ".html":
        raise UserError(f"the report must be a .html file; got {str(path)!r}")
    return target


@contextlib.contextmanager
def convert_path_errors(path, alternative):
    """Convert an OSError caused by an unwritable path to a UserError; a full disk remains an OSError."""
    try:
        yield
    except OSError as error:
        if error.errno not in PATH_ERRNOS:
            raise
        raise UserError(f"cannot write {path}: {error.strerror}; give {alternative}, in a writable folder") from None


@contextlib.contextmanager
def atomic_write(path):
    """Yield a scratch path next to `path`; if the block succeeds, flush the file to disk and rename it to `path`.

    If the block fails, the scratch file is removed and `path` stays unchanged.
    """
    path = Path(path)
    scratch = make_scratch_path(path)
    try:
        yield scratch
        with open(scratch, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def make_scratch_path(path):
    """Return a path next to `path`, with its suffix, that no other thread or process uses, on another host either."""
    suffix = FORMAT_SUFFIX.search(path.name)
    return path.with_name(f".{os.getpid()}-{hash_name(path)}-{os.urandom(8).hex()}{suffix[0] if suffix else ''}")


def hash_name(path):
    """Return a hash of a file's name, for names of scratch files: the name itself can be as long as names can be."""
    return f"{zlib.crc32(os.fsencode(path.name)):08x}"


def list_scratch_files(path):
    """Return the paths of the scratch files with which `atomic_write` writes to `path`."""
    return [*path.parent.glob(f".*-{hash_name(path)}-*")]


def is_scratch_file(path):
    """Return whether `path` has the name of a scratch file of `atomic_write`."""
    return SCRATCH_NAME.match(path.name) is not None


def remove_stale_scratch_files(paths):
    """Remove those of the `paths` that are scratch files which killed processes left."""
    for path in paths:
        match = SCRATCH_NAME.match(path.name)
        if match and not is_process_alive(int(match[1])) and not path.is_dir():
            with contextlib.suppress(OSError):
                path.unlink()


def write_text(path, text):
    """Write `text` to `path` as UTF-8, atomically; its line ends are written as they are, on Windows too."""
    with atomic_write(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")


def open_regular_file(path):
    """Open the file `path` for reading bytes; raise OSError immediately if it is a folder, a pipe or a device.

    Opening a pipe would block until another process writes to it.
    """
    def check_regular(mode):
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {describe_file_kind(mode)}")

    check_regular(os.stat(path).st_mode)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    try:
        check_regular(os.fstat(file.fileno()).st_mode)  # the file may have been replaced in the meantime
    except OSError:
        file.close()
        raise
    return file


FILE_KINDS = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISCHR: "a device", stat.S_ISBLK: "a device",
              stat.S_ISSOCK: "a socket"}


def describe_file_kind(mode):
    """Return what kind of file a mode stands for, if it is not a regular file."""
    return next((name for is_kind, name in FILE_KINDS.items() if is_kind(mode)), "not a regular file")


def replace_surrogates(name):
    """Return a text, such as a file name, that can be written anywhere: bytes that are not valid UTF-8 become U+FFFD.
    """
    return SURROGATE.sub("\ufffd", str(name))


def read_bytes(path, max_bytes):
    """Return the contents of a regular file; OSError for other files, ValueError for more than `max_bytes` bytes."""
    with open_regular_file(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise ValueError(f"it is larger than {max_bytes:,} bytes")
        return file.read()


def read_json(path):
    """Return the JSON object in a file as a dict, with finite numbers only; OSError or ValueError if that fails."""
    def parse_finite(text):
        if not math.isfinite(float(text)):
            raise ValueError(f"{text} is not a finite number")
        return float(text)

    try:
        content = json.loads(read_bytes(path, MAX_JSON_BYTES).decode("utf-8"), parse_float=parse_finite,
                             parse_constant=parse_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content
