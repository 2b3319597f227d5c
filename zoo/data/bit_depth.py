"""Images of more than eight bits a pixel, such as 16-bit PNGs and TIFFs, brought to eight: all of a set by one scale.

The value that becomes white is the smallest in WHITES that no image of the set exceeds, so that 12 bits in a file of
16 use all of the range, and a dark image stays darker than a bright one. A run keeps it, and what it is given later is
brought to the same scale.
"""

import numpy as np
from PIL import Image

WHITE_LEVELS = {"integer": tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16, 24, 32)),
                "float": (1, *(2**bits - 1 for bits in (8, 10, 12, 14, 16, 24, 32)))}
DEFAULT_WHITE_LEVEL = 65535  # white of whole numbers where no set is known that an image belongs to


def get_pixel_kind(image):
    """Return "integer" or "float" for a Pillow image of more than eight bits a pixel, else None."""
    if image.mode == "F":
        return "float"
    return "integer" if image.mode == "I" or image.mode.startswith("I;16") else None


def get_pixel_values(image):
    return np.nan_to_num(np.asarray(image, np.float64))


def get_max_pixel_value(image):
    return float(get_pixel_values(image).max())


def choose_white_level(kind, highest):
    """Return the value that becomes white in a set of images whose highest value is `highest`."""
    return next((white for white in WHITE_LEVELS[kind] if highest <= white), WHITE_LEVELS[kind][-1])


def convert_to_8_bits(image, white_levels=None):
    """Return (a grey Pillow image of eight bits, the value that became white) of one of more.

    white: {kind: value} of a set. Without it whole numbers are 0 to 65535, and floats on the scale of this image.
    """
    kind, values = get_pixel_kind(image), get_pixel_values(image)
    value = (white_levels or {}).get(kind)
    if value is None:
        value = DEFAULT_WHITE_LEVEL if kind == "integer" else choose_white_level(kind, values.max())
    return Image.fromarray(np.clip(np.rint(values / value * 255), 0, 255).astype(np.uint8)), value


def describe_white_level(kind, white_level, highest=None):
    """Return the line that says how the images of a set were scaled."""
    what = "whole numbers of more than 8 bits" if kind == "integer" else "floats"
    largest = f", the largest value is {highest:,g}" if highest is not None else ""
    return f"images of {what}: 0..{white_level} becomes 0..255 in all of them{largest}"
