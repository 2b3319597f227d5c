"""Train networks with several seeds and append what came out to accuracy.csv; print the table made of that file.

    python benchmarks/accuracy.py --data-dir data                 all of CASES that accuracy.csv does not have yet
    python benchmarks/accuracy.py lenet5 mnist --data-dir data     those of one network and data set
    python benchmarks/accuracy.py --table

A row is one run; its history goes to histories/. Runs lie in --output-dir until they are done, so that one that was
ended goes on when the same command comes again.
"""

import argparse
import csv
import json
import shlex
import statistics
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HISTORIES = Path(__file__).with_name("histories")
ROWS = Path(__file__).with_name("accuracy.csv")
FIELDS = ("network", "parameters", "dataset", "recipe", "seed", "test_accuracy_best", "test_accuracy_last",
          "best_epoch", "epochs", "seconds", "device", "processor", "versions", "commit", "command")

#        network        data set   seeds  more of the command
CASES = (("lenet5",       "mnist",   5,   ""),
         ("lenet5_1998",  "mnist",   3,   ""),
         ("resnet18",     "cifar10", 1,   "--width 0.25 --epochs 20"),
         ("lenet5",       "cifar10", 3,   "--epochs 20"),
         ("maxout_mnist", "mnist",   1,   "--epochs 10"),
         ("highway_mnist", "mnist",  1,   "--epochs 10"),
         ("nin",          "cifar10", 1,   "--width 0.5 --epochs 20"))


def commands(network, dataset):
    """Return the words behind `python -m zoo.train` of each run of CASES, or of those of a network and data set."""
    return [[name, "--dataset", data, *shlex.split(more), "--seed", str(seed)]
            for name, data, seeds, more in CASES for seed in range(seeds)
            if network in (None, name) and dataset in (None, data)]


def told(words):
    """Return a run's command as accuracy.csv has it: without what is of one machine."""
    return shlex.join(["python", "-m", "zoo.train", *words])


def train(words, data_dir, output_dir):
    """Train once, or go on, keep the history, and return the row of accuracy.csv."""
    name = "-".join(word.strip("-") for word in words if word not in ("--dataset",)).replace("--", "-")
    where = ["--data-dir", data_dir] if data_dir else []
    subprocess.run([sys.executable, "-m", "zoo.train", *words, *where, "--output-dir", output_dir, "--name", name],
                   check=True)
    folder = Path(output_dir, name)
    run, result = (json.loads((folder / file).read_text(encoding="utf-8")) for file in ("run.json", "result.json"))
    HISTORIES.mkdir(exist_ok=True)
    shutil.copy(folder / "history.csv", HISTORIES / f"{name}.csv")
    row = {**run, **result, "dataset": run["dataset"]["name"], "command": told(words),
           "recipe": words[words.index("--recipe") + 1] if "--recipe" in words else "modern",
           "versions": " ".join(f"{package} {version}" for package, version in run["versions"].items())}
    return {field: row[field] for field in FIELDS}


def append(row):
    new = not ROWS.exists()
    with open(ROWS, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def read():
    if not ROWS.exists():
        return []
    with open(ROWS, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table():
    """Return the lines of the Markdown table of accuracy.csv: one for all seeds of a command on one machine."""
    groups = {}
    for row in read():
        command = row["command"].rpartition(" --seed ")[0]
        groups.setdefault((row["network"], command, row["processor"]), []).append(row)
    lines = ["| network | parameters | data set | recipe | epochs | test accuracy, % | runs | minutes a run | on |",
             "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for (network, command, processor), runs in groups.items():
        words = shlex.split(command)
        network += f", width {words[words.index('--width') + 1]}" if "--width" in words else ""
        accuracies = [100 * float(run["test_accuracy_best"]) for run in runs]
        spread = f" ± {statistics.stdev(accuracies):.2f}" if len(runs) > 1 else ""
        minutes = statistics.mean(float(run["seconds"]) for run in runs) / 60
        lines.append(f"| {network} | {int(runs[0]['parameters']):,} | {runs[0]['dataset']} | {runs[0]['recipe']} | "
                     f"{runs[0]['epochs']} | {statistics.mean(accuracies):.2f}{spread} | {len(runs)} | {minutes:.1f} | "
                     f"{processor} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?")
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("--data-dir")
    parser.add_argument("--output-dir", default=str(ROOT / "runs" / "accuracy"))
    parser.add_argument("--table", action="store_true", help="print the table of the README")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table()))
        return
    asked = commands(arguments.network, arguments.dataset)
    if not asked:
        parser.error(f"CASES has no {arguments.network} on {arguments.dataset or 'any data set'}")
    for words in asked:
        if told(words) not in [row["command"] for row in read()]:
            append(train(words, arguments.data_dir, arguments.output_dir))


if __name__ == "__main__":
    main()
