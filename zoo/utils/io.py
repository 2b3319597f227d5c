"""Files that are never seen half written."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from zoo.errors import UserError

# What a name can be at fault for; a full disk is another matter.
MISTAKES = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
            errno.EOPNOTSUPP}


def expanded(path):
    """Return `path` as a Path, with ~ as the home it stands for; UserError when nobody has that home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path} begins with the home of nobody; give the folder in full") from None


def writable(path, wanted="another name"):
    """Return `path` as a Path, with ~ as a home; UserError, in one line, where no file of that name can be written.

    wanted: what to give instead, in words. Nothing is left in the folder: that it takes a file is tried with one that
    has no name there. A full disk stays an OSError.

    A command calls this first: a mistyped name is then told before a network is built.
    """
    target = expanded(path)
    if os.path.isdir(target):
        raise UserError(f"cannot write {path}: it is a folder; give {wanted}")
    if not os.path.isdir(target.parent):
        raise UserError(f"cannot write {path}: there is no folder {target.parent}; make it first, or give {wanted}")
    with mistakes_told(path, wanted), tempfile.TemporaryFile(dir=target.parent):
        pass
    return target


@contextlib.contextmanager
def mistakes_told(path, wanted):
    """Raise a UserError for the OSErrors that come of a name where nothing can be written; a full disk is none."""
    try:
        yield
    except OSError as error:
        if error.errno not in MISTAKES:
            raise
        raise UserError(f"cannot write {path}: {error.strerror}; give {wanted}, in a folder of yours") from None


@contextlib.contextmanager
def written_whole(path):
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


def write_text(path, text):
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with written_whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
