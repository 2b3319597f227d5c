"""Measure what oneDNN gives TensorFlow on the CPU, and zoo beside eager PyTorch there; write onednn.csv.

    python benchmarks/onednn.py                    all of it, about 5 minutes; Linux
    python benchmarks/onednn.py lenet5 googlenet   some models; the rows of the others stay
    python benchmarks/onednn.py --table            the table of docs/speed.md

Each way is a process of its own, and they take turns, ROUNDS times; a ratio is the median of the ratios of the turns.
All work on one and the same core, and a second is one of that core's time spent in the process: another load on the
machine then counts little. Whoever has two cores and nothing else on them sees up to twice the images per second:

    without   zoo with TF_ENABLE_ONEDNN_OPTS=0: what TensorFlow does by itself on a CPU without AVX512-VNNI or the like
    with      zoo with TF_ENABLE_ONEDNN_OPTS=1, which zoo sets
    AVX2      the same with ONEDNN_MAX_CPU_ISA=AVX2: oneDNN takes the kernels that it has for CPUs with AVX2 alone.
              TensorFlow's own kernels, Eigen's, choose their instructions otherwise and are not limited
    PyTorch   the eager loop of implementations.py with ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2; its
    products of
              matrices are MKL's, which MKL_ENABLE_INSTRUCTIONS=AVX2 limits

The first epoch is the first of its process, with its compilation; in "training" a turn is a later one.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("onednn.csv")
FIELDS = ("model", "what", "way", "batch_size", "median", "lowest", "highest", "ratio", "turns", "processor",
          "versions")
ROUNDS = 3

#        model        batch size, steps of a turn, arguments of zoo.build
CASES = (("lenet5",    128, 40, {}),
         ("resnet18",   32,  2, {}),
         ("googlenet",  32,  1, {"width": 1 / 2}),
         ("resnet34",   32,  1, {}))
PYTORCH_MODELS = ("lenet5", "resnet34")

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
ZOO_IMPLEMENTATION = ("zoo", "tensorflow", "float32")
VARIANTS = {"without": (ZOO_IMPLEMENTATION, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
            "with": (ZOO_IMPLEMENTATION, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
            "AVX2": (ZOO_IMPLEMENTATION, {"TF_ENABLE_ONEDNN_OPTS": "1", **AVX2})}
PYTORCH_VARIANT = {"PyTorch": (("pytorch", "torch", "float32"),
                               {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", **AVX2})}
REFERENCE_VARIANT = {"with": "without", "AVX2": "without", "PyTorch": "AVX2"}  # of the ratio: zoo to what it is beside


def get_variants(model):
    return {**VARIANTS, **(PYTORCH_VARIANT if model in PYTORCH_MODELS else {})}


def get_tasks(model):
    """Return the kinds of work whose speed is measured in turns."""
    return ("training", "inference") if model in PYTORCH_MODELS else ("training",)


def measure_case(case, rounds):
    """Return {(what, way): images per second of each turn} of one of CASES."""
    from workers import Worker

    workers, speeds = {}, {}
    for way, (subject, environment) in get_variants(case[0]).items():
        workers[way] = Worker(case, *subject, clock="cpu", **environment)
        workers[way].request("training")
        if subject == ZOO_IMPLEMENTATION:
            speeds["first epoch", way] = [workers[way].request("first epoch")]
        if "inference" in get_tasks(case[0]):
            workers[way].request("inference")
    for _ in range(rounds):
        for what in get_tasks(case[0]):
            for way, worker in workers.items():
                speeds.setdefault((what, way), []).append(worker.request(what))
    for worker in workers.values():
        worker.close()
    return speeds


def compute_ratio(speeds, task, variant):
    """Return the median of the turns' ratios: oneDNN's ways to without it; zoo's AVX2 to PyTorch; None without one."""
    if variant not in REFERENCE_VARIANT:
        return None
    pairs = zip(speeds[task, variant], speeds[task, REFERENCE_VARIANT[variant]], strict=True)
    return statistics.median(theirs / ours if variant == "PyTorch" else ours / theirs for ours, theirs in pairs)


def make_rows(case, speeds, provenance):
    """Return the rows of the file for what `measure_case` returned."""
    order = sorted(speeds, key=lambda key: (("first epoch", "training", "inference").index(key[0])))
    return [{"model": case[0], "what": what, "way": way, "batch_size": case[1],
             "median": round(statistics.median(speeds[what, way]), 1), "lowest": round(min(speeds[what, way]), 1),
             "highest": round(max(speeds[what, way]), 1),
             "ratio": "" if way not in REFERENCE_VARIANT else round(compute_ratio(speeds, what, way), 3),
             "turns": len(speeds[what, way]), **provenance} for what, way in order]


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def write_rows(rows):
    csv_rows.write_rows(CSV_PATH, FIELDS, rows)


def format_markdown_table():
    """Return the lines of the table: images per second of each way, and the ratios."""
    lines = ["| model, batch size | | without oneDNN, images/s | with | ratio | with, AVX2 | ratio | PyTorch, AVX2 | "
             "zoo, AVX2, to PyTorch |", "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    rows = {(row["model"], row["what"], row["way"]): row for row in read_rows()}
    for (model, what, way), row in rows.items():
        if way != "without":
            continue
        cells = [f"{model}, {row['batch_size']}", what, format_speed(row)]
        for other in ("with", "AVX2", "PyTorch"):
            there = rows.get((model, what, other))
            cells += [format_speed(there), f"{float(there['ratio']):.2f}"] if there else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def format_speed(row):
    """Return the images per second of a row, with the slowest and the fastest turn where there are several."""
    median, lowest, highest = (f"{float(row[field]):,.{0 if float(row['median']) >= 100 else 1}f}"
                               for field in ("median", "lowest", "highest"))
    return f"{median} ({lowest} to {highest})" if int(row["turns"]) > 1 else median


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help=f"{', '.join(case[0] for case in CASES)}; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--table", action="store_true", help="print the table of docs/speed.md")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - {case[0] for case in CASES}
    if unknown:
        parser.error(f"not measured here: {', '.join(sorted(unknown))}")
    sys.path[:0] = [str(ROOT)]
    if not arguments.table:
        from zoo.training import provenance

        versions = {**provenance.get_package_versions("tensorflow"), **provenance.get_package_versions("torch")}
        known = {"processor": provenance.get_cpu_name(),
                 "versions": " ".join(f"{package} {version}" for package, version in versions.items())}
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the processes inherit it
        for case in CASES:
            if not arguments.models or case[0] in arguments.models:
                rows = make_rows(case, measure_case(case, arguments.rounds), known)
                kept = {each[0]: [row for row in read_rows() if row["model"] == each[0]] for each in CASES}
                write_rows([row for each in CASES for row in (rows if each == case else kept[each[0]])])
                print(f"{case[0]}: done", file=sys.stderr, flush=True)
    print("\n".join(format_markdown_table()))


if __name__ == "__main__":
    main()
