"""The stages of a training run: one, or two, of which the first trains the head alone. No backend is loaded on import.

`is_stage_finished`, `build_stage_model` and the functions that take `models` load the backend when they are called.
"""

import contextlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.training import finetuning, run_files
from zoo.training.recipe import resolve_aux_loss_weights
from zoo.training.run_config import MODEL_FILE, CustomModelConfig, RunConfig, get_run_config, resume_run_config


@dataclass(frozen=True)
class TrainingStage:
    """One stage: the `directory` with its checkpoints and history, and the RunConfig of this stage alone."""

    directory: Path
    run_config: RunConfig


def get_aux_loss_weights(run_config):
    """Return {auxiliary classifier: its loss weight}; a user's own model has no auxiliary classifiers."""
    model_config = run_config.model_config
    if isinstance(model_config, CustomModelConfig):
        return {}
    return resolve_aux_loss_weights(run_config.recipe, model_config.model_info)


def make_stages(run_config, run):
    """Return the TrainingStages of a RunConfig: one, or two, of which the first trains the head alone."""
    final_stage = TrainingStage(run, replace(run_config, head_recipe=None))
    if run_config.head_recipe is None:
        return [final_stage]
    head_config = replace(run_config, recipe=run_config.head_recipe, head_recipe=None,
                        finetuning=replace(run_config.finetuning, frozen_until="all"))
    return [TrainingStage(run / finetuning.FIRST_STAGE_DIR, head_config), final_stage]


def is_stage_finished(stage):
    """Return whether a stage has completed all its epochs."""
    from zoo.training import checkpoints, trainer

    directory = stage.directory
    return (directory / "checkpoints").is_dir() and trainer.is_training_finished(
        checkpoints.recover_progress(directory), stage.run_config.recipe)


@contextlib.contextmanager
def write_model_file(model):
    """Yield the Path of a temporary file with the user's own model; None for None, a model of the catalogue."""
    if model is None:
        yield None
        return
    from zoo.training import custom_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        custom_model.save_custom_model(model, path)
        yield path


def build_stage_model(run_config, model_file):
    """Return (model, backbone or None) for a stage's RunConfig; see zoo.training.model_building."""
    from zoo.training import model_building

    return model_building.build_run_model(run_config, model_file)


def load_best_weights(models, stage, distribution):
    """Load the best weights of `stage` into the model; other hosts wait until host 0 has written them."""
    from zoo.training import model_loading

    distribution.broadcast(lambda: True)
    model_loading.load_checkpoint_weights(models[0], stage.directory / "checkpoints" / "best.npz")


def count_model_parameters(models):
    """Return the number of parameters of `build_stage_model`'s result, without auxiliary classifiers."""
    from zoo.training import model_building

    return model_building.get_main_output_model(models[0]).count_params()


def read_resumed_config(run, run_config):
    """Return the RunConfig to resume the run directory `run` with when `run_config` is requested.

    See `zoo.training.run_config.resume_run_config`.
    """
    return resume_run_config(run, get_run_config(run, run_files.read_config(run)), run_config)


def read_finished_result(run, epochs):
    """Return the result of a finished run; None if there is none, or if more epochs are requested now."""
    result = run_files.read_result(run)
    return result if result and epochs <= result.get("max_epochs", epochs) else None
