"""The learning rate range test of Smith 2017 (arXiv:1506.01186): train briefly at an exponentially rising rate."""

import math

import numpy as np

from zoo.training import model_building, trainer
from zoo.training.augmentation import parse_augmentation
from zoo.training.batches import TrainingBatches
from zoo.training.recipe import override_recipe

LOSS_SMOOTHING = 0.9  # decay per step of the moving average of the losses
HALF_WINDOW = 5  # steps on either side over which a slope is measured: single steps are noisy
DIVERGENCE_FACTOR = 4.0  # the test stops at this multiple of the lowest smoothed loss


def run_range_test(network, dataset, recipe, seed, learning_rates, aux_loss_weights):
    """Train `network`, which outputs logits, for one step at each of `learning_rates`; return the losses, floats.

    Stops early if the smoothed loss exceeds DIVERGENCE_FACTOR times its minimum or is not finite. Batches,
    augmentation, optimizer and weight decay are those of the recipe. Changes the weights of `network`.

    aux_loss_weights: {auxiliary classifier: weight of its loss}.
    """
    # With this schedule the learning rate is a plain number, which can be assigned before each step
    recipe = override_recipe(recipe, {"lr_schedule": "plateau", "learning_rate": float(learning_rates[0])})
    augmentation = parse_augmentation(recipe.augmentation)
    model = model_building.add_augmentation(network, augmentation)
    output_names = ("main", *aux_loss_weights) if aux_loss_weights else None
    batches = TrainingBatches(dataset.train, trainer.count_classes(network), recipe.batch_size, seed, augmentation,
                              output_names).slice_steps(0, len(learning_rates))
    trainer.compile_model(model, network, recipe, 1, aux_loss_weights)
    losses = []
    for step, learning_rate in enumerate(learning_rates):
        model.optimizer.learning_rate = float(learning_rate)
        images, targets = batches[step]
        model.reset_metrics()  # otherwise Keras returns the mean over all steps
        losses.append(float(model.train_on_batch(images, targets, return_dict=True)["loss"]))
        if has_diverged(losses):
            break
    return losses


def smooth_losses(losses):
    """Return the exponential moving average of losses, with bias correction as in Adam."""
    average, smoothed = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = LOSS_SMOOTHING * average + (1 - LOSS_SMOOTHING) * loss
        smoothed.append(average / (1 - LOSS_SMOOTHING ** step))
    return smoothed


def has_diverged(losses):
    """Return whether the last loss is not finite, or the smoothed loss exceeds DIVERGENCE_FACTOR times its minimum."""
    if not math.isfinite(losses[-1]):
        return True
    smoothed = smooth_losses(losses)
    return smoothed[-1] > DIVERGENCE_FACTOR * min(smoothed)


def find_steepest_learning_rate(learning_rates, losses):
    """Return the learning rate at which the smoothed loss falls fastest over its logarithm, or None.

    A slope is measured over 2 * HALF_WINDOW steps, all before the minimum of the smoothed loss; None if the loss does
    not fall there.
    """
    smoothed = np.array(smooth_losses([loss for loss in losses if math.isfinite(loss)]) or [0.0])
    lowest = int(smoothed.argmin())
    half = min(HALF_WINDOW, lowest // 2)
    if half < 1:
        return None
    log_rates = np.log(learning_rates[:lowest + 1])
    slopes = ((smoothed[2 * half:lowest + 1] - smoothed[:lowest + 1 - 2 * half])
              / (log_rates[2 * half:] - log_rates[:-2 * half]))
    return float(learning_rates[half + int(slopes.argmin())]) if slopes.min() < 0 else None
