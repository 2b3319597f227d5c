"""Decoding color images of 16 bits per channel, for which Pillow has no mode: it keeps the upper byte of each value.

By another raw mode Pillow decodes the lower byte from the same file, so that the values can be put together.
"""

import sys

import numpy as np

from zoo.errors import UserError

FORMATS = ("PNG", "TIFF", "PPM")  # of others, such as SGI and JPEG 2000, the upper bytes are all that Pillow decodes
VALUES = "sixteen_bits"  # key of Image.info: uint16 (height, width, channels), of which the image has the upper bytes
NATIVE_ORDER, OTHER_ORDER = "L" if sys.byteorder == "little" else "B", {"L": "B", "B": "L"}
BITS_PER_SAMPLE_TAG, PLANAR_TAG = 258, 284  # TIFF tags


def get_raw_mode(image):
    """Return the raw mode, such as "RGB;16B", of an image of FORMATS that is not decoded yet; "" for all other images.
    """
    tiles = getattr(image, "tile", None)  # missing in images that do not come from a file
    if not tiles or image.format not in FORMATS or image.mode.startswith("I"):
        return ""
    codec, _, _, arguments = tiles[0]
    if image.format == "PPM":
        return "RGB;16B" if codec == "ppm" and arguments == ("RGB", 65535) else ""
    raw_mode = arguments if isinstance(arguments, str) else arguments[0]
    return raw_mode if raw_mode.endswith((";16L", ";16B", ";16N")) else ""


def list_byte_modes(raw_mode):
    """Return the raw modes that decode the upper and the lower bytes of the values of `raw_mode`."""
    if raw_mode == "LA;16B":
        return raw_mode, "RGBA"  # the four bytes of a pixel as channels: there is no mode for the lower ones alone
    mode, order = raw_mode[:-1].replace("RGBa", "RGBA"), raw_mode[-1].replace("N", NATIVE_ORDER)
    return f"{mode}{order}", f"{mode}{OTHER_ORDER[order]}"


def set_raw_mode(image, raw_mode):
    """Let Pillow decode an image by another raw mode."""
    def replace_arguments(tile):
        codec, extents, offset, arguments = tile
        values = (("raw", extents, offset, raw_mode) if image.format == "PPM" else  # whose codec scales to 8 bits
                  (codec, extents, offset, raw_mode if isinstance(arguments, str) else (raw_mode, *arguments[1:])))
        return getattr(tile, "_make", tuple)(values)  # a named tuple since Pillow 11

    image.tile = [*map(replace_arguments, image.tile)]


def join_bytes(upper, lower, raw_mode):
    """Return `upper` with its 16-bit values in its info, from the images decoded by `list_byte_modes(raw_mode)`."""
    upper_bytes, lower_bytes = np.asarray(upper, np.uint16), np.asarray(lower, np.uint16)
    if raw_mode == "LA;16B":
        upper_bytes, lower_bytes = lower_bytes[..., [0, 0, 0, 2]], lower_bytes[..., [1, 1, 1, 3]]
    values = upper_bytes * 256 + lower_bytes
    if raw_mode.startswith("RGBa"):  # the colors are multiplied by alpha
        alpha = np.maximum(values[..., 3:], 1)
        values[..., :3] = np.minimum(np.rint(values[..., :3] * (65535 / alpha)), 65535)
    upper.info[VALUES] = values
    return upper


def check_planes(image, path):
    """Raise UserError for a TIFF of more than eight bits whose color planes are stored one after the other.

    Pillow decodes them as eight bits, or their upper bytes.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(PLANAR_TAG) == 2 and max(tags.get(BITS_PER_SAMPLE_TAG, (1,))) > 8 and len(image.getbands()) > 1:
        raise UserError(f"{path} has more than 8 bits per channel in separate color planes, which cannot be decoded; "
                        "save it with interleaved channels (PlanarConfiguration 1)")
