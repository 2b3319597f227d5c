"""Training: a network, a data set and a recipe fill a run directory with all but the pictures."""

import math
import sys
import time
from dataclasses import asdict

import keras

from zoo.analysis import summary
from zoo.training import (augmentation, checkpoints, cpu_kernels, evaluation, losses, model_building, optimizers,
                          precision, prefetch, run_files, schedules)
from zoo.training.progress_bar import ProgressBar
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import TrainingBatches, one_hot
from zoo.training.callbacks import REPORTED_LOSS, TIME_SAFETY_FACTOR, CheckpointAndLog
from zoo.training.distribution import data_parallel
from zoo.training.stopping import Stopper, catch_signals
from zoo.training.npz_file import make_damaged_file_error
from zoo.utils.process import get_peak_memory

# Multiply-adds and steps of one call of the backend, calls of an epoch
MAX_MACS_PER_CALL, MAX_STEPS_PER_CALL, MIN_CALLS_PER_EPOCH = 10 ** 9, 16, 8


def train_model(network, dataset, recipe, seed, run, stopper=None, aux_loss_weights=None,
                distribution=data_parallel.SINGLE_DEVICE, callbacks=(), class_weight=None, verbose=True):
    """Train `network`, which gives logits, from where the run is, and return its Progress.

    The test split is not touched. Files: history.csv, timings.csv, checkpoints/ in `run`.
    leave: a Leave; when it says so, training ends after a step, and goes on exactly there when this is called again.
    sides: {side classifier: the weight of its loss} for a network with such outputs.
    sharing: a zoo.training.distribution.data_parallel.Sharing, in whose scope() the network was built and this is
    called.
    callbacks: Keras callbacks of the user's, called after ours with the columns of history.csv in `logs`. One that sets
    `model.stop_training` ends training as a signal does.
    class_weight: a weight of the loss for each class, None for 1.
    bar: whether to print a line an epoch, and in a terminal a progress bar.
    """
    stopper, aux_loss_weights = stopper or Stopper(), aux_loss_weights or {}
    changes = augmentation.parse_augmentation(recipe.augmentation)
    distribution.sync_batch_norm(network)
    model = model_building.add_augmentation(network, changes)
    batches = distribution.shard_batches(TrainingBatches(dataset.train, count_classes(network), recipe.batch_size, seed,
                                                         changes, ("main", *aux_loss_weights) if aux_loss_weights
                                                         else None))
    metrics = compile_model(model, network, recipe, batches.steps_per_epoch, aux_loss_weights, distribution,
                            class_weight)
    progress = checkpoints.Progress(**distribution.broadcast(lambda: asdict(checkpoints.recover_progress(run))))
    check_history_columns(run, progress.history, aux_loss_weights)
    validated = make_validator(network, dataset.validation, recipe, distribution)
    statistics = BatchStatistics(network, dataset.train, count_classes(network), recipe.batch_size, seed, distribution)
    records = CheckpointAndLog(run if distribution.host == 0 else None, recipe, batches, metrics, progress, statistics,
                               validated, stopper)
    verbose = [ProgressBar(recipe.epochs, batches.steps_per_epoch,
                           progress)] if verbose and distribution.host == 0 else []
    with catch_signals(stopper):
        while not (stopper.reason or is_training_finished(progress, recipe)):
            if progress.epoch or progress.step:
                records.restored_metrics = checkpoints.restore_checkpoint(model, run / "checkpoints")
            # the rest of an epoch that was left in its middle, then all others
            first = progress.epoch * batches.steps_per_epoch + progress.step
            end = (progress.epoch + 1 if progress.step else recipe.epochs) * batches.steps_per_epoch
            model.steps_per_execution = math.gcd(model.steps_per_execution, progress.step)
            model.fit(prefetch.prefetch_batches(batches.slice_steps(first, end)), initial_epoch=progress.epoch,
                      epochs=end // batches.steps_per_epoch, steps_per_epoch=batches.steps_per_epoch - progress.step,
                      shuffle=False, verbose=0, callbacks=[records, *verbose, *callbacks])
            if model.stop_training and not (stopper.reason or is_training_finished(progress, recipe)):
                stopper.reason = "stopped by a callback"
    return progress


def check_history_columns(run, history, aux_heads):
    """Raise UserError, before an epoch is trained, where the rows of a history are not of this training's outputs."""
    expected = {*run_files.HISTORY_COLUMNS,
                *(f"{name}_{metric}" for name in aux_heads for metric in ("loss", "accuracy"))}
    if history and {*history[0]} != expected:
        odd = ", ".join(sorted({*history[0]} ^ expected))
        raise make_damaged_file_error(run / "history.csv", f"its columns are not those of this training: {odd}")


def is_training_finished(progress, recipe):
    """Return whether a run has had all its epochs, or ended before them as the recipe says."""
    return progress.epoch >= recipe.epochs or schedules.has_stopped_early(recipe, progress.history)


def count_classes(model):
    """Return the number of classes of a network with one output or a dict of them."""
    return model_building.get_main_output_model(model).output_shape[-1]


def compile_model(training_model, model, recipe, steps_per_epoch, aux_loss_weights,
                  distribution=data_parallel.SINGLE_DEVICE, class_weight=None):
    """Compile `model`, what is trained of `network`, as the recipe says, and return its metrics.

    `steps` is the number of steps in an epoch; sides, sharing and class_weight as for train().
    """
    stepping = optimizers.make_optimizer(recipe, steps_per_epoch)
    made = distribution.wrap_optimizer(precision.add_loss_scaling(stepping, model))
    if recipe.optimizer == "adamw":
        optimizers.restrict_decay_to_kernels(stepping, model)
    else:
        optimizers.add_weight_decay(model, recipe.weight_decay)
    optimizers.add_max_norm(model, recipe.max_norm)
    minimised, seen = losses.get_losses(recipe)
    if class_weight:
        minimised = losses.make_class_weighted_loss(minimised, class_weight)
    together = compute_steps_per_execution(model, recipe.batch_size, steps_per_epoch)
    metrics = {name: [losses.Accuracy(),
                      keras.metrics.MeanMetricWrapper(seen,
                                                      name=REPORTED_LOSS)] for name in ("main", *aux_loss_weights)}
    if aux_loss_weights:
        training_model.compile(made, {name: losses.MeanLoss(minimised) for name in metrics},
                               {"main": 1.0, **aux_loss_weights}, weighted_metrics=metrics,
                               steps_per_execution=together)
    else:
        training_model.compile(made, losses.MeanLoss(minimised), weighted_metrics=metrics["main"],
                               steps_per_execution=together)
    cpu_kernels.use_fast_kernels(model, distribution)
    made.build(training_model.trainable_variables)
    return [metric for each in metrics.values() for metric in each]


def compute_steps_per_execution(model, batch_size, steps_per_epoch):
    """Return how many steps TensorFlow makes in one call, a divisor of an epoch's `steps`: 1 for large networks.

    A small network's step takes less time than what stands between two calls. JAX does not wait for its steps, and
    Keras makes PyTorch's one by one.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    most = min(MAX_STEPS_PER_CALL, steps_per_epoch // MIN_CALLS_PER_EPOCH,
               MAX_MACS_PER_CALL // max(1, summary.summarize_model(model).multiply_adds * batch_size))
    return next((count for count in range(most, 1, -1) if steps_per_epoch % count == 0), 1)


def make_validator(model, split, recipe, distribution=data_parallel.SINGLE_DEVICE):
    """Return a function that measures `network` on a split: {"val_loss": ..., "val_accuracy": ...}."""
    main, (_,
           seen) = distribution.gather_outputs(model_building.get_main_output_model(model)), losses.get_losses(recipe)
    targets = one_hot(split.labels, main.output_shape[-1])

    def validated():
        logits = evaluation.predict_logits(main, split, recipe.batch_size, distribution)
        loss = keras.ops.convert_to_numpy(seen(targets, keras.ops.convert_to_tensor(logits)))
        return {"val_loss": loss.mean(dtype="float64"), "val_accuracy": (logits.argmax(1) == split.labels).mean()}

    return validated


def estimate_test_seconds(progress, dataset):
    """Return how long testing may take, from how long validation took in this session; 0 without one."""
    return 2 * progress.validation_seconds * len(dataset.test) / len(dataset.validation) * TIME_SAFETY_FACTOR


def evaluate_trained_model(model, dataset, recipe, directory, progress, distribution=data_parallel.SINGLE_DEVICE):
    """Test a trained network, fill the rest of the run directory and return what result.json says.

    `seconds` are those of training and testing together; `peak_memory` is the whole process's, in MiB, or None where
    the platform does not tell it.
    """
    began = time.perf_counter()
    if sys.stdout.isatty():
        print("testing ...", end="\r", flush=True)  # the closing line is written over it
    best = progress.best
    result = {**evaluation.evaluate_test_split(distribution.gather_outputs(model_building.get_main_output_model(model)),
                                               dataset, recipe.batch_size, directory, distribution),
              "best_epoch": best["epoch"], "val_accuracy_best": best["val_accuracy"], "epochs": progress.epoch,
              "asked_epochs": recipe.epochs,
              "seconds": round(sum(row["seconds"] for row in progress.timings) + time.perf_counter() - began, 2),
              "peak_memory": get_peak_memory()}
    if distribution.host == 0:
        run_files.write_result(directory, result)
    return result
