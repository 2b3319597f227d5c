"""Show that every network trains: ten minutes of its small preset with the default recipe, on the CPU.

    python benchmarks/learning.py --data-dir data                  every network that learning.csv does not have yet
    python benchmarks/learning.py nin vgg16 --data-dir data
    python benchmarks/learning.py --table                          the table of docs/training.md

The runs are those of `accuracy.py --presets`, left after ten minutes: given the same --output-dir, that command resumes
them where they are, and this one reads what its finished runs had reached after ten minutes of training.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import accuracy
import csv_rows

from zoo import registry
from zoo.errors import UserError

CSV_PATH = Path(__file__).with_name("learning.csv")
MAX_SECONDS = 600
MIN_ACCURACY = {"cifar10": 0.5, "mnist": 0.97}  # of the validation images; chance is 0.1
FIELDS = ("network", "width", "parameters", "multiply_adds", "dataset", "epochs", "seconds", "accuracy", "val_accuracy",
          "processor", "commit", "command")
TIME_LIMIT_STATUS = 7


def train_run(model_name, data_dir, output_dir):
    """Train for ten minutes at most, unless the run is finished; return the row of learning.csv."""
    words = accuracy.make_preset_command(model_name)
    run = Path(output_dir, accuracy.name_run(words))
    if not (run / "result.json").exists():
        where = ["--data-dir", data_dir] if data_dir else []
        done = subprocess.run([sys.executable, "-m", "zoo.train", *words, *where, "--output-dir", output_dir, "--name",
                               run.name, "--max-seconds", str(MAX_SECONDS)])
        if done.returncode not in (0, TIME_LIMIT_STATUS):
            raise OSError(f"zoo.train ended with status {done.returncode}")
    config = json.loads((run / "run.json").read_text(encoding="utf-8"))
    row = summarize_run(csv_rows.read_rows(run / "history.csv"), csv_rows.read_rows(run / "timings.csv"))
    return {"network": model_name, "width": config["model_config"]["width"], "parameters": config["parameters"],
            "multiply_adds": accuracy.count_multiply_adds(config["model_config"]), "dataset": config["dataset"]["name"],
            **row, "processor": config["cpu"], "commit": config["commit"],
            "command": accuracy.format_command(words)}


def summarize_run(history, timings):
    """Return what a run had reached in the last epoch that ended within SECONDS of training.

    history, timings: the rows of the files of that name. OSError where not even the first epoch did.
    """
    seconds, reached = 0.0, None
    for row, time in zip(history, timings, strict=True):
        seconds += float(time["seconds"])
        if seconds > MAX_SECONDS:
            break
        reached = {"epochs": int(row["epoch"]), "seconds": round(seconds), "accuracy": float(row["accuracy"]),
                   "val_accuracy": float(row["val_accuracy"])}
    if reached is None:
        raise OSError(f"no epoch ended within {MAX_SECONDS} s")
    return reached


def format_markdown_table(rows):
    """Return the lines of the Markdown table of docs/training.md, in the order of the catalogue."""
    order = [*registry.MODELS]
    lines = ["| network | width | parameters | multiply-adds | data set | epochs | minutes | training accuracy, % | "
             "validation accuracy, % |",
             "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |"]
    for row in sorted(rows, key=lambda each: order.index(each["network"])):
        lines.append(f"| {row['network']} | {float(row['width']):g} | {int(row['parameters']):,} | "
                     f"{int(row['multiply_adds']) / 1e6:.1f} M | {row['dataset']} | {row['epochs']} | "
                     f"{int(row['seconds']) / 60:.1f} | {100 * float(row['accuracy']):.1f} | "
                     f"{100 * float(row['val_accuracy']):.1f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="MODEL", help="default: every network")
    parser.add_argument("--data-dir")
    parser.add_argument("--output-dir", default=str(accuracy.ROOT / "runs" / "accuracy"))
    parser.add_argument("--table", action="store_true", help="print the table of docs/training.md")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_markdown_table(csv_rows.read_rows(CSV_PATH))))
        return
    try:
        names = [registry.get_model_info(name).name for name in arguments.networks]
    except UserError as error:
        parser.error(str(error))
    known = {row["network"] for row in csv_rows.read_rows(CSV_PATH)} if not names else set()
    failed = []
    for name in names or [each for each in registry.MODELS if each not in known]:
        try:
            row = train_run(name, arguments.data_dir, arguments.output_dir)
        except OSError as error:
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        others = [each for each in csv_rows.read_rows(CSV_PATH) if each["network"] != name]
        csv_rows.write_rows(CSV_PATH, FIELDS, [*others, row])
        if row["val_accuracy"] < MIN_ACCURACY[row["dataset"]]:
            failed.append(name)
    if failed:
        sys.exit(f"below {' and '.join(f'{share:.0%} on {name}' for name, share in MIN_ACCURACY.items())}, or failed: "
                 f"{', '.join(failed)}")


if __name__ == "__main__":
    main()
