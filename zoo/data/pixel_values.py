"""Converting the pixel values of image arrays to uint8, 0 to 255, with notes on assumptions. No backend is loaded."""

import numpy as np

from zoo.errors import UserError

MIN_PIXEL_MAXIMUM = 2  # the maximum of floats on the scale 0 to 255; between 1 and this, 0 to 1 was probably exceeded
CHUNK_SIZE = 64  # images converted at a time, to limit the memory of their float64 copies


def to_uint8(images):
    """Return ({split: uint8 images}, notes) of images of any dtype; raise UserError for values outside 0 to 255.

    All float splits must be on the same scale, otherwise one of them would silently be scaled incorrectly.
    """
    bool_splits = [split for split, pixels in images.items() if pixels.dtype.kind == "b"]
    notes = [f"the {' and '.join(bool_splits)} images are of dtype bool: True becomes 255"] if bool_splits else []
    images = images | {split: images[split].astype(np.uint8) * np.uint8(255) for split in bool_splits}
    ranges = {split: (pixels.min(), pixels.max()) for split, pixels in images.items()}
    for split, (lowest, highest) in ranges.items():
        if np.isnan(lowest):
            raise make_nan_error(images[split], split)
        if not (lowest >= 0 and highest <= 255):
            raise UserError(f"the {split} images have values from {lowest!s} to {highest!s}; give pixels from 0 to "
                            "255, or floats from 0 to 1")
    integer_splits = [split for split, pixels in images.items() if pixels.dtype.kind != "f"]
    if integer_splits and max(ranges[split][1] for split in integer_splits) == 1:
        notes.append(f"the {' and '.join(integer_splits)} images are integers of 0 and 1: assumed to be on the scale 0 "
                     "to 255, which is nearly black; if 1 is white, give images * 255, or floats")
    max_values = {split: ranges[split][1] for split, pixels in images.items() if pixels.dtype.kind == "f"}
    if not max_values:
        return {split: pixels.astype(np.uint8, copy=False) for split, pixels in images.items()}, tuple(notes)
    small, large = min(max_values, key=max_values.get), max(max_values, key=max_values.get)
    scale = 255 if max_values[large] <= 1 else 1
    if scale == 1 and max_values[small] <= 1:
        raise UserError(f"the {small} images have values up to {max_values[small]:g}, but the {large} images up to "
                        f"{max_values[large]:g}; give the floats of all splits on the same scale, 0 to 1 or 0 to 255")
    if scale == 1 and max_values[large] < MIN_PIXEL_MAXIMUM:
        raise UserError(f"the {large} images are floats of at most {max_values[large]:g}, neither on the scale 0 to 1 "
                        "nor 0 to 255; clip them to 1, or give pixels from 0 to 255")
    notes.append(f"the {' and '.join(max_values)} images are floats of at most {max_values[large]:g}: "
                 + ("assumed to be on the scale 0 to 1, multiplied by 255 and rounded" if scale == 255 else
                    "assumed to be on the scale 0 to 255, rounded"))
    return {split: scale_to_uint8(pixels, scale) if split in max_values else pixels.astype(np.uint8, copy=False)
            for split, pixels in images.items()}, tuple(notes)


def make_nan_error(images, split):
    """Return the UserError for images (n, height, width, channels), at least one of which contains NaN."""
    invalid = [index for index, image in enumerate(images) if np.isnan(image).any()]
    more = f" and {len(invalid) - 1:,} more" if len(invalid) > 1 else ""
    return UserError(f"the {split} images contain NaN (not a number): the one at index {invalid[0]}{more}; remove "
                     "these images, or replace the NaN pixels")


def scale_to_uint8(images, scale):
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), CHUNK_SIZE):
        pixels[start:start + CHUNK_SIZE] = np.rint(images[start:start + CHUNK_SIZE].astype(np.float64) * scale)
    return pixels
