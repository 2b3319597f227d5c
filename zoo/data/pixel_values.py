"""The values of arrays of images brought to uint8, 0 to 255, and what is assumed of them. No backend is loaded."""

import numpy as np

from zoo.errors import UserError

CHUNK_SIZE = 64  # images converted at a time: their float64 copies must not multiply the memory that a set takes


def to_uint8(images):
    """Return ({split: uint8 images}, notes) of images of any type; UserError for values outside 0 to 255.

    All splits of floats are on one scale, else one of them would be spoilt in silence.
    """
    are_bool = [split for split, pixels in images.items() if pixels.dtype.kind == "b"]
    notes = [f"the {' and '.join(are_bool)} images are of type bool: True becomes 255"] if are_bool else []
    images = images | {split: images[split].astype(np.uint8) * np.uint8(255) for split in are_bool}
    ranges = {split: (pixels.min(), pixels.max()) for split, pixels in images.items()}
    for split, (lowest, highest) in ranges.items():
        if np.isnan(lowest):
            raise make_nan_error(images[split], split)
        if not (lowest >= 0 and highest <= 255):
            raise UserError(f"the {split} images have values from {lowest!s} to {highest!s}; give pixels of 0 to 255, "
                            "or floats of 0 to 1")
    whole = [split for split, pixels in images.items() if pixels.dtype.kind != "f"]
    if whole and max(ranges[split][1] for split in whole) == 1:
        notes.append(f"the {' and '.join(whole)} images are whole numbers of 0 and 1: assumed to be on the scale 0 to "
                     "255, which is nearly black; if 1 is white, give images * 255, or floats")
    highest = {split: ranges[split][1] for split, pixels in images.items() if pixels.dtype.kind == "f"}
    if not highest:
        return {split: pixels.astype(np.uint8, copy=False) for split, pixels in images.items()}, tuple(notes)
    small, large = min(highest, key=highest.get), max(highest, key=highest.get)
    scale = 255 if highest[large] <= 1 else 1
    if scale == 1 and highest[small] <= 1:
        raise UserError(f"the {small} images have values up to {highest[small]:g}, but the {large} images up to "
                        f"{highest[large]:g}; give floats of all splits on one scale, 0 to 1 or 0 to 255")
    notes.append(f"the {' and '.join(highest)} images are floats of at most {highest[large]:g}: "
                 + ("assumed to be on the scale 0 to 1, multiplied by 255 and rounded" if scale == 255 else
                    "assumed to be on the scale 0 to 255, rounded"))
    return {split: scale_to_uint8(pixels, scale) if split in highest else pixels.astype(np.uint8, copy=False)
            for split, pixels in images.items()}, tuple(notes)


def make_nan_error(images, split):
    """Return the UserError for images (n, height, width, channels), one of which at least holds NaN."""
    wrong = [index for index, image in enumerate(images) if np.isnan(image).any()]
    more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    return UserError(f"the {split} images hold NaN (not a number): the one at index {wrong[0]}{more}; remove such "
                     "images, or give these pixels a value")


def scale_to_uint8(images, scale):
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), CHUNK_SIZE):
        pixels[start:start + CHUNK_SIZE] = np.rint(images[start:start + CHUNK_SIZE].astype(np.float64) * scale)
    return pixels
