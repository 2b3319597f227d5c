"""Measure what batch statistics cost: their share of an epoch of CIFAR-10; write batch_statistics.csv.

    python benchmarks/batch_statistics.py            all models, about 5 minutes
    python benchmarks/batch_statistics.py xception   some models; the rows of the others are kept
    python benchmarks/batch_statistics.py --table    print the table of docs/speed.md

The small presets, with the default recipe. Training steps, the measurement and validation alternate for ROUNDS rounds,
in seconds of CPU time of one process; the share is the median over the rounds, of an epoch of training and validation.
The images are random: the time does not depend on them.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("batch_statistics.csv")
FIELDS = ("model", "width", "batch_size", "steps_per_epoch", "batches", "step_ms", "batch_ms", "validation_ms", "share",
          "rounds", "cpu", "versions")
MODELS = ("lenet5_bn", "resnet18", "resnet34", "inception_v3", "xception")
NUM_IMAGES, NUM_VALIDATION_IMAGES, SHAPE, NUM_CLASSES = 45_000, 5_000, (32, 32, 3), 10  # CIFAR-10
ROUNDS, STEPS = 3, 8


def measure_model(name):
    """Return the row of a model: time of a training step, of a batch of the measurement, of validation; the share."""
    import numpy as np

    from zoo import registry
    from zoo.data.splits import Split
    from zoo.training import augmentation, evaluation, model_building, model_loading, prefetch, recipes, trainer
    from zoo.training.batch_statistics import BatchStatistics
    from zoo.training.batches import TrainingBatches
    from zoo.training.distribution import data_parallel

    rng = np.random.default_rng(0)
    split, validation = (Split(rng.integers(0, 256, (count, *SHAPE), np.uint8), rng.integers(0, NUM_CLASSES, count),
                               np.arange(count)) for count in (NUM_IMAGES, NUM_VALIDATION_IMAGES))
    width = registry.get_model_info(name).small_preset.width
    model_config = registry.resolve_model_config(name, SHAPE, NUM_CLASSES, width=width)
    recipe = recipes.get_recipe(name, "cifar10")
    model = model_loading.build_with_preprocessing(model_config, (0.5,) * 3, (0.25,) * 3, None)
    transforms = augmentation.parse_augmentation(recipe.augmentation)
    training_model = model_building.add_augmentation(model, transforms)
    batches = TrainingBatches(split, NUM_CLASSES, recipe.batch_size, 0, transforms)
    trainer.compile_model(training_model, model, recipe, batches.steps_per_epoch, {})
    batch_statistics = BatchStatistics(model, split, NUM_CLASSES, recipe.batch_size, 0, data_parallel.SINGLE_DEVICE)

    def train():
        training_model.fit(prefetch.prefetch_batches(batches.slice_steps(0, STEPS)), epochs=1, steps_per_epoch=STEPS,
                           shuffle=False, verbose=0)

    tasks = {"step": (train, STEPS), "batch": (lambda: batch_statistics.measure(0), batch_statistics.num_batches),
             "validation": (lambda: evaluation.predict_logits(model, validation, recipe.batch_size), 1)}
    seconds = {task: [] for task in tasks}
    for round_number in range(ROUNDS + 1):
        for task, (function, count) in tasks.items():
            start = time.process_time()
            function()
            if round_number:  # the first round compiles
                seconds[task].append((time.process_time() - start) / count)
    shares = []
    for step, batch, validation_time in zip(*seconds.values(), strict=True):
        measurement = batch * batch_statistics.num_batches
        shares.append(measurement / (step * batches.steps_per_epoch + measurement + validation_time))
    return {"model": name, "width": width, "batch_size": recipe.batch_size, "steps_per_epoch": batches.steps_per_epoch,
            "batches": batch_statistics.num_batches, **{f"{task}_ms": round(1000 * statistics.median(values), 1)
                                                        for task, values in seconds.items()},
            "share": round(statistics.median(shares), 4), "rounds": ROUNDS}


def format_markdown_table():
    """Return the lines of the table of docs/speed.md."""
    lines = ["| model, width | training step (CPU ms) | batch of the measurement (CPU ms) | validation (CPU s) | "
             "share of the epoch |", "| --- | ---: | ---: | ---: | ---: |"]
    return lines + [f"| {row['model']}, {row['width']} | {float(row['step_ms']):.0f} | {float(row['batch_ms']):.0f} | "
                    f"{float(row['validation_ms']) / 1000:.1f} | {float(row['share']):.1%} |"
                    for row in csv_rows.read_rows(CSV_PATH)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", choices=[[], *MODELS], metavar="MODEL",
                        help=f"{', '.join(MODELS)}; default: all")
    parser.add_argument("--table", action="store_true", help="print the table of docs/speed.md")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_markdown_table()))
        return
    sys.path[:0] = [str(ROOT)]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from zoo import env

    env.export_backend("tensorflow")
    metadata = csv_rows.describe_machine("tensorflow")
    for name in arguments.models or MODELS:
        rows = {row["model"]: row for row in csv_rows.read_rows(CSV_PATH)} | {name: measure_model(name) | metadata}
        csv_rows.write_rows(CSV_PATH, FIELDS, [rows[each] for each in MODELS if each in rows])
        print(f"{name}: {rows[name]['share']:.1%} of the epoch")


if __name__ == "__main__":
    main()
