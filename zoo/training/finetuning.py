"""Fine-tuning: a new head on a pretrained backbone; what of it is trained, in which stages, and from which pixels.

Standard library only. The four strategies are those of the lecture notes of Stanford's CS231n, 'Transfer Learning': is
the new data set small or large, and is it like the one that the backbone was trained on?
"""

from dataclasses import dataclass

from zoo import registry
from zoo.errors import UserError, unknown
from zoo.training.recipe import Recipe, overridden
from zoo.utils.validation import parsed

POOLINGS = ("avg", "max", "flatten")
MAX_UNITS = 100_000
# Adam, because heads start from nothing and backbones do not; no decay, which would pull pretrained weights to zero.
# The rates are those that did best in benchmarks/transfer.csv, or near it.
RECIPE = Recipe(optimizer="adam", learning_rate=1e-2, schedule="cosine", warmup=0.0, weight_decay=0.0, epochs=10,
                batch_size=32)
BACKBONE_LR_FACTOR = 0.1  # the learning rate while pretrained layers are trained, as a share of the head's
FIRST_STAGE = "stage1"  # below a run: the run directory of the stage in which the head alone is trained


@dataclass(frozen=True)
class Strategy:
    """One of the four cases. freeze, feature_layer: shares of the backbone's layers; 1 is all, 0 none."""

    freeze: float
    feature_layer: float
    two_stage: bool
    reason: str


STRATEGIES = {
    "small-similar": Strategy(1, 1, False,
                              "few images, like those the backbone knows: its features fit as they are, and a backbone "
                              "that is trained would overfit; the head alone is trained"),
    "large-similar": Strategy(0.5, 1, True,
                              "many images, like those the backbone knows: its upper half is trained too, slowly, "
                              "after the head; edges and colours stay"),
    "small-different": Strategy(1, 0.5, False,
                                "few images, unlike those the backbone knows: its last layers are specific to other "
                                "things, so the head reads half way up; nothing else is trained"),
    "large-different": Strategy(0, 1, True,
                                "many images, unlike those the backbone knows: its weights are a better start than "
                                "random ones, and all of them are trained, slowly, after the head"),
}


@dataclass(frozen=True)
class FineTuning:
    """What is asked for, before there is a model; `zoo.fit` says what the fields are.

    two_stage: the head alone is trained first, for `head_epochs`, or half as many as the rest; the rest afterwards.
    """

    weights: object = None
    freeze: object = None
    head_layers: tuple = ()
    pooling: str = "avg"
    feature_layer: str | None = None
    two_stage: bool = False
    head_epochs: int | None = None
    backbone_learning_rate: float | None = None
    strategy: str | None = None
    preprocessing: str | None = None


@dataclass(frozen=True)
class FineTuneConfig:
    """How the model of a fine-tuning is made; all of it stands in run.json.

    weights: what the backbone starts with, as the user gave it; "" where it is initialized at random.
    head_layers: of the hidden layers, numbers of units, and shares to drop. pooling: what turns the grid of features
    into a vector. feature_layer: the layer of the backbone that the head reads, "" the last. frozen_until: the last
    layer that is not trained, "" none. upsample: the factor by which images are enlarged. scale, offset,
    channel_order: of the pixels, see zoo.layers.PixelScaling.
    """

    weights: str
    head_layers: tuple
    pooling: str
    feature_layer: str
    frozen_until: str
    upsample: int
    scale: tuple
    offset: tuple
    channel_order: str


def from_dict(values):
    """Return the FineTuneConfig that run.json holds; TypeError or ValueError where that is damaged."""
    lists = {name: tuple(values[name]) for name in ("head_layers", "scale", "offset")}
    config = FineTuneConfig(**{**values, **lists})
    check_head_layers(config.head_layers)
    return config


def request(**fields):
    """Return the checked FineTuning of the fields that are not None, or None where there are none: from scratch."""
    given = {name: value for name, value in fields.items() if value is not None and value != () and value is not False}
    if not given:
        return None
    asked = FineTuning(**given)
    check(asked)
    return asked


def check(asked):
    """Raise UserError for a FineTuning that makes no sense."""
    from zoo.weights.pretrained import check_preprocessing

    check_preprocessing(asked.preprocessing)
    if asked.pooling not in POOLINGS:
        raise unknown("pooling", asked.pooling, POOLINGS)
    check_head_layers(asked.head_layers)
    strategy = find_strategy(asked.strategy) if asked.strategy is not None else None
    if strategy and (asked.freeze is not None or asked.feature_layer or asked.two_stage):
        raise UserError("a strategy says what is frozen, what the head reads and in which stages; leave out freeze, "
                        "feature layer and two-stage, or the strategy")
    if asked.weights is None:
        for name in ("strategy", "freeze", "two_stage", "backbone_learning_rate", "preprocessing"):
            if getattr(asked, name) not in (None, False, "none"):
                raise UserError(f"{name.replace('_', ' ')} is for pretrained backbones, and there are no weights; give "
                                f"weights, or leave out {name.replace('_', ' ')}")
    two_stage = strategy.two_stage if strategy else asked.two_stage
    if asked.head_epochs is not None and not two_stage:
        raise UserError("head epochs are those of the first of two stages; ask for two stages, or leave them out")
    for name, least, most in (("head_epochs", 1, 1_000_000), ("backbone_learning_rate", 0, 1_000_000)):
        value = getattr(asked, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))
                                  or not least <= value <= most or value == 0):
            raise UserError(f"{name.replace('_', ' ')} is a number of more than 0; given {value!r}")


def check_head_layers(head_layers):
    """Raise UserError unless hidden layers are numbers of units, and shares to drop."""
    for value in head_layers:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not (0 <= value < 1 or (isinstance(value, int) and 1 <= value <= MAX_UNITS)):
            raise UserError("the head's hidden layers are numbers of units, and shares to drop of 0 or more and less "
                            f"than 1, such as (1024, 0.5); given {value!r}")


def parse_head_layers(text):
    """Return the hidden layers that a command line gives.

    >>> parse_head_layers("1024,dropout=0.5")
    (1024, 0.5)

    UserError when it cannot be read.
    """
    found = []
    for word in filter(None, text.replace(" ", "").split(",")):
        if word.startswith("dropout"):
            found.append(parsed("--head-layers dropout", word.removeprefix("dropout").removeprefix("="), 0.5))
            if not 0 <= found[-1] < 1:
                raise UserError(f"--head-layers drops a share of 0 or more and less than 1, such as dropout=0.5; given "
                                f"{word!r}")
        elif word.isascii() and word.isdecimal() and len(word) <= 6 and 0 < int(word) <= MAX_UNITS:
            found.append(int(word))
        else:
            raise UserError("--head-layers are numbers of units and dropout, such as 1024,dropout=0.5; given "
                            f"{word!r}")
    return tuple(found)


def find_strategy(name):
    """Return the Strategy called `name`."""
    if name not in STRATEGIES:
        raise unknown("strategy", name, STRATEGIES)
    return STRATEGIES[name]


def upsampled_shape(shape, network, stem):
    """Return (factor, (height, width, channels)) by which and to which images are enlarged for a network.

    shape: (height, width, channels) of the images. Factors are whole: each pixel becomes as many as its neighbour.
    """
    from zoo.weights.pretrained import LEAST_SIDE

    spec = registry.find(network)
    small = stem == "small" or (stem == "auto" and spec.small_below)
    least = max(spec.least_side, 0 if small else max(LEAST_SIDE.get(network, 0), spec.paper_side))
    factor = max(1, -(-least // min(shape[:2])))
    return factor, (shape[0] * factor, shape[1] * factor, shape[2])


def stage_recipes(asked, recipe, frozen_whole):
    """Return (Recipe of the stage in which the head alone is trained, or None; Recipe of the last stage).

    recipe: of the head. The last stage is slower where pretrained layers are trained. frozen_whole: whether none is.
    """
    strategy = STRATEGIES[asked.strategy] if asked.strategy else None
    head = None
    if strategy.two_stage if strategy else asked.two_stage:
        if frozen_whole:
            raise UserError("two stages need a part of the backbone that is trained; freeze none of it, or up to a "
                            "layer")
        epochs = max(1, recipe.epochs // 2) if asked.head_epochs is None else asked.head_epochs
        head = overridden(recipe, {"epochs": epochs})
    if frozen_whole or asked.weights is None:
        return head, recipe
    rate = recipe.learning_rate * BACKBONE_LR_FACTOR
    if asked.backbone_learning_rate is not None:
        rate = asked.backbone_learning_rate
    return head, overridden(recipe, {"learning_rate": rate})
