"""Fetching the files of a set: one process at a time, whole and with the right hash, or not at all."""

import contextlib
import hashlib
import http.client
import sys
import time
import urllib.request

from zoo.data.file_lock import acquire_lock
from zoo.errors import UserError
from zoo.utils.io import atomic_write

DOWNLOAD_TIMEOUT = 10  # seconds without an answer or without a byte
DOWNLOAD_BLOCK_SIZE = 1 << 16  # bytes


def download_dataset(info, folder):
    """See to it that all files of `facts.downloads` are below `folder`; those that are there stay as they are.

    Raises a UserError that says how else to get them when they cannot be fetched, and one when a hash is wrong.
    """
    try:
        for download in info.downloads:
            download_file(download, folder)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        urls = " ".join(download.url for download in info.downloads)
        raise UserError(f"{info.name} could not be downloaded to {folder} ({reason}); fetch {urls} by other "
                        f"means and give their folder with --data-dir DIR") from None


def download_file(download, folder):
    """Download one file; a process that finds another one at it waits, and then finds the file."""
    path = folder / download.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_download(path.with_name(f".{path.name}.lock"), path):
        if path.exists():
            return
        with atomic_write(path) as scratch:
            found = download_and_hash(download, scratch)
            if found != download.hash:
                raise UserError(f"the download of {download.url} is not the file it should be: {download.hash} "
                                f"expected, {found} found; it was removed, try again later")


@contextlib.contextmanager
def lock_download(lock_path, path):
    """Hold the lock on the file `lock` while `path` is downloaded; say so where another process is waited for."""
    try:
        held = acquire_lock(lock_path)
    except TimeoutError:
        print(f"waiting for another process, which downloads {path}", file=sys.stderr)
        held = acquire_lock(lock_path, timeout=-1)
    with held:
        yield


def download_and_hash(download, scratch):
    """Write what the address gives to `scratch`; return its hash as "algorithm:hex"."""
    algorithm = download.hash.partition(":")[0]
    hasher = hashlib.new(algorithm)
    done = 0
    with urllib.request.urlopen(download.url, timeout=DOWNLOAD_TIMEOUT) as answer, open(scratch, "wb") as file:
        size = answer.length or 0
        with show_download_progress(download.url, size) as show:
            while block := answer.read(DOWNLOAD_BLOCK_SIZE):
                file.write(block)
                hasher.update(block)
                done += len(block)
                show(done)
    if done < size:
        raise OSError(f"the connection ended after {done:,} of {size:,} bytes of {download.url}")
    return f"{algorithm}:{hasher.hexdigest()}"


@contextlib.contextmanager
def show_download_progress(url, size):
    """Yield a function to be told how many bytes have come; `size`, those expected, is 0 when nobody knows.

    On a terminal one line is rewritten five times a second; a log gets a line per quarter.
    """
    terminal = sys.stderr.isatty()
    whole = f" of {size / 1e6:.1f}" if size else ""
    last = {"time": 0.0, "quarter": 0}

    def rewrite(done):
        if time.monotonic() - last["time"] > 0.2 or done == size:
            last["time"] = time.monotonic()
            print(f"\rdownloading {url}: {done / 1e6:.1f}{whole} MB", end="", file=sys.stderr, flush=True)

    def add_line(done):
        quarter = 4 * done // size if size else 0
        if quarter > last["quarter"]:
            last["quarter"] = quarter
            print(f"  {done / 1e6:.1f}{whole} MB", file=sys.stderr, flush=True)

    if not terminal:
        print(f"downloading {url}", file=sys.stderr, flush=True)
    try:
        yield rewrite if terminal else add_line
    finally:
        if terminal:
            print(file=sys.stderr)
