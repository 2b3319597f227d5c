"""Show that every model learns: train its small preset for ten minutes with the default recipe, on the CPU.

    python benchmarks/learning.py --data-dir data                  every model that learning.csv does not have yet
    python benchmarks/learning.py nin vgg16 --data-dir data
    python benchmarks/learning.py --table                          the table of docs/training.md

The runs are those of `accuracy.py --presets`, stopped after ten minutes: given the same --output-dir, that command
resumes them where they stopped, and this one reads the accuracy that its finished runs had after ten minutes.
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
MIN_ACCURACY = {"cifar10": 0.5, "mnist": 0.97}  # validation accuracy; chance is 0.1
FIELDS = ("model", "width", "parameters", "multiply_adds", "dataset", "epochs", "seconds", "accuracy", "val_accuracy",
          "cpu", "commit", "command")
TIME_LIMIT_STATUS = 7


def train_run(model_name, data_dir, output_dir):
    """Train for ten minutes at most, unless the run is finished; return the row of learning.csv."""
    command = accuracy.make_preset_command(model_name)
    run = Path(output_dir, accuracy.name_run(command))
    if not (run / "result.json").exists():
        data_arguments = ["--data-dir", data_dir] if data_dir else []
        process = subprocess.run([sys.executable, "-m", "zoo.train", *command, *data_arguments, "--output-dir",
                                  output_dir, "--name", run.name, "--max-seconds", str(MAX_SECONDS)])
        if process.returncode not in (0, TIME_LIMIT_STATUS):
            raise OSError(f"zoo.train exited with status {process.returncode}")
    config = json.loads((run / "run.json").read_text(encoding="utf-8"))
    row = summarize_run(csv_rows.read_rows(run / "history.csv"), csv_rows.read_rows(run / "timings.csv"))
    return {"model": model_name, "width": config["model_config"]["width"], "parameters": config["parameters"],
            "multiply_adds": accuracy.count_multiply_adds(config["model_config"]), "dataset": config["dataset"]["name"],
            **row, "cpu": config["cpu"], "commit": config["commit"], "command": accuracy.format_command(command)}


def summarize_run(history, timings):
    """Return the columns of the last epoch that ended within MAX_SECONDS of training.

    history, timings: the rows of history.csv and timings.csv. Raises OSError if not even the first epoch ended in time.
    """
    seconds, summary = 0.0, None
    for row, timing in zip(history, timings, strict=True):
        seconds += float(timing["seconds"])
        if seconds > MAX_SECONDS:
            break
        summary = {"epochs": int(row["epoch"]), "seconds": round(seconds), "accuracy": float(row["accuracy"]),
                   "val_accuracy": float(row["val_accuracy"])}
    if summary is None:
        raise OSError(f"no epoch ended within {MAX_SECONDS} s")
    return summary


def format_markdown_table(rows):
    """Return the lines of the Markdown table of docs/training.md, in the order of the registry."""
    order = [*registry.MODELS]
    lines = ["| model | width | parameters | multiply-adds (MACs) | dataset | epochs | minutes | "
             "training accuracy (%) | validation accuracy (%) |",
             "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |"]
    for row in sorted(rows, key=lambda row: order.index(row["model"])):
        lines.append(f"| {row['model']} | {float(row['width']):g} | {int(row['parameters']):,} | "
                     f"{int(row['multiply_adds']) / 1e6:.1f} M | {row['dataset']} | {row['epochs']} | "
                     f"{int(row['seconds']) / 60:.1f} | {100 * float(row['accuracy']):.1f} | "
                     f"{100 * float(row['val_accuracy']):.1f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: every model that learning.csv lacks")
    parser.add_argument("--data-dir", help="directory of the datasets")
    parser.add_argument("--output-dir", default=str(accuracy.ROOT / "runs" / "accuracy"),
                        help="directory of the runs")
    parser.add_argument("--table", action="store_true", help="print the table of docs/training.md")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_markdown_table(csv_rows.read_rows(CSV_PATH))))
        return
    try:
        names = [registry.get_model_info(name).name for name in arguments.models]
    except UserError as error:
        parser.error(str(error))
    measured = {row["model"] for row in csv_rows.read_rows(CSV_PATH)}
    failed = []
    for name in names or [name for name in registry.select_models("image") if name not in measured]:
        try:
            row = train_run(name, arguments.data_dir, arguments.output_dir)
        except OSError as error:
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        others = [other for other in csv_rows.read_rows(CSV_PATH) if other["model"] != name]
        csv_rows.write_rows(CSV_PATH, FIELDS, [*others, row])
        if row["val_accuracy"] < MIN_ACCURACY[row["dataset"]]:
            failed.append(name)
    if failed:
        limits = " and ".join(f"{minimum:.0%} on {dataset}" for dataset, minimum in MIN_ACCURACY.items())
        sys.exit(f"below a validation accuracy of {limits}, or failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
