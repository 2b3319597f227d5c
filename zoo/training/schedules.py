"""The learning rate: of a step, a function of the step; on a plateau, of an epoch, a function of the epochs before."""

import keras
from keras import ops

from zoo.training.recipe import as_dict, drops

RISE = 0.3  # one_cycle: the share of the run in which the rate rises
START = 1 / 25  # one_cycle: the first rate as a share of the highest
BETTER = 1e-4  # plateau: by how much a validation loss must be lower to count, as in Keras


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of a step, counted from 0: learning_rate * warm-up * shape. `steps` are those of an epoch."""

    def __init__(self, recipe, steps):
        self.recipe, self.steps, self.total = recipe, steps, recipe.epochs * steps
        self.rising = min(round(recipe.warmup * steps), self.total - 1) if recipe.schedule != "one_cycle" else 0

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = self.recipe.learning_rate * SHAPES[self.recipe.schedule](self, step)
        return rate * ops.minimum(1.0, step / self.rising) if self.rising else rate

    def get_config(self):
        return {"recipe": as_dict(self.recipe), "steps": self.steps}


def constant(schedule, step):
    return ops.ones_like(step)


def stepwise(schedule, step):
    """He et al. 2016: the rate falls at given epochs; Szegedy et al. 2016: every so many."""
    at, epoch = drops(schedule.recipe.drops), step / schedule.steps
    times = ops.floor(epoch / at) if isinstance(at, float) else sum(ops.cast(epoch >= each, "float32") for each in at)
    return schedule.recipe.factor ** times


def cosine(schedule, step):
    """Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5 without restarts, after the warm-up."""
    done = ops.clip((step - schedule.rising) / (schedule.total - schedule.rising), 0.0, 1.0)
    return 0.5 * (1 + ops.cos(3.141592653589793 * done))


def one_cycle(schedule, step):
    """Smith and Topin 2018 (arXiv:1708.07120), in two straight lines; the momentum stays."""
    top = RISE * schedule.total
    up, down = START + (1 - START) * step / top, (schedule.total - step) / (schedule.total - top)
    return ops.maximum(0.0, ops.minimum(up, down))


SHAPES = {"constant": constant, "plateau": constant, "step": stepwise, "cosine": cosine, "one_cycle": one_cycle}


def of(recipe, steps):
    """Return what the optimizer takes: a Schedule, or for a plateau the first rate, which is set anew each epoch."""
    return recipe.learning_rate if recipe.schedule == "plateau" else Schedule(recipe, steps)


def rate_of_epoch(recipe, steps, history):
    """Return the rate of the last step of the epoch that follows the rows of `history`."""
    if recipe.schedule == "plateau":
        return plateau(recipe, [row["val_loss"] for row in history])
    return float(ops.convert_to_numpy(Schedule(recipe, steps)((len(history) + 1) * steps - 1)))


def plateau(recipe, losses):
    """Return the rate after epochs with these validation losses: it falls after `patience` epochs without a lower one.

    A function of the history alone, so that a run that goes on needs no other memory of it.
    """
    rate, best, waited = recipe.learning_rate, float("inf"), 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best - BETTER else (best, waited + 1)
        if waited == recipe.patience:
            rate, waited = max(rate * recipe.factor, recipe.floor), 0
    return min(rate, recipe.learning_rate)


def has_stopped(recipe, history):
    """Return whether training ends here: `stop_patience` epochs without a validation loss lower by `stop_delta`."""
    best, waited = float("inf"), 0
    for row in history:
        best, waited = (row["val_loss"], 0) if row["val_loss"] < best - recipe.stop_delta else (best, waited + 1)
        if waited == recipe.stop_patience > 0:
            return True
    return False
