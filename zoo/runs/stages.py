"""The stages of a training: one, or before it the one in which the head alone is trained. No backend is loaded.

`build_stage_model` and what follows it load the backend when they are called.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from zoo.training import finetuning, recipe as recipes, run_config as plans, run_files


@dataclass(frozen=True)
class TrainingStage:
    """A part of the training: `directory`, which has its checkpoints and history, and the Plan of it alone."""

    directory: Path
    run_config: plans.RunConfig


def get_aux_loss_weights(run_config):
    """Return {auxiliary classifier: the weight of its loss}; a user's own model has none."""
    return {} if isinstance(run_config.model_config,
                            plans.CustomModelConfig) else recipes.resolve_aux_loss_weights(run_config.recipe,
                                                                                       run_config.model_config.model_info)


def make_stages(run_config, run):
    """Return the Stages of a Plan: one, or before it the one in which the head alone is trained."""
    last = TrainingStage(run, replace(run_config, head_recipe=None))
    if run_config.head_recipe is None:
        return [last]
    head_only = replace(run_config, recipe=run_config.head_recipe, head_recipe=None,
                        finetuning=replace(run_config.finetuning, frozen_until="all"))
    return [TrainingStage(run / finetuning.FIRST_STAGE_DIR, head_only), last]


def is_stage_finished(stage):
    """Return whether a stage has had all its epochs."""
    from zoo.training import checkpoints, trainer

    directory = stage.directory
    return (directory / "checkpoints").is_dir() and trainer.is_training_finished(checkpoints.recover_progress(directory), stage.run_config.recipe)


def build_stage_model(run_config, model_file):
    """Return (network, backbone or None) of a stage's Plan; see zoo.training.model_building."""
    from zoo.training import model_building

    return model_building.build_run_model(run_config, model_file)


def load_best_weights(models, stage, distribution):
    """Give the network the best weights of the stage before; a host waits until host 0 has written them."""
    from zoo.training import model_loading

    distribution.broadcast(lambda: True)
    model_loading.load_checkpoint_weights(models[0], stage.directory / "checkpoints" / "best.npz")


def count_model_parameters(models):
    """Return the number of parameters of what `build_stage_model` gave, without auxiliary classifiers."""
    from zoo.training import model_building

    return model_building.get_main_output_model(models[0]).count_params()


def read_finished_result(run, epochs):
    """Return the result of a run that has one and of which no more epochs are asked for; None otherwise."""
    result = run_files.read_result(run)
    return result if result and epochs <= result.get("asked_epochs", epochs) else None
