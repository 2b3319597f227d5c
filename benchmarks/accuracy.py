"""Train a network with several seeds and append what came out to accuracy.csv; print the tables made of that file.

    python benchmarks/accuracy.py lenet5 mnist --seeds 0 1 2 3 4 -- --data-dir data
    python benchmarks/accuracy.py --table

What stands behind `--` goes to `python -m zoo.train` as it is. A row is one run.
"""

import argparse
import csv
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = Path(__file__).with_name("accuracy.csv")
FIELDS = ("network", "dataset", "seed", "test_accuracy_best", "test_accuracy_last", "best_epoch", "epochs", "seconds",
          "device", "processor", "versions", "commit", "command")
UNTOLD = ("--data-dir", "--output-dir", "--name")  # where things lie on one machine


def train(network, dataset, seed, more):
    """Train once and return the row of accuracy.csv."""
    asked = [network, "--dataset", dataset, "--seed", str(seed), *more]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "zoo.train", *asked, "--output-dir", folder, "--name", "run"], check=True)
        run = json.loads(Path(folder, "run", "run.json").read_text(encoding="utf-8"))
        result = json.loads(Path(folder, "run", "result.json").read_text(encoding="utf-8"))
    told = {**result, **run, "dataset": dataset, "epochs": run["recipe"]["epochs"],
            "versions": " ".join(f"{name} {version}" for name, version in run["versions"].items()),
            "command": shlex.join(["python", "-m", "zoo.train", *without(asked, UNTOLD)])}
    return {field: told[field] for field in FIELDS}


def without(words, flags):
    """Return the words of a command line without some flags and the value behind each."""
    return [word for before, word in zip([None, *words], words) if word not in flags and before not in flags]


def append(row):
    new = not ROWS.exists()
    with open(ROWS, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def table():
    """Return the Markdown table of accuracy.csv: a line a network, data set and number of epochs."""
    with open(ROWS, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    groups = {}
    for row in rows:
        groups.setdefault((row["network"], row["dataset"], row["epochs"], row["processor"]), []).append(row)
    lines = ["| network | data set | epochs | test accuracy, % | runs | on |",
             "| --- | --- | ---: | ---: | ---: | --- |"]
    for (network, dataset, epochs, processor), runs in groups.items():
        accuracies = [100 * float(run["test_accuracy_best"]) for run in runs]
        spread = f" ± {statistics.stdev(accuracies):.2f}" if len(runs) > 1 else ""
        lines.append(f"| {network} | {dataset} | {epochs} | {statistics.mean(accuracies):.2f}{spread} | {len(runs)} | "
                     f"{processor} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?")
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--table", action="store_true", help="print the table of the README")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    arguments, more = parser.parse_args(words[:cut]), words[cut + 1:]
    if arguments.table:
        print("\n".join(table()))
        return
    if not arguments.dataset:
        parser.error("which network and data set?")
    for seed in arguments.seeds:
        append(train(arguments.network, arguments.dataset, seed, more))


if __name__ == "__main__":
    main()
