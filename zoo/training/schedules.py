"""The learning rate: of a step, a function of the step; on a plateau, of an epoch, a function of the epochs before."""

import keras
from keras import ops

from zoo.training.recipe import serialize_recipe, parse_milestones

RISE_FRACTION = 0.3  # one_cycle: the share of the run in which the rate rises
INITIAL_FRACTION = 1 / 25  # one_cycle: the first rate as a share of the highest
PLATEAU_MIN_DELTA = 1e-4  # plateau: by how much a validation loss must be lower to count, as in Keras


class RecipeSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of a step, counted from 0: learning_rate * warm-up * shape. `steps` are those of an epoch."""

    def __init__(self, recipe, steps_per_epoch):
        self.recipe, self.steps_per_epoch, self.total_steps = recipe, steps_per_epoch, recipe.epochs * steps_per_epoch
        self.warmup_steps = min(round(recipe.warmup_epochs * steps_per_epoch),
                                self.total_steps - 1) if recipe.lr_schedule != "one_cycle" else 0

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = self.recipe.learning_rate * SCHEDULE_FUNCTIONS[self.recipe.lr_schedule](self, step)
        return rate * ops.minimum(1.0, step / self.warmup_steps) if self.warmup_steps else rate

    def get_config(self):
        return {"recipe": serialize_recipe(self.recipe), "steps_per_epoch": self.steps_per_epoch}


def constant_schedule(schedule, step):
    return ops.ones_like(step)


def multistep_schedule(schedule, step):
    """He et al. 2016: the rate falls at given epochs; Szegedy et al. 2016: every so many."""
    at, epoch = parse_milestones(schedule.recipe.milestones), step / schedule.steps_per_epoch
    times = ops.floor(epoch / at) if isinstance(at, float) else sum(ops.cast(epoch >= each, "float32") for each in at)
    return schedule.recipe.gamma ** times


def cosine_schedule(schedule, step):
    """Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5 without restarts, after the warm-up."""
    done = ops.clip((step - schedule.warmup_steps) / (schedule.total_steps - schedule.warmup_steps), 0.0, 1.0)
    return 0.5 * (1 + ops.cos(3.141592653589793 * done))


def one_cycle_schedule(schedule, step):
    """Smith and Topin 2018 (arXiv:1708.07120), in two straight lines; the momentum stays."""
    top = RISE_FRACTION * schedule.total_steps
    up, down = INITIAL_FRACTION + (1 - INITIAL_FRACTION) * step / top, (schedule.total_steps - step) / (schedule.total_steps - top)
    return ops.maximum(0.0, ops.minimum(up, down))


SCHEDULE_FUNCTIONS = {"constant": constant_schedule, "plateau": constant_schedule, "step": multistep_schedule,
                      "cosine": cosine_schedule, "one_cycle": one_cycle_schedule}


def make_schedule(recipe, steps_per_epoch):
    """Return what the optimizer takes: a RecipeSchedule, or for a plateau the first rate, which is set anew each
    epoch.
    """
    return recipe.learning_rate if recipe.lr_schedule == "plateau" else RecipeSchedule(recipe, steps_per_epoch)


def compute_epoch_learning_rate(recipe, steps_per_epoch, history):
    """Return the rate of the last step of the epoch that follows the rows of `history`."""
    if recipe.lr_schedule == "plateau":
        return compute_plateau_learning_rate(recipe, [row["val_loss"] for row in history])
    return float(ops.convert_to_numpy(RecipeSchedule(recipe,
                                                     steps_per_epoch)((len(history) + 1) * steps_per_epoch - 1)))


def compute_plateau_learning_rate(recipe, losses):
    """Return the rate after epochs with these validation losses: it falls after `lr_patience` epochs without a lower
    one.

    A function of the history alone, so that a run that goes on needs no other memory of it.
    """
    rate, best, waited = recipe.learning_rate, float("inf"), 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best - PLATEAU_MIN_DELTA else (best, waited + 1)
        if waited == recipe.lr_patience:
            rate, waited = max(rate * recipe.gamma, recipe.min_lr), 0
    return min(rate, recipe.learning_rate)


def has_stopped_early(recipe, history):
    """Return whether training ends here: `early_stopping_patience` epochs without a validation loss lower by
    `early_stopping_min_delta`.
    """
    best, waited = float("inf"), 0
    for row in history:
        best, waited = (row["val_loss"],
                        0) if row["val_loss"] < best - recipe.early_stopping_min_delta else (best, waited + 1)
        if waited == recipe.early_stopping_patience > 0:
            return True
    return False
