"""What a run is: all that decides its numbers, kept in run.json and compared when the run goes on.

Standard library only.
"""

from dataclasses import asdict, dataclass, replace

from zoo import registry
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import recipe as recipes
from zoo.training.finetuning import FineTuneConfig, from_dict

PRECISIONS = ("float32", "bfloat16", "float16")  # in which a network computes
CHECKPOINTS = ("best", "last")  # the epoch that was best by validation, and the last
NEEDED = ("recipe", "blueprint", "seed", "limit", "backend", "deterministic", "device", "versions")  # to go on
MODEL_FILE = "model.keras"  # in the run directory of a user's own model: as it was given, with its first weights
MINE = "begin another run with another --name"


@dataclass(frozen=True)
class CustomModel:
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
class Plan:
    """All that decides the numbers of a run.

    recipe: of the only stage, or the last. finetuning: a FineTuneConfig, None for a model with its own head.
    head_recipe: of a first stage in which the head alone is trained, None without one. class_weight: a weight of the
    loss for each class, None for 1.
    """

    blueprint: registry.Blueprint | CustomModel
    dataset: datasets.Facts
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
        return self.blueprint.name if isinstance(self.blueprint, CustomModel) else self.blueprint.spec.name



def check_devices(plan, count):
    """Raise UserError where `count` devices cannot share the batches of a Plan."""
    size = plan.recipe.batch_size
    if count > 1 and plan.backend == "torch":
        raise UserError(f"on PyTorch zoo trains on one GPU; given {count}; name one, or give --backend jax or "
                        "tensorflow")
    if count > 1 and size % count:
        near = [each for each in (size // count * count, (size // count + 1) * count) if each]
        raise UserError(f"batches of {size} do not divide over {count} devices; give --batch-size "
                        f"{' or '.join(map(str, near))}")


def as_json(plan):
    """Return what run.json says of a Plan."""
    return {"network": plan.model_name, "blueprint": blueprint_as_json(plan.blueprint),
            "recipe": recipes.as_dict(plan.recipe), "seed": plan.seed, "limit": plan.limit, "backend": plan.backend,
            "deterministic": plan.deterministic, "precision": plan.precision,
            "finetuning": plan.finetuning and asdict(plan.finetuning),
            "head_recipe": plan.head_recipe and recipes.as_dict(plan.head_recipe),
            "class_weight": plan.class_weight and list(plan.class_weight)}


def of_run(run, facts):
    """Return the Plan of a run from what its run.json says; UserError when that is damaged."""
    try:
        missing = [key for key in NEEDED if key not in facts]
        if missing:
            raise ValueError(f"it has no {missing[0]}")
        recipe, head_recipe = (recipes.overridden(recipes.Recipe(), fields) if fields else None
                               for fields in (facts["recipe"], facts.get("head_recipe")))
        weights = facts.get("class_weight")
        return Plan(blueprint_of(facts), dataset_of(facts["dataset"]), recipe, facts["seed"],
                    facts["limit"], facts["backend"], facts["deterministic"], precision_of(facts),
                    finetuning_of(facts), head_recipe, weights and tuple(map(float, weights)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run / 'run.json'} is damaged, or not of this version of zoo: {error}") from None


def blueprint_as_json(blueprint):
    """Return what run.json says of a Blueprint or CustomModel."""
    if isinstance(blueprint, CustomModel):
        return {"custom": True, **asdict(blueprint)}
    return registry.as_json(blueprint)


def blueprint_of(facts):
    """Return the Blueprint or CustomModel of a run from what its run.json says.

    KeyError, TypeError or ValueError where that is damaged.
    """
    values = facts["blueprint"]
    if not values.get("custom"):
        return registry.blueprint(**values)
    fields = {name: value for name, value in values.items() if name != "custom"}
    return CustomModel(**{**fields, "input_shape": tuple(fields["input_shape"])})


def dataset_of(config):
    """Return the Facts of a run's data set, with the labels it was trained on; `config`: what run.json says of it."""
    return datasets.from_dict(config)


def finetuning_of(facts):
    """Return the FineTuneConfig of a run from what its run.json says, or None."""
    config = facts.get("finetuning")
    return None if config is None else from_dict(config)


def precision_of(facts):
    """Return the precision of a run from what its run.json says; older ones do not."""
    precision = facts.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}")
    return precision


def checkpoint(run, name):
    """Return the file of a run's checkpoint "best" or "last"; UserError where there is none yet."""
    path = run / "checkpoints" / f"{name}.npz"
    if not path.is_file():
        raise UserError(f"{run} has no checkpoint {name!r} yet: no epoch of it has finished")
    return path


def flat(plan):
    """Return {what: value} of all that a Plan decides."""
    said = as_json(plan)
    head = {f"head_{name}": value for name, value in (said.pop("head_recipe") or {}).items()}
    return {**said.pop("blueprint"), **said.pop("recipe"), **head, **(said.pop("finetuning") or {}),
            "dataset": plan.dataset.name, "labels": plan.dataset.classes, **said}


def differences(old, new):
    """Return [(what, value before, value now)] of what two Plans decide; see `flat`."""
    return [(name, old.get(name), new.get(name)) for name in {**new, **old} if old.get(name) != new.get(name)]


def refuse(run, changed):
    """Raise UserError where there are differences between the Plan of a run and the one that is asked for."""
    if changed:
        said = "; ".join(f"{name} {old!r}, given {new!r}" for name, old, new in changed)
        raise UserError(f"{run} was begun with {said}; give it as it was to go on, or {MINE}")


def going_on(run, before, now):
    """Return the Plan with which a run goes on when `now` is asked for: `before`, or with more epochs.

    UserError, naming all that differs, when it cannot.
    """
    changed = differences(flat(before), flat(now))
    if [name for name, *_ in changed] == ["epochs"]:
        return longer(run, before, now.recipe.epochs)
    refuse(run, changed)
    return before


def longer(run, plan, epochs):
    """Return the Plan with more epochs; UserError where the rate of its epochs depends on how many there are."""
    before = plan.recipe.epochs
    if epochs < before:
        raise UserError(f"{run} was begun for {before} epochs, given {epochs}; a run can only become longer; {MINE}")
    if epochs > before and not recipes.goes_on(plan.recipe):
        raise UserError(f"{run} was begun for {before} epochs, given {epochs}; its schedule, {plan.recipe.schedule}, "
                        f"has come to its end by then; {MINE}")
    return replace(plan, recipe=recipes.overridden(plan.recipe, {"epochs": epochs}))
