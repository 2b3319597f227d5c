"""What a trained body is worth: transfer beside training from nothing, on 500 pictures of classes it has never seen.

    python benchmarks/transfer.py --data-dir data                    the whole: 3 seeds
    python benchmarks/transfer.py --data-dir data --small            to see that it runs
    python benchmarks/transfer.py --table

CIFAR-10: a network learns airplane, automobile, bird, cat and deer; its body then serves for dog, frog, horse, ship and
truck, of which there are 500 pictures to train on, 100 a class and others with each seed, 500 to validate and all 5,000
to test. The same network from nothing, on the same pictures, has as many epochs as the transfer. Each case is tried
with three rates on the pictures of the first seed and keeps, for the other seeds, the one with which it is best by
validation. The body is trained once. A run of the new classes is a row of transfer.csv; the pictures are written into
folders, and zoo finetune does all the training. What is ended goes on with the same --output-dir.
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
FIELDS = ("case", "network", "source_pictures", "pictures", "seed", "rate", "val_accuracy_best",
          "test_accuracy_best", "source_accuracy", "epochs", "seconds", "device", "processor", "versions", "commit",
          "command")
CLASSES_PER_HALF = 5  # classes
FULL_SIZES = {"source": 22_500, "source_epochs": 10, "new": 500, "epochs": 60, "test": 5_000, "seeds": (0, 1, 2)}
SMALL_SIZES = {"source": 1_000, "source_epochs": 1, "new": 100, "epochs": 3, "test": 200, "seeds": (0, 1)}
NETWORK = "resnet18"
WIDTH = "0.25"
# The source learns as zoo.train teaches a ResNet; with few pictures Adam, as zoo finetune does by itself
SOURCE_RECIPE = ("optimizer=nesterov", "learning_rate=0.1", "weight_decay=5e-4", "warmup_epochs=1")
LEARNING_RATES = {"from nothing": ("0.001", "0.003", "0.01"), "head alone": ("0.003", "0.01", "0.03"),
                  "head, then all": ("0.0003", "0.001", "0.003")}  # of the last: of the body, after a head with 0.01


def write_images(folder, split, classes, class_names, count, seed=0):
    """Write `count` pictures of some classes, alike from each, as FOLDER/CLASS/NUMBER.png."""
    for label in classes:
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(split.labels == label))[: count // len(classes)]
        images, _ = split.batch(rows)
        place = folder / class_names[label]
        place.mkdir(parents=True)
        for row, image in zip(rows, images, strict=True):
            Image.fromarray(image).save(place / f"{row}.png")


def prepare_folder(root, dataset, classes, count, sizes, seed=0):
    """Write the pictures of some classes, `count` to train on, unless they are there, and return their folder."""
    place = root / f"{count}-{seed}"
    if not (place / "written").exists():
        for part, split, most in (("train", dataset.train, count), ("val", dataset.validation, min(count, 500)),
                                  ("test", dataset.test, sizes["test"])):
            write_images(place / part, split, classes, dataset.info.class_names, most, seed)
        (place / "written").touch()
    return place


def run_finetune(root, name, folder, seed, *options):
    """Run zoo finetune and return (what run.json says, what result.json says, the command without places)."""
    words = [NETWORK, "--seed", str(seed), "--set", "augmentation=flip crop=4", *options]
    subprocess.run([sys.executable, "-m", "zoo", "finetune", *words, "--data", str(folder),
                    "--output-dir", str(root / "runs"), "--name", name], check=True)
    run = root / "runs" / name
    facts, result = (json.loads((run / file).read_text(encoding="utf-8")) for file in ("run.json", "result.json"))
    shown = [word.replace(str(root), "").lstrip("/") for word in [*words, "--data", str(folder)]]
    return facts, result, shlex.join(["python", "-m", "zoo", "finetune", *shown])


def append_row(**row):
    csv_rows.append_row(CSV_PATH, FIELDS, {field: row.get(field, "") for field in FIELDS})


def read_rows(sizes):
    """Return the rows of transfer.csv that were measured with these sizes."""
    return [row for row in csv_rows.read_rows(CSV_PATH) if int(row["source_pictures"]) == sizes["source"]]


def find_best_learning_rate(rows, case, seed):
    """Return the rate with which a case is best by the validation pictures of a seed."""
    tried = [row for row in rows if row["case"] == case and int(row["seed"]) == seed]
    return max(tried, key=lambda row: float(row["val_accuracy_best"]))["rate"]


def make_arguments(case, learning_rate, source, sizes):
    """Return the arguments of zoo finetune for a case; source: the run of the trained body."""
    if case == "from nothing":
        return ["--weights", "none", "--recipe", "finetune", "--width", WIDTH, "--image-size", "32", "--lr",
                learning_rate, "--epochs", str(sizes["epochs"])]
    if case == "head alone":
        return ["--weights", str(source), "--lr", learning_rate, "--epochs", str(sizes["epochs"])]
    head = sizes["epochs"] // 3
    return ["--weights", str(source), "--freeze", "none", "--two-stage", "--lr", "0.01", "--backbone-lr", learning_rate,
            "--head-epochs", str(head), "--epochs", str(sizes["epochs"] - head)]


def measure_all(sizes, root, data_dir, device):
    """Train the source, then with each seed each case, and append a row each."""
    data = load_dataset_by_name("cifar10", data_dir=data_dir)
    source = prepare_folder(root, data, range(CLASSES_PER_HALF), sizes["source"], sizes)
    first = sizes["seeds"][0]
    _, trained, _ = run_finetune(root, f"source{first}", source, first, "--weights", "none", "--width", WIDTH,
                                 "--image-size", "32", "-b", "128", "--epochs", str(sizes["source_epochs"]), *device,
                                 *(word for each in SOURCE_RECIPE for word in ("--set", each)))
    for seed in sizes["seeds"]:
        new = prepare_folder(root, data, range(CLASSES_PER_HALF, 2 * CLASSES_PER_HALF), sizes["new"], sizes, seed)
        for case, rates in LEARNING_RATES.items():
            rows = read_rows(sizes)
            known = {(row["case"], int(row["seed"]), row["rate"]) for row in rows}
            for rate in rates if seed == first else [find_best_learning_rate(rows, case, first)]:
                if (case, seed, rate) in known:
                    continue
                name = f"{case.replace(',', '').replace(' ', '-')}-{rate}-{seed}"
                facts, result, command = run_finetune(root, name, new, seed, *device, *make_arguments(
                    case, rate, root / "runs" / f"source{first}", sizes))
                append_row(**{**result, "epochs": sizes["epochs"]}, case=case, network=f"{NETWORK}, width {WIDTH}",
                           source_pictures=sizes["source"], pictures=sizes["new"], seed=seed, rate=rate,
                           source_accuracy=trained["test_accuracy_best"], device=facts["device"],
                           processor=facts["cpu"],
                           versions=" ".join(f"{name} {version}" for name, version in facts["versions"].items()),
                           commit=facts["commit"], command=command)


def format_markdown_table(sizes=FULL_SIZES):
    """Return the Markdown table of transfer.csv: a line a case, with the rate that its first seed chose."""
    rows = read_rows(sizes)
    lines = ["| case | network | new pictures | rate | test accuracy, % | runs | on |",
             "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for case in LEARNING_RATES:
        rate = find_best_learning_rate(rows, case, sizes["seeds"][0])
        runs = [row for row in rows if (row["case"], row["rate"]) == (case, rate)]
        accuracies = [100 * float(row["test_accuracy_best"]) for row in runs]
        spread = f" ± {statistics.stdev(accuracies):.1f}" if len(runs) > 1 else ""
        lines.append(f"| {case} | {runs[0]['network']} | {runs[0]['pictures']} | {rate} | "
                     f"{statistics.mean(accuracies):.1f}{spread} | {len(runs)} | {runs[0]['processor']} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="where CIFAR-10 lies")
    parser.add_argument("--output-dir", default="runs/transfer", type=Path, help="for pictures and runs; default: "
                                                                                 "runs/transfer")
    parser.add_argument("--small", action="store_true", help="a trial of a few minutes")
    parser.add_argument("--gpu", help="as zoo finetune takes it")
    parser.add_argument("--table", action="store_true", help="print the table of the docs")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_markdown_table()))
        return
    measure_all(SMALL_SIZES if arguments.small else FULL_SIZES, arguments.output_dir, arguments.data_dir,
                ("--gpu", arguments.gpu) if arguments.gpu else ())


if __name__ == "__main__":
    main()
