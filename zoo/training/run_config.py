"""The configuration of a run: all that determines its results, saved in run.json and compared on resuming.

Standard library only.
"""

import os
from dataclasses import asdict, dataclass, field, replace

from zoo import registry
from zoo.data.dataset_info import DatasetInfo, deserialize_dataset_info
from zoo.errors import UserError
from zoo.training.finetuning import FineTuneConfig, deserialize_finetune_config
from zoo.training.recipe import Recipe, is_extendable, override_recipe, serialize_recipe

PRECISIONS = ("float32", "bfloat16", "float16")  # compute dtypes
CHECKPOINTS = ("best", "last")  # the epoch with the best validation result, and the last epoch
REQUIRED_KEYS = ("recipe", "model_config", "seed", "limit", "backend", "deterministic", "device",
                 "versions")  # to resume
MODEL_FILE = "model.keras"  # in the run directory of a user's own model: the model as passed, with its initial weights
NEW_RUN_HINT = "start a new run with another name=..."


@dataclass(frozen=True)
class CustomModelConfig:
    """The configuration of a user's own model, saved beside its file.

    name: of the model. input_shape: (height, width, channels). rescale: whether the pixels are standardized before the
    model, because it has no layer of its own for that. digest: hash of its layers, their connections and shapes.
    """

    name: str
    input_shape: tuple
    classes: int
    rescale: bool
    digest: str


@dataclass(frozen=True)
class RunConfig:
    """All that determines the results of a run.

    recipe: of the only stage, or the last. finetuning: a FineTuneConfig, None for a model with its own head.
    head_recipe: of a first stage that trains the head alone, None without one. class_weight: a weight of the loss for
    each class, None for 1. notes: texts for the header about how the recipe was chosen; not saved.
    """

    model_config: registry.ModelConfig | CustomModelConfig
    dataset: DatasetInfo
    recipe: Recipe
    seed: int
    limit: int | None
    backend: str
    deterministic: bool
    precision: str = "float32"
    finetuning: FineTuneConfig | None = None
    head_recipe: Recipe | None = None
    class_weight: tuple | None = None
    notes: tuple = field(default=(), compare=False)

    @property
    def model_name(self):
        """The name of the model."""
        if isinstance(self.model_config, CustomModelConfig):
            return self.model_config.name
        return self.model_config.model_info.name


def check_devices(run_config, num_devices):
    """Raise UserError where the batches of a RunConfig cannot be split over `num_devices` devices."""
    batch_size = run_config.recipe.batch_size
    if num_devices > 1 and run_config.backend == "torch":
        raise UserError(f"with PyTorch, zoo trains on one GPU; got {num_devices}; select one, or pass backend='jax' "
                        "or 'tensorflow'")
    if num_devices > 1 and batch_size % num_devices:
        lower = batch_size // num_devices * num_devices
        nearest = [size for size in (lower, lower + num_devices) if size]
        raise UserError(f"a batch size of {batch_size} is not divisible by {num_devices} devices; pass batch_size="
                        f"{' or '.join(map(str, nearest))}")


def serialize_run_config(run_config):
    """Return the entries of run.json for a RunConfig."""
    return {"model": run_config.model_name, "model_config": serialize_run_model(run_config.model_config),
            "recipe": serialize_recipe(run_config.recipe), "seed": run_config.seed, "limit": run_config.limit,
            "backend": run_config.backend, "deterministic": run_config.deterministic, "precision": run_config.precision,
            "finetuning": run_config.finetuning and asdict(run_config.finetuning), "head_recipe": run_config.head_recipe
            and serialize_recipe(run_config.head_recipe), "class_weight": run_config.class_weight
            and list(run_config.class_weight)}


def get_run_config(run, config):
    """Return the RunConfig of a run from `config`, its run.json; UserError when that is damaged."""
    try:
        missing = [key for key in REQUIRED_KEYS if key not in config]
        if missing:
            raise ValueError(f"it has no {missing[0]}")
        recipe, head_recipe = (override_recipe(Recipe(), fields) if fields else None
                               for fields in (config["recipe"], config.get("head_recipe")))
        class_weight = config.get("class_weight")
        return RunConfig(get_model_config(config), deserialize_dataset_info(config["dataset"]), recipe, config["seed"],
                         config["limit"], config["backend"], config["deterministic"], get_precision(config),
                         get_finetune_config(config), head_recipe, class_weight and tuple(map(float, class_weight)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run / 'run.json'} is damaged, or not of this version of zoo: {error}") from None


def serialize_run_model(model_config):
    """Return the entry of run.json for a ModelConfig or CustomModelConfig."""
    if isinstance(model_config, CustomModelConfig):
        return {"custom": True, **asdict(model_config)}
    return registry.serialize_model_config(model_config)


def get_model_config(config):
    """Return the ModelConfig or CustomModelConfig of a run from `config`, its run.json.

    KeyError, TypeError or ValueError where that is damaged.
    """
    values = config["model_config"]
    if not values.get("custom"):
        return registry.resolve_model_config(**values)
    fields = {name: value for name, value in values.items() if name != "custom"}
    return CustomModelConfig(**{**fields, "input_shape": tuple(fields["input_shape"])})


def get_finetune_config(config):
    """Return the FineTuneConfig of a run from `config`, its run.json, or None."""
    values = config.get("finetuning")
    return None if values is None else deserialize_finetune_config(values)


def get_precision(config):
    """Return the precision of a run from `config`, its run.json; float32 where an older run has none."""
    precision = config.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}")
    return precision


def find_checkpoint(run, name):
    """Return the path of a run's checkpoint, "best" or "last"; UserError where there is none yet."""
    path = run / "checkpoints" / f"{name}.npz"
    if not path.is_file():
        raise UserError(f"{run} has no checkpoint {name!r} yet: no epoch has finished")
    return path


def flatten_run_config(run_config):
    """Return all settings of a RunConfig as a flat {name: value}."""
    config = serialize_run_config(run_config)
    model_fields = {"model": config.pop("model"), **config.pop("model_config")}
    model_fields.pop("name")  # of the model
    head_fields = {f"head_{name}": value for name, value in (config.pop("head_recipe") or {}).items()}
    return {**model_fields, **config.pop("recipe"), **head_fields, **(config.pop("finetuning") or {}),
            "dataset": run_config.dataset.name, "labels": run_config.dataset.classes, **config}


def get_comparable_settings(run_config):
    """Return {name: value} of the settings that a resumed run and the other hosts of a run must have, too.

    Of weights it has the file name: they can have been moved, and hosts can have them in different folders.
    """
    settings = flatten_run_config(run_config)
    return {**settings, "weights": os.path.basename(settings["weights"])} if settings.get("weights") else settings


def resume_run_config(run, old, new):
    """Return the RunConfig to resume a run with when `new` is requested: `old`, with more epochs if requested.

    UserError, which lists all other differences, when it cannot be resumed.
    """
    old_settings, new_settings = get_comparable_settings(old), get_comparable_settings(new)
    if old.finetuning and new.finetuning:
        old = replace(old, finetuning=replace(old.finetuning, weights=new.finetuning.weights))
    changed = [name for name in {**new_settings, **old_settings} if old_settings.get(name) != new_settings.get(name)]
    if changed == ["epochs"]:
        return extend_epochs(run, old, new.recipe.epochs)
    if changed:
        differences = "; ".join(
            "another architecture of the model" if name == "digest" else
            f"{name} {old_settings.get(name)!r}, given {new_settings.get(name)!r}" for name in changed)
        raise UserError(f"{run} was started with {differences}; pass the original values to resume it, or "
                        f"{NEW_RUN_HINT}")
    return old


def extend_epochs(run, run_config, epochs):
    """Return the RunConfig with more epochs; UserError where the learning rate depends on the number of epochs."""
    old_epochs = run_config.recipe.epochs
    if epochs < old_epochs:
        raise UserError(f"{run} was started with {old_epochs} epochs, given {epochs}; epochs can only be added to a "
                        f"run; {NEW_RUN_HINT}")
    if epochs > old_epochs and not is_extendable(run_config.recipe):
        recipe = run_config.recipe
        reason = (f"its warm-up, warmup_epochs {recipe.warmup_epochs:g}, lasts into the last epoch, and with more "
                  "epochs would be longer" if is_extendable(replace(recipe, warmup_epochs=0.0)) else
                  f"its learning-rate schedule, {recipe.lr_schedule}, ends after {old_epochs}")
        raise UserError(f"{run} was started with {old_epochs} epochs, given {epochs}; {reason}; {NEW_RUN_HINT}")
    return replace(run_config, recipe=override_recipe(run_config.recipe, {"epochs": epochs}))
