"""Many picture files, read by several threads. What comes out depends neither on their number nor on their speed.

Pillow lets go of Python's lock while it decodes and resizes. JPEGs are decoded whole: `Image.draft` would be faster for
large ones, but gives other pixels than those that zoo predict has of the same file.
"""

import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait

from zoo.data import image_io

MAX_WORKERS = 16  # threads; more wait for each other
# One crew of threads at a time: each has all cores, and the filters of warnings are shared
POOL_LOCK = threading.Lock()
PROGRESS_INTERVAL = 0.5  # seconds between two words about progress


def count_default_workers():
    """Return how many threads read pictures unless it is said: one for each core that is ours, at most MOST."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_WORKERS)


def run_in_threads(task, count, workers=None, description=""):
    """Call task(place) for each place in 0..count - 1, in several threads, and return those, in order, that failed.

    A task fails by a ValueError, which UserErrors are. threads: how many; None: see crew(). doing: what a terminal is
    told, with how far it is, where it takes long; without words nothing.
    """
    todo, done, wrong = iter(range(count)), [0], []  # the threads share `todo`: whoever is free takes the next

    def work():
        for place in todo:
            try:
                task(place)
            except ValueError:
                wrong.append(place)
            done[0] = place + 1

    with POOL_LOCK, warnings.catch_warnings(), ThreadPoolExecutor(workers or count_default_workers()) as pool:
        warnings.simplefilter("ignore")  # of what is odd but can be read
        try:
            under_way = [pool.submit(work) for _ in range(min(count, workers or count_default_workers()))]
            while wait(under_way, PROGRESS_INTERVAL if description else None).not_done:
                print_progress(f"{description}: {done[0]:,} of {count:,}")
            for each in under_way:
                each.result()
        finally:
            for _ in todo:  # after Ctrl-C nothing is left to take
                pass
            if description:
                print_progress(" " * len(f"{description}: {count:,} of {count:,}"))
    return sorted(wrong)


def print_progress(text):
    """Write on a terminal a line that the next is written over."""
    if sys.stderr.isatty():
        print(text, end="\r", file=sys.stderr, flush=True)


def load_pixels(path, shape):
    """Return the picture of a file as uint8 of `shape`, (height, width, channels); ValueError where that cannot be."""
    return image_io.resize_image(image_io.decode_image(path), shape)[0]
