"""Reading image files in several threads. The result depends neither on the number of threads nor on their timing.

Pillow releases the GIL while it decodes and resizes. JPEGs are decoded at full size: `Image.draft` would be faster for
large ones, but its pixels differ from those that zoo predict reads from the same file.
"""

import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait

from zoo.data import image_io
from zoo.utils.process import count_cores

MAX_WORKERS = 16  # threads; with more, they wait for each other
# One pool at a time: each uses all cores, and the warning filters are shared
POOL_LOCK = threading.Lock()
PROGRESS_INTERVAL = 0.5  # seconds between progress updates


def count_default_workers():
    """Return the default number of reader threads: one per core available to this process, at most MAX_WORKERS."""
    return min(count_cores(), MAX_WORKERS)


def run_in_threads(task, count, workers=None, description=""):
    """Call task(index) for each index in 0..count - 1, in several threads, and return the sorted indices that failed.

    A task fails by raising a ValueError, such as a UserError.

    workers: number of threads; None: count_default_workers(). description: label of the progress shown on a terminal
    if the work takes long; "": no progress.
    """
    indices, progress, failed = iter(range(count)), [0], []  # the threads share `indices`: a free one takes the next

    def run_tasks():
        for index in indices:
            try:
                task(index)
            except ValueError:
                failed.append(index)
            progress[0] = index + 1

    with POOL_LOCK, warnings.catch_warnings(), ThreadPoolExecutor(workers or count_default_workers()) as pool:
        warnings.simplefilter("ignore")  # about files that are unusual but readable
        try:
            futures = [pool.submit(run_tasks) for _ in range(min(count, workers or count_default_workers()))]
            while wait(futures, PROGRESS_INTERVAL if description else None).not_done:
                print_progress(f"{description}: {progress[0]:,} of {count:,}")
            for future in futures:
                future.result()
        finally:
            for _ in indices:  # after Ctrl-C, leave the threads no tasks
                pass
            if description:
                print_progress(" " * len(f"{description}: {count:,} of {count:,}"))
    return sorted(failed)


def print_progress(text):
    """Write a line to a terminal that the next one overwrites."""
    if sys.stderr.isatty():
        print(text, end="\r", file=sys.stderr, flush=True)


def load_pixels(path, shape):
    """Return the image in a file as uint8 of `shape`, (height, width, channels); raise ValueError if that fails."""
    return image_io.resize_image(image_io.decode_image(path), shape)[0]
