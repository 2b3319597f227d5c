"""The stages of a training: one, or before it the one in which the head alone is trained. No backend is loaded.

`build` and what follows it load the backend when they are called.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from zoo.training import finetuning, plan as plans, recipe as recipes, run_files


@dataclass(frozen=True)
class Stage:
    """A part of the training: `directory`, which has its checkpoints and history, and the Plan of it alone."""

    directory: Path
    plan: plans.Plan


def aux_loss_weights(plan):
    """Return {auxiliary classifier: the weight of its loss}; a user's own model has none."""
    return {} if isinstance(plan.blueprint, plans.CustomModel) else recipes.side_weights(plan.recipe,
                                                                                       plan.blueprint.spec)


def stages_of(plan, run):
    """Return the Stages of a Plan: one, or before it the one in which the head alone is trained."""
    last = Stage(run, replace(plan, head_recipe=None))
    if plan.head_recipe is None:
        return [last]
    head_only = replace(plan, recipe=plan.head_recipe, head_recipe=None,
                        finetuning=replace(plan.finetuning, frozen_until="all"))
    return [Stage(run / finetuning.FIRST_STAGE, head_only), last]


def is_done(stage):
    """Return whether a stage has had all its epochs."""
    from zoo.training import checkpoints, fit

    directory = stage.directory
    return (directory / "checkpoints").is_dir() and fit.is_done(checkpoints.progress_of(directory), stage.plan.recipe)


def build(plan, model_file):
    """Return (network, backbone or None) of a stage's Plan; see zoo.training.trainee."""
    from zoo.training import trainee

    return trainee.build(plan, model_file)


def restore_best(built, stage, sharing):
    """Give the network the best weights of the stage before; a host waits until host 0 has written them."""
    from zoo.training import saved

    sharing.first(lambda: True)
    saved.restore_weights(built[0], stage.directory / "checkpoints" / "best.npz")


def count_parameters(built):
    """Return the number of parameters of what `build` gave, without auxiliary classifiers."""
    from zoo.training import trainee

    return trainee.main(built[0]).count_params()


def finished_result(run, epochs):
    """Return the result of a run that has one and of which no more epochs are asked for; None otherwise."""
    result = run_files.read_result(run)
    return result if result and epochs <= result.get("asked_epochs", epochs) else None
