"""What a recipe's `augmentation` says, read and checked. Standard library only."""

import dataclasses
from dataclasses import dataclass

from zoo.errors import UserError, unknown_name_error
from zoo.utils.validation import parse_value


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed at random, each in its own way; 0 and False: not."""

    flip: bool = False  # left and right exchanged, every second picture
    crop: int = 0  # pixels of zeros put on each side; the picture is cut out of that anywhere
    rotation: float = 0.0  # degrees about the centre, at most, either way
    shift: float = 0.0  # share of the height and of the width, at most, either way
    cutout: int = 0  # side of a square of zeros, pixels; its centre is anywhere (DeVries & Taylor 2017)
    mixup: float = 0.0  # alpha: the share of two pictures in their sum is Beta(alpha, alpha) (Zhang et al. 2017)
    cutmix: float = 0.0  # alpha: so is the share that a box of another picture leaves over (Yun et al. 2019)

    @property
    def is_geometric(self):
        """Whether pixels change their place."""
        return bool(self.flip or self.crop or self.has_interpolation)

    @property
    def has_interpolation(self):
        """Whether pixels land between pixels, so that there is something to interpolate."""
        return bool(self.rotation or self.shift)

    @property
    def has_mixing(self):
        """Whether a picture and its label are mixed with another one's."""
        return bool(self.mixup or self.cutmix)


NO_AUGMENTATION = Augmentation()
AUGMENTATION_DEFAULTS = dataclasses.asdict(NO_AUGMENTATION)
MAX_VALUES = {"crop": 10_000, "rotation": 180, "shift": 0.5, "cutout": 10_000, "mixup": 100, "cutmix": 100}
EXAMPLE_VALUES = {"crop": 4, "rotation": 15, "shift": 0.1, "cutout": 8, "mixup": 0.2, "cutmix": 1}


def parse_augmentation(text):
    """Return the Augmentation that a text says; "" is none.

    >>> parse_augmentation("flip crop=4")
    Augmentation(flip=True, crop=4, rotation=0.0, shift=0.0, cutout=0, mixup=0.0, cutmix=0.0)

    UserError, in one line, for what it cannot be.
    """
    values = {}
    for word in text.split():
        name, equals, number = word.partition("=")
        if name not in AUGMENTATION_DEFAULTS:
            raise unknown_name_error("augmentation", name, AUGMENTATION_DEFAULTS)
        if name in values:
            raise UserError(f"augmentation has {name} twice; give it once")
        if name == "flip":
            if equals:
                raise UserError(f"augmentation's flip is a word without a number, there or not; given {word!r}")
            values[name] = True
            continue
        if not equals:
            raise UserError(f"augmentation's {name} takes a number, such as {name}={EXAMPLE_VALUES[name]}; given {word!r}")
        values[name] = parse_value(f"augmentation's {name}", number, AUGMENTATION_DEFAULTS[name])
        if not 0 <= values[name] <= MAX_VALUES[name]:
            raise UserError(f"augmentation's {name} is from 0 to {MAX_VALUES[name]:,}; given {number}")
    return Augmentation(**values)


def check_augmentation(augmentation, shape):
    """Raise UserError for an Augmentation that leaves nothing of a picture of `shape` (height, width, channels)."""
    side = min(shape[:2])
    for name in ("crop", "cutout"):
        if getattr(augmentation, name) >= side:
            raise UserError(f"augmentation's {name} is in pixels, and less than the pictures' side, {side}; "
                            f"given {getattr(augmentation, name)}")
