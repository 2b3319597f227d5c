"""Measure how many pictures a second networks train on and are asked for, side by side; append to throughput.csv.

    python benchmarks/throughput.py                      all of CASES
    python benchmarks/throughput.py lenet5 resnet34       some networks
    python benchmarks/throughput.py --precision bfloat16
    python benchmarks/throughput.py --table

For each network these stand beside each other, each in a process of its own, and work in turns, ROUNDS times; a row is
the median of its turns, with the slowest and the fastest:

    zoo       what zoo.train does in an epoch, its batches, changes of the pictures, metrics and progress among it
    bare      the same compiled step, over and over on one batch that is on the device: the limit (TensorFlow)
    tutorial  model.fit on NumPy arrays with Keras's random layers in front, as a tutorial writes it
    pytorch   an eager PyTorch loop over a DataLoader, channels last, the same network and changes
    peak      one product of large matrices: what the machine can do, in 10^9 multiply-adds a second

The pictures are mirrored, turned by up to 25 degrees and shifted by up to a tenth, as the recipe `notes` does.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS = Path(__file__).with_name("throughput.csv")
FIELDS = ("network", "mode", "subject", "backend", "precision", "batch", "images_per_second", "slowest", "fastest",
          "rounds", "processor", "versions", "command")
ROUNDS, SECONDS = 5, 3.0
SUBJECTS = ("zoo", "bare", "tutorial", "pytorch")

#        network                batch  arguments of zoo.build
CASES = (("lenet5",              128, {}),
         ("vgg16",               64,  {"options": {"batch_norm": True}}),
         ("resnet34",            64,  {}),
         ("googlenet",           64,  {}),
         ("inception_resnet_v2", 64,  {"width": 1 / 8}))


def work(subject, name, batch, more, precision):
    """Be one subject: prepare, then answer each mode that a line names with a line of pictures a second."""
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    answers, sys.stdout = sys.stdout, sys.stderr
    import keras
    from subjects import PREPARED

    if precision == "bfloat16" and subject != "pytorch":
        keras.config.set_dtype_policy("mixed_bfloat16")
    modes = None
    for line in sys.stdin:
        mode, count = line.split()
        modes = modes or PREPARED[subject](name, batch, more, int(count), precision)
        done, seconds = modes[mode]() if mode in modes else (0, 1)
        print(json.dumps(done / seconds), file=answers, flush=True)


class Worker:
    def __init__(self, subject, case, backend, precision):
        environment = {**os.environ, "KERAS_BACKEND": "torch" if subject == "pytorch" else backend,
                       "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen([sys.executable, __file__, "--work", json.dumps([subject, *case, precision])],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, mode, count):
        print(mode, count, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measured(case, backend, precision, rounds):
    """Return {(mode, subject): [pictures a second of each round]} of one network."""
    name, batch, _ = case
    subjects = [subject for subject in SUBJECTS if subject != "bare" or backend == "tensorflow"]
    workers = {subject: Worker(subject, case, backend, precision) for subject in subjects}
    # so many pictures that the slowest takes about SECONDS; the first two turns compile and tell the speed
    count = 4 * batch
    for mode in ("training", "inference"):
        for worker in workers.values():
            worker.ask(mode, count)
    found = {}
    speed = statistics.median(workers["zoo"].ask("training", count) for _ in range(2))
    for worker in workers.values():
        worker.end()
    count = max(4, round(speed * SECONDS / batch)) * batch
    workers = {subject: Worker(subject, case, backend, precision) for subject in subjects}
    for turn in range(rounds + 1):
        for mode in ("training", "inference"):
            for subject, worker in workers.items():
                speed = worker.ask(mode, count)
                if turn and speed:  # the first turn compiles
                    found.setdefault((mode, subject), []).append(speed)
        print(f"{name}: turn {turn} of {rounds}", file=sys.stderr, flush=True)
    for worker in workers.values():
        worker.end()
    return found


def peak(precision):
    """Return the 10^9 multiply-adds a second of a product of two square matrices, the best of ten, with PyTorch."""
    import torch

    side = 2048
    a, b = (torch.rand(side, side).to(torch.bfloat16 if precision == "bfloat16" else torch.float32) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - began)
    return side ** 3 / best / 1e9


def append(rows):
    new = not ROWS.exists()
    with open(ROWS, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def table():
    """Return the lines of the Markdown table: for each network the pictures a second, and zoo's share of each other."""
    with open(ROWS, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    groups = {}
    for row in rows:  # the latest of its kind counts
        groups.setdefault((row["network"], row["mode"], row["backend"], row["precision"]), {})[row["subject"]] = float(
            row["images_per_second"])
    lines = ["| network | | backend, precision | zoo, pictures/s | of bare | of tutorial | of PyTorch |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: |"]
    for (network, mode, backend, precision), found in groups.items():
        if "zoo" in found:
            ratios = " | ".join(f"{found['zoo'] / found[each]:.2f}" if each in found else "" for each in SUBJECTS[1:])
            lines.append(f"| {network} | {mode} | {backend}, {precision} | {found['zoo']:,.0f} | {ratios} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--table", action="store_true", help="print the table of the README")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*json.loads(arguments.work))
        return
    if arguments.table:
        print("\n".join(table()))
        return
    sys.path[:0] = [str(ROOT)]
    from zoo.training import provenance

    told = {"backend": arguments.backend, "precision": arguments.precision, "processor": provenance.processor(),
            "rounds": arguments.rounds, "command": f"python benchmarks/throughput.py {' '.join(sys.argv[1:])}".strip(),
            "versions": " ".join(f"{package} {version}" for name in (arguments.backend, "torch")
                                 for package, version in provenance.versions(name).items())}
    append([{**told, "network": "", "mode": "product", "subject": "peak", "batch": "", "slowest": "", "fastest": "",
             "images_per_second": round(peak(arguments.precision), 1)}])
    for case in CASES:
        if arguments.networks and case[0] not in arguments.networks:
            continue
        found = measured(case, arguments.backend, arguments.precision, arguments.rounds)
        append([{**told, "network": case[0], "mode": mode, "subject": subject, "batch": case[1],
                 "images_per_second": round(statistics.median(speeds), 1), "slowest": round(min(speeds), 1),
                 "fastest": round(max(speeds), 1)} for (mode, subject), speeds in found.items()])
    print("\n".join(table()))


if __name__ == "__main__":
    main()
