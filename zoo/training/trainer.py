"""Training and testing: everything in a run directory but the plots."""

import math
import time
from dataclasses import asdict

import keras

from zoo.training import (augmentation, checkpoints, cpu_kernels, evaluation, losses, model_building, optimizers,
                          precision, prefetch, run_files)
from zoo.training.progress_bar import ProgressBar
from zoo.training.batch_statistics import BatchStatistics
from zoo.training.batches import TrainingBatches, one_hot
from zoo.training.callbacks import REPORTED_LOSS, TIME_SAFETY_FACTOR, CallbackGroup, CheckpointAndLog
from zoo.training.distribution import data_parallel
from zoo.training.stopping import Stopper, catch_signals, has_stopped_early
from zoo.training.npz_file import make_damaged_file_error
from zoo.utils.process import get_peak_memory

MIN_CALLS_PER_EPOCH = 8  # of the backend


def train_model(network, dataset, recipe, seed, run, stopper=None, aux_loss_weights=None,
                distribution=data_parallel.SINGLE_DEVICE, callbacks=(), class_weight=None, verbose=True):
    """Train a model that outputs logits, from the last checkpoint of the run if there is one; return its Progress.

    The test split is not used. Files: history.csv, timings.csv, checkpoints/ in `run`.
    stopper: a Stopper, which can stop training after any step; the next call resumes exactly there.
    aux_loss_weights: {auxiliary classifier: weight of its loss} for a model with such outputs.
    distribution: a zoo.training.distribution.data_parallel.DataParallel, in whose scope() the model was built and this
    is called.
    callbacks: the user's Keras callbacks, called after zoo's with the columns of history.csv in `logs`, at the end of
    an epoch only if it is complete. One that sets `model.stop_training` stops training as a signal does.
    class_weight: a weight of the loss for each class, None for 1.
    verbose: whether to print a line per epoch, and in a terminal a progress bar.
    """
    stopper, aux_loss_weights = stopper or Stopper(), aux_loss_weights or {}
    augmentation_config = augmentation.parse_augmentation(recipe.augmentation)
    distribution.sync_batch_norm(network)
    model = model_building.add_augmentation(network, augmentation_config)
    batches = distribution.shard_batches(TrainingBatches(dataset.train, count_classes(network), recipe.batch_size, seed,
                                                         augmentation_config, ("main", *aux_loss_weights)
                                                         if aux_loss_weights else None))
    metrics = compile_model(model, network, recipe, batches.steps_per_epoch, aux_loss_weights, distribution,
                            class_weight)
    progress = checkpoints.Progress(**distribution.broadcast(lambda: asdict(checkpoints.recover_progress(run))))
    check_history_columns(run, progress.history, aux_loss_weights)
    validate = make_validator(network, dataset.validation, recipe, distribution)
    statistics = BatchStatistics(network, dataset.train, count_classes(network), recipe.batch_size, seed, distribution)
    checkpointer = CheckpointAndLog(run if distribution.host == 0 else None, recipe, batches, metrics, progress,
                                    statistics, validate, stopper)
    progress_bars = ([ProgressBar(recipe.epochs, batches.steps_per_epoch, progress)]
                     if verbose and distribution.host == 0 else [])
    callback_group = CallbackGroup(callbacks, progress)
    with catch_signals(stopper):
        while not (stopper.reason or is_training_finished(progress, recipe)):
            if progress.epoch or progress.step:
                checkpointer.restored_metrics = checkpoints.restore_checkpoint(model, run / "checkpoints")
            # the rest of an epoch that was interrupted, then all others
            first = progress.epoch * batches.steps_per_epoch + progress.step
            end = (progress.epoch + 1 if progress.step else recipe.epochs) * batches.steps_per_epoch
            model.steps_per_execution = math.gcd(model.steps_per_execution, progress.step)
            model.fit(prefetch.prefetch_batches(batches.slice_steps(first, end)), initial_epoch=progress.epoch,
                      epochs=end // batches.steps_per_epoch, steps_per_epoch=batches.steps_per_epoch - progress.step,
                      shuffle=False, verbose=0, callbacks=[checkpointer, *progress_bars, callback_group])
            if model.stop_training and not (stopper.reason or is_training_finished(progress, recipe)):
                stopper.reason = "stopped by a callback"
        callback_group.finish()
    return progress


def check_history_columns(run, history, aux_heads):
    """Raise UserError, before any training, where the columns of a history do not match the outputs of the model."""
    expected = {*run_files.HISTORY_COLUMNS,
                *(f"{name}_{metric}" for name in aux_heads for metric in ("loss", "accuracy"))}
    if history and {*history[0]} != expected:
        mismatched = ", ".join(sorted({*history[0]} ^ expected))
        raise make_damaged_file_error(run / "history.csv", f"its columns do not match this training: {mismatched}")


def is_training_finished(progress, recipe):
    """Return whether a run has completed all its epochs, or early stopping has ended it."""
    return progress.epoch >= recipe.epochs or has_stopped_early(recipe, progress.history)


def count_classes(model):
    """Return the number of classes of a model with one output or a dict of them."""
    return model_building.get_main_output_model(model).output_shape[-1]


def compile_model(training_model, model, recipe, steps_per_epoch, aux_loss_weights,
                  distribution=data_parallel.SINGLE_DEVICE, class_weight=None):
    """Compile `training_model`, which is `model` with augmentation, by the recipe; return its metrics.

    steps_per_epoch: number of steps in an epoch. aux_loss_weights, distribution, class_weight: see `train_model`.
    """
    inner_optimizer = optimizers.make_optimizer(recipe, steps_per_epoch)
    optimizer = distribution.wrap_optimizer(precision.add_loss_scaling(inner_optimizer, model))
    if recipe.optimizer == "adamw":
        optimizers.restrict_decay_to_kernels(inner_optimizer, model)
    else:
        optimizers.add_weight_decay(model, recipe.weight_decay)
    optimizers.add_max_norm(model, recipe.max_norm)
    training_loss, reported_loss = losses.get_losses(recipe)
    if class_weight:
        training_loss = losses.make_class_weighted_loss(training_loss, class_weight)
    steps_per_execution = compute_steps_per_execution(model, recipe.batch_size, steps_per_epoch)
    metrics = {name: [losses.Accuracy(), keras.metrics.MeanMetricWrapper(reported_loss, name=REPORTED_LOSS)]
               for name in ("main", *aux_loss_weights)}
    if aux_loss_weights:
        training_model.compile(optimizer, {name: losses.MeanLoss(training_loss) for name in metrics},
                               {"main": 1.0, **aux_loss_weights}, weighted_metrics=metrics,
                               steps_per_execution=steps_per_execution)
    else:
        training_model.compile(optimizer, losses.MeanLoss(training_loss), weighted_metrics=metrics["main"],
                               steps_per_execution=steps_per_execution)
    cpu_kernels.use_fast_kernels(model, distribution)
    optimizer.build(training_model.trainable_variables)
    return [metric for output_metrics in metrics.values() for metric in output_metrics]


def compute_steps_per_execution(model, batch_size, steps_per_epoch):
    """Return the number of steps per TensorFlow call, a divisor of `steps_per_epoch`: 1 for large models.

    A step of a small model takes less time than the overhead of a call. JAX dispatches its steps asynchronously, and
    Keras runs PyTorch's one by one.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    max_steps = min(evaluation.compute_batches_per_call(model, batch_size), steps_per_epoch // MIN_CALLS_PER_EPOCH)
    return next((count for count in range(max_steps, 1, -1) if steps_per_epoch % count == 0), 1)


def make_validator(model, split, recipe, distribution=data_parallel.SINGLE_DEVICE):
    """Return a function that evaluates `model` on a split: {"val_loss": ..., "val_accuracy": ...}."""
    main_model = distribution.gather_outputs(model_building.get_main_output_model(model))
    _, reported_loss = losses.get_losses(recipe)
    targets = one_hot(split.labels, main_model.output_shape[-1])

    def validate():
        logits = evaluation.predict_logits(main_model, split, recipe.batch_size, distribution)
        loss = keras.ops.convert_to_numpy(reported_loss(targets, keras.ops.convert_to_tensor(logits)))
        return {"val_loss": loss.mean(dtype="float64"), "val_accuracy": (logits.argmax(1) == split.labels).mean()}

    return validate


def estimate_test_seconds(progress, dataset):
    """Return how many seconds testing may take, estimated from validation in this session; 0 without one."""
    return 2 * progress.validation_seconds * len(dataset.test) / len(dataset.validation) * TIME_SAFETY_FACTOR


def evaluate_trained_model(model, dataset, recipe, directory, progress, distribution=data_parallel.SINGLE_DEVICE):
    """Test a trained model, write the remaining files of the run directory and return the content of result.json.

    `seconds` covers the training steps and testing, without validation and checkpoints; `peak_memory` is that
    of the whole process in MiB, or None where the platform does not report it.
    """
    start = time.perf_counter()
    best = progress.best
    result = {**evaluation.evaluate_test_split(distribution.gather_outputs(model_building.get_main_output_model(model)),
                                               dataset, recipe.batch_size, directory, distribution),
              "best_epoch": best["epoch"], "val_accuracy_best": best["val_accuracy"], "epochs": progress.epoch,
              "max_epochs": recipe.epochs,
              "seconds": round(sum(row["seconds"] for row in progress.timings) + time.perf_counter() - start, 2),
              "peak_memory": get_peak_memory()}
    if distribution.host == 0:
        run_files.write_result(directory, result)
    return result
