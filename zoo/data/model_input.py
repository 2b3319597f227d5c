"""Preparing arrays of images and Pillow images as model input. No backend is loaded."""

import numpy as np

from zoo.data import image_io
from zoo.data.array_labels import convert_to_array
from zoo.data.arrays import convert_image_array
from zoo.data.pixel_values import to_uint8
from zoo.errors import UserError

LUMA_WEIGHTS = (19595, 38470, 7471)  # of 65,536: ITU-R 601-2's weights of red, green and blue, as Pillow rounds them


def prepare_image_arrays(images, shape):
    """Return images as uint8 (n, *shape).

    Args:
        images: anything that `np.asarray` takes, of shape (n, height, width), (n, height, width, 1) or
            (n, height, width, 3), or one image, (height, width), (height, width, 1) or (height, width, 3): integers or
            floats of 0 to 255, or floats of at most 1 or bool, which are multiplied by 255. Grayscale and RGB are
            converted into each other, as for image files.
        shape: (height, width, channels) of the model input; arrays are not resized.

    Raises:
        UserError: for arrays of other shapes, dtypes or values, and for (3, height, width) where the model takes RGB,
            which is one image of PyTorch's layout, or three grayscale ones.
    """
    images = convert_to_array(images, "images")
    size = tuple(shape[:2])
    if shape[2] == 3 and images.shape == (3, *size):
        raise UserError(f"an array of shape {images.shape} is either one image with the channels first, or three "
                        "grayscale images; give images.transpose(1, 2, 0) for one, or images[..., None] for three")
    if images.ndim == 2 or images.ndim == 3 and images.shape[2] in (1, 3) and images.shape[1:] != size:
        images = images[None]  # one image
    images = convert_image_array(images, "given")
    if images.shape[1:3] != size:
        raise UserError(f"the images are {images.shape[1]}x{images.shape[2]}, but the model expects "
                        f"{shape[0]}x{shape[1]}; give images of that size, or image files, which are resized")
    pixels = to_uint8({"given": images})[0]["given"]
    if pixels.shape[3] == shape[2]:
        return pixels
    if shape[2] == 3:
        return np.repeat(pixels, 3, axis=3)
    return ((pixels.astype(np.uint32) @ np.array(LUMA_WEIGHTS, np.uint32) + 2**15) >> 16).astype(np.uint8)[..., None]


def prepare_pil_images(images, shape, white_levels=None):
    """Return Pillow images as uint8 (n, *shape), rotated and resized like image files.

    white_levels: how images of more than eight bits are scaled; see bit_depth.

    Raises:
        UserError: for an image whose pixels cannot be read, or only their upper bits.
    """
    images = [image_io.prepare_pil_image(image, f"the image at index {index}") for index, image in enumerate(images)]
    return np.stack([image_io.prepare_image(image, shape, white_levels).pixels for image in images])
