"""Converting images of more than eight bits per pixel, such as 16-bit PNGs and TIFFs, to eight, by one scale per set.

The value that becomes white is the smallest in WHITE_LEVELS that no image of the set exceeds, so that 12-bit values in
a 16-bit file use the full range, and a dark image stays darker than a bright one. A run stores it, and scales all later
images in the same way.
"""

import numpy as np
from PIL import Image

from zoo.data import sixteen_bits
from zoo.data.pixel_values import MIN_PIXEL_MAXIMUM

WHITE_LEVELS = {"integer": tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16, 24, 32)),
                "float": (1, *(2**bits - 1 for bits in (8, 10, 12, 14, 16, 24, 32)))}
DEFAULT_WHITE_LEVEL = 65535  # for integers, if the image belongs to no known set
WHITE_IS_ZERO = "white_is_zero"  # key of Image.info: of a TIFF whose values Pillow inverts only up to eight bits
PHOTOMETRIC_TAG = 262  # TIFF tag of the colors that the values stand for, 0: white is zero


def get_pixel_kind(image):
    """Return "integer" or "float" for a Pillow image of more than eight bits per channel, else None."""
    if image.mode == "F":
        return "float"
    if image.mode == "I" or image.mode.startswith("I;16"):
        return "integer"
    return "integer" if sixteen_bits.VALUES in image.info or sixteen_bits.get_raw_mode(image) else None


def mark_inverted(image):
    """Return a Pillow image with WHITE_IS_ZERO in its info if its format says so and Pillow did not invert it."""
    if get_pixel_kind(image) and getattr(image, "tag_v2", {}).get(PHOTOMETRIC_TAG) == 0:
        image.info[WHITE_IS_ZERO] = True
    return image


def get_pixel_values(image):
    """Return the values of a Pillow image, without its alpha channel, as float64; NaN becomes 0, infinite values stay.
    """
    values = image.info.get(sixteen_bits.VALUES)
    if values is not None:
        return values[..., :3 if image.mode == "RGBA" else None].astype(np.float64)
    return np.nan_to_num(np.asarray(image, np.float64), posinf=np.inf, neginf=-np.inf)


def get_pixel_range(image):
    """Return (minimum, maximum) of the finite values of an image; (0, 0) if there are none."""
    values = get_pixel_values(image)
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def choose_white_level(kind, highest):
    """Return the white level of a set of images whose maximum value is `highest`.

    That of floats which exceed 1 by less than MIN_PIXEL_MAXIMUM, as resampling leaves them, is 1.
    """
    if kind == "float" and highest < MIN_PIXEL_MAXIMUM:
        return 1
    return next((white for white in WHITE_LEVELS[kind] if highest <= white), WHITE_LEVELS[kind][-1])


def convert_to_8_bits(image, white_levels=None):
    """Return (8-bit Pillow image, the white level that was used) of an image of more than eight bits per channel.

    white_levels: {kind: value} of the dataset. Default: 65535 for integers, and the scale of this image for floats and
    for integers beyond that. The color that a file declares to be transparent becomes so.
    """
    kind, values = get_pixel_kind(image), get_pixel_values(image)
    white_level = (white_levels or {}).get(kind)
    if white_level is None:
        white_level = max(choose_white_level(kind, get_pixel_range(image)[1]),
                          DEFAULT_WHITE_LEVEL if kind == "integer" else 0)
    pixels = np.clip(np.rint(values / white_level * 255), 0, 255).astype(np.uint8)
    if image.info.get(WHITE_IS_ZERO):
        pixels = 255 - pixels
    if image.mode == "RGBA":
        pixels = np.dstack([pixels, image.getchannel("A")])
    converted = Image.frombytes("L" if pixels.ndim == 2 else image.mode, image.size, pixels.tobytes())
    if "transparency" in image.info:
        is_transparent = np.all(np.atleast_3d(values) == image.info["transparency"], axis=2)
        converted.putalpha(Image.fromarray(np.where(is_transparent, 0, 255).astype(np.uint8)))
    return converted, white_level


def describe_white_level(kind, white_level, lowest=None, highest=None):
    """Return a line on how the images of a dataset were scaled, with the range of their values where it is known."""
    source = "integer images of more than 8 bits" if kind == "integer" else "float images"
    maximum = f", the maximum value is {highest:,g}" if highest is not None else ""
    clipped = f"; values below 0 become 0, the minimum is {lowest:,g}" if lowest is not None and lowest < 0 else ""
    if highest is not None and highest > white_level:
        clipped += f"; values above {white_level} become {white_level}"
    return f"{source}: 0..{white_level} is scaled to 0..255 in all of them{maximum}{clipped}"
