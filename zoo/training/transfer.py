"""A trained body under a new head: what of it learns, in which stages, and how pictures come to it.

Standard library only. The four cases are those of the lecture notes of Stanford's CS231n, 'Transfer Learning': is the
new set small or large, and is it like the one that the body was trained on?
"""

import re
from dataclasses import asdict, dataclass, replace

from zoo import registry
from zoo.errors import UserError, unknown
from zoo.training.recipe import Recipe
from zoo.utils.validation import parsed

POOLINGS = ("avg", "max", "flatten")
MOST_UNITS = 100_000
# Adam, because heads start from nothing and bodies do not; no decay, which would pull a trained body to zero. The rates
# are those that did best in benchmarks/transfer.csv, or near it.
BASE = Recipe(optimizer="adam", learning_rate=1e-2, schedule="cosine", warmup=0.0, weight_decay=0.0, epochs=10,
              batch_size=32)
FROM_NOTHING = replace(BASE, learning_rate=1e-3)  # deep networks that have learnt nothing do not stand the head's rate
SLOWER = 0.1  # the rate of the stage in which trained layers learn, as a share of the head's


@dataclass(frozen=True)
class Plan:
    """One of the four cases. freeze, features: shares of the body's layers; 1 is all, 0 none."""

    freeze: float
    features: float  # where the head reads
    stages: bool
    why: str


PLANS = {
    "small-similar": Plan(1, 1, False,
                          "few pictures, like those the body knows: its features fit as they are, and a body that "
                          "learns would learn these pictures by heart; the head alone learns"),
    "large-similar": Plan(0.5, 1, True,
                          "many pictures, like those the body knows: the upper half may follow them, slowly, once the "
                          "head knows what it wants; edges and colours stay"),
    "small-different": Plan(1, 0.5, False,
                            "few pictures, unlike those the body knows: its last layers speak of other things, so the "
                            "head reads half way up; nothing else learns"),
    "large-different": Plan(0, 1, True,
                            "many pictures, unlike those the body knows: its weights are a better start than chance, "
                            "and all of them learn, slowly, after the head"),
}


@dataclass(frozen=True)
class Transfer:
    """How the network of a transfer is made; all of it stands in run.json.

    weights: what the body starts with, as the person said it; "" where it is drawn.
    head: hidden layers as typed, "1024,dropout0.5"; pooling: what makes a row of the grid in front of it.
    features: the layer that the head reads; "" the body's last. freeze: the last layer that stays as it is; "" none.
    enlarge: how many times as high and wide the network sees the picture. scale, offset, order: of the pixels, see
    zoo.layers.PixelScaling.
    """

    weights: str
    head: str
    pooling: str
    features: str
    freeze: str
    enlarge: int
    scale: tuple
    offset: tuple
    order: str


def as_dict(transfer):
    """Return a Transfer ready for JSON."""
    return asdict(transfer)


def of_dict(told):
    """Return the Transfer of what run.json says; TypeError or ValueError where that is damaged."""
    found = Transfer(**{**told, "scale": tuple(told["scale"]), "offset": tuple(told["offset"])})
    head_of(found.head)
    return found


def head_of(text):
    """Return the layers of a head: a number of units, or a share to drop.

    >>> head_of("1024,dropout0.5")
    [1024, 0.5]

    UserError when it cannot be read.
    """
    found = []
    for word in filter(None, text.replace(" ", "").split(",")):
        if word.startswith("dropout"):
            share = parsed("--head dropout", word.removeprefix("dropout").removeprefix("="), 0.5)
            if not 0 <= share < 1:
                raise UserError("--head drops a share of 0 or more and less than 1, such as dropout0.5; given "
                                f"{word!r}")
            found.append(share)
        elif re.fullmatch(r"\d{1,6}", word) and 0 < int(word) <= MOST_UNITS:
            found.append(int(word))
        else:
            raise UserError("--head is hidden layers, numbers of units and dropout, such as 1024,dropout0.5; given "
                            f"{word!r}")
    return found


def plan_of(name):
    """Return the Plan called `name`."""
    if name not in PLANS:
        raise unknown("plan", name, PLANS)
    return PLANS[name]


def seen_shape(shape, network, stem):
    """Return (factor, (height, width, channels)) by which and to which pictures are enlarged for a network.

    shape: (height, width, channels) of the pictures. Factors are whole: each pixel becomes as many as its neighbour.
    """
    from zoo.weights.published import LEAST_SIDE

    spec = registry.find(network)
    small = stem == "small" or (stem == "auto" and spec.small_below)
    least = max(spec.least_side, 0 if small else max(LEAST_SIDE.get(network, 0), spec.paper_side))
    factor = max(1, -(-least // min(shape[:2])))
    return factor, (shape[0] * factor, shape[1] * factor, shape[2])


def first_stage(transfer, recipe, last_layer, epochs):
    """Return (Transfer, Recipe) of the stage in which the head learns alone; `last_layer` is the body's."""
    return replace(transfer, freeze=last_layer), replace(recipe, epochs=epochs)
