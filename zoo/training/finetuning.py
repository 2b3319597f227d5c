"""Fine-tuning: a new head on a pretrained backbone; what of it is trained, in which stages, and from which pixels.

Standard library only. The four strategies are those of the lecture notes of Stanford's CS231n, 'Transfer Learning': is
the new data set small or large, and is it like the one that the backbone was trained on?
"""

from dataclasses import dataclass

from zoo import registry
from zoo.errors import UserError, unknown_name_error
from zoo.training.recipe import Recipe, override_recipe
from zoo.utils.validation import parse_value

HEAD_POOLINGS = ("avg", "max", "flatten")
MAX_UNITS = 100_000
# Adam, because heads start from nothing and backbones do not; no decay, which would pull pretrained weights to zero.
# The rates are those that did best in benchmarks/transfer.csv, or near it.
FINETUNE_RECIPE = Recipe(optimizer="adam", learning_rate=1e-2, lr_schedule="cosine", warmup_epochs=0.0,
                         weight_decay=0.0, epochs=10, batch_size=32)
BACKBONE_LR_FACTOR = 0.1  # the learning rate while pretrained layers are trained, as a share of the head's
FIRST_STAGE_DIR = "stage1"  # below a run: the run directory of the stage in which the head alone is trained


@dataclass(frozen=True)
class FineTuneStrategy:
    """One of the four cases. freeze, feature_layer: shares of the backbone's layers; 1 is all, 0 none."""

    freeze_fraction: float
    feature_fraction: float
    two_stage: bool
    reason: str


FINETUNE_STRATEGIES = {
    "small-similar": FineTuneStrategy(1, 1, False,
                                      "few images, like those the backbone knows: its features fit as they are, and a backbone "
                                      "that is trained would overfit; the head alone is trained"),
    "large-similar": FineTuneStrategy(0.5, 1, True,
                                      "many images, like those the backbone knows: its upper half is trained too, slowly, "
                                      "after the head; edges and colours stay"),
    "small-different": FineTuneStrategy(1, 0.5, False,
                                        "few images, unlike those the backbone knows: its last layers are specific to other "
                                        "things, so the head reads half way up; nothing else is trained"),
    "large-different": FineTuneStrategy(0, 1, True,
                                        "many images, unlike those the backbone knows: its weights are a better start than "
                                        "random ones, and all of them are trained, slowly, after the head"),
}


@dataclass(frozen=True)
class FineTuneOptions:
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


def deserialize_finetune_config(values):
    """Return the FineTuneConfig that run.json holds; TypeError or ValueError where that is damaged."""
    lists = {name: tuple(values[name]) for name in ("head_layers", "scale", "offset")}
    config = FineTuneConfig(**{**values, **lists})
    check_head_layers(config.head_layers)
    return config


def make_finetune_options(**fields):
    """Return the checked FineTuneOptions of the fields that are not None, or None where there are none: from
    scratch.
    """
    check_freeze(fields.get("freeze"))
    given = {name: value for name, value in fields.items() if value is not None and value != () and value is not False}
    if not given:
        return None
    asked = FineTuneOptions(**given)
    check_finetune_options(asked)
    return asked


def check_freeze(freeze):
    """Raise UserError unless `freeze` is None, a str, or a number of layers."""
    if isinstance(freeze, bool) or not isinstance(freeze, (int, str, type(None))) or (
            isinstance(freeze, int) and freeze < 0):
        raise UserError("freeze is 'all', 'none', the name of a layer, or a number of layers from 0; given "
                        f"{freeze!r}")


def check_finetune_options(finetune_options):
    """Raise UserError for a FineTuneOptions that makes no sense."""
    from zoo.weights.pretrained import check_preprocessing

    check_preprocessing(finetune_options.preprocessing)
    if finetune_options.pooling not in HEAD_POOLINGS:
        raise unknown_name_error("pooling", finetune_options.pooling, HEAD_POOLINGS)
    check_head_layers(finetune_options.head_layers)
    strategy = get_finetune_strategy(finetune_options.strategy) if finetune_options.strategy is not None else None
    if strategy and (finetune_options.freeze is not None or finetune_options.feature_layer
                     or finetune_options.two_stage):
        raise UserError("a strategy says what is frozen, what the head reads and in which stages; leave out freeze, "
                        "feature layer and two-stage, or the strategy")
    if finetune_options.weights is None:
        for name in ("strategy", "freeze", "two_stage", "backbone_learning_rate", "preprocessing"):
            if getattr(finetune_options, name) not in (None, False, "none"):
                raise UserError(f"{name.replace('_', ' ')} is for pretrained backbones, and there are no weights; give "
                                f"weights, or leave out {name.replace('_', ' ')}")
    two_stage = strategy.two_stage if strategy else finetune_options.two_stage
    if finetune_options.head_epochs is not None and not two_stage:
        raise UserError("head epochs are those of the first of two stages; ask for two stages, or leave them out")
    for name, least, most in (("head_epochs", 1, 1_000_000), ("backbone_learning_rate", 0, 1_000_000)):
        value = getattr(finetune_options, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))
                                  or not least <= value <= most or value == 0):
            raise UserError(f"{name.replace('_', ' ')} is a number of more than 0; given {value!r}")


def make_head_layers(head_layers):
    """Return hidden layers as a tuple: of one number, of several, or of a text as the command line takes it."""
    if isinstance(head_layers, str):
        return parse_head_layers(head_layers)
    return tuple(head_layers) if isinstance(head_layers, (list, tuple)) else (head_layers,)


def check_head_layers(head_layers):
    """Raise UserError unless hidden layers are numbers of units, and fractions to drop."""
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
            found.append(parse_value("--head-layers dropout", word.removeprefix("dropout").removeprefix("="), 0.5))
            if not 0 <= found[-1] < 1:
                raise UserError(f"--head-layers drops a share of 0 or more and less than 1, such as dropout=0.5; given "
                                f"{word!r}")
        elif word.isascii() and word.isdecimal() and len(word) <= 6 and 0 < int(word) <= MAX_UNITS:
            found.append(int(word))
        else:
            raise UserError("--head-layers are numbers of units and dropout, such as 1024,dropout=0.5; given "
                            f"{word!r}")
    return tuple(found)


def get_finetune_strategy(name):
    """Return the Strategy called `name`."""
    if name not in FINETUNE_STRATEGIES:
        raise unknown_name_error("strategy", name, FINETUNE_STRATEGIES)
    return FINETUNE_STRATEGIES[name]


def compute_upsampled_shape(shape, model_name, stem):
    """Return (factor, (height, width, channels)) by which and to which images are enlarged for a network.

    shape: (height, width, channels) of the images. Factors are whole: each pixel becomes as many as its neighbour.
    """
    from zoo.weights.pretrained import KERAS_MIN_SIZE

    spec = registry.get_model_info(model_name)
    small = stem == "small" or (stem == "auto" and spec.small_stem_below)
    least = max(spec.min_size, 0 if small else max(KERAS_MIN_SIZE.get(model_name, 0), spec.paper_stem_min_size))
    factor = max(1, -(-least // min(shape[:2])))
    return factor, (shape[0] * factor, shape[1] * factor, shape[2])


def make_stage_recipes(finetune_options, recipe, is_fully_frozen):
    """Return (Recipe of the stage in which the head alone is trained, or None; Recipe of the last stage).

    recipe: of the head. The last stage is slower where pretrained layers are trained. frozen_whole: whether none is.
    """
    strategy = FINETUNE_STRATEGIES[finetune_options.strategy] if finetune_options.strategy else None
    head = None
    if strategy.two_stage if strategy else finetune_options.two_stage:
        if is_fully_frozen:
            raise UserError("two stages need a part of the backbone that is trained; freeze none of it, or up to a "
                            "layer")
        epochs = max(1, recipe.epochs // 2) if finetune_options.head_epochs is None else finetune_options.head_epochs
        head = override_recipe(recipe, {"epochs": epochs})
    if is_fully_frozen or finetune_options.weights is None:
        return head, recipe
    rate = recipe.learning_rate * BACKBONE_LR_FACTOR
    if finetune_options.backbone_learning_rate is not None:
        rate = finetune_options.backbone_learning_rate
    return head, override_recipe(recipe, {"learning_rate": rate})
