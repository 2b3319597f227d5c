"""Compare fine-tuning a pretrained backbone with training from scratch, on 500 images of classes it has never seen.

    python benchmarks/transfer.py --data-dir data                    the complete benchmark: 3 seeds
    python benchmarks/transfer.py --data-dir data --small            a quick test run
    python benchmarks/transfer.py --table

CIFAR-10: a model is trained on airplane, automobile, bird, cat and deer; its backbone is then used for dog, frog,
horse, ship and truck, with 500 training images, 100 per class and different for each seed, 500 validation images and
all 5,000 test images. The same model trained from scratch on the same images has as many epochs as the fine-tuning.
Each method is tried with three learning rates on the images of the first seed and, for the other seeds, uses the one
with the best validation accuracy. The backbone is trained once. A run on the new classes is a row of transfer.csv; the
images are written to folders, and zoo finetune does all the training. Repeating the command with the same --output-dir
resumes an interrupted benchmark.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import csv_rows
import numpy as np
from PIL import Image

from zoo.data.datasets import load_dataset_by_name

CSV_PATH = Path(__file__).with_name("transfer.csv")
FIELDS = ("method", "model", "source_images", "images", "seed", "learning_rate", "val_accuracy_best",
          "test_accuracy_best", "source_accuracy", "epochs", "seconds", "device", "cpu", "versions", "commit",
          "command")
CLASSES_PER_HALF = 5
FULL_SIZES = {"source": 22_500, "source_epochs": 10, "new": 500, "epochs": 60, "test": 5_000, "seeds": (0, 1, 2)}
SMALL_SIZES = {"source": 1_000, "source_epochs": 1, "new": 100, "epochs": 3, "test": 200, "seeds": (0, 1)}
MODEL = "resnet18"
WIDTH = "0.25"
# The source model is trained as zoo.train trains a ResNet; the few new images with Adam, the default of zoo finetune
SOURCE_RECIPE = ("optimizer=nesterov", "learning_rate=0.1", "weight_decay=5e-4", "warmup_epochs=1")
# By method; those of the last are for the backbone: its first stage trains the head with a learning rate of 0.01
LEARNING_RATES = {"from scratch": ("0.001", "0.003", "0.01"), "head only": ("0.003", "0.01", "0.03"),
                  "head, then fine-tune all layers": ("0.0003", "0.001", "0.003")}


def write_images(folder, split, classes, class_names, count, seed=0):
    """Write `count` images, equally many of each of `classes`, as FOLDER/CLASS/INDEX.png."""
    for label in classes:
        indices = np.random.default_rng(seed).permutation(np.flatnonzero(split.labels == label))
        indices = indices[: count // len(classes)]
        images, _ = split.batch(indices)
        class_folder = folder / class_names[label]
        class_folder.mkdir(parents=True)
        for index, image in zip(indices, images, strict=True):
            Image.fromarray(image).save(class_folder / f"{index}.png")


def prepare_folder(root, dataset, classes, count, sizes, seed=0):
    """Write the images of `classes`, `count` of them for training, unless they exist; return their folder."""
    folder = root / f"{count}-{seed}"
    if not (folder / "written").exists():
        for name, split, split_count in (("train", dataset.train, count),
                                         ("val", dataset.validation, min(count, 500)),
                                         ("test", dataset.test, sizes["test"])):
            write_images(folder / name, split, classes, dataset.info.class_names, split_count, seed)
        (folder / "written").touch()
    return folder


def run_finetune(root, name, folder, seed, *options):
    """Run zoo finetune; return (contents of run.json, contents of result.json, the command with relative paths)."""
    arguments = [MODEL, "--seed", str(seed), "--set", "augmentation=flip crop=4", *options, "--dataset", str(folder)]
    subprocess.run([sys.executable, "-m", "zoo", "finetune", *arguments, "--output-dir", str(root / "runs"), "--name",
                    name], check=True)
    run = root / "runs" / name
    config, result = (json.loads((run / file).read_text(encoding="utf-8")) for file in ("run.json", "result.json"))
    recorded = [argument.replace(str(root), "").lstrip("/") for argument in arguments]
    return config, result, shlex.join(["python", "-m", "zoo", "finetune", *recorded])


def append_row(**row):
    csv_rows.append_row(CSV_PATH, FIELDS, {field: row.get(field, "") for field in FIELDS})


def read_rows(sizes):
    """Return the rows of transfer.csv that were measured with these sizes."""
    return [row for row in csv_rows.read_rows(CSV_PATH) if int(row["source_images"]) == sizes["source"]]


def find_best_learning_rate(rows, method, seed):
    """Return the learning rate with the best validation accuracy of a method and seed."""
    candidates = [row for row in rows if row["method"] == method and int(row["seed"]) == seed]
    return max(candidates, key=lambda row: float(row["val_accuracy_best"]))["learning_rate"]


def make_arguments(method, learning_rate, source, sizes):
    """Return the arguments of zoo finetune for a method; source: the run of the pretrained backbone."""
    if method == "from scratch":
        return ["--weights", "none", "--recipe", "finetune", "--width", WIDTH, "--image-size", "32", "--lr",
                learning_rate, "--epochs", str(sizes["epochs"])]
    if method == "head only":
        return ["--weights", str(source), "--lr", learning_rate, "--epochs", str(sizes["epochs"])]
    head_epochs = sizes["epochs"] // 3
    return ["--weights", str(source), "--freeze", "none", "--two-stage", "--lr", "0.01", "--backbone-lr", learning_rate,
            "--head-epochs", str(head_epochs), "--epochs", str(sizes["epochs"] - head_epochs)]


def measure_all(sizes, root, data_dir, device):
    """Train the source model, then every method with every seed, and append a row for each."""
    dataset = load_dataset_by_name("cifar10", data_dir=data_dir)
    source_folder = prepare_folder(root, dataset, range(CLASSES_PER_HALF), sizes["source"], sizes)
    first_seed = sizes["seeds"][0]
    source = f"source{first_seed}"
    _, source_result, _ = run_finetune(root, source, source_folder, first_seed, "--weights", "none", "--width", WIDTH,
                                       "--image-size", "32", "-b", "128", "--epochs", str(sizes["source_epochs"]),
                                       *device, *(argument for field in SOURCE_RECIPE for argument in ("--set", field)))
    for seed in sizes["seeds"]:
        folder = prepare_folder(root, dataset, range(CLASSES_PER_HALF, 2 * CLASSES_PER_HALF), sizes["new"], sizes, seed)
        for method, learning_rates in LEARNING_RATES.items():
            rows = read_rows(sizes)
            measured = {(row["method"], int(row["seed"]), row["learning_rate"]) for row in rows}
            if seed != first_seed:
                learning_rates = [find_best_learning_rate(rows, method, first_seed)]
            for learning_rate in learning_rates:
                if (method, seed, learning_rate) in measured:
                    continue
                name = f"{method.replace(',', '').replace(' ', '-')}-{learning_rate}-{seed}"
                config, result, command = run_finetune(root, name, folder, seed, *device, *make_arguments(
                    method, learning_rate, root / "runs" / source, sizes))
                append_row(**{**result, "epochs": sizes["epochs"]}, method=method, model=f"{MODEL}, width {WIDTH}",
                           source_images=sizes["source"], images=sizes["new"], seed=seed, learning_rate=learning_rate,
                           source_accuracy=source_result["test_accuracy_best"], device=config["device"],
                           cpu=config["cpu"],
                           versions=" ".join(f"{name} {version}" for name, version in config["versions"].items()),
                           commit=config["commit"], command=command)


def format_markdown_table(sizes=FULL_SIZES):
    """Return the Markdown table of transfer.csv: a line per method, with the learning rate chosen on the first seed."""
    rows = read_rows(sizes)
    lines = ["| method | model | training images | learning rate | test accuracy (%) | runs | CPU |",
             "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for method in LEARNING_RATES:
        learning_rate = find_best_learning_rate(rows, method, sizes["seeds"][0])
        runs = [row for row in rows if (row["method"], row["learning_rate"]) == (method, learning_rate)]
        accuracies = [100 * float(row["test_accuracy_best"]) for row in runs]
        std = f" ± {statistics.stdev(accuracies):.1f}" if len(runs) > 1 else ""
        lines.append(f"| {method} | {runs[0]['model']} | {runs[0]['images']} | {learning_rate} | "
                     f"{statistics.mean(accuracies):.1f}{std} | {len(runs)} | {runs[0]['cpu']} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="directory of CIFAR-10")
    parser.add_argument("--output-dir", default="runs/transfer", type=Path,
                        help="directory of the image folders and runs; default: runs/transfer")
    parser.add_argument("--small", action="store_true", help="a test run of a few minutes")
    parser.add_argument("--gpu", help="passed to zoo finetune")
    parser.add_argument("--table", action="store_true", help="print the table of docs/transfer.md")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_markdown_table()))
        return
    measure_all(SMALL_SIZES if arguments.small else FULL_SIZES, arguments.output_dir, arguments.data_dir,
                ("--gpu", arguments.gpu) if arguments.gpu else ())


if __name__ == "__main__":
    main()
