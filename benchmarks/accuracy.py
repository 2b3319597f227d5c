"""Train models with several seeds and append the results to accuracy.csv; print or plot that file.

    python benchmarks/accuracy.py --data-dir data                  all of CASES that accuracy.csv does not have yet
    python benchmarks/accuracy.py lenet5 mnist --data-dir data     those of one model and dataset
    python benchmarks/accuracy.py --presets --data-dir data        the small preset of every model, and its weights
    python benchmarks/accuracy.py --presets nin vgg16 --data-dir data
    python benchmarks/accuracy.py --table
    python benchmarks/accuracy.py --plot docs/images/accuracy.svg

A row is one run; its history is copied to histories/. Run directories are in --output-dir, so repeating the command
resumes an interrupted run. The best weights of a preset's run are packed into zoo/weights/ by packing.py, which checks
their accuracy.
"""

import argparse
import json
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from zoo import registry  # noqa: E402
from zoo.errors import UserError  # noqa: E402
from zoo.weights import pretrained  # noqa: E402

HISTORIES_DIR = Path(__file__).with_name("histories")
CSV_PATH = Path(__file__).with_name("accuracy.csv")
PRESET_EPOCHS = 12  # of the whole training split
FIELDS = ("model", "width", "parameters", "multiply_adds", "dataset", "recipe", "seed", "test_accuracy_best",
          "test_accuracy_last", "best_epoch", "epochs", "seconds", "device", "cpu", "versions", "commit", "command")

#        model          dataset   seeds   other arguments
CASES = (("lenet5",       "mnist",   5,   ""),
         ("lenet5_1998",  "mnist",   3,   ""),
         ("resnet18",     "cifar10", 1,   "--width 0.25 --epochs 20"),
         ("lenet5",       "cifar10", 3,   "--epochs 20"),
         ("maxout_mnist", "mnist",   1,   "--epochs 10"),
         ("highway_mnist", "mnist",  1,   "--epochs 10"),
         ("nin",          "cifar10", 1,   "--width 0.5 --epochs 20"))


def list_commands(model_name, dataset):
    """Return the arguments of `python -m zoo.train` for each run of CASES, or only for a model and a dataset."""
    return [[name, "--dataset", case_dataset, *shlex.split(arguments), "--seed", str(seed)]
            for name, case_dataset, seeds, arguments in CASES for seed in range(seeds)
            if model_name in (None, name) and dataset in (None, case_dataset)]


def make_preset_command(model_name):
    """Return the arguments of `python -m zoo.train` that train a model's small preset."""
    return [model_name, "--preset", "small", "--dataset", registry.get_model_info(model_name).small_preset.dataset,
            "--epochs", str(PRESET_EPOCHS), "--seed", "0"]


def format_command(command):
    """Return a run's command as accuracy.csv has it: without the paths of one machine."""
    return shlex.join(["python", "-m", "zoo.train", *command])


def name_run(command):
    """Return the name of the run directory, and of the history, of a command."""
    return "-".join(argument.strip("-") for argument in command if argument != "--dataset").replace("--", "-")


def count_multiply_adds(model_config):
    """Return the multiply-adds per image of the model that run.json describes as `model_config`."""
    height, width, channels = model_config["input_shape"]
    options = [argument for name, value in model_config["options"].items()
               for argument in ("--model-option", f"{name}={value}")]
    arguments = [model_config["name"], "--image-size", f"{height}x{width}", "--channels", str(channels), "--classes",
                 str(model_config["classes"]), "--width", str(model_config["width"]), "--stem", model_config["stem"],
                 *options]
    run = subprocess.run([sys.executable, "-m", "zoo", "summary", *arguments, "--json"], check=True,
                         capture_output=True, text=True, cwd=ROOT)
    return json.loads(run.stdout)["multiply_adds"]


def train_run(command, data_dir, output_dir):
    """Train once, or resume, keep the history, and return the row of accuracy.csv."""
    name = name_run(command)
    data_arguments = ["--data-dir", data_dir] if data_dir else []
    subprocess.run([sys.executable, "-m", "zoo.train", *command, *data_arguments, "--output-dir", output_dir, "--name",
                    name], check=True)
    run = Path(output_dir, name)
    config, result = (json.loads((run / file).read_text(encoding="utf-8")) for file in ("run.json", "result.json"))
    HISTORIES_DIR.mkdir(exist_ok=True)
    shutil.copy(run / "history.csv", HISTORIES_DIR / f"{name}.csv")
    row = {**config, **result, "dataset": config["dataset"]["name"], "command": format_command(command),
           "width": config["model_config"]["width"], "multiply_adds": count_multiply_adds(config["model_config"]),
           "recipe": command[command.index("--recipe") + 1] if "--recipe" in command else "modern",
           "versions": " ".join(f"{package} {version}" for package, version in config["versions"].items())}
    return {field: row[field] for field in FIELDS}


def append_row(row):
    csv_rows.append_row(CSV_PATH, FIELDS, row)


def read_rows(path=None):
    """Return the rows of accuracy.csv, or of another file with the same columns."""
    return csv_rows.read_rows(path or CSV_PATH)


def is_measured(command):
    """Return whether accuracy.csv has the run of a preset with its current width."""
    return any(row["command"] == format_command(command)
               and float(row["width"]) == registry.get_model_info(command[0]).small_preset.width for row in read_rows())


def is_bundle_outdated(model_name, run):
    """Return whether the bundled weights of a model are missing, or older than the result of `run`."""
    path, result = pretrained.find_bundled_weights(model_name).path, run / "result.json"
    return not path.exists() or (result.exists() and path.stat().st_mtime < result.stat().st_mtime)


def train_presets(model_names, data_dir, output_dir):
    """Train the small presets that accuracy.csv does not have yet, and pack their weights.

    A failure is reported and the other models are trained all the same; return the names of the models that failed.
    All are trained before any is packed: a new file in the package would mark the commit of the next run as -dirty.
    """
    def train_preset(model_name):
        command = make_preset_command(model_name)
        if not is_measured(command):
            append_row(train_run(command, data_dir, output_dir))

    def pack_preset(model_name):
        run = Path(output_dir, name_run(make_preset_command(model_name)))
        if is_bundle_outdated(model_name, run):
            subprocess.run([sys.executable, str(Path(__file__).with_name("packing.py")), str(run),
                            *(["--data-dir", data_dir] if data_dir else [])], check=True)

    failed = []
    for step in (train_preset, pack_preset):
        for name in model_names:
            if name in failed:
                continue
            try:
                step(name)
            except (subprocess.CalledProcessError, OSError) as error:
                if getattr(error, "returncode", None) in (130, -signal.SIGINT):
                    raise KeyboardInterrupt from None
                print(f"{name} failed: {error}", file=sys.stderr, flush=True)
                failed.append(name)
    return failed


def format_markdown_table(rows):
    """Return the lines of the Markdown table of accuracy.csv: one line for all seeds of a command on one CPU.

    The lines are in the order of the registry.
    """
    groups, order = {}, [*registry.MODELS]
    for row in sorted(rows, key=lambda row: order.index(row["model"])):
        command = row["command"].rpartition(" --seed ")[0]
        cpu = f"1 core of {row['cpu']}" if row["device"] == "CPU, 1 core" else row["cpu"]
        groups.setdefault((row["model"], float(row["width"]), command, cpu), []).append(row)
    lines = ["| model | parameters | dataset | recipe | epochs | test accuracy (%) | runs | minutes per run | CPU |",
             "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for (model, width, command, cpu), runs in groups.items():
        model += ", small preset" if "--preset small" in command else ""
        model += f", width {width:g}" if width != 1 else ""
        accuracies = [100 * float(run["test_accuracy_best"]) for run in runs]
        std = f" ± {statistics.stdev(accuracies):.2f}" if len(runs) > 1 else ""
        minutes = statistics.mean(float(run["seconds"]) for run in runs) / 60
        lines.append(f"| {model} | {int(runs[0]['parameters']):,} | {runs[0]['dataset']} | {runs[0]['recipe']} | "
                     f"{runs[0]['epochs']} | {statistics.mean(accuracies):.2f}{std} | {len(runs)} | {minutes:.1f} | "
                     f"{cpu} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="default: every model of CASES")
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help="default: every dataset of CASES")
    parser.add_argument("--data-dir", help="directory of the datasets")
    parser.add_argument("--output-dir", default=str(ROOT / "runs" / "accuracy"), help="directory of the runs")
    parser.add_argument("--presets", nargs="*", metavar="MODEL",
                        help="train the small presets of these models and pack their weights; default: every model")
    parser.add_argument("--table", action="store_true", help="print the table of the README")
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="plot accuracy against multiply-adds")
    parser.add_argument("--rows", metavar="FILE.csv", type=Path,
                        help="for --table and --plot: read this file instead of accuracy.csv")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_markdown_table(read_rows(arguments.rows))))
        return
    if arguments.plot:
        from accuracy_plot import draw_accuracy_plot  # matplotlib

        draw_accuracy_plot(read_rows(arguments.rows), arguments.plot)
        return
    if arguments.presets is not None:
        try:
            model_names = ([registry.get_model_info(name).name for name in arguments.presets]
                           or [*registry.select_models("image")])
        except UserError as error:
            parser.error(str(error))
        failed = train_presets(model_names, arguments.data_dir, arguments.output_dir)
        if failed:
            sys.exit(f"failed: {', '.join(failed)}; repeat the command to try them again")
        return
    commands = list_commands(arguments.model, arguments.dataset)
    if not commands:
        parser.error(f"CASES has no {arguments.model} on {arguments.dataset or 'any dataset'}")
    for command in commands:
        if format_command(command) not in [row["command"] for row in read_rows()]:
            append_row(train_run(command, arguments.data_dir, arguments.output_dir))


if __name__ == "__main__":
    main()
