"""What a recipe can say, and what of it makes sense.

Standard library only: the command line refuses from here at once.
"""

import dataclasses
from dataclasses import dataclass, replace

from zoo.errors import UserError, unknown
from zoo.training import augmentation
from zoo.utils.validation import parsed

OPTIMIZERS = ("sgd", "nesterov", "rmsprop", "adam", "adamw", "adadelta")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "plateau")
LOSSES = ("cross_entropy", "map_distance")
INITIALIZERS = ("paper", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform",
                "orthogonal")
MOST = 1_000_000  # of any field: more is a slip of the finger


def setting(default, words, example=None, choices=()):
    """Return a field of a recipe: its default, its meaning with its unit, and an example where the default is none."""
    return dataclasses.field(default=default, metadata={"help": words, "example": example, "choices": choices})


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The texts of the fields are those of `--help`, too."""

    optimizer: str = setting("nesterov", "optimizer; sgd: with momentum; nesterov: sgd with Nesterov momentum",
                             choices=OPTIMIZERS)
    learning_rate: float = setting(0.1, "highest learning rate of the run, reached after the warm-up", 0.01)
    momentum: float = setting(0.9, "momentum of sgd, nesterov and rmsprop, from 0 to less than 1", 0.9)
    rho: float = setting(0.9, "decay of the average of squared gradients of rmsprop and adadelta, from 0 to less than "
                              "1", 0.95)
    epsilon: float = setting(1e-7, "number added to denominators for numerical stability, in rmsprop, adam, adamw and "
                                   "adadelta", "1e-8")
    schedule: str = setting(
        "cosine", "learning-rate schedule; constant: no change; step: multiply by --factor at the epochs of --drops; "
                  "cosine: fall to 0 along half a cosine wave; one_cycle: rise in the first three tenths of the run, "
                  "then fall to 0, both linearly; plateau: multiply by --factor when the validation loss has not "
                  "fallen for --lr-patience epochs", choices=SCHEDULES)
    warmup: float = setting(1.0, "number of epochs, or a fraction of one, in which the learning rate rises linearly "
                                 "from 0 at the start; for schedules constant, step and cosine; 0: no warm-up", 5)
    drops: str = setting("", "epochs after which schedule step lowers the learning rate, or 'every N' for each N "
                             "epochs", "82 123")
    factor: float = setting(0.1, "factor by which schedules step and plateau multiply the learning rate, between 0 and "
                                 "1", 0.5)
    patience: int = setting(3, "number of epochs without a lower validation loss after which schedule plateau lowers "
                               "the learning rate", 5)
    floor: float = setting(0.0, "lower limit of the learning rate for schedule plateau", "1e-5")
    stop_patience: int = setting(0, "early stopping: number of epochs without a lower validation loss after which "
                                    "training stops; 0: no early stopping", 5)
    stop_delta: float = setting(0.0005, "early stopping: smallest decrease of the validation loss that counts as an "
                                        "improvement for --stop-patience", 0.001)
    weight_decay: float = setting(5e-4, "L2 weight decay of kernels, not of biases and normalization: weight_decay * "
                                        "kernel is added to the gradient; with adamw the decay is decoupled; 0: none",
                                  "1e-4")
    initializer: str = setting("paper", "initializer of the kernels; paper: that of the paper; others: Keras's of that "
                                        "name", choices=INITIALIZERS)
    initial_bias: float = setting(0.0, "initial value of the biases of layers with kernels; not for initializer paper",
                                  0.1)
    clip_norm: float = setting(0.0, "gradient clipping: maximum norm of the gradient of all weights together; 0: no "
                                    "clipping", 1.0)
    ema: float = setting(0.0, "decay per step of an exponential moving average (EMA) of the weights, with which the "
                              "network is validated, tested and saved; at step t at most (1 + t) / (10 + t); 0: no "
                              "average", 0.999)
    batch_size: int = setting(128, "number of images in a batch, that is, in a training step; several GPUs share "
                                    "it", 64)
    epochs: int = setting(30, "number of passes over the training split; early stopping can make it fewer", 60)
    loss: str = setting("cross_entropy", "loss function; map_distance: equation 9 of LeCun et al. 1998, for "
                                         "lenet5_1998", choices=LOSSES)
    smoothing: float = setting(0.0, "label smoothing: fraction of the target that is spread evenly over all classes, "
                                    "from 0 to less than 1; for loss cross_entropy", 0.1)
    max_norm: str = setting("", "maximum norm of the incoming weights of each unit: a number for all layers, "
                                "LAYER=NUMBER for one, or both; empty: no maximum", "1.9 conv1=0.9")
    sides: str = setting("", "auxiliary classifiers of googlenet and inception_v3: the weight of their losses, one "
                             "number for all or NAME=NUMBER for each; empty: train without them", "aux1=0.3 aux2=0.3")
    dropout: str = setting("", "dropout rate of the network, as --option dropout=RATE; empty: the network's own", "0.5")
    augment: str = setting("", "random augmentation of the training images: any of flip (left-right), crop=PIXELS (of "
                               "padding), rotation=DEGREES, shift=FRACTION (of the size), cutout=PIXELS, mixup=ALPHA "
                               "and cutmix=ALPHA, with spaces between them; see docs/augmentation.md; empty: none",
                           "flip crop=4 cutout=8")


FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}


def overridden(recipe, changes):
    """Return the recipe with {field: value} applied and checked; UserError for what makes no sense."""
    changed = replace(recipe, **changes)
    check(changed)
    return changed


def as_dict(recipe):
    """Return the recipe as {field: value}."""
    return dataclasses.asdict(recipe)


def differences(recipe, base):
    """Return {field: value} of what `recipe` says otherwise than `base`."""
    known = as_dict(base)
    return {name: value for name, value in as_dict(recipe).items() if value != known[name]}


# Fields with limits: (at least, is that value itself allowed, at most, itself allowed)
LIMITS = {
    "learning_rate": (0, False, MOST, True), "momentum": (0, True, 1, False), "rho": (0, True, 1, False),
    "epsilon": (0, False, MOST, True), "warmup": (0, True, MOST, True), "factor": (0, False, 1, False),
    "patience": (1, True, MOST, True), "floor": (0, True, MOST, True), "stop_patience": (0, True, MOST, True),
    "stop_delta": (0, True, MOST, True), "weight_decay": (0, True, MOST, True),
    "initial_bias": (-MOST, True, MOST, True), "clip_norm": (0, True, MOST, True),
    "ema": (0, True, 1, False), "batch_size": (1, True, MOST, True), "epochs": (1, True, MOST, True),
    "smoothing": (0, True, 1, False),
}
WHOLE = ("patience", "stop_patience", "batch_size", "epochs")


def check(recipe):
    """Raise UserError, in one line, for a recipe that makes no sense."""
    for name, field in FIELDS.items():
        known = field.metadata["choices"]
        if known and getattr(recipe, name) not in known:
            raise unknown(name, getattr(recipe, name), known)
    for name, limits in LIMITS.items():
        check_limits(name, getattr(recipe, name), *limits)
    if recipe.smoothing and recipe.loss != "cross_entropy":
        raise UserError(f"smoothing is for the loss cross_entropy alone; set it to 0 with the loss {recipe.loss}")
    if recipe.schedule == "step" and not recipe.drops:
        raise UserError("the schedule step needs drops: the epochs after which the rate falls, such as drops='82 123'")
    drops(recipe.drops)
    by_name("max_norm", recipe.max_norm)
    by_name("sides", recipe.sides)
    augmentation.parse(recipe.augment)


def check_limits(name, value, least, with_least, most, with_most):
    """Raise UserError unless `value` is between `least` and `most`."""
    if name in WHOLE and isinstance(value, float):
        raise UserError(f"{name} is a whole number; given {value}")
    if (value > least or (with_least and value == least)) and (value < most or (with_most and value == most)):
        return
    if name in WHOLE:
        raise UserError(f"{name} is a whole number from {least} to {most:,}; given {value}")
    low = f"{least} or more" if with_least else f"more than {least}"
    high = f"and at most {most:,}" if with_most else f"and less than {most}"
    raise UserError(f"{name} is {low}, {high}; given {value}")


def drops(text):
    """Return what `drops` says: a tuple of epochs in rising order, or how many epochs lie between two, a float.

    >>> drops("82 123"), drops("every 2")
    ((82.0, 123.0), 2.0)

    UserError when it cannot be read.
    """
    words = text.split()
    every = words[:1] == ["every"]
    numbers = tuple(parsed("drops", word, 1.0) for word in words[every:])
    if any(number <= 0 for number in numbers) or (every and len(numbers) != 1) or list(numbers) != sorted(set(numbers)):
        raise UserError(f"drops are epochs in rising order, such as '82 123', or 'every 2'; given {text!r}")
    return numbers[0] if every else numbers


def by_name(field, text):
    """Return what `max_norm` or `sides` says: {name: number}, under "" the number for all others if there is one.

    >>> by_name("max_norm", "1.9365 conv1=0.9")
    {"": 1.9365, "conv1": 0.9}

    UserError when it cannot be read.
    """
    found = {}
    for word in text.split():
        name, equals, number = word.partition("=") if "=" in word else ("", "", word)
        if equals and not name:
            raise UserError(f"{field} takes NUMBER and NAME=NUMBER, such as '1.9 conv1=0.9'; given {word!r}")
        if name in found:
            raise UserError(f"{field} has {f'{name} twice' if name else 'two numbers for all'}; give one")
        found[name] = parsed(f"{field} {name}".rstrip(), number, 1.0)
        if not 0 < found[name] <= MOST:
            raise UserError(f"{field} is more than 0, and at most {MOST:,}; given {word!r}")
    return found


def side_weights(recipe, spec):
    """Return {side classifier: the weight of its loss} for a network; UserError when it has no such one."""
    asked = by_name("sides", recipe.sides)
    unknown = [name for name in asked if name and name not in spec.sides]
    if asked and not spec.sides:
        raise UserError(f"{spec.name} has no side classifiers; leave sides empty: sides=")
    if unknown:
        raise UserError(f"{spec.name} has no side classifier {unknown[0]!r}; there are: {', '.join(spec.sides)}")
    missing = [name for name in spec.sides if asked and not {"", name} & {*asked}]
    if missing:
        raise UserError(f"sides says nothing of {missing[0]}; give {missing[0]}={spec.sides[missing[0]]:g}, or leave "
                        "sides empty to train without any")
    return {name: asked.get(name, asked.get("")) for name in spec.sides if asked}


def goes_on(recipe):
    """Return whether the rate of an epoch does not depend on how many epochs there are: a run can be made longer."""
    return recipe.schedule not in ("cosine", "one_cycle")


# Fields that matter only beside others
USED = {
    "momentum": lambda recipe: recipe.optimizer in ("sgd", "nesterov", "rmsprop"),
    "rho": lambda recipe: recipe.optimizer in ("rmsprop", "adadelta"),
    "epsilon": lambda recipe: recipe.optimizer not in ("sgd", "nesterov"),
    "warmup": lambda recipe: recipe.schedule in ("constant", "step", "cosine"),
    "drops": lambda recipe: recipe.schedule == "step",
    "factor": lambda recipe: recipe.schedule in ("step", "plateau"),
    "patience": lambda recipe: recipe.schedule == "plateau",
    "floor": lambda recipe: recipe.schedule == "plateau",
    "stop_delta": lambda recipe: recipe.stop_patience > 0,
    "initial_bias": lambda recipe: recipe.initializer != "paper",
}
QUIET = ("initializer", "stop_patience", "clip_norm", "ema", "loss", "smoothing", "max_norm", "sides", "dropout",
         "augment", "epsilon")


def described(recipe):
    """Return the recipe in a line, for the header of a run: the fields that have an effect."""
    plain = as_dict(Recipe())
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in as_dict(recipe).items()
                     if USED.get(name, lambda _: True)(recipe) and not (name in QUIET and value == plain[name]))
