"""Measure what a folder of pictures takes of memory, from 1,000 to 100,000 of them, and how fast it is read.

    python benchmarks/stream.py                 measures all of SIZES and draws docs/images/stream.png
    python benchmarks/stream.py --most 3000     the sizes up to there, to see that it runs; writes and draws nothing
    python benchmarks/stream.py --draw          the picture alone, from stream.csv
    python benchmarks/stream.py --table

The pictures are made here: JPEGs of 96x96 in ten classes, a gradient and noise each, all files of their own, in a
temporary folder that grows from one size to the next (about 0.5 GB, removed at the end). A measurement is a fresh
process: it imports zoo's training with its backend and notes its resident memory; then it loads the folder with
zoo.datasets.folders and takes batches, which follow each other as in training, and nothing is trained. Whatever the
size, these are as many. `kept` has all pixels in memory, `streamed` none of them. Speeds are the median of ROUNDS
rounds; the files come from the system's cache. Linux only.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

ROWS = Path(__file__).with_name("stream.csv")
PICTURE = ROOT / "docs" / "images" / "stream.png"
FIELDS = ("pictures", "mode", "threads", "before_mib", "peak_mib", "load_seconds", "images_per_second", "slowest",
          "fastest", "side", "batch", "backend", "processor", "versions", "commit", "command")
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
SIDE, CLASSES, BATCH = 96, 10, 32
ROUNDS, STEPS = 3, 60  # batches in a round
COMMAND = "python benchmarks/stream.py"


def cases(most=SIZES[-1]):
    """Return rows (pictures, mode, threads); 0 threads: as many as zoo takes unless it is told."""
    return [(size, *each) for size in SIZES if size <= most
            for each in (("streamed", 1), ("streamed", 0), ("kept", 0))]


def write_picture(folder, number):
    """Write picture `number`, which is the same whenever it is made."""
    import numpy as np
    from PIL import Image

    random = np.random.Generator(np.random.Philox(key=number))
    down, across = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    slopes = random.uniform(-120, 120, (2, 3))
    pixels = 128 + (down[..., None] - 0.5) * slopes[0] + (across[..., None] - 0.5) * slopes[1]
    pixels += random.normal(0, 10, pixels.shape)
    path = folder / f"class{number % CLASSES}" / f"{number:06}.jpg"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=85)


def grow(folder, before, now):
    """Write the pictures from number `before` to before number `now`."""
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda number: write_picture(folder, number), range(before, now)):
            pass


def resident(what):
    """Return a number of /proc/self/status in MiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return round(int(line.split()[1]) / 1024, 1)


def measure(folder, mode, threads):
    """Return what one case takes, in this process."""
    from zoo.datasets import folders, stream
    from zoo.training.augmentation import parse
    from zoo.training.batches import TrainingBatches

    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    began = time.perf_counter()
    dataset = folders.load(folder, (SIDE, SIDE, 3), in_memory=0 if mode == "streamed" else 2**60,
                           threads=threads or None)
    loaded = time.perf_counter() - began
    batches, speeds = TrainingBatches(dataset.train, CLASSES, BATCH, 0, parse("flip crop=4")), []
    for turn in range(ROUNDS):
        began, seen = time.perf_counter(), 0
        for step in range(turn * STEPS, (turn + 1) * STEPS):
            seen += len(batches.between(step, step + 1)[0][1])
        speeds.append(seen / (time.perf_counter() - began))
    return {"threads": threads or stream.crew(), "before_mib": before, "peak_mib": resident("VmHWM"),
            "load_seconds": round(loaded, 2), "images_per_second": round(statistics.median(speeds)),
            "slowest": round(min(speeds)), "fastest": round(max(speeds))}


def measured(folder, mode, threads):
    """Return what one case takes, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", json.dumps([str(folder), mode, threads])],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def all_measured(most):
    """Yield the rows of stream.csv."""
    from zoo import settings
    from zoo.training import provenance

    backend = settings.backend()
    told = {"side": SIDE, "batch": BATCH, "backend": backend, "processor": provenance.processor(), "command": COMMAND,
            "versions": " ".join(f"{name} {version}" for name, version in provenance.versions(backend).items()),
            "commit": provenance.commit()}
    with tempfile.TemporaryDirectory() as folder:
        there = 0
        for size, mode, threads in cases(most):
            if size > there:
                grow(Path(folder), there, size)
                there = size
            row = {**told, "pictures": size, "mode": mode, **measured(folder, mode, threads)}
            print({name: row[name] for name in FIELDS[:9]}, file=sys.stderr, flush=True)
            yield row


def read():
    with open(ROWS, newline="", encoding="utf-8") as file:
        return [{**row, **{name: float(row[name]) for name in ("before_mib", "peak_mib", "load_seconds")},
                 **{name: int(row[name]) for name in ("pictures", "threads", "images_per_second")}}
                for row in csv.DictReader(file)]


def write(rows):
    with open(ROWS, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def of_mode(rows, mode, most_threads=True):
    """Return the rows of a mode, with the most threads or with one, by their number of pictures."""
    threads = max(row["threads"] for row in rows) if most_threads else 1
    return sorted((row for row in rows if row["mode"] == mode and row["threads"] == threads),
                  key=lambda row: row["pictures"])


def table():
    """Return the Markdown table of stream.csv, and a sentence."""
    rows = read()
    streamed, kept, alone = of_mode(rows, "streamed"), of_mode(rows, "kept"), of_mode(rows, "streamed", False)
    threads = streamed[0]["threads"]
    lines = ["| pictures | streamed, MiB | all in memory, MiB | pictures/s, streamed by 1 thread | "
             f"by {threads} threads | to load, streamed, s |", "| ---: | ---: | ---: | ---: | ---: | ---: |"]
    for few, all_, one in zip(streamed, kept, alone, strict=True):
        lines.append(f"| {few['pictures']:,} | {few['peak_mib']:,.0f} | {all_['peak_mib']:,.0f} | "
                     f"{one['images_per_second']:,} | {few['images_per_second']:,} | {few['load_seconds']:,.1f} |")
    more = streamed[-1]["peak_mib"] - streamed[0]["peak_mib"]
    each = more * 2**20 / (streamed[-1]["pictures"] - streamed[0]["pictures"])
    return "\n".join([*lines, "", f"From {streamed[0]['pictures']:,} to {streamed[-1]['pictures']:,} pictures streaming "
                                  f"takes {more:.0f} MiB more, {each:.0f} bytes a picture: their names and their order."])


def draw(rows, path):
    """Draw peak memory against the number of pictures as PNG."""
    from matplotlib.ticker import StrMethodFormatter

    from zoo.pictures.sheet import BLUE, FAINT, INK, MUTED, VERMILLION, axes_at, blank

    figure = blank(560, 340)
    axes = axes_at(figure, 70, 40, 380, 240)
    streamed, kept = of_mode(rows, "streamed"), of_mode(rows, "kept")
    before = statistics.median(row["before_mib"] for row in rows)
    for found, colour, words in ((kept, VERMILLION, "all pixels\nin memory"), (streamed, BLUE, "streamed")):
        axes.plot([row["pictures"] for row in found], [row["peak_mib"] for row in found], "o-", color=colour, lw=2)
        axes.annotate(f"{words}\n{found[-1]['peak_mib']:,.0f} MiB", (found[-1]["pictures"], found[-1]["peak_mib"]),
                      (10, 0), textcoords="offset points", va="center", color=colour)
    axes.axhline(before, color=MUTED, ls=":", lw=1.2, zorder=0)
    axes.annotate(f"before any picture, {before:,.0f} MiB", (streamed[0]["pictures"], before), (0, -5),
                  textcoords="offset points", va="top", color=MUTED, size=9)
    axes.set_xscale("log")
    axes.set_ylim(0)
    axes.set_xticks([row["pictures"] for row in streamed], minor=False)
    axes.set_xticks([], minor=True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color=FAINT)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"pictures of {SIDE}x{SIDE} in a folder", color=INK)
    axes.set_ylabel("peak memory of the process, MiB", color=INK)
    figure.text(0.03, 0.96, "Memory while batches are made", size=13, va="top", color=INK)
    figure.savefig(path, metadata={"Software": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, metavar="N", default=SIZES[-1])
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*json.loads(arguments.one))))
        return
    if not (arguments.draw or arguments.table):
        rows = [*all_measured(arguments.most)]
        if arguments.most < SIZES[-1]:
            return
        write(rows)
    if not arguments.table:
        draw(read(), PICTURE)
    print(table())


if __name__ == "__main__":
    main()
