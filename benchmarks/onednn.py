"""Measure the speedup of TensorFlow by oneDNN on the CPU, and compare zoo with eager PyTorch there; write onednn.csv.

    python benchmarks/onednn.py                    all models, about 5 minutes; Linux
    python benchmarks/onednn.py lenet5 googlenet   some models; the rows of the others are kept
    python benchmarks/onednn.py --table            print the table of docs/speed.md

Each variant runs in a process of its own, and they alternate for ROUNDS rounds; a ratio is the median of the ratios of
the rounds. All run on the same core, and seconds are CPU time of the process, so that other load on the machine has
little influence. On two idle cores, up to twice as many images per second can be expected:

    without oneDNN  zoo with TF_ENABLE_ONEDNN_OPTS=0: TensorFlow's default on a CPU without AVX512-VNNI or similar
    with oneDNN     zoo with TF_ENABLE_ONEDNN_OPTS=1, which zoo sets
    oneDNN AVX2     the same with ONEDNN_MAX_CPU_ISA=AVX2: oneDNN uses its kernels for CPUs that have only AVX2.
                    TensorFlow's own kernels, Eigen's, select their instructions independently and are not limited
    PyTorch AVX2    the eager loop of implementations.py with ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2; its
                    matrix products are MKL's, which MKL_ENABLE_INSTRUCTIONS=AVX2 limits

"first epoch" is the first epoch of its process, including compilation; the rounds of "training" are later epochs.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("onednn.csv")
FIELDS = ("model", "task", "variant", "batch_size", "median", "min", "max", "ratio", "rounds", "cpu", "versions")
ROUNDS = 3

#        model        batch size, steps per round, arguments of zoo.build
CASES = (("lenet5",    128, 40, {}),
         ("resnet18",   32,  2, {}),
         ("googlenet",  32,  1, {"width": 1 / 2}),
         ("resnet34",   32,  1, {}))
PYTORCH_MODELS = ("lenet5", "resnet34")

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
ZOO_IMPLEMENTATION = ("zoo", "tensorflow", "float32")
VARIANTS = {"without oneDNN": (ZOO_IMPLEMENTATION, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
            "with oneDNN": (ZOO_IMPLEMENTATION, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
            "oneDNN AVX2": (ZOO_IMPLEMENTATION, {"TF_ENABLE_ONEDNN_OPTS": "1", **AVX2})}
PYTORCH_VARIANT = {"PyTorch AVX2": (("pytorch", "torch", "float32"),
                                    {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", **AVX2})}
# What a variant is compared with in the column `ratio`
REFERENCE_VARIANT = {"with oneDNN": "without oneDNN", "oneDNN AVX2": "without oneDNN", "PyTorch AVX2": "oneDNN AVX2"}


def get_variants(model):
    return {**VARIANTS, **(PYTORCH_VARIANT if model in PYTORCH_MODELS else {})}


def get_tasks(model):
    """Return the tasks whose speed is measured in alternating rounds."""
    return ("training", "inference") if model in PYTORCH_MODELS else ("training",)


def measure_case(case, rounds):
    """Return {(task, variant): images per second in each round} for one of CASES."""
    from workers import Worker

    workers, speeds = {}, {}
    for variant, (implementation, environment) in get_variants(case[0]).items():
        workers[variant] = Worker(case, *implementation, clock="cpu", **environment)
        workers[variant].request("training")
        if implementation == ZOO_IMPLEMENTATION:
            speeds["first epoch", variant] = [workers[variant].request("first epoch")]
        if "inference" in get_tasks(case[0]):
            workers[variant].request("inference")
    for _ in range(rounds):
        for task in get_tasks(case[0]):
            for variant, worker in workers.items():
                speeds.setdefault((task, variant), []).append(worker.request(task))
    for worker in workers.values():
        worker.close()
    return speeds


def compute_ratio(speeds, task, variant):
    """Return the median over the rounds of the speed relative to the reference variant; None without a reference.

    For "PyTorch AVX2" it is the inverse: the speed of zoo relative to PyTorch.
    """
    if variant not in REFERENCE_VARIANT:
        return None
    pairs = zip(speeds[task, variant], speeds[task, REFERENCE_VARIANT[variant]], strict=True)
    return statistics.median(reference / speed if variant == "PyTorch AVX2" else speed / reference
                             for speed, reference in pairs)


def make_rows(case, speeds, metadata):
    """Return the rows of onednn.csv for what `measure_case` returned."""
    keys = sorted(speeds, key=lambda key: ("first epoch", "training", "inference").index(key[0]))
    return [{"model": case[0], "task": task, "variant": variant, "batch_size": case[1],
             "median": round(statistics.median(speeds[task, variant]), 1), "min": round(min(speeds[task, variant]), 1),
             "max": round(max(speeds[task, variant]), 1),
             "ratio": "" if variant not in REFERENCE_VARIANT else round(compute_ratio(speeds, task, variant), 3),
             "rounds": len(speeds[task, variant]), **metadata} for task, variant in keys]


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def write_rows(rows):
    csv_rows.write_rows(CSV_PATH, FIELDS, rows)


def format_markdown_table():
    """Return the lines of the table: images per second of each variant, and the ratios."""
    lines = ["| model, batch size | task | without oneDNN (images/s) | with oneDNN | relative to without | "
             "oneDNN, AVX2 | relative to without | PyTorch, AVX2 | zoo relative to PyTorch, AVX2 |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    rows = {(row["model"], row["task"], row["variant"]): row for row in read_rows()}
    for (model, task, variant), row in rows.items():
        if variant != "without oneDNN":
            continue
        cells = [f"{model}, {row['batch_size']}", task, format_speed(row)]
        for other_variant in ("with oneDNN", "oneDNN AVX2", "PyTorch AVX2"):
            other = rows.get((model, task, other_variant))
            cells += [format_speed(other), f"{float(other['ratio']):.2f}"] if other else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def format_speed(row):
    """Return the images per second of a row, with the minimum and maximum if there are several rounds."""
    median, minimum, maximum = (f"{float(row[field]):,.{0 if float(row['median']) >= 100 else 1}f}"
                                for field in ("median", "min", "max"))
    return f"{median} ({minimum} to {maximum})" if int(row["rounds"]) > 1 else median


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help=f"{', '.join(case[0] for case in CASES)}; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--table", action="store_true", help="print the table of docs/speed.md")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - {case[0] for case in CASES}
    if unknown:
        parser.error(f"not measured here: {', '.join(sorted(unknown))}")
    sys.path[:0] = [str(ROOT)]
    if not arguments.table:
        metadata = csv_rows.describe_machine("tensorflow", "torch")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the processes inherit it
        for case in CASES:
            if not arguments.models or case[0] in arguments.models:
                rows_by_model = {model: [row for row in read_rows() if row["model"] == model] for model, *_ in CASES}
                rows_by_model[case[0]] = make_rows(case, measure_case(case, arguments.rounds), metadata)
                write_rows([row for rows in rows_by_model.values() for row in rows])
                print(f"{case[0]}: done", file=sys.stderr, flush=True)
    print("\n".join(format_markdown_table()))


if __name__ == "__main__":
    main()
