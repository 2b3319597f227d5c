"""Files that are never seen half written."""

import contextlib
import os
from pathlib import Path

from zoo.errors import UserError


def expanded(path):
    """Return `path` as a Path, with ~ as the home it stands for; UserError when nobody has that home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path} begins with the home of nobody; give the folder in full") from None


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
