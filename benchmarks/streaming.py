"""Measure the memory that an image folder of 1,000 to 100,000 images needs, and the speed of reading it.

    python benchmarks/streaming.py                     measure all of SIZES and plot docs/images/streaming.png
    python benchmarks/streaming.py --max-images 3000   the sizes up to 3,000, as a test run; writes and plots nothing
    python benchmarks/streaming.py --plot              only the plot, from streaming.csv
    python benchmarks/streaming.py --table

The images are generated: JPEGs of 96x96 in ten classes, each a gradient with noise and a file of its own, in a
temporary folder that grows from one size to the next (about 0.5 GB, removed at the end). Each measurement runs in a new
process: it imports zoo's training code with its backend and records its resident memory; then it loads the folder with
zoo.data.image_folder and reads consecutive batches as in training, without training. The number of batches is the same
for every size. The mode `in memory` keeps all pixels in memory, `streamed` none. Once the memory is measured, a single
thread and all threads alternate for ROUNDS rounds: speeds are the medians, and `speedup` is the median of the ratios,
so that other load on the machine has little influence. `photos` are of 375x500, resized to 224x224 and streamed, to
measure their speed. The files are in the page cache. Linux only.
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
FIELDS = ("images", "mode", "threads", "baseline_mib", "peak_mib", "load_seconds", "images_per_second",
          "images_per_second_one_thread", "speedup", "rounds", "image_size", "batch_size", "backend", "cpu", "versions",
          "commit", "command")
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
IMAGE_SIZE, NUM_CLASSES, BATCH_SIZE = 96, 10, 32
PHOTO_SIZE = (375, 500)  # height, width
ROUNDS, STEPS_PER_ROUND = 7, 40  # batches per round; a quarter of them for photos
COMMAND = "python benchmarks/streaming.py"


def list_cases(max_images=SIZES[-1]):
    """Return the cases (number of images, mode)."""
    return [(SIZES[0], "photos"),
            *((size, mode) for size in SIZES if size <= max_images for mode in ("streamed", "in memory"))]


def write_image(folder, index, height=IMAGE_SIZE, width=IMAGE_SIZE):
    """Write image `index`; its pixels depend on the index and the size alone."""
    import numpy as np
    from PIL import Image

    random = np.random.Generator(np.random.Philox(key=index))
    y, x = np.mgrid[0:height, 0:width]
    gradients = random.uniform(-120, 120, (2, 3))
    pixels = 128 + (y[..., None] / height - 0.5) * gradients[0] + (x[..., None] / width - 0.5) * gradients[1]
    pixels += random.normal(0, 10, pixels.shape)
    path = folder / f"class{index % NUM_CLASSES}" / f"{index:06}.jpg"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=85)


def add_images(folder, start, stop, *size):
    """Write the images with indices from `start` to `stop` - 1."""
    for label in range(NUM_CLASSES):
        (folder / f"class{label}").mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda index: write_image(folder, index, *size), range(start, stop)):
            pass


def read_process_memory(field):
    """Return a field of /proc/self/status in MiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return round(int(line.split()[1]) / 1024, 1)


def measure_case(folder, mode):
    """Return the measured columns of one case, measured in this process."""
    from zoo.data import image_folder, parallel_io
    from zoo.training.augmentation import parse_augmentation
    from zoo.training.batches import TrainingBatches

    image_size, steps = (224, STEPS_PER_ROUND // 4) if mode == "photos" else (IMAGE_SIZE, STEPS_PER_ROUND)

    def load_batches(threads):
        max_cache_bytes = 2**60 if mode == "in memory" else 0
        split = image_folder.load_image_folder(folder, (image_size, image_size, 3), max_cache_bytes=max_cache_bytes,
                                               workers=threads).train
        return TrainingBatches(split, NUM_CLASSES, BATCH_SIZE, 0, parse_augmentation("flip crop=4"))

    def measure_speed(batches, round_index):
        start, num_images = time.perf_counter(), 0
        for step in range(round_index * steps, (round_index + 1) * steps):
            num_images += len(batches.slice_steps(step, step + 1)[0][1])
        return num_images / (time.perf_counter() - start)

    baseline = read_process_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak, VmHWM
    start = time.perf_counter()
    batches = load_batches(None)
    row = {"threads": parallel_io.count_default_workers(), "image_size": image_size, "baseline_mib": baseline,
           "load_seconds": round(time.perf_counter() - start, 2)}
    speeds = [measure_speed(batches, index) for index in range(ROUNDS)]
    row |= {"peak_mib": read_process_memory("VmHWM"), "rounds": ROUNDS,
            "images_per_second": round(statistics.median(speeds))}
    if mode != "in memory":
        one_thread_batches = load_batches(1)
        pairs = [(measure_speed(one_thread_batches, index), measure_speed(batches, index)) for index in range(ROUNDS)]
        one_thread, all_threads = zip(*pairs, strict=True)
        row |= {"images_per_second": round(statistics.median(all_threads)),
                "images_per_second_one_thread": round(statistics.median(one_thread)),
                "speedup": round(statistics.median(speed / reference for reference, speed in pairs), 2)}
    return row


def measure_in_subprocess(folder, mode):
    """Return the measured columns of one case, measured in a process of its own."""
    process = subprocess.run([sys.executable, __file__, "--one", json.dumps([str(folder), mode])],
                             capture_output=True, text=True, check=False,
                             env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    if process.returncode:
        raise RuntimeError(process.stderr)
    return json.loads(process.stdout.splitlines()[-1])


def measure_all(max_images):
    """Yield the rows of streaming.csv."""
    from zoo import env
    from zoo.training import provenance

    backend = env.select_backend()
    metadata = {"batch_size": BATCH_SIZE, "backend": backend, "command": COMMAND, "commit": provenance.get_commit(),
                **csv_rows.describe_machine(backend)}
    with tempfile.TemporaryDirectory() as directory:
        folder, photos, num_images = Path(directory, "images"), Path(directory, "photos"), 0
        folder.mkdir()
        photos.mkdir()
        add_images(photos, 0, SIZES[0], *PHOTO_SIZE)
        for size, mode in list_cases(max_images):
            if mode != "photos" and size > num_images:
                add_images(folder, num_images, size)
                num_images = size
            row = {**metadata, "images": size, "mode": mode,
                   **measure_in_subprocess(photos if mode == "photos" else folder, mode)}
            print({name: row.get(name) for name in FIELDS[:10]}, file=sys.stderr, flush=True)
            yield row


def read_rows():
    """Return the rows of streaming.csv; the columns that are used as numbers are numbers."""
    return [{**row, **{name: float(row[name]) for name in ("baseline_mib", "peak_mib", "load_seconds")},
             **{name: int(row[name]) for name in ("images", "threads", "images_per_second")}}
            for row in csv_rows.read_rows(CSV_PATH)]


def write_rows(rows):
    csv_rows.write_rows(CSV_PATH, FIELDS, rows)


def select_mode(rows, mode):
    return [row for row in rows if row["mode"] == mode]


def format_markdown_table():
    """Return the Markdown table of streaming.csv, followed by two sentences."""
    rows = read_rows()
    streamed_rows, in_memory_rows = select_mode(rows, "streamed"), select_mode(rows, "in memory")
    lines = [f"| images | peak memory, streamed (MiB) | peak memory, in memory (MiB) | time to load, streamed (s) | "
             f"images/s, 1 thread | images/s, {streamed_rows[0]['threads']} threads | speedup |",
             "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for streamed, in_memory in zip(streamed_rows, in_memory_rows, strict=True):
        lines.append(f"| {streamed['images']:,} | {streamed['peak_mib']:,.0f} | {in_memory['peak_mib']:,.0f} | "
                     f"{streamed['load_seconds']:,.1f} | {int(streamed['images_per_second_one_thread']):,} | "
                     f"{streamed['images_per_second']:,} | {streamed['speedup']} |")
    smallest, largest = streamed_rows[0], streamed_rows[-1]
    increase = largest["peak_mib"] - smallest["peak_mib"]
    bytes_per_image = increase * 2**20 / (largest["images"] - smallest["images"])
    (photos,) = select_mode(rows, "photos")
    return "\n".join([*lines, "", f"Streaming {largest['images']:,} images needs {increase:.0f} MiB more than "
                      f"{smallest['images']:,}, {bytes_per_image:.0f} bytes per image: their names and their order.",
                      f"Photos of {PHOTO_SIZE[0]}x{PHOTO_SIZE[1]}, resized to "
                      f"{photos['image_size']}x{photos['image_size']}: "
                      f"{int(photos['images_per_second_one_thread']):,} images/s with 1 thread, "
                      f"{photos['images_per_second']:,} with {photos['threads']}, speedup {photos['speedup']}."])


def draw_memory_plot(rows, path):
    """Plot peak memory against the number of images as PNG."""
    from matplotlib.ticker import StrMethodFormatter

    from zoo.plots.figures import BLUE, MUTED_COLOR, TEXT_COLOR, VERMILLION, add_axes, create_figure

    figure = create_figure(540, 310)
    axes = add_axes(figure, 75, 40, 370, 220)
    streamed, in_memory = select_mode(rows, "streamed"), select_mode(rows, "in memory")
    baseline = statistics.median(row["baseline_mib"] for row in [*streamed, *in_memory])
    for series, color, label in ((in_memory, VERMILLION, "all pixels\nin memory"), (streamed, BLUE, "streamed")):
        axes.plot([row["images"] for row in series], [row["peak_mib"] for row in series], "o-", color=color, lw=2)
        axes.annotate(f"{label}\n{series[-1]['peak_mib']:,.0f} MiB", (series[-1]["images"], series[-1]["peak_mib"]),
                      (10, 0), textcoords="offset points", va="center", color=color)
    axes.annotate(f"before loading images: {baseline:,.0f} MiB", (streamed[0]["images"], baseline), (0, -8),
                  textcoords="offset points", va="top", color=MUTED_COLOR, size=9,
                  bbox={"fc": "white", "ec": "none", "pad": 1})
    axes.set_xscale("log")
    axes.set_ylim(0)
    axes.set_xticks([row["images"] for row in streamed], minor=False)
    axes.set_xticks([], minor=True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color="#DDDDDD")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"number of {IMAGE_SIZE}x{IMAGE_SIZE} images in the folder", color=TEXT_COLOR)
    axes.set_ylabel("peak memory of the process (MiB)", color=TEXT_COLOR)
    figure.text(0.03, 0.96, "Peak memory of the input pipeline", size=14, va="top", color=TEXT_COLOR)
    figure.savefig(path, metadata={"Software": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-images", type=int, metavar="N", default=SIZES[-1],
                        help=f"largest size to measure; default: {SIZES[-1]:,}")
    parser.add_argument("--plot", action="store_true", help="plot streaming.csv; measure nothing")
    parser.add_argument("--table", action="store_true", help="print the table of docs/transfer.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure_case(*json.loads(arguments.one))))
        return
    if not (arguments.plot or arguments.table):
        rows = [*measure_all(arguments.max_images)]
        if arguments.max_images < SIZES[-1]:
            return
        write_rows(rows)
    if not arguments.table:
        draw_memory_plot(read_rows(), PLOT_PATH)
    print(format_markdown_table())


if __name__ == "__main__":
    main()
