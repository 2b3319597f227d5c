"""Measure the memory that networks take on the CPU and write it to memory.csv, beside what `zoo.describe` estimates.

    python benchmarks/memory.py                    measures all of CASES anew
    python benchmarks/memory.py resnet34 googlenet  those of some networks; the other rows stay
    python benchmarks/memory.py --estimate          only the estimates anew, after a change of zoo/analysis/memory.py
    python benchmarks/memory.py --table

A measurement is a fresh process: it imports the backend, trains and asks a tiny model, and notes its resident memory;
then it builds the network and makes two training steps (SGD with momentum) or predicts two batches. The peak of its
resident memory less what it noted is the measured number. Linux only.
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
FIELDS = ("network", "size", "batch", "width", "options", "mode", "estimated_mib", "measured_mib", "processor",
          "versions")
MIB = 2**20

#        network                size  batches      width  options
CASES = (("lenet5",               28, (512, 4096), 1.0,   {}),
         ("alexnet",             227, (8, 32),     1.0,   {}),
         ("nin",                  32, (32, 128),   1.0,   {}),
         ("vgg16",                32, (64, 256),   1.0,   {"batch_norm": True}),
         ("vgg16",               224, (1, 4),      1.0,   {}),
         ("googlenet",            32, (32, 96),    1.0,   {}),
         ("highway",              32, (32, 128),   1.0,   {}),
         ("resnet34",             32, (32, 128),   1.0,   {}),
         ("inception_resnet_v2",  32, (16, 64),    1 / 8, {}))


def get_num_classes(size):
    return 1000 if size > 96 else 10


@functools.cache
def get_memory_model(model_name, size, width, options):
    from zoo import registry
    from zoo.analysis import summary

    shape = (size, size, registry.get_model_info(model_name).input_shape[2])
    blueprint = registry.resolve_model_config(model_name, shape, get_num_classes(size), width,
                                              options=json.loads(options))
    return summary.summarize_model_config(blueprint).memory


def estimate_memory(model_name, size, batch_size, width, options, mode):
    """Return zoo's estimate in MiB."""
    takes = get_memory_model(model_name, size, width, json.dumps(options))
    return round((takes.estimate_training(batch_size) if mode == "training"
                  else takes.estimate_inference(batch_size)) / MIB, 1)


def measure_in_subprocess(*case):
    """Return the MiB that one case takes, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", json.dumps(case)], capture_output=True, text=True,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure_case(model_name, size, batch_size, width, options, mode):
    """Return the growth in MiB, in this process."""
    import keras
    import numpy as np

    import zoo
    from zoo.registry import MODELS

    def work(model, shape, number):
        pictures, labels = np.zeros((number, *shape), "float32"), np.zeros(number, "int32")
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9),
                      keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        for _ in range(2):
            if mode == "training":
                model.train_on_batch(pictures, labels)
            else:
                model.predict_on_batch(pictures)

    image = keras.Input((8, 8, 3))
    work(keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(image)))),
         (8, 8, 3), 2)
    gc.collect()
    before = read_process_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    shape = (size, size, MODELS[model_name].input_shape[2])
    work(zoo.build(model_name, shape, get_num_classes(size), width=width, classifier_activation=None, **options), shape,
         batch_size)
    return round((read_process_memory("VmHWM") - before) / 1024, 1)


def read_process_memory(field):
    """Return a number of /proc/self/status in KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


def list_cases(networks):
    for network, size, batches, width, options in CASES:
        if not networks or network in networks:
            yield from ((network, size, batch, width, options, mode)
                        for batch in batches for mode in ("training", "inference"))


def get_row_key(row):
    return row["network"], int(row["size"]), int(row["batch"]), row["mode"]


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def write_rows(rows):
    order = [(case[0], case[1], case[2], case[5]) for case in list_cases(())]
    csv_rows.write_rows(CSV_PATH, FIELDS, sorted(rows, key=lambda row: order.index(get_row_key(row))))


def parse_case(row):
    return (row["network"], int(row["size"]), int(row["batch"]), float(row["width"]), json.loads(row["options"]),
            row["mode"])


def format_markdown_table():
    """Return the Markdown table of memory.csv."""
    lines = ["| network | input | batch | | estimated, MiB | measured, MiB | measured / estimated |",
             "| --- | --- | ---: | --- | ---: | ---: | ---: |"]
    for row in read_rows():
        network, size, batch, width, options, mode = parse_case(row)
        said = [network, *([f"width {width:g}"] if width != 1 else []),
                *(f"{name}={json.dumps(value)}" for name, value in options.items())]
        guess, found = float(row["estimated_mib"]), float(row["measured_mib"])
        lines.append(f"| {', '.join(said)} | {size}x{size} | {batch} | {mode} | {guess:,.0f} | {found:,.0f} | "
                     f"{found / guess:.2f} |")
    return "\n".join([*lines, "", format_ratios()])


def format_ratios():
    """Return the sentence that says how far off the estimates of memory.csv are."""
    found = {mode: sorted(float(row["measured_mib"]) / float(row["estimated_mib"]) for row in read_rows()
                          if row["mode"] == mode) for mode in ("training", "inference")}
    return "Measured / estimated: " + "; ".join(
        f"{mode} {each[0]:.2f} to {each[-1]:.2f}, median {statistics.median(each):.2f}"
        for mode, each in found.items()) + "."


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", metavar="MODEL", nargs="*")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.table:
        print(format_markdown_table())
    elif asked.one:
        print(measure_case(*json.loads(asked.one)))
    elif asked.estimate:
        write_rows([{**row, "estimated_mib": estimate_memory(*parse_case(row))} for row in read_rows()])
    else:
        from zoo.training import provenance

        versions = " ".join(f"{name} {version}" for name,
                            version in provenance.get_package_versions("tensorflow").items())
        told = {"processor": provenance.get_cpu_name(), "versions": versions}
        for case in list_cases(asked.networks):
            network, size, batch, width, options, mode = case
            row = {"network": network, "size": size, "batch": batch, "width": width, "options": json.dumps(options),
                   "mode": mode, "estimated_mib": estimate_memory(*case), "measured_mib": measure_in_subprocess(*case),
                   **told}
            write_rows([other for other in read_rows() if get_row_key(other) != get_row_key(row)] + [row])
            print(network, size, batch, mode, row["estimated_mib"], row["measured_mib"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
