"""Augmentation: a few parameters per image, drawn on the host, and the layer that applies them on the device.

The parameters depend only on (seed, epoch, step), so that every backend, and a resumed run, sees the same images.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from zoo.training.augmentation import Augmentation

# Columns of an image's parameters
AFFINE = slice(0, 6)  # m0..m5: pixel (y, x) is sampled at (m0 y + m1 x + m2, m3 y + m4 x + m5) of the raw image
CUTOUT_BOX = slice(6, 10)  # top, left, bottom, right of the zeros; bottom and right are exclusive
# With mixup or cutmix: the same two of the partner, and
PARTNER_AFFINE, PARTNER_CUTOUT_BOX = slice(10, 16), slice(16, 20)
LABEL_WEIGHT = slice(20, 21)  # weight of the image's own label; the rest is the partner's
IMAGE_WEIGHT = slice(21, 22)  # weight of the image in the mixed image, outside the cutmix box
CUTMIX_BOX = slice(22, 26)  # top, left, bottom, right of the region taken from the partner alone

DRAWS_PER_IMAGE = 13  # always all of them, so that changing one operation leaves the others as they were
AUGMENTATION_STREAM = 1  # the last word of Philox's counter; the order of the images uses 0
ROUNDING_STEPS = 2 ** 16


def count_augmentation_parameters(augmentation):
    """Return the number of parameters per image."""
    return 26 if augmentation.has_mixing else 10


def draw_uniform(seed, epoch, step, count):
    """Return uniform numbers in [0, 1), (DRAWS_PER_IMAGE, count); an image's depend on its index, not on `count`.

    Computed from Philox's raw output, which no NumPy release may change. `seed`, `epoch` and `step` have 64 bits each.
    """
    generator = np.random.Philox(key=[seed, epoch], counter=[0, step, 0, AUGMENTATION_STREAM])
    return (generator.random_raw((count, DRAWS_PER_IMAGE)) >> np.uint64(11)).T * 2.0 ** -53


def round_to_grid(values):
    """Round to multiples of 1/65536: hides the last bits of powers and cosines, in which libraries differ."""
    return np.round(values * ROUNDING_STEPS) / ROUNDING_STEPS


def draw_augmentation_parameters(augmentation, shape, seed, epoch, step, count):
    """Return the parameters of a step's `count` images: float32 (count, count_augmentation_parameters(augmentation)).

    shape: (height, width, channels) of the images. step: from 0 in each epoch. With mixup or cutmix, the partner of
    image i is image (i + 1) % count.
    """
    (flip, crop_y, crop_x, rotation, shift_y, shift_x, cutout_y, cutout_x,
     mixing_choice, beta_u, beta_v, cutmix_y, cutmix_x) = draw_uniform(seed, epoch, step, count)
    height, width = shape[:2]
    affine = invert_affine(shape, augmentation.flip * (flip < 0.5),
                           scale_to_symmetric_range(rotation, augmentation.rotation),
                           scale_to_pixel_offsets(crop_y, augmentation.crop)
                           + scale_to_symmetric_range(shift_y, augmentation.shift) * height,
                           scale_to_pixel_offsets(crop_x, augmentation.crop)
                           + scale_to_symmetric_range(shift_x, augmentation.shift) * width)
    own = np.stack(affine + make_boxes(shape, cutout_y, cutout_x, augmentation.cutout, augmentation.cutout), axis=1)
    if not augmentation.has_mixing:
        return own.astype("float32")
    use_cutmix = (mixing_choice < 0.5 if augmentation.mixup and augmentation.cutmix
                  else np.full(count, bool(augmentation.cutmix)))
    alpha = np.where(use_cutmix, augmentation.cutmix, augmentation.mixup)
    weight = sample_beta(alpha, beta_u, beta_v)
    box_scale = np.sqrt(1 - weight) * use_cutmix
    box = top, left, bottom, right = make_boxes(shape, cutmix_y, cutmix_x, np.floor(height * box_scale),
                                                np.floor(width * box_scale))
    label_weight = np.where(use_cutmix, 1 - (bottom - top) * (right - left) / (height * width), weight)
    mixing = np.stack([label_weight, np.where(use_cutmix, 1, weight), *box], axis=1)
    return np.concatenate([own, np.roll(own, -1, axis=0), mixing], axis=1).astype("float32")


def scale_to_symmetric_range(draws, max_value):
    """Scale uniform numbers in [0, 1) to [-max_value, max_value)."""
    return (2 * draws - 1) * max_value


def scale_to_pixel_offsets(draws, max_pixels):
    """Scale uniform numbers in [0, 1) to integers from -max_pixels to max_pixels."""
    return np.floor(draws * (2 * max_pixels + 1)) - max_pixels


def invert_affine(shape, flip, angle, dy, dx):
    """Return the six columns of AFFINE, each (count,).

    The image is flipped where `flip` is 1, rotated counterclockwise about its center by `angle` degrees, and translated
    by `dy` pixels down and `dx` pixels to the right; the map is the inverse, from output pixels to input pixels.
    """
    center_y, center_x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    cosine, sine = round_to_grid(np.cos(np.radians(angle))), round_to_grid(np.sin(np.radians(angle)))
    dy, dx = center_y + dy, center_x + dx
    mirror = 1 - 2 * flip
    return [cosine, sine, center_y - cosine * dy - sine * dx,
            -mirror * sine, mirror * cosine, center_x + mirror * (sine * dy - cosine * dx)]


def make_boxes(shape, draws_y, draws_x, height, width):
    """Return top, left, bottom, right, each (count,), of randomly centered boxes, clipped at the border."""
    top = np.floor(draws_y * shape[0]) - height // 2
    left = np.floor(draws_x * shape[1]) - width // 2
    return [np.clip(top, 0, shape[0]), np.clip(left, 0, shape[1]),
            np.clip(top + height, 0, shape[0]), np.clip(left + width, 0, shape[1])]


def sample_beta(alpha, u, v):
    """Return samples of Beta(alpha, alpha), each from two uniform numbers, without rejection.

    Bailey 1994 ("Polar generation of random variates with the t-distribution"): t = sqrt(n (u ** (-2 / n) - 1))
    * cos(2 pi v) has Student's t-distribution with n degrees of freedom; then (1 + t / sqrt(n + t ** 2)) / 2 is
    Beta(n / 2, n / 2).
    """
    power, cosine = u ** (1 / alpha), np.cos(2 * np.pi * v)
    spread = (1 - power) * cosine ** 2  # t ** 2 / n, times the power, because it alone would overflow for small alphas
    return round_to_grid((1 + np.sign(cosine) * np.sqrt(spread / np.maximum(power + spread, 1e-300))) / 2)


def mix_labels(augmentation, parameters, labels):
    """Return one-hot labels, float32 (n, classes), mixed as the images are.

    parameters: those of the images, from `draw_augmentation_parameters`.
    """
    if not augmentation.has_mixing:
        return labels
    weight = parameters[:, LABEL_WEIGHT]
    return weight * labels + (1 - weight) * np.roll(labels, -1, axis=0)


@keras.saving.register_keras_serializable("zoo")
class AugmentationLayer(keras.layers.Layer):
    """Apply the parameters from `draw_augmentation_parameters` to images, in float32 whatever the dtype policy.

    Call it with [images uint8 (n, height, width, channels), parameters float32 (n, columns)]; with mixup or cutmix,
    the partners, the images rolled by -1 along n, are the third input. No image reads another. Returns float32 of the
    images' shape, from 0 to 255. Pixels from outside an image, and those that are cut out, are 0.

    Part of training models only, which the user's ModelCheckpoint may save; a run's own model begins after it.
    """

    def __init__(self, augmentation, name="augment"):
        super().__init__(name=name, dtype="float32", trainable=False)
        self.augmentation = augmentation

    def get_config(self):
        return {"augmentation": dataclasses.asdict(self.augmentation), "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(Augmentation(**config["augmentation"]), config["name"])

    def call(self, inputs):
        images, parameters = inputs[:2]
        own = self.transform_images(images, parameters[:, AFFINE], parameters[:, CUTOUT_BOX])
        if not self.augmentation.has_mixing:
            return own
        partner = self.transform_images(inputs[2], parameters[:, PARTNER_AFFINE], parameters[:, PARTNER_CUTOUT_BOX])
        weight = (parameters[:, IMAGE_WEIGHT][:, :, None, None]
                  * mask_outside_boxes(own.shape, parameters[:, CUTMIX_BOX]))
        return weight * own + (1 - weight) * partner

    def transform_images(self, images, affine, cutout_boxes):
        if self.augmentation.has_interpolation:
            images = sample_bilinear(images, *compute_source_coordinates(images.shape, affine,
                                                                         has_rotation=self.augmentation.rotation > 0))
        elif self.augmentation.is_geometric:
            images = sample_nearest(images, *compute_source_coordinates(images.shape, affine, has_rotation=False))
        images = ops.cast(images, "float32")
        return images * mask_outside_boxes(images.shape, cutout_boxes) if self.augmentation.cutout else images

    def compute_output_shape(self, shapes):
        return shapes[0]


def mask_outside_boxes(shape, boxes):
    """Return a mask, float32 (n, height, width, 1): 0 inside the boxes (n, 4) and 1 outside."""
    top, left, bottom, right = (boxes[:, i, None, None, None] for i in range(4))
    rows, columns = make_pixel_grid(shape)
    rows, columns = rows[..., None], columns[..., None]
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return 1 - ops.cast(inside, "float32")


def make_pixel_grid(shape):
    """Return the rows (1, height, 1) and columns (1, 1, width) of images (n, height, width, channels)."""
    return (ops.reshape(ops.arange(shape[1], dtype="float32"), (1, -1, 1)),
            ops.reshape(ops.arange(shape[2], dtype="float32"), (1, 1, -1)))


def compute_source_coordinates(shape, affine, has_rotation):
    """Return the source y and x of each pixel: (n, height, width), broadcastable along one axis without rotation.

    Clipped to one pixel outside the image, where all pixels are 0.
    """
    rows, columns = make_pixel_grid(shape)
    m = [affine[:, i, None, None] for i in range(6)]
    y, x = m[0] * rows + m[2], m[4] * columns + m[5]
    if has_rotation:
        y, x = y + m[1] * columns, x + m[3] * rows
    return ops.clip(y, -1, shape[1]), ops.clip(x, -1, shape[2])


def pad_and_flatten(images):
    """Zero-pad images by one pixel and flatten them: float32 (n, (height + 2) * (width + 2), channels)."""
    _, height, width, channels = images.shape
    padded = ops.pad(ops.cast(images, "float32"), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return ops.reshape(padded, (-1, (height + 2) * (width + 2), channels))


def gather_pixels(flat, indices, *offsets):
    """Return, for each of `offsets`, the pixels at `indices` (n, height, width) plus that offset, in the images' shape.

    flat: from `pad_and_flatten`. Each image has a gather of its own, so that no device needs another's images.
    """
    _, height, width = indices.shape

    def gather_image(inputs):
        pixels, image_indices = inputs
        return [ops.take(pixels, image_indices + offset, axis=0) for offset in offsets]

    gathered = ops.vectorized_map(gather_image, (flat, ops.reshape(indices, (-1, height * width))))
    return [ops.reshape(pixels, (-1, height, width, flat.shape[-1])) for pixels in gathered]


def sample_nearest(images, y, x):
    """Return the pixels at integer coordinates, unchanged."""
    padded_width = images.shape[2] + 2
    indices = ops.cast(y + 1, "int32") * padded_width + ops.cast(x + 1, "int32")
    return gather_pixels(pad_and_flatten(images), indices, 0)[0]


def sample_bilinear(images, y, x):
    """Interpolate bilinearly between the four nearest pixels, the zero padding included."""
    _, height, width, _ = images.shape
    padded_width = width + 2
    top, left = ops.minimum(ops.floor(y), height - 1), ops.minimum(ops.floor(x), width - 1)
    indices = ops.cast(top + 1, "int32") * padded_width + ops.cast(left + 1, "int32")
    a, b, c, d = gather_pixels(pad_and_flatten(images), indices, 0, 1, padded_width, padded_width + 1)
    # Fractions of the way to the next pixel; for each channel, because CPUs are slow at broadcasting along three
    down, right = (ops.broadcast_to(fraction[..., None], ops.shape(a)) for fraction in (y - top, x - left))
    upper, lower = a + right * (b - a), c + right * (d - c)
    return upper + down * (lower - upper)
