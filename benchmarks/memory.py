"""Measure the peak memory of models on the CPU and write it to memory.csv, next to the estimates of `zoo.describe`.

    python benchmarks/memory.py                     measure all of CASES
    python benchmarks/memory.py resnet34 googlenet  measure some models; the other rows are kept
    python benchmarks/memory.py --estimate          update only the estimates, after a change of zoo/analysis/memory.py
    python benchmarks/memory.py --table

Each measurement runs in a new process: it imports the backend, trains and evaluates a tiny model, and records its
resident memory; then it builds the model and runs two training steps (SGD with momentum) or predicts two batches. The
measured value is the peak resident memory minus the recorded one. Linux only.
"""

import argparse
import functools
import gc
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

CSV_PATH = Path(__file__).with_name("memory.csv")
FIELDS = ("model", "image_size", "batch_size", "width", "model_options", "task", "estimated_mib", "measured_mib", "cpu",
          "versions")
MIB = 2**20

#        model                  image  batch sizes width  model options
CASES = (("lenet5",               28, (512, 4096), 1.0,   {}),
         ("alexnet",             227, (8, 32),     1.0,   {}),
         ("nin",                  32, (32, 128),   1.0,   {}),
         ("vgg16",                32, (64, 256),   1.0,   {"batch_norm": True}),
         ("vgg16",               224, (1, 4),      1.0,   {}),
         ("googlenet",            32, (32, 96),    1.0,   {}),
         ("highway",              32, (32, 128),   1.0,   {}),
         ("resnet34",             32, (32, 128),   1.0,   {}),
         ("inception_resnet_v2",  32, (16, 64),    1 / 8, {}))


def get_num_classes(image_size):
    return 1000 if image_size > 96 else 10


@functools.cache
def get_memory_model(model_name, image_size, width, model_options):
    from zoo import registry
    from zoo.analysis import summary

    shape = (image_size, image_size, registry.get_model_info(model_name).input_shape[2])
    model_config = registry.resolve_model_config(model_name, shape, get_num_classes(image_size), width,
                                                 options=json.loads(model_options))
    return summary.summarize_model_config(model_config).memory


def estimate_memory(model_name, image_size, batch_size, width, model_options, task):
    """Return zoo's estimate in MiB."""
    memory = get_memory_model(model_name, image_size, width, json.dumps(model_options))
    return round((memory.estimate_training(batch_size) if task == "training"
                  else memory.estimate_inference(batch_size)) / MIB, 1)


def measure_in_subprocess(*case):
    """Return the peak memory of one case in MiB, measured in a process of its own."""
    process = subprocess.run([sys.executable, __file__, "--one", json.dumps(case)], capture_output=True, text=True,
                             env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    if process.returncode:
        raise RuntimeError(process.stderr)
    return json.loads(process.stdout.splitlines()[-1])


def measure_case(model_name, image_size, batch_size, width, model_options, task):
    """Return the increase of resident memory in MiB, in this process."""
    import keras
    import numpy as np

    import zoo
    from zoo.catalogue import MODELS

    def run_two_batches(model, shape, batch_size):
        images, labels = np.zeros((batch_size, *shape), "float32"), np.zeros(batch_size, "int32")
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9),
                      keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        for _ in range(2):
            if task == "training":
                model.train_on_batch(images, labels)
            else:
                model.predict_on_batch(images)

    image = keras.Input((8, 8, 3))
    logits = keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(image)))
    run_two_batches(keras.Model(image, logits), (8, 8, 3), 2)
    gc.collect()
    baseline = read_process_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak, VmHWM
    shape = (image_size, image_size, MODELS[model_name].input_shape[2])
    run_two_batches(zoo.build(model_name, shape, get_num_classes(image_size), width=width, classifier_activation=None,
                              **model_options), shape, batch_size)
    return round((read_process_memory("VmHWM") - baseline) / 1024, 1)


def read_process_memory(field):
    """Return a field of /proc/self/status in KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


def list_cases(model_names):
    """Yield the arguments of `measure_case` for some models of CASES, or for all if `model_names` is empty."""
    for model_name, image_size, batch_sizes, width, model_options in CASES:
        if not model_names or model_name in model_names:
            yield from ((model_name, image_size, batch_size, width, model_options, task)
                        for batch_size in batch_sizes for task in ("training", "inference"))


def get_row_key(row):
    return row["model"], int(row["image_size"]), int(row["batch_size"]), row["task"]


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def write_rows(rows):
    order = [(case[0], case[1], case[2], case[5]) for case in list_cases(())]
    csv_rows.write_rows(CSV_PATH, FIELDS, sorted(rows, key=lambda row: order.index(get_row_key(row))))


def parse_case(row):
    return (row["model"], int(row["image_size"]), int(row["batch_size"]), float(row["width"]),
            json.loads(row["model_options"]), row["task"])


def format_markdown_table():
    """Return the Markdown table of memory.csv."""
    lines = ["| model | image size | batch size | task | estimated (MiB) | measured (MiB) | measured / estimated |",
             "| --- | --- | ---: | --- | ---: | ---: | ---: |"]
    for row in read_rows():
        model_name, image_size, batch_size, width, model_options, task = parse_case(row)
        label = [model_name, *([f"width {width:g}"] if width != 1 else []),
                 *(f"{name}={json.dumps(value)}" for name, value in model_options.items())]
        estimated, measured = float(row["estimated_mib"]), float(row["measured_mib"])
        lines.append(f"| {', '.join(label)} | {image_size}x{image_size} | {batch_size} | {task} | {estimated:,.0f} | "
                     f"{measured:,.0f} | {measured / estimated:.2f} |")
    return "\n".join([*lines, "", format_ratios()])


def format_ratios():
    """Return the sentence that gives the range and the median of measured / estimated memory in memory.csv."""
    ratios = {task: sorted(float(row["measured_mib"]) / float(row["estimated_mib"]) for row in read_rows()
                           if row["task"] == task) for task in ("training", "inference")}
    return "Measured / estimated: " + "; ".join(
        f"{task} {values[0]:.2f} to {values[-1]:.2f}, median {statistics.median(values):.2f}"
        for task, values in ratios.items()) + "."


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="MODEL", nargs="*", help="default: all models of CASES")
    parser.add_argument("--estimate", action="store_true", help="update the estimates; measure nothing")
    parser.add_argument("--table", action="store_true", help="print the table of docs/memory.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.table:
        print(format_markdown_table())
    elif arguments.one:
        print(measure_case(*json.loads(arguments.one)))
    elif arguments.estimate:
        write_rows([{**row, "estimated_mib": estimate_memory(*parse_case(row))} for row in read_rows()])
    else:
        metadata = csv_rows.describe_machine("tensorflow")
        for case in list_cases(arguments.models):
            model_name, image_size, batch_size, width, model_options, task = case
            row = {"model": model_name, "image_size": image_size, "batch_size": batch_size, "width": width,
                   "model_options": json.dumps(model_options), "task": task, "estimated_mib": estimate_memory(*case),
                   "measured_mib": measure_in_subprocess(*case), **metadata}
            write_rows([other for other in read_rows() if get_row_key(other) != get_row_key(row)] + [row])
            print(model_name, image_size, batch_size, task, row["estimated_mib"], row["measured_mib"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
