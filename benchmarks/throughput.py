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
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS = Path(__file__).with_name("throughput.csv")
FIELDS = ("network", "mode", "subject", "backend", "precision", "batch", "images_per_second", "slowest", "fastest",
          "rounds", "processor", "versions", "command")
ROUNDS, SECONDS, SIDE, CLASSES = 5, 3.0, 32, 10
SUBJECTS = ("zoo", "bare", "tutorial", "pytorch")
CHANGES = "flip rotation=25 shift=0.1"

#        network                batch  arguments of zoo.build
CASES = (("lenet5",              128, {}),
         ("vgg16",               64,  {"options": {"batch_norm": True}}),
         ("resnet34",            64,  {}),
         ("googlenet",           64,  {}),
         ("inception_resnet_v2", 64,  {"width": 1 / 8}))


def pictures(count):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8), rng.integers(0, CLASSES, count)


def network_of(name, more):
    from zoo import catalog
    from zoo.training import saved

    return saved.on_pixels(catalog.blueprint(name, (SIDE, SIDE, 3), CLASSES, **more), (0.5,) * 3, (0.25,) * 3, None)


# A subject is prepared once and gives {mode: function}; each function works on about `count` pictures and returns
# (pictures, seconds).

def zoo_subject(name, batch, more, count, precision):
    import numpy as np

    from zoo.datasets.splits import Split
    from zoo.training import augmentation, evaluation, fit, trainee
    from zoo.training.bar import Bar
    from zoo.training.batches import TrainingBatches
    from zoo.training.callbacks import Records
    from zoo.training.checkpoints import Progress
    from zoo.training.leaving import Leave
    from zoo.training.recipe import Recipe

    images, labels = pictures(count)
    split, recipe = Split(images, labels, np.arange(count)), Recipe(batch_size=batch, epochs=1000, augment=CHANGES)
    network, changes = network_of(name, more), augmentation.parse(CHANGES)
    model = trainee.of(network, changes)
    batches = TrainingBatches(split, CLASSES, batch, 0, changes)
    metrics = fit.prepare(model, network, recipe, batches.steps, {})
    folder = Path(tempfile.mkdtemp())
    (folder / "checkpoints").mkdir()
    progress = Progress()
    callbacks = [Records(folder, recipe, batches, metrics, progress,
                         lambda: {"val_loss": 0.0, "val_accuracy": 0.0}, Leave()),
                 Bar(1000, batches.steps, progress, open(os.devnull, "w"))]

    def train():
        epoch = progress.epoch
        model.fit(batches.between(epoch * batches.steps, (epoch + 1) * batches.steps), initial_epoch=epoch,
                  epochs=epoch + 1, steps_per_epoch=batches.steps, shuffle=False, verbose=0, callbacks=[*callbacks])
        return count, progress.timings[-1]["seconds"]

    def ask():
        began = time.perf_counter()
        evaluation.logits(network, split, batch)
        return count, time.perf_counter() - began

    return {"training": train, "inference": ask}


def bare_subject(name, batch, more, count, precision):
    import tensorflow as tf

    from zoo.training import augment, augmentation, fit, trainee
    from zoo.training.batches import one_hot
    from zoo.training.recipe import Recipe

    images, labels = pictures(batch)
    changes, network = augmentation.parse(CHANGES), network_of(name, more)
    model = trainee.of(network, changes)
    fit.prepare(model, network, Recipe(batch_size=batch, augment=CHANGES), 100, {})
    numbers = augment.numbers(changes, images.shape[1:], 0, 0, 0, batch)
    model.make_train_function()
    data = iter(tf.data.Dataset.from_tensors(((images, numbers), one_hot(labels, CLASSES))).repeat())
    steps = -(-count // batch)

    def train():
        began = time.perf_counter()
        for _ in range(steps):
            logs = model.train_function(data)
        float(logs["loss"])
        return steps * batch, time.perf_counter() - began

    return {"training": train}


def tutorial_subject(name, batch, more, count, precision):
    import keras
    import numpy as np

    from zoo import catalog
    from zoo.models import assembly

    images, labels = pictures(count)
    images = images.astype(np.float32) / 255
    network = assembly.build(catalog.blueprint(name, (SIDE, SIDE, 3), CLASSES, **more))
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.RandomFlip("horizontal"),
                              keras.layers.RandomRotation(25 / 360, fill_mode="constant"),
                              keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"), network])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])

    def train():
        began = time.perf_counter()
        model.fit(images, labels, batch_size=batch, verbose=0)
        return count, time.perf_counter() - began

    def ask():
        began = time.perf_counter()
        model.predict(images, batch_size=batch, verbose=0)
        return count, time.perf_counter() - began

    return {"training": train, "inference": ask}


def pytorch_subject(name, batch, more, count, precision):
    import math

    import torch
    from eager import Eager
    from torch.nn import functional

    torch.set_num_threads(os.cpu_count())
    images, labels = pictures(count)
    data = torch.utils.data.TensorDataset(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))
    model = Eager(network_of(name, more)).to(memory_format=torch.channels_last)
    made = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    cast = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def changed(pixels):
        angle = (torch.rand(len(pixels)) * 2 - 1) * math.radians(25)
        mirror = torch.randint(0, 2, (len(pixels),)) * 2.0 - 1
        shift = (torch.rand(len(pixels), 2) * 2 - 1) * 0.2
        turn = torch.stack([torch.stack([mirror * angle.cos(), -angle.sin(), shift[:, 0]], 1),
                            torch.stack([mirror * angle.sin(), angle.cos(), shift[:, 1]], 1)], 1)
        return functional.grid_sample(pixels, functional.affine_grid(turn, list(pixels.shape), align_corners=False),
                                      align_corners=False)

    def ready(pixels):
        return (pixels.float() / 255 - 0.5) / 0.25

    def train():
        model.train()
        began = time.perf_counter()
        for pixels, truth in torch.utils.data.DataLoader(data, batch, shuffle=True):
            made.zero_grad()
            with cast():
                loss = functional.cross_entropy(
                    model(changed(ready(pixels)).contiguous(memory_format=torch.channels_last)).float(), truth)
            loss.backward()
            made.step()
        return count, time.perf_counter() - began

    @torch.no_grad()
    def ask():
        model.eval()
        began = time.perf_counter()
        for pixels, _ in torch.utils.data.DataLoader(data, batch):
            with cast():
                model(ready(pixels).contiguous(memory_format=torch.channels_last))
        return count, time.perf_counter() - began

    return {"training": train, "inference": ask}


PREPARED = {"zoo": zoo_subject, "bare": bare_subject, "tutorial": tutorial_subject, "pytorch": pytorch_subject}


def work(subject, name, batch, more, precision):
    """Be one subject: prepare, then answer each mode that a line names with a line of pictures a second."""
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    answers, sys.stdout = sys.stdout, sys.stderr
    import keras

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
