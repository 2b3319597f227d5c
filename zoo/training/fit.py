"""Training: a network, a data set and a recipe fill a run directory with all but the pictures."""

import math
import sys
import time
from dataclasses import asdict

import keras

from zoo.analysis import summary
from zoo.training import (
    augmentation,
    checkpoints,
    evaluation,
    fused,
    losses,
    optimizers,
    precision,
    reading,
    run_files,
    schedules,
    trainee,
)
from zoo.training.bar import Bar
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import TrainingBatches, one_hot
from zoo.training.callbacks import LOSS, SAFETY, Records
from zoo.training.distribution import parallel
from zoo.training.leaving import Leave, gracefully
from zoo.training.npz_file import damaged
from zoo.utils.process import peak_memory

TOGETHER, AT_MOST, PARTS = 10 ** 9, 16, 8  # multiply-adds and steps of one call of the backend, calls of an epoch


def train(network, dataset, recipe, seed, run, leave=None, sides=None, sharing=parallel.ALONE, callbacks=(),
          class_weight=None, bar=True):
    """Train `network`, which gives logits, from where the run is, and return its Progress.

    The test split is not touched. Files: history.csv, timings.csv, checkpoints/ in `run`.
    leave: a Leave; when it says so, training ends after a step, and goes on exactly there when this is called again.
    sides: {side classifier: the weight of its loss} for a network with such outputs.
    sharing: a zoo.training.distribution.parallel.Sharing, in whose scope() the network was built and this is called.
    callbacks: Keras callbacks of the user's, called after ours with the columns of history.csv in `logs`. One that sets
    `model.stop_training` ends training as a signal does.
    class_weight: a weight of the loss for each class, None for 1.
    bar: whether to print a line an epoch, and in a terminal a progress bar.
    """
    leave, sides = leave or Leave(), sides or {}
    changes = augmentation.parse(recipe.augment)
    sharing.joined(network)
    model = trainee.of(network, changes)
    batches = sharing.batches(TrainingBatches(dataset.train, classes_of(network), recipe.batch_size, seed, changes,
                                              ("main", *sides) if sides else None))
    metrics = prepare(model, network, recipe, batches.steps, sides, sharing, class_weight)
    progress = checkpoints.Progress(**sharing.first(lambda: asdict(checkpoints.progress_of(run))))
    check_columns(run, progress.history, sides)
    validated = validation(network, dataset.validation, recipe, sharing)
    statistics = BatchStatistics(network, dataset.train, classes_of(network), recipe.batch_size, seed, sharing)
    records = Records(run if sharing.host == 0 else None, recipe, batches, metrics, progress, statistics, validated,
                      leave)
    bar = [Bar(recipe.epochs, batches.steps, progress)] if bar and sharing.host == 0 else []
    with gracefully(leave):
        while not (leave.reason or is_done(progress, recipe)):
            if progress.epoch or progress.step:
                records.sums = checkpoints.restore(model, run / "checkpoints")
            # the rest of an epoch that was left in its middle, then all others
            first = progress.epoch * batches.steps + progress.step
            end = (progress.epoch + 1 if progress.step else recipe.epochs) * batches.steps
            model.steps_per_execution = math.gcd(model.steps_per_execution, progress.step)
            model.fit(reading.ahead(batches.between(first, end)), initial_epoch=progress.epoch,
                      epochs=end // batches.steps, steps_per_epoch=batches.steps - progress.step,
                      shuffle=False, verbose=0, callbacks=[records, *bar, *callbacks])
            if model.stop_training and not (leave.reason or is_done(progress, recipe)):
                leave.reason = "stopped by a callback"
    return progress


def check_columns(run, history, aux_heads):
    """Raise UserError, before an epoch is trained, where the rows of a history are not of this training's outputs."""
    expected = {*run_files.COLUMNS, *(f"{name}_{metric}" for name in aux_heads for metric in ("loss", "accuracy"))}
    if history and {*history[0]} != expected:
        odd = ", ".join(sorted({*history[0]} ^ expected))
        raise damaged(run / "history.csv", f"its columns are not those of this training: {odd}")


def is_done(progress, recipe):
    """Return whether a run has had all its epochs, or ended before them as the recipe says."""
    return progress.epoch >= recipe.epochs or schedules.has_stopped(recipe, progress.history)


def classes_of(network):
    """Return the number of classes of a network with one output or a dict of them."""
    return trainee.main(network).output_shape[-1]


def prepare(model, network, recipe, steps, sides, sharing=parallel.ALONE, class_weight=None):
    """Compile `model`, what is trained of `network`, as the recipe says, and return its metrics.

    `steps` is the number of steps in an epoch; sides, sharing and class_weight as for train().
    """
    stepping = optimizers.optimizer(recipe, steps)
    made = sharing.agreeing(precision.scaled(stepping, network))
    if recipe.optimizer == "adamw":
        optimizers.decouple_decay(stepping, network)
    else:
        optimizers.decay_kernels(network, recipe.weight_decay)
    optimizers.limit_norms(network, recipe.max_norm)
    minimised, seen = losses.of(recipe)
    if class_weight:
        minimised = losses.weighted(minimised, class_weight)
    together = steps_together(network, recipe.batch_size, steps)
    metrics = {name: [keras.metrics.MeanMetricWrapper(losses.hit, name="accuracy"),
                      keras.metrics.MeanMetricWrapper(seen, name=LOSS)] for name in ("main", *sides)}
    if sides:
        model.compile(made, {name: losses.Mean(minimised) for name in metrics}, {"main": 1.0, **sides},
                      weighted_metrics=metrics, steps_per_execution=together)
    else:
        model.compile(made, losses.Mean(minimised), weighted_metrics=metrics["main"], steps_per_execution=together)
    fused.use_fast_kernels(network, sharing)
    made.build(model.trainable_variables)
    return [metric for each in metrics.values() for metric in each]


def steps_together(network, batch_size, steps):
    """Return how many steps TensorFlow makes in one call, a divisor of an epoch's `steps`: 1 for large networks.

    A small network's step takes less time than what stands between two calls. JAX does not wait for its steps, and
    Keras makes PyTorch's one by one.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    most = min(AT_MOST, steps // PARTS, TOGETHER // max(1, summary.read(network).multiply_adds * batch_size))
    return next((count for count in range(most, 1, -1) if steps % count == 0), 1)


def validation(network, split, recipe, sharing=parallel.ALONE):
    """Return a function that measures `network` on a split: {"val_loss": ..., "val_accuracy": ...}."""
    main, (_, seen) = sharing.whole(trainee.main(network)), losses.of(recipe)
    targets = one_hot(split.labels, main.output_shape[-1])

    def validated():
        logits = evaluation.logits(main, split, recipe.batch_size, sharing)
        loss = keras.ops.convert_to_numpy(seen(targets, keras.ops.convert_to_tensor(logits)))
        return {"val_loss": loss.mean(dtype="float64"), "val_accuracy": (logits.argmax(1) == split.labels).mean()}

    return validated


def seconds_to_test(progress, dataset):
    """Return how long testing may take, from how long validation took in this session; 0 without one."""
    return 2 * progress.validation * len(dataset.test) / len(dataset.validation) * SAFETY


def test(network, dataset, recipe, directory, progress, sharing=parallel.ALONE):
    """Test a trained network, fill the rest of the run directory and return what result.json says.

    `seconds` are those of training and testing together; `peak_memory` is the whole process's, in MiB, or None where
    the platform does not tell it.
    """
    began = time.perf_counter()
    if sys.stdout.isatty():
        print("testing ...", end="\r", flush=True)  # the closing line is written over it
    best = progress.best
    result = {**evaluation.test(sharing.whole(trainee.main(network)), dataset, recipe.batch_size, directory, sharing),
              "best_epoch": best["epoch"], "val_accuracy_best": best["val_accuracy"], "epochs": progress.epoch,
              "asked_epochs": recipe.epochs,
              "seconds": round(sum(row["seconds"] for row in progress.timings) + time.perf_counter() - began, 2),
              "peak_memory": peak_memory()}
    if sharing.host == 0:
        run_files.write_result(directory, result)
    return result
