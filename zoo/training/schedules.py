"""Learning-rate schedules: functions of the step, or for plateau of the history of validation losses."""

import keras
from keras import ops

from zoo.training.recipe import serialize_recipe, parse_milestones

RISE_FRACTION = 0.3  # one_cycle: fraction of the run in which the learning rate rises
INITIAL_FRACTION = 1 / 25  # one_cycle: initial learning rate as a fraction of the peak
PLATEAU_MIN_DELTA = 1e-4  # plateau: smallest decrease of the validation loss that counts, as in Keras


class RecipeSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a step, counted from 0: learning_rate * warm-up * schedule."""

    def __init__(self, recipe, steps_per_epoch):
        self.recipe, self.steps_per_epoch, self.total_steps = recipe, steps_per_epoch, recipe.epochs * steps_per_epoch
        warmup_steps = min(round(recipe.warmup_epochs * steps_per_epoch), self.total_steps - 1)
        self.warmup_steps = 0 if recipe.lr_schedule == "one_cycle" else warmup_steps
        # Where an epoch is a single step, a rise from 0 would leave the first epoch without effect; it starts one step
        # higher instead, as PyTorch's LinearLR and timm start above 0. Longer epochs rise from 0.
        self.warmup_offset = 1 if steps_per_epoch == 1 else 0

    def __call__(self, step):
        step = ops.cast(step, "float32")
        learning_rate = self.recipe.learning_rate * SCHEDULE_FUNCTIONS[self.recipe.lr_schedule](self, step)
        if not self.warmup_steps:
            return learning_rate
        rise = (step + self.warmup_offset) / (self.warmup_steps + self.warmup_offset)
        return learning_rate * ops.minimum(1.0, rise)

    def get_config(self):
        return {"recipe": serialize_recipe(self.recipe), "steps_per_epoch": self.steps_per_epoch}


def constant_schedule(schedule, step):
    return ops.ones_like(step)


def multistep_schedule(schedule, step):
    """Step decay at given epochs (He et al. 2016), or every N epochs (Szegedy et al. 2016)."""
    milestones, epoch = parse_milestones(schedule.recipe.milestones), step / schedule.steps_per_epoch
    if isinstance(milestones, float):
        num_drops = ops.floor(epoch / milestones)
    else:
        num_drops = sum(ops.cast(epoch >= milestone, "float32") for milestone in milestones)
    return schedule.recipe.gamma ** num_drops


def cosine_schedule(schedule, step):
    """Cosine annealing: Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5, no restarts, after the warm-up."""
    fraction = ops.clip((step - schedule.warmup_steps) / (schedule.total_steps - schedule.warmup_steps), 0.0, 1.0)
    return 0.5 * (1 + ops.cos(3.141592653589793 * fraction))


def one_cycle_schedule(schedule, step):
    """One cycle: Smith and Topin 2018 (arXiv:1708.07120), piecewise linear; the momentum is constant."""
    peak_step = RISE_FRACTION * schedule.total_steps
    rising = INITIAL_FRACTION + (1 - INITIAL_FRACTION) * step / peak_step
    falling = (schedule.total_steps - step) / (schedule.total_steps - peak_step)
    return ops.maximum(0.0, ops.minimum(rising, falling))


SCHEDULE_FUNCTIONS = {"constant": constant_schedule, "plateau": constant_schedule, "step": multistep_schedule,
                      "cosine": cosine_schedule, "one_cycle": one_cycle_schedule}


def make_schedule(recipe, steps_per_epoch):
    """Return the optimizer's learning rate: a RecipeSchedule, or for plateau the initial value, updated each epoch."""
    return recipe.learning_rate if recipe.lr_schedule == "plateau" else RecipeSchedule(recipe, steps_per_epoch)


def compute_epoch_learning_rate(recipe, steps_per_epoch, history):
    """Return the learning rate of the last step of the epoch after the rows of `history`."""
    if recipe.lr_schedule == "plateau":
        return compute_plateau_learning_rate(recipe, [row["val_loss"] for row in history])
    last_step = (len(history) + 1) * steps_per_epoch - 1
    return float(ops.convert_to_numpy(RecipeSchedule(recipe, steps_per_epoch)(last_step)))


def compute_plateau_learning_rate(recipe, losses):
    """Return the learning rate after epochs with these validation losses, reduced on a plateau of `lr_patience` epochs.

    A function of the history alone, so that a resumed run needs no other state.
    """
    learning_rate, best_loss, epochs_waited = recipe.learning_rate, float("inf"), 0
    for loss in losses:
        best_loss, epochs_waited = (loss, 0) if loss < best_loss - PLATEAU_MIN_DELTA else (best_loss, epochs_waited + 1)
        if epochs_waited == recipe.lr_patience:
            learning_rate, epochs_waited = max(learning_rate * recipe.gamma, recipe.min_lr), 0
    return min(learning_rate, recipe.learning_rate)
