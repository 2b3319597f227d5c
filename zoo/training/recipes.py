"""How a network is trained on a data set. Standard library only: the command line refuses from here at once."""

import dataclasses
from dataclasses import dataclass, replace

from zoo.errors import UserError
from zoo.values import parsed

OPTIMIZERS = ("sgd", "nesterov", "adam")
SCHEDULES = ("constant", "cosine")
LOSSES = ("cross_entropy", "map_distance")
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
    loss: str = "cross_entropy"  # or map_distance: LeCun et al. 1998, equation 9, for logits that are minus distances
    smoothing: float = 0.0  # share of the target that is spread evenly over all classes; cross_entropy only
    max_norm: str = ""  # the longest that a unit's incoming weights may be: "1.9", by layer "1.9 conv1=0.9"; "": any


# Goyal et al. 2017 (arXiv:1706.02677) for the warm-up, He et al. 2016 for the rest; 30 epochs rather than 200.
BASE = Recipe()
# No batch normalisation: half of the rate. Small and quick: half of the batch, so that 12 epochs are enough.
LENET = replace(BASE, learning_rate=0.05, batch_size=64, epochs=12)
# The distances are sums over 84 units, and so are their gradients: at 0.02 it gets worse after the first epoch, at
# 0.001 it is slower. The paper has no weight decay.
LENET_1998 = replace(LENET, learning_rate=0.005, weight_decay=0.0, loss="map_distance")
# A tenth of the rate: deep or with wide dense layers, and no batch normalisation.
PLAIN = replace(BASE, learning_rate=0.01)
# First weights as small as the authors' do not move at rates of SGD that are safe later: Adam. No decay, but the norms
# in the authors' cifar10.yaml and mnist.yaml (pylearn2, scripts/papers/maxout).
MAXOUT = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, max_norm="1.9365 conv1=0.9 fc4=1.9")
MAXOUT_MNIST = replace(MAXOUT, max_norm="1.9365 conv1=0.9")
# N(0, 0.05) lets little through nine layers: Adam, for the same reason.
NIN = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=1e-4)
# The rate and the decay of the authors' CIFAR solver (github.com/flukeskywalker/highway-networks).
HIGHWAY = replace(BASE, learning_rate=0.025, weight_decay=1e-3)
# Szegedy et al. 2015 (arXiv:1512.00567), section 7.
INCEPTION_V3 = replace(BASE, smoothing=0.1)

BY_NETWORK = {
    "lenet5": LENET, "lenet5_1998": LENET_1998, "alexnet": PLAIN, "maxout": MAXOUT, "maxout_mnist": MAXOUT_MNIST,
    "nin": NIN, "vgg16": PLAIN, "vgg19": PLAIN, "googlenet": PLAIN, "msra_a": PLAIN, "msra_b": PLAIN,
    "highway": HIGHWAY, "highway_mnist": PLAIN, "inception_v3": INCEPTION_V3,
}
BY_PAIR = {
    # 4,000 pictures: smaller batches, so that an epoch has enough steps.
    ("lenet5", "digits"): replace(LENET, batch_size=32, epochs=15),
    ("lenet5_1998", "digits"): replace(LENET_1998, batch_size=32, epochs=15),
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
    for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("loss", LOSSES)):
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
    if not 0 <= recipe.smoothing < 1:
        raise UserError(f"smoothing is 0 or more and less than 1; given {recipe.smoothing}")
    if recipe.smoothing and recipe.loss != "cross_entropy":
        raise UserError(f"smoothing is for the loss cross_entropy alone; set it to 0 with the loss {recipe.loss}")
    norms(recipe.max_norm)


def norms(text):
    """Return what `max_norm` says: {layer: number}, under "" the number for all other kernels if there is one.

    >>> norms("1.9365 conv1=0.9")
    {"": 1.9365, "conv1": 0.9}

    UserError when it cannot be read.
    """
    found = {}
    for word in text.split():
        layer, equals, number = word.partition("=") if "=" in word else ("", "", word)
        if equals and not layer:
            raise UserError(f"max_norm takes NUMBER and LAYER=NUMBER, such as '1.9 conv1=0.9'; given {word!r}")
        if layer in found:
            raise UserError(f"max_norm has {f'{layer} twice' if layer else 'two numbers for all layers'}; give one")
        found[layer] = parsed(f"max_norm {layer}".rstrip(), number, 1.0)
        if not 0 < found[layer] <= MOST:
            raise UserError(f"max_norm is more than 0, and at most {MOST:,}; given {word!r}")
    return found


def described(recipe):
    """Return the recipe in a line, for the header of a run: the fields that have an effect."""
    idle = {"momentum"} if recipe.optimizer == "adam" else set()
    idle |= {name for name in ("loss", "smoothing", "max_norm") if getattr(recipe, name) == getattr(BASE, name)}
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in as_dict(recipe).items() if name not in idle)
