"""Show that every network trains: ten minutes of its small preset with the default recipe, on the CPU.

    python benchmarks/learning.py --data-dir data                  every network that learning.csv does not have yet
    python benchmarks/learning.py nin vgg16 --data-dir data
    python benchmarks/learning.py --table                          the table of docs/training.md

The runs are those of `accuracy.py --presets`, left after ten minutes: given the same --output-dir, that command resumes
them where they are, and this one reads what its finished runs had reached after ten minutes of training.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import accuracy

from zoo import registry
from zoo.errors import UserError

ROWS = Path(__file__).with_name("learning.csv")
SECONDS = 600
ENOUGH = {"cifar10": 0.5, "mnist": 0.97}  # of the validation images; chance is 0.1
FIELDS = ("network", "width", "parameters", "multiply_adds", "dataset", "epochs", "seconds", "accuracy", "val_accuracy",
          "processor", "commit", "command")
OUT_OF_TIME = 7


def train(network, data_dir, output_dir):
    """Train for ten minutes at most, unless the run is finished; return the row of learning.csv."""
    words = accuracy.preset_command(network)
    run = Path(output_dir, accuracy.name_run(words))
    if not (run / "result.json").exists():
        where = ["--data-dir", data_dir] if data_dir else []
        done = subprocess.run([sys.executable, "-m", "zoo.train", *words, *where, "--output-dir", output_dir, "--name",
                               run.name, "--max-seconds", str(SECONDS)])
        if done.returncode not in (0, OUT_OF_TIME):
            raise OSError(f"zoo.train ended with status {done.returncode}")
    config = json.loads((run / "run.json").read_text(encoding="utf-8"))
    row = summarize(accuracy.read(run / "history.csv"), accuracy.read(run / "timings.csv"))
    return {"network": network, "width": config["blueprint"]["width"], "parameters": config["parameters"],
            "multiply_adds": accuracy.count_multiply_adds(config["blueprint"]), "dataset": config["dataset"]["name"],
            **row, "processor": config["processor"], "commit": config["commit"], "command": accuracy.told(words)}


def summarize(history, timings):
    """Return what a run had reached in the last epoch that ended within SECONDS of training.

    history, timings: the rows of the files of that name. OSError where not even the first epoch did.
    """
    seconds, reached = 0.0, None
    for row, time in zip(history, timings, strict=True):
        seconds += float(time["seconds"])
        if seconds > SECONDS:
            break
        reached = {"epochs": int(row["epoch"]), "seconds": round(seconds), "accuracy": float(row["accuracy"]),
                   "val_accuracy": float(row["val_accuracy"])}
    if reached is None:
        raise OSError(f"no epoch ended within {SECONDS} s")
    return reached


def table(rows):
    """Return the lines of the Markdown table of docs/training.md, in the order of the catalogue."""
    order = [*registry.SPECS]
    lines = ["| network | width | parameters | multiply-adds | data set | epochs | minutes | training accuracy, % | "
             "validation accuracy, % |",
             "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |"]
    for row in sorted(rows, key=lambda each: order.index(each["network"])):
        lines.append(f"| {row['network']} | {float(row['width']):g} | {int(row['parameters']):,} | "
                     f"{int(row['multiply_adds']) / 1e6:.1f} M | {row['dataset']} | {row['epochs']} | "
                     f"{int(row['seconds']) / 60:.1f} | {100 * float(row['accuracy']):.1f} | "
                     f"{100 * float(row['val_accuracy']):.1f} |")
    return lines


def write(rows):
    with open(ROWS, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NET", help="default: every network")
    parser.add_argument("--data-dir")
    parser.add_argument("--output-dir", default=str(accuracy.ROOT / "runs" / "accuracy"))
    parser.add_argument("--table", action="store_true", help="print the table of docs/training.md")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(accuracy.read(ROWS))))
        return
    try:
        names = [registry.find(name).name for name in arguments.networks]
    except UserError as error:
        parser.error(str(error))
    known = {row["network"] for row in accuracy.read(ROWS)} if not names else set()
    failed = []
    for name in names or [each for each in registry.SPECS if each not in known]:
        try:
            row = train(name, arguments.data_dir, arguments.output_dir)
        except OSError as error:
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        write([each for each in accuracy.read(ROWS) if each["network"] != name] + [row])
        if row["val_accuracy"] < ENOUGH[row["dataset"]]:
            failed.append(name)
    if failed:
        sys.exit(f"below {' and '.join(f'{share:.0%} on {name}' for name, share in ENOUGH.items())}, or failed: "
                 f"{', '.join(failed)}")


if __name__ == "__main__":
    main()
