"""How a network is trained on a data set. Standard library only: the command line refuses from here at once."""

import dataclasses
from dataclasses import dataclass, replace

from zoo.errors import UserError

OPTIMIZERS = ("sgd", "nesterov", "adam")
SCHEDULES = ("constant", "cosine")
MOST = 1_000_000  # of any field: more is a slip of the finger


@dataclass(frozen=True)
class Recipe:
    optimizer: str = "nesterov"  # sgd (with momentum), nesterov, adam
    learning_rate: float = 0.1  # the highest of the run, a step
    momentum: float = 0.9  # share of the last step that is kept; sgd and nesterov only
    schedule: str = "cosine"  # constant, or cosine: down to 0 along half a wave
    warmup: float = 1.0  # epochs of linear rise from 0, at the start
    weight_decay: float = 5e-4  # L2 on kernels only: weight_decay * kernel is added to the gradient
    batch_size: int = 128  # pictures a step
    epochs: int = 30  # passes over the training split


# Goyal et al. 2017 (arXiv:1706.02677) for the warm-up, He et al. 2016 for the rest; 30 epochs rather than 200.
BASE = Recipe()
# No batch normalisation: half of the rate. Small and quick: half of the batch, so that 12 epochs are enough.
LENET = replace(BASE, learning_rate=0.05, batch_size=64, epochs=12)
# A tenth of the rate: three dense layers without normalisation follow the convolutions.
VGG = replace(BASE, learning_rate=0.01)

BY_NETWORK = {"lenet5": LENET, "vgg16": VGG, "vgg19": VGG}
BY_PAIR = {
    # 4,000 pictures: smaller batches, so that an epoch has enough steps.
    ("lenet5", "digits"): replace(LENET, batch_size=32, epochs=15),
}


def find(network, dataset):
    """Return the Recipe for a pair of names: the pair's own, else the network's, else BASE."""
    return BY_PAIR.get((network, dataset), BY_NETWORK.get(network, BASE))


def overridden(recipe, changes):
    """Return the recipe with {field: value} applied and checked; UserError for what makes no sense."""
    changed = replace(recipe, **changes)
    check(changed)
    return changed


def as_dict(recipe):
    """Return the recipe as {field: value}."""
    return dataclasses.asdict(recipe)


def check(recipe):
    """Raise UserError, in one line, for a recipe that makes no sense."""
    for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        if getattr(recipe, name) not in known:
            raise UserError(f"{name} is one of {', '.join(known)}; given {getattr(recipe, name)!r}")
    for name in ("batch_size", "epochs"):
        if not 1 <= getattr(recipe, name) <= MOST:
            raise UserError(f"{name} is a whole number from 1 to {MOST:,}; given {getattr(recipe, name)}")
    if not 0 < recipe.learning_rate <= MOST:
        raise UserError(f"learning_rate is more than 0, and at most {MOST:,}; given {recipe.learning_rate}")
    if not 0 <= recipe.momentum < 1:
        raise UserError(f"momentum is 0 or more and less than 1; given {recipe.momentum}")
    for name in ("warmup", "weight_decay"):
        if not 0 <= getattr(recipe, name) <= MOST:
            raise UserError(f"{name} is 0 or more, and at most {MOST:,}; given {getattr(recipe, name)}")


def described(recipe):
    """Return the recipe in a line, for the header of a run: the fields that have an effect."""
    used = {name: value for name, value in as_dict(recipe).items() if (name, recipe.optimizer) != ("momentum", "adam")}
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in used.items())
