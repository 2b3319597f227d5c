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

MOST = 16  # threads; more wait for each other
ONE = threading.Lock()  # one crew of threads at a time: each has all cores, and the filters of warnings are shared
PAUSE = 0.5  # seconds between two words about progress


def crew():
    """Return how many threads read pictures unless it is said: one for each core that is ours, at most MOST."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST)


def failed(task, count, threads=None, doing=""):
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

    with ONE, warnings.catch_warnings(), ThreadPoolExecutor(threads or crew()) as pool:
        warnings.simplefilter("ignore")  # of what is odd but can be read
        try:
            under_way = [pool.submit(work) for _ in range(min(count, threads or crew()))]
            while wait(under_way, PAUSE if doing else None).not_done:
                tell(f"{doing}: {done[0]:,} of {count:,}")
            for each in under_way:
                each.result()
        finally:
            for _ in todo:  # after Ctrl-C nothing is left to take
                pass
            if doing:
                tell(" " * len(f"{doing}: {count:,} of {count:,}"))
    return sorted(wrong)


def tell(words):
    """Write on a terminal a line that the next is written over."""
    if sys.stderr.isatty():
        print(words, end="\r", file=sys.stderr, flush=True)


def pixels(path, shape):
    """Return the picture of a file as uint8 of `shape`, (height, width, channels); ValueError where that cannot be."""
    return image_io.squeezed(image_io.decoded(path), shape)[0]
