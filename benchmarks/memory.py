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
import csv
import functools
import gc
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

ROWS = Path(__file__).with_name("memory.csv")
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


def classes(size):
    return 1000 if size > 96 else 10


@functools.cache
def memory_of(network, size, width, options):
    from zoo import registry
    from zoo.analysis import summary

    shape = (size, size, registry.find(network).input_shape[2])
    blueprint = registry.blueprint(network, shape, classes(size), width, options=json.loads(options))
    return summary.of_network(blueprint).memory


def estimated(network, size, batch, width, options, mode):
    """Return zoo's estimate in MiB."""
    takes = memory_of(network, size, width, json.dumps(options))
    return round((takes.for_training(batch) if mode == "training" else takes.for_inference(batch)) / MIB, 1)


def measured(*case):
    """Return the MiB that one case takes, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", json.dumps(case)], capture_output=True, text=True,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure(network, size, batch, width, options, mode):
    """Return the growth in MiB, in this process."""
    import keras
    import numpy as np

    import zoo
    from zoo.registry import SPECS

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
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    shape = (size, size, SPECS[network].input_shape[2])
    work(zoo.build(network, shape, classes(size), width=width, classifier_activation=None, **options), shape, batch)
    return round((resident("VmHWM") - before) / 1024, 1)


def resident(what):
    """Return a number of /proc/self/status in KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1])


def cases(networks):
    for network, size, batches, width, options in CASES:
        if not networks or network in networks:
            yield from ((network, size, batch, width, options, mode)
                        for batch in batches for mode in ("training", "inference"))


def key(row):
    return row["network"], int(row["size"]), int(row["batch"]), row["mode"]


def read():
    if not ROWS.exists():
        return []
    with open(ROWS, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(rows):
    order = [(case[0], case[1], case[2], case[5]) for case in cases(())]
    with open(ROWS, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: order.index(key(row))))


def case_of(row):
    return (row["network"], int(row["size"]), int(row["batch"]), float(row["width"]), json.loads(row["options"]),
            row["mode"])


def table():
    """Return the Markdown table of memory.csv."""
    lines = ["| network | input | batch | | estimated, MiB | measured, MiB | measured / estimated |",
             "| --- | --- | ---: | --- | ---: | ---: | ---: |"]
    for row in read():
        network, size, batch, width, options, mode = case_of(row)
        said = [network, *([f"width {width:g}"] if width != 1 else []),
                *(f"{name}={json.dumps(value)}" for name, value in options.items())]
        guess, found = float(row["estimated_mib"]), float(row["measured_mib"])
        lines.append(f"| {', '.join(said)} | {size}x{size} | {batch} | {mode} | {guess:,.0f} | {found:,.0f} | "
                     f"{found / guess:.2f} |")
    return "\n".join([*lines, "", ratios()])


def ratios():
    """Return the sentence that says how far off the estimates of memory.csv are."""
    found = {mode: sorted(float(row["measured_mib"]) / float(row["estimated_mib"]) for row in read()
                          if row["mode"] == mode) for mode in ("training", "inference")}
    return "Measured / estimated: " + "; ".join(
        f"{mode} {each[0]:.2f} to {each[-1]:.2f}, median {statistics.median(each):.2f}"
        for mode, each in found.items()) + "."


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", metavar="NET", nargs="*")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.table:
        print(table())
    elif asked.one:
        print(measure(*json.loads(asked.one)))
    elif asked.estimate:
        write([{**row, "estimated_mib": estimated(*case_of(row))} for row in read()])
    else:
        from zoo.training import provenance

        versions = " ".join(f"{name} {version}" for name, version in provenance.versions("tensorflow").items())
        told = {"processor": provenance.processor(), "versions": versions}
        for case in cases(asked.networks):
            network, size, batch, width, options, mode = case
            row = {"network": network, "size": size, "batch": batch, "width": width, "options": json.dumps(options),
                   "mode": mode, "estimated_mib": estimated(*case), "measured_mib": measured(*case), **told}
            write([other for other in read() if key(other) != key(row)] + [row])
            print(network, size, batch, mode, row["estimated_mib"], row["measured_mib"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
