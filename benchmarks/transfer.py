"""What a trained body is worth: transfer beside training from nothing, on 500 pictures of classes it has never seen.

    python benchmarks/transfer.py --data-dir data                    the whole: 3 seeds
    python benchmarks/transfer.py --data-dir data --small            to see that it runs
    python benchmarks/transfer.py --table

CIFAR-10: a network learns airplane, automobile, bird, cat and deer; its body then serves for dog, frog, horse, ship and
truck, of which there are 500 pictures to train on, 100 a class, 500 to validate and all 5,000 to test. The same network
from nothing, on the same pictures, has as many epochs as both stages of the transfer, at 0.001, the rate that the body
has in the second. A run of the new classes is a row of transfer.csv; the pictures are written into folders, and
zoo.finetune does all the training.
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

import numpy as np
from PIL import Image

from zoo.datasets.load import load

ROWS = Path(__file__).with_name("transfer.csv")
FIELDS = ("case", "network", "source_pictures", "pictures", "seed", "test_accuracy_best", "source_accuracy", "epochs",
          "seconds", "device", "processor", "versions", "commit", "command")
HALF = 5  # classes
FULL = {"source": 22_500, "source_epochs": 20, "new": 500, "epochs": 30, "test": 5_000, "seeds": (0, 1, 2)}
SMALL = {"source": 1_000, "source_epochs": 1, "new": 100, "epochs": 2, "test": 200, "seeds": (0,)}
NETWORK = "resnet18"
WIDTH = "0.25"


def write_pictures(folder, split, classes, names, count):
    """Write the first `count` pictures of some classes, alike from each, as FOLDER/CLASS/NUMBER.png."""
    for label in classes:
        rows = np.flatnonzero(split.labels == label)[: count // len(classes)]
        images, _ = split.batch(rows)
        place = folder / names[label]
        place.mkdir(parents=True)
        for row, image in zip(rows, images, strict=True):
            Image.fromarray(image).save(place / f"{row}.png")


def folders(root, data_dir, sizes):
    """Write both sets and return their folders."""
    data = load("cifar10", data_dir=data_dir)
    names = data.facts.label_names
    for name, classes, count in (("source", range(HALF), sizes["source"]),
                                 ("new", range(HALF, 2 * HALF), sizes["new"])):
        write_pictures(root / name / "train", data.train, classes, names, count)
        write_pictures(root / name / "val", data.validation, classes, names, min(count, 500))
        write_pictures(root / name / "test", data.test, classes, names, sizes["test"])
    return root / "source", root / "new"


def finetune(root, name, folder, seed, *more):
    """Run zoo.finetune and return (what run.json says, what result.json says, the command without places)."""
    words = [NETWORK, "--seed", str(seed), "--set", "augment=flip crop=4", *more]
    subprocess.run([sys.executable, "-m", "zoo.finetune", *words, "--data", str(folder),
                    "--output-dir", str(root / "runs"), "--name", name], check=True)
    run = root / "runs" / name
    facts, result = (json.loads((run / file).read_text(encoding="utf-8")) for file in ("run.json", "result.json"))
    shown = [word.replace(str(root), "").lstrip("/") for word in [*words, "--data", str(folder)]]
    return facts, result, shlex.join(["python", "-m", "zoo.finetune", *shown])


def append(case, sizes, seed, source, facts, result, command):
    row = {**result, "case": case, "network": f"{NETWORK}, width {WIDTH}", "source_pictures": sizes["source"],
           "pictures": sizes["new"], "seed": seed, "source_accuracy": source, "epochs": sizes["epochs"],
           "device": facts["device"], "processor": facts["processor"], "commit": facts["commit"], "command": command,
           "versions": " ".join(f"{name} {version}" for name, version in facts["versions"].items())}
    new = not ROWS.exists()
    with open(ROWS, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n", extrasaction="ignore")
        if new:
            writer.writeheader()
        writer.writerow(row)


def measure(sizes, data_dir, device):
    """Train the source once a seed, then each case, and append a row each."""
    nothing = ("--weights", "none", "--width", WIDTH, "--size", "32", *device)
    head = max(1, sizes["epochs"] // 3)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source, new = folders(root, data_dir, sizes)
        for seed in sizes["seeds"]:
            _, trained, _ = finetune(root, f"source{seed}", source, seed, *nothing,
                                     "--epochs", str(sizes["source_epochs"]), "-b", "128")
            weights = ("--weights", str(root / "runs" / f"source{seed}"), *device)
            weights += ("--lr", "0.01")  # a head of one layer on few pictures: at 0.001 it has not learnt by then
            cases = {
                "from nothing": (*nothing, "--epochs", str(sizes["epochs"])),
                "head alone": (*weights, "--epochs", str(sizes["epochs"])),
                "head, then all": (*weights, "--freeze", "none", "--stages", "--body-lr", "0.001",
                                   "--head-epochs", str(head), "--epochs", str(sizes["epochs"] - head)),
            }
            for case, words in cases.items():
                name = f"{case.replace(',', '').replace(' ', '-')}-{seed}"
                facts, result, command = finetune(root, name, new, seed, *words)
                append(case, sizes, seed, trained["test_accuracy_best"], facts, result, command)


def table():
    """Return the Markdown table of transfer.csv: a line a case, small trials left out."""
    with open(ROWS, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["source_pictures"]) == FULL["source"]]
    groups = {}
    for row in rows:
        groups.setdefault((row["case"], row["network"], row["processor"]), []).append(row)
    lines = ["| case | network | new pictures | test accuracy, % | runs | on |",
             "| --- | --- | ---: | ---: | ---: | --- |"]
    for (case, network, processor), runs in groups.items():
        accuracies = [100 * float(run["test_accuracy_best"]) for run in runs]
        spread = f" ± {statistics.stdev(accuracies):.1f}" if len(runs) > 1 else ""
        lines.append(f"| {case} | {network} | {runs[0]['pictures']} | {statistics.mean(accuracies):.1f}{spread} | "
                     f"{len(runs)} | {processor} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="where CIFAR-10 lies")
    parser.add_argument("--small", action="store_true", help="a trial of a few minutes")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--gpu", help="as zoo.finetune takes it")
    parser.add_argument("--table", action="store_true", help="print the table of the docs")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table()))
        return
    sizes = SMALL if arguments.small else FULL
    sizes = sizes | ({"seeds": tuple(arguments.seeds)} if arguments.seeds else {})
    measure(sizes, arguments.data_dir, ("--gpu", arguments.gpu) if arguments.gpu else ())


if __name__ == "__main__":
    main()
