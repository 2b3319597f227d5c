"""Fine-tuning: a new head on a pretrained backbone; which layers are trained, in which stages, on which pixels.

Standard library only. The four strategies are those of the lecture notes of Stanford's CS231n, 'Transfer Learning': is
the new dataset small or large, and is it similar to the one that the backbone was trained on?
"""

import os
from dataclasses import dataclass

from zoo import registry
from zoo.errors import UserError, unknown_name_error
from zoo.training.recipe import MAX_VALUE, Recipe, override_recipe
from zoo.utils.io import expand_user
from zoo.utils.validation import is_integer, parse_value, unwrap_scalar

HEAD_POOLINGS = ("avg", "max", "flatten")
MAX_UNITS = 100_000
# Adam, because heads start from scratch and backbones do not; no weight decay, which would pull pretrained weights to
# zero. The learning rates are the best in benchmarks/transfer.csv, or close to it.
FINETUNE_RECIPE = Recipe(optimizer="adam", learning_rate=1e-2, lr_schedule="cosine", warmup_epochs=0.0,
                         weight_decay=0.0, epochs=10, batch_size=32)
BACKBONE_LR_FACTOR = 0.1  # the learning rate while pretrained layers are trained, relative to the head's
FIRST_STAGE_DIR = "stage1"  # inside a run directory: the run directory of the head-only stage


@dataclass(frozen=True)
class FineTuneStrategy:
    """One of the four cases. freeze_fraction, feature_fraction: fractions of the backbone's layers, 1 all, 0 none."""

    freeze_fraction: float
    feature_fraction: float
    two_stage: bool
    reason: str


FINETUNE_STRATEGIES = {
    "small-similar": FineTuneStrategy(
        1, 1, False, "few images, similar to the pretraining data: the features fit as they are, and fine-tuning the "
                     "backbone would overfit; only the head is trained"),
    "large-similar": FineTuneStrategy(
        0.5, 1, True, "many images, similar to the pretraining data: the upper half of the backbone is trained too, at "
                      "a low learning rate, after the head; edge and color features stay frozen"),
    "small-different": FineTuneStrategy(
        1, 0.5, False, "few images, unlike the pretraining data: the last layers are too task-specific, so the head is "
                       "attached to a mid-level layer; nothing else is trained"),
    "large-different": FineTuneStrategy(
        0, 1, True, "many images, unlike the pretraining data: pretrained weights are a better start than random "
                    "weights, and all of them are trained, at a low learning rate, after the head"),
}


@dataclass(frozen=True)
class FineTuneOptions:
    """Requested options, before there is a model; the fields are documented in `zoo.fit`.

    two_stage: train the head alone first, for `head_epochs`, by default half as many as the second stage.
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
    """Configuration of a model for fine-tuning, stored in run.json.

    weights: initial weights of the backbone, a name or an absolute path; "" for random weights.
    head_layers: hidden layers of the head: numbers of units and dropout rates. pooling: how the feature map becomes a
    vector. feature_layer: the layer of the backbone that the head is attached to, "" for the last. frozen_until: the
    last frozen layer, "" for none. upsample: the factor by which images are upsampled. scale, offset, channel_order:
    preprocessing of the pixels, see zoo.layers.PixelScaling.
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

    @property
    def scaling(self):
        """The Scaling of the pixels."""
        from zoo.weights.pretrained import Scaling

        return Scaling(self.scale, self.offset, self.channel_order)


def deserialize_finetune_config(values):
    """Return the FineTuneConfig stored in run.json; raise KeyError, TypeError or ValueError if it is damaged."""
    lists = {name: tuple(values[name]) for name in ("head_layers", "scale", "offset")}
    config = FineTuneConfig(**{**values, **lists})
    check_head_layers(config.head_layers)
    return config


def make_finetune_options(**fields):
    """Return the checked FineTuneOptions of the fields that are set, or None if none is: training from scratch."""
    fields = {name: unwrap_scalar(value) for name, value in fields.items()}
    check_freeze(fields.get("freeze"))
    fields = {name: value for name, value in fields.items()
              if value is not None and value != () and value is not False}
    if not fields:
        return None
    options = FineTuneOptions(**fields)
    check_finetune_options(options)
    return options


def get_weights_name(weights):
    """Return `weights` as it is recorded: a name or path as str; None for None and "none"."""
    if weights in (None, "none"):
        return None
    if weights == "" or not isinstance(weights, (str, os.PathLike)):
        raise UserError("weights must be a name such as 'imagenet', a run, or the path of a run or of a weights file; "
                        f"got {weights!r}")
    return weights if isinstance(weights, str) else os.path.abspath(expand_user(weights))


def check_freeze(freeze):
    """Raise UserError unless `freeze` is None, a string, or a number of layers."""
    if isinstance(freeze, bool) or not isinstance(freeze, (int, str, type(None))) or (
            isinstance(freeze, int) and freeze < 0):
        raise UserError("freeze must be 'all', 'none', the name of a layer, or a number of layers from 0; got "
                        f"{freeze!r}")


def check_finetune_options(finetune_options):
    """Raise UserError for invalid or contradictory FineTuneOptions."""
    from zoo.weights.pretrained import check_preprocessing

    check_preprocessing(finetune_options.preprocessing)
    if finetune_options.pooling not in HEAD_POOLINGS:
        raise unknown_name_error("pooling", finetune_options.pooling, HEAD_POOLINGS)
    check_head_layers(finetune_options.head_layers)
    if finetune_options.strategy not in (None, *FINETUNE_STRATEGIES):
        raise unknown_name_error("strategy", finetune_options.strategy, FINETUNE_STRATEGIES)
    strategy = FINETUNE_STRATEGIES.get(finetune_options.strategy)
    if strategy and (finetune_options.freeze is not None or finetune_options.feature_layer
                     or finetune_options.two_stage):
        raise UserError("a strategy sets the frozen layers, the feature layer and the stages; omit freeze=..., "
                        "feature_layer=... and two_stage=True, or strategy=...")
    if finetune_options.weights is None:
        for name in ("strategy", "freeze", "two_stage", "backbone_learning_rate", "preprocessing"):
            value = getattr(finetune_options, name)
            if value not in (None, False, "none") or (name, value) == ("preprocessing", "none"):  # raw pixels
                raise UserError(f"{name}=... requires a pretrained backbone, but no weights are given; give "
                                f"weights=..., or omit {name}=...")
    two_stage = strategy.two_stage if strategy else finetune_options.two_stage
    if finetune_options.head_epochs is not None and not two_stage:
        raise UserError("head_epochs=... is the length of the first of two stages; give two_stage=True, or omit it")
    head_epochs, learning_rate = finetune_options.head_epochs, finetune_options.backbone_learning_rate
    if head_epochs is not None and (not is_integer(head_epochs) or not 1 <= head_epochs <= MAX_VALUE):
        raise UserError(f"head_epochs=... must be an integer from 1 to {MAX_VALUE:,}; got {head_epochs!r}")
    if learning_rate is not None and (isinstance(learning_rate, bool) or not isinstance(learning_rate, (int, float))
                                      or not 0 < learning_rate <= MAX_VALUE):
        raise UserError(f"backbone_learning_rate=... must be a number above 0; got {learning_rate!r}")


def make_head_layers(head_layers):
    """Return the hidden layers as a tuple, from a number, several numbers, or a text as on the command line."""
    if isinstance(head_layers, str):
        return parse_head_layers(head_layers)
    head_layers = head_layers if isinstance(head_layers, (list, tuple)) else (head_layers,)
    return tuple(map(unwrap_scalar, head_layers))


def check_head_layers(head_layers):
    """Raise UserError unless hidden layers are numbers of units and dropout rates."""
    for value in head_layers:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not (0 <= value < 1 or (isinstance(value, int) and 1 <= value <= MAX_UNITS)):
            raise UserError("the head's hidden layers must be numbers of units, and dropout rates of 0 or more and "
                            f"less than 1, such as (1024, 0.5); got {value!r}")


def parse_head_layers(text):
    """Parse the hidden layers given on the command line.

    >>> parse_head_layers("1024,dropout=0.5")
    (1024, 0.5)

    Raise UserError for an invalid text.
    """
    values = []
    for item in filter(None, text.replace(" ", "").split(",")):
        if item.startswith("dropout"):
            values.append(parse_value("the dropout in head_layers=...", item.removeprefix("dropout").removeprefix("="),
                                      0.5))
            if not 0 <= values[-1] < 1:
                raise UserError("head_layers=... takes a dropout rate of 0 or more and less than 1, such as "
                                f"dropout=0.5; got {item!r}")
        elif item.isascii() and item.isdecimal() and len(item) <= 6 and 0 < int(item) <= MAX_UNITS:
            values.append(int(item))
        else:
            raise UserError("head_layers=... takes numbers of units and dropout rates, such as 1024,dropout=0.5; got "
                            f"{item!r}")
    return tuple(values)


def compute_upsampled_shape(shape, model_name, stem):
    """Return (factor, (height, width, channels)): how much images are upsampled for a model, and their new shape.

    shape: (height, width, channels) of the images. The factor is an integer, so that all pixels are upsampled equally.
    """
    from zoo.weights.pretrained import KERAS_MIN_SIZE

    model_info = registry.get_model_info(model_name)
    is_small = stem == "small" or (stem == "auto" and model_info.small_stem_below)
    min_size = max(model_info.min_size,
                   0 if is_small else max(KERAS_MIN_SIZE.get(model_name, 0), model_info.paper_stem_min_size))
    factor = max(1, -(-min_size // min(shape[:2])))
    return factor, (shape[0] * factor, shape[1] * factor, shape[2])


def make_stage_recipes(finetune_options, recipe, is_fully_frozen):
    """Return (Recipe of the head-only stage, or None; Recipe of the last stage).

    recipe: that of the head; the last stage has a lower learning rate if it trains pretrained layers.
    is_fully_frozen: whether all layers of the backbone that the head depends on are frozen.
    """
    strategy = FINETUNE_STRATEGIES[finetune_options.strategy] if finetune_options.strategy else None
    head_recipe = None
    if is_fully_frozen and finetune_options.backbone_learning_rate is not None:
        raise UserError("backbone_learning_rate=... is for pretrained layers that are trained, but the whole backbone "
                        "below the head is frozen; give freeze='none' or the name of an earlier layer, or omit "
                        "backbone_learning_rate=...")
    if strategy.two_stage if strategy else finetune_options.two_stage:
        if is_fully_frozen:
            raise UserError("two stages require a backbone that is not fully frozen; freeze none of it, or freeze "
                            "up to a layer")
        epochs = max(1, recipe.epochs // 2) if finetune_options.head_epochs is None else finetune_options.head_epochs
        head_recipe = override_recipe(recipe, {"epochs": epochs})
    if is_fully_frozen or finetune_options.weights is None:
        return head_recipe, recipe
    learning_rate = recipe.learning_rate * BACKBONE_LR_FACTOR
    if finetune_options.backbone_learning_rate is not None:
        learning_rate = finetune_options.backbone_learning_rate
    return head_recipe, override_recipe(recipe, {"learning_rate": learning_rate})
