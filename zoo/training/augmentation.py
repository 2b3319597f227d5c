"""Parse and check the `augmentation` field of a recipe. Standard library only."""

import dataclasses
from dataclasses import dataclass

from zoo.errors import UserError, unknown_name_error
from zoo.utils.validation import parse_value


@dataclass(frozen=True)
class Augmentation:
    """Random augmentation of training images, drawn for each image; 0 and False disable a transformation."""

    flip: bool = False  # horizontal flip with probability 0.5
    crop: int = 0  # pixels of zero padding on each side, followed by a random crop of the original size
    rotation: float = 0.0  # maximum angle about the center, degrees, in either direction
    shift: float = 0.0  # maximum translation in either direction, as a fraction of the height and of the width
    cutout: int = 0  # side of a square of zeros, pixels, centered on a random pixel (DeVries & Taylor 2017)
    mixup: float = 0.0  # alpha: two images are blended with weights from Beta(alpha, alpha) (Zhang et al. 2017)
    cutmix: float = 0.0  # alpha: the fraction outside the pasted box is Beta(alpha, alpha) (Yun et al. 2019)

    @property
    def is_geometric(self):
        """Whether pixels move."""
        return bool(self.flip or self.crop or self.has_interpolation)

    @property
    def has_interpolation(self):
        """Whether pixels land between pixels, so that they must be interpolated."""
        return bool(self.rotation or self.shift)

    @property
    def has_mixing(self):
        """Whether images and labels are mixed in pairs."""
        return bool(self.mixup or self.cutmix)


NO_AUGMENTATION = Augmentation()
AUGMENTATION_DEFAULTS = dataclasses.asdict(NO_AUGMENTATION)
MAX_VALUES = {"crop": 10_000, "rotation": 180, "shift": 0.5, "cutout": 10_000, "mixup": 100, "cutmix": 100}
EXAMPLE_VALUES = {"crop": 4, "rotation": 15, "shift": 0.1, "cutout": 8, "mixup": 0.2, "cutmix": 1}


def parse_augmentation(text):
    """Return the Augmentation described by a text; "" is none.

    >>> parse_augmentation("flip crop=4")
    Augmentation(flip=True, crop=4, rotation=0.0, shift=0.0, cutout=0, mixup=0.0, cutmix=0.0)

    Raise UserError, in one line, for an invalid text.
    """
    values = {}
    for item in text.split():
        name, equals, value_text = item.partition("=")
        if name not in AUGMENTATION_DEFAULTS:
            raise unknown_name_error("augmentation", name, AUGMENTATION_DEFAULTS)
        if name in values:
            raise UserError(f"augmentation contains {name} twice; give it once")
        if name == "flip":
            if equals:
                raise UserError(f"augmentation's flip takes no value; got {item!r}; type flip")
            values[name] = True
            continue
        if not equals:
            raise UserError(f"augmentation's {name} takes a number, such as {name}={EXAMPLE_VALUES[name]}; "
                            f"got {item!r}")
        values[name] = parse_value(f"augmentation's {name}", value_text, AUGMENTATION_DEFAULTS[name])
        if not 0 <= values[name] <= MAX_VALUES[name]:
            raise UserError(f"augmentation's {name} must be from 0 to {MAX_VALUES[name]:,}; got {value_text}")
    return Augmentation(**values)


def check_augmentation(augmentation, shape):
    """Raise UserError for an Augmentation that removes all of an image of `shape` (height, width, channels)."""
    min_size = min(shape[:2])
    for name in ("crop", "cutout"):
        if getattr(augmentation, name) >= min_size:
            raise UserError(f"augmentation's {name} is in pixels and must be less than the image size, {min_size}; "
                            f"got {getattr(augmentation, name)}")
