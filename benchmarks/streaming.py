"""Measure what a folder of pictures takes of memory, from 1,000 to 100,000 of them, and how fast it is read.

    python benchmarks/streaming.py                 measures all of SIZES and draws docs/images/streaming.png
    python benchmarks/streaming.py --most 3000     the sizes up to there, to see that it runs; writes and draws nothing
    python benchmarks/streaming.py --draw          the picture alone, from streaming.csv
    python benchmarks/streaming.py --table

The pictures are made here: JPEGs of 96x96 in ten classes, a gradient and noise each, all files of their own, in a
temporary folder that grows from one size to the next (about 0.5 GB, removed at the end). A measurement is a fresh
process: it imports zoo's training with its backend and notes its resident memory; then it loads the folder with
zoo.data.image_folder and takes batches, which follow each other as in training, and nothing is trained. Whatever the
size, these are as many. `kept` has all pixels in memory, `streamed` none of them. When the memory is known, one thread
alone and all threads take turns, for ROUNDS rounds: speeds are the medians, and `gain` is that of their ratios, so that
others at work on the machine count little. `photos` are of 375x500, brought to 224x224 and streamed, for their speed.
The files come from the system's cache. Linux only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

CSV_PATH = Path(__file__).with_name("streaming.csv")
PLOT_PATH = ROOT / "docs" / "images" / "streaming.png"
FIELDS = ("pictures", "mode", "threads", "before_mib", "peak_mib", "load_seconds", "images_per_second",
          "images_per_second_one_thread", "gain", "rounds", "side", "batch", "backend", "processor", "versions",
          "commit", "command")
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
IMAGE_SIZE, NUM_CLASSES, BATCH_SIZE = 96, 10, 32
PHOTO_SIZE = (375, 500)  # height, width
ROUNDS, STEPS_PER_ROUND = 7, 40  # batches in a round; of photos a quarter
COMMAND = "python benchmarks/streaming.py"


def list_cases(max_images=SIZES[-1]):
    """Return rows (pictures, mode)."""
    return [(SIZES[0], "photos"),
            *((size, mode) for size in SIZES if size <= max_images for mode in ("streamed", "kept"))]


def write_image(folder, index, height=IMAGE_SIZE, width=IMAGE_SIZE):
    """Write picture `number`, which is the same whenever it is made."""
    import numpy as np
    from PIL import Image

    random = np.random.Generator(np.random.Philox(key=index))
    down, across = np.mgrid[0:height, 0:width]
    slopes = random.uniform(-120, 120, (2, 3))
    pixels = 128 + (down[..., None] / height - 0.5) * slopes[0] + (across[..., None] / width - 0.5) * slopes[1]
    pixels += random.normal(0, 10, pixels.shape)
    path = folder / f"class{index % NUM_CLASSES}" / f"{index:06}.jpg"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=85)


def add_images(folder, start, stop, *size):
    """Write the pictures from number `before` to before number `now`."""
    for label in range(NUM_CLASSES):
        (folder / f"class{label}").mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda number: write_image(folder, number, *size), range(start, stop)):
            pass


def read_process_memory(field):
    """Return a number of /proc/self/status in MiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return round(int(line.split()[1]) / 1024, 1)


def measure_case(folder, mode):
    """Return what one case takes, in this process."""
    from zoo.data import image_folder, parallel_io
    from zoo.training.augmentation import parse_augmentation
    from zoo.training.batches import TrainingBatches

    side, steps = (224, STEPS_PER_ROUND // 4) if mode == "photos" else (IMAGE_SIZE, STEPS_PER_ROUND)

    def batches(threads):
        in_memory = 2**60 if mode == "kept" else 0
        split = image_folder.load_image_folder(folder, (side, side, 3), max_cache_bytes=in_memory,
                                               workers=threads).train
        return TrainingBatches(split, NUM_CLASSES, BATCH_SIZE, 0, parse_augmentation("flip crop=4"))

    def speed(batches, turn):
        began, seen = time.perf_counter(), 0
        for step in range(turn * steps, (turn + 1) * steps):
            seen += len(batches.slice_steps(step, step + 1)[0][1])
        return seen / (time.perf_counter() - began)

    before = read_process_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    began = time.perf_counter()
    many = batches(None)
    found = {"threads": parallel_io.count_default_workers(), "side": side, "before_mib": before,
             "load_seconds": round(time.perf_counter() - began, 2)}
    speeds = [speed(many, turn) for turn in range(ROUNDS)]
    found |= {"peak_mib": read_process_memory("VmHWM"), "rounds": ROUNDS,
              "images_per_second": round(statistics.median(speeds))}
    if mode != "kept":
        one = batches(1)
        turns = [(speed(one, turn), speed(many, turn)) for turn in range(ROUNDS)]
        alone, together = zip(*turns, strict=True)
        found |= {"images_per_second": round(statistics.median(together)),
                  "images_per_second_one_thread": round(statistics.median(alone)),
                  "gain": round(statistics.median(more / few for few, more in turns), 2)}
    return found


def measure_in_subprocess(folder, mode):
    """Return what one case takes, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", json.dumps([str(folder), mode])],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure_all(max_images):
    """Yield the rows of streaming.csv."""
    from zoo import env
    from zoo.training import provenance

    backend = env.select_backend()
    told = {"batch": BATCH_SIZE, "backend": backend, "processor": provenance.get_cpu_name(), "command": COMMAND,
            "versions": " ".join(f"{name} {version}" for name,
                                 version in provenance.get_package_versions(backend).items()),
            "commit": provenance.get_commit()}
    with tempfile.TemporaryDirectory() as place:
        folder, photos, there = Path(place, "pictures"), Path(place, "photos"), 0
        folder.mkdir()
        photos.mkdir()
        add_images(photos, 0, SIZES[0], *PHOTO_SIZE)
        for size, mode in list_cases(max_images):
            if mode != "photos" and size > there:
                add_images(folder, there, size)
                there = size
            row = {**told, "pictures": size, "mode": mode,
                   **measure_in_subprocess(photos if mode == "photos" else folder, mode)}
            print({name: row.get(name) for name in FIELDS[:10]}, file=sys.stderr, flush=True)
            yield row


def read_rows():
    return [{**row, **{name: float(row[name]) for name in ("before_mib", "peak_mib", "load_seconds")},
             **{name: int(row[name]) for name in ("pictures", "threads", "images_per_second")}}
            for row in csv_rows.read_rows(CSV_PATH)]


def write_rows(rows):
    csv_rows.write_rows(CSV_PATH, FIELDS, rows)


def select_mode(rows, mode):
    return [row for row in rows if row["mode"] == mode]


def format_markdown_table():
    """Return the Markdown table of streaming.csv, and a sentence."""
    rows = read_rows()
    streamed, kept = select_mode(rows, "streamed"), select_mode(rows, "kept")
    lines = [f"| pictures | streamed, MiB | all in memory, MiB | to load, streamed, s | pictures/s, 1 thread | "
             f"{streamed[0]['threads']} threads | gain |", "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for few, all_ in zip(streamed, kept, strict=True):
        lines.append(f"| {few['pictures']:,} | {few['peak_mib']:,.0f} | {all_['peak_mib']:,.0f} | "
                     f"{few['load_seconds']:,.1f} | {int(few['images_per_second_one_thread']):,} | "
                     f"{few['images_per_second']:,} | {few['gain']} |")
    more = streamed[-1]["peak_mib"] - streamed[0]["peak_mib"]
    each = more * 2**20 / (streamed[-1]["pictures"] - streamed[0]["pictures"])
    (photos,) = select_mode(rows, "photos")
    return "\n".join([*lines, "", f"From {streamed[0]['pictures']:,} to {streamed[-1]['pictures']:,} pictures "
                      f"streaming takes {more:.0f} MiB more, {each:.0f} bytes a picture: their names and their order.",
                      f"Photos of {PHOTO_SIZE[0]}x{PHOTO_SIZE[1]}, brought to {photos['side']}x{photos['side']}: "
                      f"{int(photos['images_per_second_one_thread']):,} pictures/s by 1 thread, "
                      f"{photos['images_per_second']:,} by {photos['threads']}, gain {photos['gain']}."])


def draw_memory_plot(rows, path):
    """Draw peak memory against the number of pictures as PNG."""
    from matplotlib.ticker import StrMethodFormatter

    from zoo.plots.figures import BLUE, MUTED_COLOR, TEXT_COLOR, VERMILLION, add_axes, create_figure

    figure = create_figure(540, 310)
    axes = add_axes(figure, 75, 40, 370, 220)
    streamed, kept = select_mode(rows, "streamed"), select_mode(rows, "kept")
    before = statistics.median(row["before_mib"] for row in [*streamed, *kept])
    for found, colour, words in ((kept, VERMILLION, "all pixels\nin memory"), (streamed, BLUE, "streamed")):
        axes.plot([row["pictures"] for row in found], [row["peak_mib"] for row in found], "o-", color=colour, lw=2)
        axes.annotate(f"{words}\n{found[-1]['peak_mib']:,.0f} MiB", (found[-1]["pictures"], found[-1]["peak_mib"]),
                      (10, 0), textcoords="offset points", va="center", color=colour)
    axes.annotate(f"before any picture: {before:,.0f} MiB", (streamed[0]["pictures"], before), (0, -8),
                  textcoords="offset points", va="top", color=MUTED_COLOR, size=9,
                  bbox={"fc": "white", "ec": "none", "pad": 1})
    axes.set_xscale("log")
    axes.set_ylim(0)
    axes.set_xticks([row["pictures"] for row in streamed], minor=False)
    axes.set_xticks([], minor=True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color="#DDDDDD")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"pictures of {IMAGE_SIZE}x{IMAGE_SIZE} in a folder", color=TEXT_COLOR)
    axes.set_ylabel("peak memory of the process, MiB", color=TEXT_COLOR)
    figure.text(0.03, 0.96, "Memory while batches are made", size=14, va="top", color=TEXT_COLOR)
    figure.savefig(path, metadata={"Software": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, metavar="N", default=SIZES[-1])
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure_case(*json.loads(arguments.one))))
        return
    if not (arguments.draw or arguments.table):
        rows = [*measure_all(arguments.most)]
        if arguments.most < SIZES[-1]:
            return
        write_rows(rows)
    if not arguments.table:
        draw_memory_plot(read_rows(), PLOT_PATH)
    print(format_markdown_table())


if __name__ == "__main__":
    main()
