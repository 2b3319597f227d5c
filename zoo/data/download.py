"""Downloading the files of a dataset: one process at a time, atomically, with the hash verified."""

import contextlib
import hashlib
import http.client
import sys
import time
import urllib.request

from zoo.data.file_lock import acquire_lock
from zoo.errors import UserError
from zoo.utils.io import atomic_write, list_scratch_files, remove_stale_scratch_files
from zoo.utils.text import escape_unprintable

DOWNLOAD_TIMEOUT = 10  # seconds without a response or without data
DOWNLOAD_BLOCK_SIZE = 1 << 16  # bytes


def download_dataset(info, folder):
    """Download the files of `info.downloads` to `folder`; existing files are kept.

    Raises a UserError if a download fails, which explains how to get the files otherwise, or if a hash does not match.
    """
    try:
        for download in info.downloads:
            download_file(download, folder)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        urls = " ".join(download.url for download in info.downloads)
        raise UserError(f"{info.name} could not be downloaded to {folder} ({reason}); download {urls} by other "
                        "means and give their folder with data_dir=...") from None


def download_file(download, folder):
    """Download one file, unless it exists; wait while another process downloads it."""
    path = folder / download.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_download(path.with_name(f".{path.name}.lock"), path):
        if path.exists():
            return
        remove_stale_scratch_files(list_scratch_files(path))
        with atomic_write(path) as scratch:
            actual_hash = download_and_hash(download, scratch)
            if actual_hash != download.hash:
                raise UserError(f"the hash of the download of {download.url} does not match: expected {download.hash}, "
                                f"got {actual_hash}; the file was removed, try again later")


@contextlib.contextmanager
def lock_download(lock_path, path):
    """Hold the lock on `lock_path` while `path` is downloaded; print a line if another process holds it."""
    try:
        lock = acquire_lock(lock_path)
    except TimeoutError:
        print(f"waiting for another process that is downloading {escape_unprintable(path)}", file=sys.stderr)
        lock = acquire_lock(lock_path, timeout=-1)
    with lock:
        yield


def download_and_hash(download, scratch):
    """Write the contents of the URL to `scratch`; return their hash as "algorithm:hex"."""
    algorithm = download.hash.partition(":")[0]
    hasher = hashlib.new(algorithm)
    bytes_read = 0
    with urllib.request.urlopen(download.url, timeout=DOWNLOAD_TIMEOUT) as response, open(scratch, "wb") as file:
        size = response.length or 0
        with show_download_progress(download.url, size) as update:
            while block := response.read(DOWNLOAD_BLOCK_SIZE):
                file.write(block)
                hasher.update(block)
                bytes_read += len(block)
                update(bytes_read)
    if bytes_read < size:
        raise OSError(f"the connection was closed after {bytes_read:,} of {size:,} bytes of {download.url}")
    return f"{algorithm}:{hasher.hexdigest()}"


@contextlib.contextmanager
def show_download_progress(url, size):
    """Yield a function to call with the number of bytes received; `size`, the expected number, is 0 if unknown.

    A terminal shows one line, updated five times a second; a log gets one line per quarter.
    """
    is_terminal = sys.stderr.isatty()
    total = f" of {size / 1e6:.1f}" if size else ""
    last = {"time": 0.0, "quarter": 0}

    def rewrite(bytes_read):
        if time.monotonic() - last["time"] > 0.2 or bytes_read == size:
            last["time"] = time.monotonic()
            print(f"\rdownloading {url}: {bytes_read / 1e6:.1f}{total} MB", end="", file=sys.stderr, flush=True)

    def add_line(bytes_read):
        quarter = 4 * bytes_read // size if size else 0
        if quarter > last["quarter"]:
            last["quarter"] = quarter
            print(f"  {bytes_read / 1e6:.1f}{total} MB", file=sys.stderr, flush=True)

    if not is_terminal:
        print(f"downloading {url}", file=sys.stderr, flush=True)
    try:
        yield rewrite if is_terminal else add_line
    finally:
        if is_terminal:
            print(file=sys.stderr)
