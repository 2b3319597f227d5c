"""What a run is: all that decides its numbers, kept in run.json and compared when the run goes on.

Standard library only.
"""

from dataclasses import dataclass, replace

from zoo import registry
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import recipe as recipes

PRECISIONS = ("float32", "bfloat16", "float16")  # in which a network computes
CHECKPOINTS = ("best", "last")  # the epoch that was best by validation, and the last
NEEDED = ("recipe", "blueprint", "seed", "limit", "backend", "deterministic", "device", "versions")  # to go on
MINE = "begin another run with another --name"


@dataclass(frozen=True)
class Plan:
    blueprint: registry.Blueprint
    dataset: datasets.Facts
    recipe: recipes.Recipe
    seed: int
    limit: int | None
    backend: str
    deterministic: bool
    precision: str = "float32"


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
    return {"network": plan.blueprint.spec.name, "blueprint": registry.as_json(plan.blueprint),
            "recipe": recipes.as_dict(plan.recipe), "seed": plan.seed, "limit": plan.limit, "backend": plan.backend,
            "deterministic": plan.deterministic, "precision": plan.precision}


def of_run(run, facts):
    """Return the Plan of a run from what its run.json says; UserError when that is damaged."""
    try:
        missing = [key for key in NEEDED if key not in facts]
        if missing:
            raise ValueError(f"it has no {missing[0]}")
        recipe = recipes.overridden(recipes.Recipe(), facts["recipe"])
        return Plan(registry.blueprint(**facts["blueprint"]), dataset_of(facts["dataset"]), recipe, facts["seed"],
                    facts["limit"], facts["backend"], facts["deterministic"], precision_of(facts))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run / 'run.json'} is damaged, or not of this version of zoo: {error}") from None


def dataset_of(config):
    """Return the Facts of a run's data set, with the labels it was trained on; `config`: what run.json says of it."""
    return datasets.from_dict(config)


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
    return {**said.pop("blueprint"), **said.pop("recipe"), "dataset": plan.dataset.name, "labels": plan.dataset.classes,
            **said}


def differences(old, new):
    """Return [(what, value before, value now)] of what two Plans decide; see `flat`."""
    return [(name, old.get(name), new[name]) for name in new if old.get(name) != new[name]]


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
