"""The learning rate range test of Smith 2017 (arXiv:1506.01186): a short training whose rate rises exponentially."""

import math

import numpy as np

from zoo.training import augmentation, model_building, recipe as recipes, trainer
from zoo.training.batches import TrainingBatches

LOSS_SMOOTHING = 0.9  # decay of the moving average of the losses, a step
HALF_WINDOW = 5  # steps before and after a rate, between which the slope there is measured: single steps are noise
DIVERGENCE_FACTOR = 4.0  # times the lowest smoothed loss, where the test ends


def run_range_test(network, dataset, recipe, seed, learning_rates, aux_loss_weights):
    """Train `network`, which gives logits, one step with each of `rates`; return the losses, float list.

    Shorter than `rates` where the smoothed loss has passed DIVERGED times its minimum or is not finite. Batches,
    augmentation, optimizer and weight decay are those of the recipe; the weights of `network` change.

    aux_weights: {auxiliary classifier: the weight of its loss}.
    """
    # with this schedule the optimizer takes a plain number, which can be assigned before each step
    recipe = recipes.override_recipe(recipe, {"lr_schedule": "plateau", "learning_rate": float(learning_rates[0])})
    changes = augmentation.parse_augmentation(recipe.augmentation)
    model = model_building.add_augmentation(network, changes)
    batches = TrainingBatches(dataset.train, trainer.count_classes(network), recipe.batch_size, seed, changes,
                              ("main", *aux_loss_weights) if aux_loss_weights
                              else None).slice_steps(0, len(learning_rates))
    trainer.compile_model(model, network, recipe, 1, aux_loss_weights)
    losses = []
    for step, rate in enumerate(learning_rates):
        model.optimizer.learning_rate = float(rate)
        images, targets = batches[step]
        model.reset_metrics()  # of the losses of several steps Keras returns the mean
        losses.append(float(model.train_on_batch(images, targets, return_dict=True)["loss"]))
        if has_diverged(losses):
            break
    return losses


def smooth_losses(losses):
    """Return the exponential moving average of losses, corrected for its start at 0 as Adam's averages are."""
    average, smoothed = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = LOSS_SMOOTHING * average + (1 - LOSS_SMOOTHING) * loss
        smoothed.append(average / (1 - LOSS_SMOOTHING ** step))
    return smoothed


def has_diverged(losses):
    """Return whether the last loss is not finite, or the smoothed one DIVERGED times its minimum."""
    if not math.isfinite(losses[-1]):
        return True
    smoothed = smooth_losses(losses)
    return smoothed[-1] > DIVERGENCE_FACTOR * min(smoothed)


def find_steepest_learning_rate(learning_rates, losses):
    """Return the rate at which the smoothed loss falls fastest over the logarithm of the rate, or None.

    A slope is taken over 2 * HALF steps, all of them before the minimum of the smoothed loss; None where it does not
    fall there.
    """
    smoothed = np.array(smooth_losses([loss for loss in losses if math.isfinite(loss)]) or [0.0])
    lowest = int(smoothed.argmin())
    half = min(HALF_WINDOW, lowest // 2)
    if half < 1:
        return None
    logs = np.log(learning_rates[:lowest + 1])
    slopes = (smoothed[2 * half:lowest + 1] - smoothed[:lowest + 1 - 2 * half]) / (logs[2 * half:] - logs[:-2 * half])
    return float(learning_rates[half + int(slopes.argmin())]) if slopes.min() < 0 else None


def space_learning_rates(min_lr, max_lr, steps):
    """Return `steps` learning rates from `first` to `last`, each the same multiple of the one before."""
    return np.geomspace(min_lr, max_lr, steps)
