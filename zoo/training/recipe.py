"""The fields of a recipe and their validation.

Standard library only, so that the command line can refuse a recipe immediately.
"""

import dataclasses
from dataclasses import dataclass, replace

from zoo.errors import UserError, unknown_name_error
from zoo.training import augmentation
from zoo.utils.validation import parse_value

OPTIMIZERS = ("sgd", "nesterov", "rmsprop", "adam", "adamw", "adadelta")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "plateau")
LOSSES = ("cross_entropy", "map_distance")
INITIALIZERS = ("paper", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform",
                "orthogonal")
MAX_VALUE = 1_000_000  # of any field: more is a typo


def define_field(default, help_text, example=None, choices=()):
    """Return a field of a recipe: its default, its meaning and unit, an example for the help, and its choices."""
    return dataclasses.field(default=default, metadata={"help": help_text, "example": example, "choices": choices})


@dataclass(frozen=True)
class Recipe:
    """Training hyperparameters. The texts of the fields are also those of `--help`."""

    optimizer: str = define_field("nesterov", "optimizer; sgd: with momentum; nesterov: sgd with Nesterov momentum",
                                  choices=OPTIMIZERS)
    learning_rate: float = define_field(0.1, "peak learning rate of the run, reached after the warm-up", 0.01)
    momentum: float = define_field(0.9, "momentum of sgd, nesterov and rmsprop, from 0 to less than 1", 0.9)
    rho: float = define_field(0.9,
                              "decay of the average of squared gradients of rmsprop and adadelta, from 0 to less than "
                              "1", 0.95)
    epsilon: float = define_field(1e-7,
                                  "number added to denominators for numerical stability, in rmsprop, adam, adamw and "
                                  "adadelta", "1e-8")
    lr_schedule: str = define_field("cosine", "learning-rate schedule; constant: no change; step: multiply by --gamma "
                                    "at the epochs of --milestones; cosine: anneal to 0 along half a cosine wave; "
                                    "one_cycle: rise in the first three tenths of the run, then fall to 0, both "
                                    "linearly; plateau: multiply by --gamma when the validation loss has not improved "
                                    "for --lr-patience epochs", choices=SCHEDULES)
    warmup_epochs: float = define_field(1.0, "number of epochs, or a fraction of one, in which the learning rate rises "
                                        "linearly from 0 at the start (from above 0 if an epoch has one step); for "
                                        "schedules constant, step and cosine; 0: no warm-up", 5)
    milestones: str = define_field("",
                                   "epochs after which schedule step lowers the learning rate, or 'every N' for every "
                                   "N epochs", "82 123")
    gamma: float = define_field(0.1,
                                "factor by which schedules step and plateau multiply the learning rate, between 0 and "
                                "1", 0.5)
    lr_patience: int = define_field(3, "number of epochs without a lower validation loss after which schedule plateau "
                                    "lowers the learning rate", 5)
    min_lr: float = define_field(0.0, "lower limit of the learning rate for schedule plateau", "1e-5")
    early_stopping_patience: int = define_field(0, "early stopping: number of epochs without a lower validation loss "
                                                "after which training stops; 0: no early stopping", 5)
    early_stopping_min_delta: float = define_field(0.0005, "early stopping: smallest decrease of the validation loss "
                                                   "that counts as an improvement for --early-stopping-patience", 0.001)
    weight_decay: float = define_field(5e-4,
                                       "L2 weight decay of kernels, not of biases and normalization: weight_decay * "
                                       "kernel is added to the gradient; with adamw the decay is decoupled; 0: none",
                                       "1e-4")
    initializer: str = define_field("paper",
                                    "initializer of the kernels; paper: that of the paper; others: the Keras "
                                    "initializer of that name", choices=INITIALIZERS)
    initial_bias: float = define_field(0.0,
                                       "initial value of the biases of layers with kernels; not for initializer paper",
                                       0.1)
    global_clipnorm: float = define_field(0.0, "gradient clipping: maximum global norm of the gradients of all "
                                          "weights; 0: no clipping", 1.0)
    ema_momentum: float = define_field(0.0, "decay per step of an exponential moving average (EMA) of the weights, "
                                       "which is validated, tested and saved; limited to (1 + t) / (10 + t) at step t; "
                                       "0: no average", 0.999)
    batch_size: int = define_field(128, "batch size: number of images in a training step, over all GPUs and hosts "
                                   "together", 64)
    epochs: int = define_field(30, "number of epochs: passes over the training split; early stopping can reduce it", 60)
    loss: str = define_field("cross_entropy", "loss function; map_distance: equation 9 of LeCun et al. 1998, for "
                             "lenet5_1998", choices=LOSSES)
    label_smoothing: float = define_field(0.0, "label smoothing: fraction of the target that is spread evenly over all "
                                          "classes, from 0 to less than 1; for loss cross_entropy", 0.1)
    max_norm: str = define_field("", "maximum norm of the incoming weights of each unit: a number for all layers, "
                                 "LAYER=NUMBER for one, or both; empty: no maximum", "1.9 conv1=0.9")
    aux_loss_weights: str = define_field("", "loss weights of the auxiliary classifiers of googlenet and inception_v3, "
                                         "one number for all or NAME=NUMBER for each; empty: train without them",
                                         "aux1=0.3 aux2=0.3")
    dropout: str = define_field("", "dropout rate, same as --model-option dropout=RATE; empty: the model's own",
                               "0.5")
    augmentation: str = define_field("", "random augmentation of the training images: any of flip (left-right), "
                                     "crop=PIXELS (of padding), rotation=DEGREES, shift=FRACTION (of the size), "
                                     "cutout=PIXELS, mixup=ALPHA and cutmix=ALPHA, separated by spaces; see "
                                     "docs/augmentation.md; empty: none", "flip crop=4 cutout=8")


RECIPE_FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}


def override_recipe(recipe, overrides):
    """Return the recipe with overrides {field: value} applied; UserError for invalid values."""
    new_recipe = replace(recipe, **overrides)
    check_recipe(new_recipe)
    return new_recipe


def serialize_recipe(recipe):
    """Return the recipe as {field: value}."""
    return dataclasses.asdict(recipe)


# Fields with limits: (minimum, whether it is allowed itself, maximum, whether it is allowed itself)
FIELD_LIMITS = {"learning_rate": (0, False, MAX_VALUE, True), "momentum": (0, True, 1, False),
                "rho": (0, True, 1, False), "epsilon": (0, False, MAX_VALUE, True),
                "warmup_epochs": (0, True, MAX_VALUE, True), "gamma": (0, False, 1, False),
                "lr_patience": (1, True, MAX_VALUE, True), "min_lr": (0, True, MAX_VALUE, True),
                "early_stopping_patience": (0, True, MAX_VALUE, True),
                "early_stopping_min_delta": (0, True, MAX_VALUE, True), "weight_decay": (0, True, MAX_VALUE, True),
                "initial_bias": (-MAX_VALUE, True, MAX_VALUE, True), "global_clipnorm": (0, True, MAX_VALUE, True),
                "ema_momentum": (0, True, 1, False), "batch_size": (1, True, MAX_VALUE, True),
                "epochs": (1, True, MAX_VALUE, True), "label_smoothing": (0, True, 1, False)}
INTEGER_FIELDS = ("lr_patience", "early_stopping_patience", "batch_size", "epochs")


def check_recipe(recipe):
    """Raise UserError for invalid or contradictory fields of a recipe."""
    for name, field in RECIPE_FIELDS.items():
        choices = field.metadata["choices"]
        if choices and getattr(recipe, name) not in choices:
            raise unknown_name_error(name, getattr(recipe, name), choices)
    for name, limits in FIELD_LIMITS.items():
        check_field_limits(name, getattr(recipe, name), *limits)
    if recipe.label_smoothing and recipe.loss != "cross_entropy":
        raise UserError(f"label_smoothing requires the loss cross_entropy; set it to 0 with the loss {recipe.loss}")
    if recipe.lr_schedule == "step" and not recipe.milestones:
        raise UserError("the schedule step requires milestones: the epochs after which the learning rate falls, such "
                        "as milestones='82 123'")
    parse_milestones(recipe.milestones)
    parse_named_values("max_norm", recipe.max_norm)
    parse_named_values("aux_loss_weights", recipe.aux_loss_weights)
    augmentation.parse_augmentation(recipe.augmentation)


def check_field_limits(name, value, min_value, includes_min, max_value, includes_max):
    """Raise UserError unless `value` is between `min_value` and `max_value`."""
    if name in INTEGER_FIELDS and isinstance(value, float):
        raise UserError(f"{name} must be an integer; got {value}")
    is_above_min = value > min_value or (includes_min and value == min_value)
    if is_above_min and (value < max_value or (includes_max and value == max_value)):
        return
    if name in INTEGER_FIELDS:
        raise UserError(f"{name} must be an integer from {min_value} to {max_value:,}; got {value}")
    low = f"{min_value} or more" if includes_min else f"more than {min_value}"
    high = f"and at most {max_value:,}" if includes_max else f"and less than {max_value}"
    raise UserError(f"{name} must be {low}, {high}; got {value}")


def parse_milestones(text):
    """Parse `milestones`: return a tuple of epochs in ascending order, or for 'every N' the float N.

    >>> parse_milestones("82 123"), parse_milestones("every 2")
    ((82.0, 123.0), 2.0)

    UserError when it cannot be parsed.
    """
    parts = text.split()
    is_periodic = parts[:1] == ["every"]
    epochs = tuple(parse_value("milestones", part, 1.0) for part in parts[is_periodic:])
    if any(epoch <= 0 for epoch in epochs) or (is_periodic and len(epochs) != 1) or list(epochs) != sorted(set(epochs)):
        raise UserError(f"milestones must be epochs in ascending order, such as '82 123', or 'every 2'; got {text!r}")
    return epochs[0] if is_periodic else epochs


def parse_named_values(field, text):
    """Parse `max_norm` or `aux_loss_weights`: return {name: number}; the key "" holds the number for all others.

    >>> parse_named_values("max_norm", "1.9365 conv1=0.9")
    {"": 1.9365, "conv1": 0.9}

    UserError when it cannot be parsed.
    """
    values = {}
    for part in text.split():
        name, equals, number = part.partition("=") if "=" in part else ("", "", part)
        if equals and not name:
            raise UserError(f"{field} takes NUMBER or NAME=NUMBER, such as '1.9 conv1=0.9'; got {part!r}")
        if name in values:
            raise UserError(f"{field} has {f'{name} twice' if name else 'two numbers for all'}; give one")
        values[name] = parse_value(f"{field} {name}".rstrip(), number, 1.0)
        if not 0 < values[name] <= MAX_VALUE:
            raise UserError(f"{field} must be more than 0 and at most {MAX_VALUE:,}; got {part!r}")
    return values


def resolve_aux_loss_weights(recipe, model_info):
    """Return {auxiliary classifier: weight of its loss} for a model; UserError for a name that it does not have."""
    requested = parse_named_values("aux_loss_weights", recipe.aux_loss_weights)
    unknown = [name for name in requested if name and name not in model_info.aux_loss_weights]
    if requested and not model_info.aux_loss_weights:
        raise UserError(f"{model_info.name} has no auxiliary classifiers; omit "
                        "aux_loss_weights=...")
    if unknown:
        raise UserError(f"{model_info.name} has no auxiliary classifier {unknown[0]!r}; choose from: "
                        f"{', '.join(model_info.aux_loss_weights)}")
    missing = [name for name in model_info.aux_loss_weights if requested and not {"", name} & {*requested}]
    if missing:
        raise UserError(f"aux_loss_weights has no value for {missing[0]}; add "
                        f"{missing[0]}={model_info.aux_loss_weights[missing[0]]:g}, or leave aux_loss_weights empty to "
                        "train without any")
    return {name: requested.get(name, requested.get("")) for name in model_info.aux_loss_weights if requested}


def is_extendable(recipe):
    """Return whether epochs can be added to a run: the learning rate does not depend on their number."""
    return recipe.lr_schedule not in ("cosine", "one_cycle") and not is_warmup_shortened(recipe)


def is_warmup_shortened(recipe):
    """Return whether a warm-up lasts into the last epoch, where RecipeSchedule may shorten it to the run's steps."""
    return has_effect("warmup_epochs", recipe) and recipe.warmup_epochs > recipe.epochs - 1


# Fields that have an effect only with certain values of another: {field: (the other, whether the field has an effect)}
RELEVANT_IF = {
    "momentum": ("optimizer", lambda optimizer: optimizer in ("sgd", "nesterov", "rmsprop")),
    "rho": ("optimizer", lambda optimizer: optimizer in ("rmsprop", "adadelta")),
    "epsilon": ("optimizer", lambda optimizer: optimizer not in ("sgd", "nesterov")),
    "warmup_epochs": ("lr_schedule", lambda schedule: schedule in ("constant", "step", "cosine")),
    "milestones": ("lr_schedule", lambda schedule: schedule == "step"),
    "gamma": ("lr_schedule", lambda schedule: schedule in ("step", "plateau")),
    "lr_patience": ("lr_schedule", lambda schedule: schedule == "plateau"),
    "min_lr": ("lr_schedule", lambda schedule: schedule == "plateau"),
    "early_stopping_min_delta": ("early_stopping_patience", lambda patience: patience > 0),
    "initial_bias": ("initializer", lambda initializer: initializer != "paper"),
}
HIDDEN_AT_DEFAULT = ("initializer", "early_stopping_patience", "global_clipnorm", "ema_momentum", "loss",
                     "label_smoothing", "max_norm", "aux_loss_weights", "dropout", "augmentation", "epsilon")


def has_effect(field, recipe):
    """Return whether a field of a recipe has an effect, with the values that its others have."""
    other, is_relevant = RELEVANT_IF.get(field, ("optimizer", lambda _: True))
    return is_relevant(getattr(recipe, other))


def check_effective(recipe, overrides):
    """Raise UserError for the first of {field: value} overrides that has no effect in the resulting recipe.

    A value of 0 or "" is accepted, since it requests no effect.
    """
    for field, value in overrides.items():
        if value and not has_effect(field, recipe):
            other = RELEVANT_IF[field][0]
            raise UserError(f"{field} has no effect with {other} {getattr(recipe, other)}; leave out {field}, or give "
                            f"another {other}")


def format_recipe(recipe):
    """Return a one-line summary of the recipe for the header of a run: the fields that have an effect."""
    defaults = serialize_recipe(Recipe())
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in serialize_recipe(recipe).items()
                     if has_effect(name, recipe)
                     and not (name in HIDDEN_AT_DEFAULT and value == defaults[name]))
