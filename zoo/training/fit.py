"""Training: a model, a data set and a recipe fill a run directory with all but the pictures."""

import difflib
import resource
import sys
import time

import keras

from zoo.errors import UserError
from zoo.training import evaluation, losses, recipes, run as runs
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.callbacks import LOSS, Progress, Records


def schedule(recipe, steps):
    """Return the learning rate, a float or a function of the step; `steps` is the number of steps in an epoch."""
    rising, total = round(recipe.warmup * steps), recipe.epochs * steps
    rising = min(rising, total - 1)
    if recipe.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if rising else recipe.learning_rate, total - rising,
            warmup_target=recipe.learning_rate if rising else None, warmup_steps=rising)
    if not rising:
        return recipe.learning_rate
    return keras.optimizers.schedules.PolynomialDecay(0.0, rising, end_learning_rate=recipe.learning_rate)


def optimizer(recipe, steps):
    """Return the recipe's optimizer; `steps` is the number of steps in an epoch.

    Its name is fixed, because checkpoints name its variables by it and Keras counts: sgd, sgd_1, ...
    """
    rate = schedule(recipe, steps)
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(rate, name="adam")
    return keras.optimizers.SGD(rate, momentum=recipe.momentum, nesterov=recipe.optimizer == "nesterov", name="sgd")


def last_rate(recipe, steps, epoch):
    """Return the learning rate of the last step of an epoch, counted from 0."""
    rate = schedule(recipe, steps)
    return keras.ops.convert_to_numpy(rate((epoch + 1) * steps - 1)) if callable(rate) else rate


def kernels(model):
    """Return [(layer, variable)] of all that is multiplied with a layer's inputs: no biases, no gammas, no slopes."""
    return [(layer, variable) for layer in model.layers for variable in layer.trainable_variables
            if variable.name.endswith("kernel")]  # depthwise_kernel and pointwise_kernel too


def decay_kernels(model, weight_decay):
    """Add weight_decay * kernel to the gradient of each kernel.

    As a regulariser, so that it passes through momentum as the papers' does; Keras's own `weight_decay` does not.
    Keras's L2(c) adds c * sum(kernel ** 2), whose gradient is 2 * c * kernel.
    """
    for _, variable in kernels(model):
        if weight_decay:
            variable.regularizer = keras.regularizers.L2(weight_decay / 2)


def limit_norms(model, max_norm):
    """Keep each unit's incoming weights no longer than a recipe's `max_norm` says, from the first step on.

    UserError when it names a layer that has no kernel in `model`.
    """
    norms, found = recipes.norms(max_norm), kernels(model)
    layers = list(dict.fromkeys(layer.name for layer, _ in found))
    for name in norms:
        if name and name not in layers:
            close = difflib.get_close_matches(name, layers, n=1)
            raise UserError(f"max_norm: {model.name} has no layer {name!r} with a kernel; "
                            + (f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(layers)}"))
    for layer, variable in found:
        longest = norms.get(layer.name, norms.get(""))
        if longest is not None:
            # a unit is an index of the last axis; depthwise, of the last two
            axes = len(variable.shape) - (2 if variable.name == "depthwise_kernel" else 1)
            variable.constraint = keras.constraints.MaxNorm(longest, axis=[*range(axes)])


def train(model, dataset, recipe, seed, run):
    """Train `model`, which gives logits, and return the row of history.csv of its best epoch by validation.

    The test split is not touched. Files: history.csv, timings.csv, checkpoints/ in `run`.
    """
    batches = TrainingBatches(dataset.train, recipe.batch_size, seed, recipe.epochs)
    decay_kernels(model, recipe.weight_decay)
    limit_norms(model, recipe.max_norm)
    minimised, seen = losses.of(recipe)
    model.compile(optimizer(recipe, batches.steps), minimised,
                  metrics=["accuracy", keras.metrics.MeanMetricWrapper(seen, name=LOSS)])
    records = Records(run, lambda epoch: last_rate(recipe, batches.steps, epoch))
    model.fit(batches, epochs=recipe.epochs, steps_per_epoch=batches.steps, shuffle=False, verbose=0,
              validation_data=EvaluationBatches(dataset.validation, recipe.batch_size),
              callbacks=[records, Progress(recipe.epochs, batches.steps)])
    return records.best


def run(model, dataset, recipe, seed, directory):
    """Train and test `model`, which gives logits, fill the run directory and return what result.json says.

    `seconds` are those of training and testing together; `peak_memory` is the whole process's, in MiB.
    """
    began = time.perf_counter()
    best = train(model, dataset, recipe, seed, directory)
    if sys.stdout.isatty():
        print("testing ...", end="\r", flush=True)  # the closing line is written over it
    result = {**evaluation.test(model, dataset, recipe.batch_size, directory),
              "best_epoch": best["epoch"], "val_accuracy_best": best["val_accuracy"],
              "seconds": round(time.perf_counter() - began, 2),
              "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    runs.write_json(directory / "result.json", result)
    return result
