"""What a run is: all that decides its numbers, kept in run.json and compared when the run goes on.

Standard library only.
"""

from dataclasses import asdict, dataclass, replace

from zoo import registry
from zoo.data import dataset_info as datasets
from zoo.errors import UserError
from zoo.training import recipe as recipes
from zoo.training.finetuning import FineTuneConfig, deserialize_finetune_config

PRECISIONS = ("float32", "bfloat16", "float16")  # in which a network computes
CHECKPOINTS = ("best", "last")  # the epoch that was best by validation, and the last
REQUIRED_KEYS = ("recipe", "blueprint", "seed", "limit", "backend", "deterministic", "device", "versions")  # to go on
MODEL_FILE = "model.keras"  # in the run directory of a user's own model: as it was given, with its first weights
NEW_RUN_HINT = "begin another run with another --name"


@dataclass(frozen=True)
class CustomModelConfig:
    """What a run keeps of a user's model beside its file.

    name: of the model. input_shape: (height, width, channels). rescale: whether the pixels are standardized in front of
    it, because it has no layer of its own for that. digest: of its layers and their shapes.
    """

    name: str
    input_shape: tuple
    classes: int
    rescale: bool
    digest: str


@dataclass(frozen=True)
class RunConfig:
    """All that decides the numbers of a run.

    recipe: of the only stage, or the last. finetuning: a FineTuneConfig, None for a model with its own head.
    head_recipe: of a first stage in which the head alone is trained, None without one. class_weight: a weight of the
    loss for each class, None for 1.
    """

    model_config: registry.ModelConfig | CustomModelConfig
    dataset: datasets.DatasetInfo
    recipe: recipes.Recipe
    seed: int
    limit: int | None
    backend: str
    deterministic: bool
    precision: str = "float32"
    finetuning: FineTuneConfig | None = None
    head_recipe: recipes.Recipe | None = None
    class_weight: tuple | None = None

    @property
    def model_name(self):
        """The name of the network, or of the user's own model."""
        return self.model_config.name if isinstance(self.model_config,
                                                    CustomModelConfig) else self.model_config.model_info.name



def check_devices(run_config, num_devices):
    """Raise UserError where `count` devices cannot share the batches of a Plan."""
    size = run_config.recipe.batch_size
    if num_devices > 1 and run_config.backend == "torch":
        raise UserError(f"on PyTorch zoo trains on one GPU; given {num_devices}; name one, or give --backend jax or "
                        "tensorflow")
    if num_devices > 1 and size % num_devices:
        near = [each for each in (size // num_devices * num_devices, (size // num_devices + 1) * num_devices) if each]
        raise UserError(f"batches of {size} do not divide over {num_devices} devices; give --batch-size "
                        f"{' or '.join(map(str, near))}")


def serialize_run_config(run_config):
    """Return what run.json says of a Plan."""
    return {"network": run_config.model_name, "blueprint": serialize_run_model(run_config.model_config),
            "recipe": recipes.serialize_recipe(run_config.recipe), "seed": run_config.seed, "limit": run_config.limit,
            "backend": run_config.backend, "deterministic": run_config.deterministic, "precision": run_config.precision,
            "finetuning": run_config.finetuning and asdict(run_config.finetuning), "head_recipe": run_config.head_recipe
            and recipes.serialize_recipe(run_config.head_recipe), "class_weight": run_config.class_weight
            and list(run_config.class_weight)}


def get_run_config(run, config):
    """Return the Plan of a run from what its run.json says; UserError when that is damaged."""
    try:
        missing = [key for key in REQUIRED_KEYS if key not in config]
        if missing:
            raise ValueError(f"it has no {missing[0]}")
        recipe, head_recipe = (recipes.override_recipe(recipes.Recipe(), fields) if fields else None
                               for fields in (config["recipe"], config.get("head_recipe")))
        weights = config.get("class_weight")
        return RunConfig(get_model_config(config), get_run_dataset_info(config["dataset"]), recipe, config["seed"],
                         config["limit"], config["backend"], config["deterministic"], get_precision(config),
                         get_finetune_config(config), head_recipe, weights and tuple(map(float, weights)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run / 'run.json'} is damaged, or not of this version of zoo: {error}") from None


def serialize_run_model(model_config):
    """Return what run.json says of a ModelConfig or CustomModelConfig."""
    if isinstance(model_config, CustomModelConfig):
        return {"custom": True, **asdict(model_config)}
    return registry.serialize_model_config(model_config)


def get_model_config(config):
    """Return the ModelConfig or CustomModelConfig of a run from what its run.json says.

    KeyError, TypeError or ValueError where that is damaged.
    """
    values = config["blueprint"]
    if not values.get("custom"):
        return registry.resolve_model_config(**values)
    fields = {name: value for name, value in values.items() if name != "custom"}
    return CustomModelConfig(**{**fields, "input_shape": tuple(fields["input_shape"])})


def get_run_dataset_info(config):
    """Return the DatasetInfo of a run's data set, with the labels it was trained on; `config`: what run.json says of
    it.
    """
    return datasets.deserialize_dataset_info(config)


def get_finetune_config(facts):
    """Return the FineTuneConfig of a run from what its run.json says, or None."""
    config = facts.get("finetuning")
    return None if config is None else deserialize_finetune_config(config)


def get_precision(config):
    """Return the precision of a run from what its run.json says; older ones do not."""
    precision = config.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}")
    return precision


def find_checkpoint(run, name):
    """Return the file of a run's checkpoint "best" or "last"; UserError where there is none yet."""
    path = run / "checkpoints" / f"{name}.npz"
    if not path.is_file():
        raise UserError(f"{run} has no checkpoint {name!r} yet: no epoch of it has finished")
    return path


def flatten_run_config(run_config):
    """Return {what: value} of all that a Plan decides."""
    said = serialize_run_config(run_config)
    head = {f"head_{name}": value for name, value in (said.pop("head_recipe") or {}).items()}
    return {**said.pop("blueprint"), **said.pop("recipe"), **head, **(said.pop("finetuning") or {}),
            "dataset": run_config.dataset.name, "labels": run_config.dataset.classes, **said}


def diff_run_configs(old, new):
    """Return [(what, value before, value now)] of what two Plans decide; see `flatten_run_config`."""
    return [(name, old.get(name), new.get(name)) for name in {**new, **old} if old.get(name) != new.get(name)]


def refuse_changes(run, changes):
    """Raise UserError where there are differences between the Plan of a run and the one that is asked for."""
    if changes:
        said = "; ".join(f"{name} {old!r}, given {new!r}" for name, old, new in changes)
        raise UserError(f"{run} was begun with {said}; give it as it was to go on, or {NEW_RUN_HINT}")


def resume_run_config(run, old, new):
    """Return the Plan with which a run goes on when `now` is asked for: `before`, or with more epochs.

    UserError, naming all that differs, when it cannot.
    """
    changed = diff_run_configs(flatten_run_config(old), flatten_run_config(new))
    if [name for name, *_ in changed] == ["epochs"]:
        return extend_epochs(run, old, new.recipe.epochs)
    refuse_changes(run, changed)
    return old


def extend_epochs(run, run_config, epochs):
    """Return the Plan with more epochs; UserError where the rate of its epochs depends on how many there are."""
    before = run_config.recipe.epochs
    if epochs < before:
        raise UserError(f"{run} was begun for {before} epochs, given {epochs}; a run can only become longer; {NEW_RUN_HINT}")
    if epochs > before and not recipes.is_extendable(run_config.recipe):
        raise UserError(f"{run} was begun for {before} epochs, given {epochs}; its schedule, {run_config.recipe.lr_schedule}, "
                        f"has come to its end by then; {NEW_RUN_HINT}")
    return replace(run_config, recipe=recipes.override_recipe(run_config.recipe, {"epochs": epochs}))
