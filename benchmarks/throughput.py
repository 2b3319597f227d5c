"""Measure the training and inference throughput of models, compared with other implementations; write throughput.csv.

    python benchmarks/throughput.py                   everything: 20 minutes on an otherwise idle machine
    python benchmarks/throughput.py lenet5 resnet34   some models; the rows of the others are kept
    python benchmarks/throughput.py startup           only startup times
    python benchmarks/throughput.py --table | --readme

For each model, these implementations run in a process of their own each and alternate for ROUNDS rounds; a row has the
median, minimum and maximum of its rounds:

    zoo       what zoo.train does in an epoch, including batches, augmentation, metrics and progress, but not its
              files; the second of two epochs, because the first includes the start of `fit`
    bare      the same compiled step, repeated on one batch that is already on the device: the upper limit (TensorFlow)
    tutorial  model.fit on NumPy arrays with Keras's random augmentation layers, as in a tutorial, in float32
    pytorch   an eager PyTorch loop over a DataLoader, channels last, with the same model, augmentation and precision
    matmul    one product of large matrices: the peak, in 10^9 multiply-adds per second (GMAC/s)

Each starts with a single step. An implementation that is too slow for its part of --minutes, such as bfloat16 on a CPU
without bfloat16 instructions, is left out, with a row that says so; if time is short, there are fewer rounds.
Images are flipped, rotated by up to 25 degrees and shifted by up to a tenth, as in the recipe `notes`. Requires jax and
torch in addition to what the README installs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import csv_rows
from throughput_tables import format_markdown_table, format_readme_table, format_startup_table

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("throughput.csv")
FIELDS = ("model", "metric", "implementation", "backend", "precision", "batch_size", "median", "min", "max", "unit",
          "rounds", "multiply_adds", "cpu", "versions")
ROUNDS, MIN_ROUNDS, STARTUP_SECONDS = 3, 1, 120  # STARTUP_SECONDS: time reserved for measure_startup
# A round costs this many training steps per step: two epochs, and a third of a step for inference, rounded up
TRAINING_STEPS_PER_STEP = 3

#        model              batch size steps per round, arguments of zoo.build
CASES = (("lenet5",              128,  80, {}),
         ("vgg16",                32,   3, {"options": {"batch_norm": True}}),
         ("resnet34",             32,   2, {}),
         ("googlenet",            32,   2, {}),
         ("inception_resnet_v2",  32,   2, {"width": 1 / 8}))

#                   implementation backend    precision
IMPLEMENTATIONS = (("zoo",      "tensorflow", "float32"),
                   ("zoo",      "tensorflow", "bfloat16"),
                   ("bare",     "tensorflow", "float32"),
                   ("tutorial", "tensorflow", "float32"),
                   ("pytorch",  "torch",      "float32"),
                   ("pytorch",  "torch",      "bfloat16"))
OTHER_BACKENDS = (("zoo", "jax", "float32"), ("zoo", "torch", "float32"))
OTHER_BACKEND_MODELS = ("lenet5", "resnet34")  # only these: JAX and PyTorch are slower here, and time is limited

# Names in zoo and in keras.applications
KERAS_APPLICATIONS = (("vgg16", "VGG16"), ("inception_v3", "InceptionV3"), ("xception", "Xception"))


def get_implementations(name):
    return (*IMPLEMENTATIONS, *(OTHER_BACKENDS if name in OTHER_BACKEND_MODELS else ()))


def measure_case(case, rounds, seconds, max_seconds):
    """Yield the rows of one model.

    More rounds than MIN_ROUNDS are run only within about `seconds`; all takes never much more than `max_seconds`. An
    implementation for which `max_seconds` is too short has a row "left out" instead: the seconds of one of its steps,
    or the time after which its first step, with the import and the compilation, was aborted.
    """
    from workers import Worker, WorkerTimeout

    (name, batch_size, steps, _), implementations = case, get_implementations(case[0])
    start, reserved, workers, values = time.monotonic(), 0.0, {}, {}
    for index, implementation in enumerate(implementations):  # one after the other: each compiles on all cores
        worker_start = time.monotonic()
        remaining = start + max_seconds - worker_start - reserved
        limit = max(0.0, remaining * min(1, 2 / (len(implementations) - index)))  # twice its part, for they differ
        worker = Worker(case, *implementation)
        try:
            worker.request("step", limit)
            step_seconds = worker.request("step", limit - (time.monotonic() - worker_start))  # without compilation
        except WorkerTimeout:
            values["left out", "s", implementation] = [limit]
            continue
        round_seconds = step_seconds * steps * TRAINING_STEPS_PER_STEP
        if time.monotonic() - worker_start + round_seconds * (1 + MIN_ROUNDS) > limit:
            values["left out", "s/step", implementation] = [step_seconds]
            worker.close()
            continue
        worker.request("training")
        if implementation[0] == "zoo":
            values["first round", "s", implementation] = [time.monotonic() - worker_start]
        worker.request("inference")
        workers[implementation], reserved = worker, reserved + round_seconds * MIN_ROUNDS
    for index in range(1, rounds + 1):
        round_start = time.monotonic()
        for task in ("training", "inference"):
            for implementation, worker in workers.items():
                speed = worker.request(task)
                if speed is not None:
                    values.setdefault((task, "images/s", implementation), []).append(speed)
        print(f"{name}: round {index} of {rounds}", file=sys.stderr, flush=True)
        if index >= MIN_ROUNDS and 2 * time.monotonic() - round_start > start + seconds:  # another would end too late
            break
    for implementation, worker in workers.items():
        values["memory", "MiB", implementation] = [worker.request("memory")]
        worker.close()
    multiply_adds = count_multiply_adds(case)
    for (metric, unit, (implementation, backend, precision)), measurements in values.items():
        yield make_row(measurements, unit, model=name, metric=metric, implementation=implementation, backend=backend,
                       precision=precision, batch_size=batch_size, multiply_adds=multiply_adds)


def make_row(values, unit, **columns):
    digits = 1 if unit in ("images/s", "MiB") else 3
    return {**columns, "median": round(statistics.median(values), digits), "min": round(min(values), digits),
            "max": round(max(values), digits), "unit": unit, "rounds": len(values)}


def count_multiply_adds(case):
    """Return the multiply-adds of the forward pass per image."""
    from zoo import registry
    from zoo.analysis import summary

    model_config = registry.resolve_model_config(case[0], (32, 32, 3), 10, **case[3])
    return summary.summarize_model_config(model_config).multiply_adds


def measure_peaks():
    """Return a row for each precision: the GMAC/s of a product of two square matrices."""
    import torch

    size, rows = 2048, []
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.rand(size, size).to(dtype) for _ in range(2))
        speeds = []
        for _ in range(20):
            start = time.perf_counter()
            a @ b
            speeds.append(size ** 3 / (time.perf_counter() - start) / 1e9)
        rows.append(make_row(speeds, "GMAC/s", metric="peak", implementation="matmul", backend="torch",
                             precision=precision))
    return rows


def measure_startup():
    """Yield the rows of startup times and of the time to build models, in seconds."""
    commands = {"python alone": ["-c", ""], "import zoo": ["-c", "import zoo"],
                "zoo.train --help": ["-m", "zoo.train", "--help"],
                "zoo.train resnet43": ["-m", "zoo.train", "resnet43"]}
    durations = {name: [] for name in commands}
    for _ in range(7):
        for name, arguments in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True)
            durations[name].append(time.perf_counter() - start)
    for name, seconds in durations.items():
        yield make_row(seconds, "s", metric="startup", implementation=name)
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras

    import zoo

    for model_name, keras_name in KERAS_APPLICATIONS:
        builders = {"zoo.build": lambda: zoo.build(model_name),
                    "keras.applications": lambda: getattr(keras.applications, keras_name)(weights=None)}
        durations = {name: [] for name in builders}
        for _ in range(4):
            for name, build in builders.items():
                keras.utils.clear_session()
                start = time.perf_counter()
                build()
                durations[name].append(time.perf_counter() - start)
        for name, seconds in durations.items():
            yield make_row(seconds[1:], "s", model=model_name, metric="build", implementation=name,
                           backend="tensorflow")


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def replace_rows(new_rows, is_replaced):
    """Write `new_rows` in place of the rows for which `is_replaced` is true."""
    csv_rows.write_rows(CSV_PATH, FIELDS, [row for row in read_rows() if not is_replaced(row)] + new_rows)


def read_medians():
    """Return {(model, metric, implementation, backend, precision): row}; the medians are numbers."""
    return {tuple(row[field] for field in FIELDS[:5]): {**row, "median": float(row["median"])} for row in read_rows()}


def print_tables(readme=False):
    """Print the tables of docs/speed.md, or that of the README."""
    rows = read_medians()
    print("\n".join(format_readme_table(rows) if readme
                    else [*format_markdown_table(rows), "", *format_startup_table(rows)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help=f"{', '.join(case[0] for case in CASES)}, startup; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--minutes", type=float, default=20, help="time limit of the whole benchmark; default: 20")
    parser.add_argument("--table", action="store_true", help="print the tables of docs/speed.md")
    parser.add_argument("--readme", action="store_true", help="print the table of the README")
    parser.add_argument("--peaks", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peaks:
        print(json.dumps(measure_peaks()))
        return
    if arguments.table or arguments.readme:
        print_tables(arguments.readme)
        return
    sys.path[:0] = [str(ROOT)]
    requested = arguments.models or [case[0] for case in CASES] + ["startup"]
    unknown = set(requested) - {case[0] for case in CASES} - {"startup"}
    if unknown:
        parser.error(f"not measured here: {', '.join(sorted(unknown))}")
    metadata = csv_rows.describe_machine("tensorflow", "jax", "torch")
    end, cases = time.monotonic() + arguments.minutes * 60, [case for case in CASES if case[0] in requested]
    for index, case in enumerate(cases):  # measured in processes of their own, before this one loads a backend
        remaining = max(0.0, end - time.monotonic() - (STARTUP_SECONDS if "startup" in requested else 0))
        seconds = remaining / (len(cases) - index)
        rows = [{**row, **metadata}
                for row in measure_case(case, arguments.rounds, seconds, min(remaining, 2 * seconds))]
        replace_rows(rows, lambda row, case=case: row["model"] == case[0] and row["metric"] != "build")
    if "startup" in requested:
        peaks = subprocess.run([sys.executable, __file__, "--peaks"], capture_output=True, text=True, check=True)
        rows = [{**row, **metadata} for row in [*json.loads(peaks.stdout), *measure_startup()]]
        replace_rows(rows, lambda row: row["metric"] in ("startup", "build", "peak"))
    print_tables()


if __name__ == "__main__":
    main()
