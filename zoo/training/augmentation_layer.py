"""Augmentation: a few numbers a picture, drawn on the host, and the layer that applies them on the device.

The numbers are a function of (seed, epoch, step) and of nothing else, so that every backend, and a run that was
resumed, sees the same pictures.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from zoo.training.augmentation import Augmentation

# columns of the numbers of a picture
AFFINE = slice(0, 6)  # of the pixel (y, x): what is found at (m0 y + m1 x + m2, m3 y + m4 x + m5) in the raw picture
CUTOUT_BOX = slice(6, 10)  # top, left, bottom, right of the zeros, bottom and right not among them
# with mixup or cutmix, the same two of the partner and
PARTNER_AFFINE, PARTNER_CUTOUT_BOX = slice(10, 16), slice(16, 20)
LABEL_WEIGHT = slice(20, 21)  # of the picture in the label; the rest is the partner's
IMAGE_WEIGHT = slice(21, 22)  # of the picture in the mixed picture, outside the patch
CUTMIX_BOX = slice(22, 26)  # top, left, bottom, right of what is the partner's alone

DRAWS_PER_IMAGE = 13  # a picture, needed or not: a change of one operation leaves the others as they were
AUGMENTATION_STREAM = 1  # the last word of Philox's counter; the order of the pictures has 0 there
ROUNDING_STEPS = 2 ** 16


def count_augmentation_parameters(augmentation):
    """Return how many numbers a picture has."""
    return 26 if augmentation.has_mixing else 10


def draw_uniform(seed, epoch, step, count):
    """Return (DRAWS, count) numbers in [0, 1): those of a picture depend on its place in the step, not on `count`.

    From Philox's raw words, which no release of NumPy may change; `seed`, `epoch` and `step` have 64 bits each.
    """
    words = np.random.Philox(key=[seed, epoch],
                             counter=[0, step, 0, AUGMENTATION_STREAM]).random_raw((count, DRAWS_PER_IMAGE))
    return (words >> np.uint64(11)).T * 2.0 ** -53


def round_to_grid(values):
    """Return the values on a grid of 1/65536: hides the last bits of powers and cosines, where libraries differ."""
    return np.round(values * ROUNDING_STEPS) / ROUNDING_STEPS


def draw_augmentation_parameters(augmentation, shape, seed, epoch, step, count):
    """Return the numbers of the `count` pictures of a step: float32 (count, columns(augmentation)).

    `shape` is the pictures' (height, width, channels); `step` counts from 0 in its epoch. With mixup or cutmix, the
    partner of picture i is picture (i + 1) % count.
    """
    (flip, crop_y, crop_x, turn, shift_y, shift_x, hole_y, hole_x,
     which, beta_u, beta_v, patch_y, patch_x) = draw_uniform(seed, epoch, step, count)
    height, width = shape[:2]
    moved = invert_affine(shape, augmentation.flip * (flip < 0.5),
                          scale_to_symmetric_range(turn, augmentation.rotation),
                          scale_to_pixel_offsets(crop_y, augmentation.crop)
                          + scale_to_symmetric_range(shift_y, augmentation.shift) * height,
                          scale_to_pixel_offsets(crop_x, augmentation.crop)
                          + scale_to_symmetric_range(shift_x, augmentation.shift) * width)
    own = np.stack(moved + make_boxes(shape, hole_y, hole_x, augmentation.cutout, augmentation.cutout), axis=1)
    if not augmentation.has_mixing:
        return own.astype("float32")
    cuts = which < 0.5 if augmentation.mixup and augmentation.cutmix else np.full(count, bool(augmentation.cutmix))
    alpha = np.where(cuts, augmentation.cutmix, augmentation.mixup)
    kept = sample_beta(alpha, beta_u, beta_v)
    side = np.sqrt(1 - kept) * cuts
    patch = top, left, bottom, right = make_boxes(shape, patch_y, patch_x, np.floor(height * side),
                                                  np.floor(width * side))
    share = np.where(cuts, 1 - (bottom - top) * (right - left) / (height * width), kept)
    mixing = np.stack([share, np.where(cuts, 1, kept), *patch], axis=1)
    return np.concatenate([own, np.roll(own, -1, axis=0), mixing], axis=1).astype("float32")


def scale_to_symmetric_range(draws, max_value):
    """Return numbers uniform in [-most, most)."""
    return (2 * draws - 1) * max_value


def scale_to_pixel_offsets(draws, max_pixels):
    """Return whole numbers uniform from -most to most."""
    return np.floor(draws * (2 * max_pixels + 1)) - max_pixels


def invert_affine(shape, flip, angle, dy, dx):
    """Return the six numbers of MAP, each (count,).

    The picture is flipped where `flipped`, turned about its centre against the clock by `angle` degrees and moved
    `down` and to the `right` by so many pixels; the map leads back, from where a pixel lands to where it was.
    """
    middle_y, middle_x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    cosine, sine = round_to_grid(np.cos(np.radians(angle))), round_to_grid(np.sin(np.radians(angle)))
    dy, dx = middle_y + dy, middle_x + dx
    mirror = 1 - 2 * flip
    return [cosine, sine, middle_y - cosine * dy - sine * dx,
            -mirror * sine, mirror * cosine, middle_x + mirror * (sine * dy - cosine * dx)]


def make_boxes(shape, draws_y, draws_x, height, width):
    """Return top, left, bottom, right, each (count,), of boxes whose centre is any pixel, cut off at the border."""
    top = np.floor(draws_y * shape[0]) - height // 2
    left = np.floor(draws_x * shape[1]) - width // 2
    return [np.clip(top, 0, shape[0]), np.clip(left, 0, shape[1]),
            np.clip(top + height, 0, shape[0]), np.clip(left + width, 0, shape[1])]


def sample_beta(alpha, u, v):
    """Return numbers distributed as Beta(alpha, alpha), from two uniform ones each and without rejection.

    Bailey 1994 ("Polar generation of random variates with the t-distribution"): t = sqrt(n (u ** (-2 / n) - 1))
    * cos(2 pi v) has Student's distribution with n degrees of freedom; then (1 + t / sqrt(n + t ** 2)) / 2 is
    Beta(n / 2, n / 2).
    """
    power, cosine = u ** (1 / alpha), np.cos(2 * np.pi * v)
    spread = (1 - power) * cosine ** 2  # t ** 2 / n, times the power: small alphas would make it infinite
    return round_to_grid((1 + np.sign(cosine) * np.sqrt(spread / np.maximum(power + spread, 1e-300))) / 2)


def mix_labels(augmentation, parameters, labels):
    """Return the labels, one-hot float32 (n, classes), mixed as the pictures are; `draw_augmentation_parameters` are
    theirs.
    """
    if not augmentation.has_mixing:
        return labels
    share = parameters[:, LABEL_WEIGHT]
    return share * labels + (1 - share) * np.roll(labels, -1, axis=0)


@keras.saving.register_keras_serializable("zoo")
class AugmentationLayer(keras.layers.Layer):
    """Apply `draw_augmentation_parameters` to pictures; float32 whatever the policy, and no picture touches another.

    Call it with [images uint8 (n, height, width, channels), numbers float32 (n, columns)], with mixup or cutmix and
    the partners, images rolled by -1 along n, as the third. Returns float32 of the images' shape, from 0 to 255.
    What comes from outside a picture is 0, as is what is cut out.

    Stands in training models alone, which a ModelCheckpoint of the user's may save: a run's own model has the layers
    behind it.
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
        images, numbers = inputs[:2]
        own = self.transform_images(images, numbers[:, AFFINE], numbers[:, CUTOUT_BOX])
        if not self.augmentation.has_mixing:
            return own
        partner = self.transform_images(inputs[2], numbers[:, PARTNER_AFFINE], numbers[:, PARTNER_CUTOUT_BOX])
        weight = numbers[:, IMAGE_WEIGHT][:, :, None, None] * mask_outside_boxes(own.shape, numbers[:, CUTMIX_BOX])
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
    """Return 0 in the boxes (n, 4) and 1 outside: float32 (n, height, width, 1)."""
    top, left, bottom, right = (boxes[:, i, None, None, None] for i in range(4))
    rows, across = make_pixel_grid(shape)
    rows, across = rows[..., None], across[..., None]
    inside = (rows >= top) & (rows < bottom) & (across >= left) & (across < right)
    return 1 - ops.cast(inside, "float32")


def make_pixel_grid(shape):
    """Return the rows (1, height, 1) and columns (1, 1, width) of pictures (n, height, width, channels)."""
    return (ops.reshape(ops.arange(shape[1], dtype="float32"), (1, -1, 1)),
            ops.reshape(ops.arange(shape[2], dtype="float32"), (1, 1, -1)))


def compute_source_coordinates(shape, affine, has_rotation):
    """Return where each pixel comes from, y and x: (n, height, width), or with sides of 1 where nothing is turned.

    No further than one pixel outside the picture, where all is 0.
    """
    rows, across = make_pixel_grid(shape)
    m = [affine[:, i, None, None] for i in range(6)]
    y, x = m[0] * rows + m[2], m[4] * across + m[5]
    if has_rotation:
        y, x = y + m[1] * across, x + m[3] * rows
    return ops.clip(y, -1, shape[1]), ops.clip(x, -1, shape[2])


def pad_and_flatten(images):
    """Return pictures as rows of pixels, with a frame of zeros: float32 (n, (height + 2) * (width + 2), channels)."""
    _, height, width, channels = images.shape
    framed = ops.pad(ops.cast(images, "float32"), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return ops.reshape(framed, (-1, (height + 2) * (width + 2), channels))


def gather_pixels(flat, indices, *offsets):
    """Return the pixels so many `steps` on from `places` (n, height, width), each as the pictures are, from padded().

    Each picture has a gather of its own: no device needs what another has.
    """
    _, height, width = indices.shape

    def of_one(picture):
        pixels, place = picture
        return [ops.take(pixels, place + step, axis=0) for step in offsets]

    taken = ops.vectorized_map(of_one, (flat, ops.reshape(indices, (-1, height * width))))
    return [ops.reshape(each, (-1, height, width, flat.shape[-1])) for each in taken]


def sample_nearest(images, y, x):
    """Return the pixels at whole positions: copies."""
    wide = images.shape[2] + 2
    return gather_pixels(pad_and_flatten(images), ops.cast(y + 1, "int32") * wide + ops.cast(x + 1, "int32"), 0)[0]


def sample_bilinear(images, y, x):
    """Return what lies at the positions, bilinear between four pixels; the frame of zeros is among them."""
    _, height, width, _ = images.shape
    wide = width + 2
    top, left = ops.minimum(ops.floor(y), height - 1), ops.minimum(ops.floor(x), width - 1)
    first = ops.cast(top + 1, "int32") * wide + ops.cast(left + 1, "int32")
    a, b, c, d = gather_pixels(pad_and_flatten(images), first, 0, 1, wide, wide + 1)
    # 0 to 1: how far on to the next pixel; for each channel, because CPUs are slow at broadcasting along three
    down, right = (ops.broadcast_to(share[..., None], ops.shape(a)) for share in (y - top, x - left))
    upper, lower = a + right * (b - a), c + right * (d - c)
    return upper + down * (lower - upper)
