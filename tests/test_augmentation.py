"""Augmentation: its text form, the random parameters, and the augmented images on every backend."""

import cmath
import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import augment_backend
import keras
import numpy as np
import pytest
from helpers import check_text

from zoo.errors import UserError
from zoo.training import augmentation_layer
from zoo.training.augmentation import Augmentation, check_augmentation, parse_augmentation
from zoo.training.batches import permute_indices

HERE = Path(__file__).resolve().parent
RANGE = 0.255  # 1e-3 of the scale from 0 to 255


# the text form in a recipe

def test_the_text():
    assert parse_augmentation("") == parse_augmentation("  ") == Augmentation()
    assert parse_augmentation("crop=0 rotation=0 cutmix=0.0") == Augmentation()
    assert parse_augmentation("flip crop=4 rotation=15 shift=0.1 cutout=8 mixup=0.2 cutmix=1") == Augmentation(
        flip=True, crop=4, rotation=15.0, shift=0.1, cutout=8, mixup=0.2, cutmix=1.0)
    assert type(parse_augmentation("rotation=15").rotation) is float


@pytest.mark.parametrize("text, pins", [
    ("flips", ("'flips'", "'flip'")),
    ("crop:4", ("'crop:4'", "'crop'")),
    ("=4", ("''", "crop", "cutmix")),
    ("crop=4 flip crop=2", ("crop",)),
    ("flip=1", ("flip", "'flip=1'")),
    ("crop", ("crop=4", "'crop'")),
    ("crop=", ("crop", "''")),
    ("crop=2.5", ("crop", "'2.5'")),
    ("rotation=left", ("rotation", "'left'")),
    ("rotation=nan", ("rotation", "'nan'")),
    ("rotation=181", ("rotation", "0", "180", "181")),
    ("rotation=-5", ("rotation", "0", "180", "-5")),
    ("shift=0.6", ("shift", "0", "0.5", "0.6")),
    ("cutout=-1", ("cutout", "0", "-1")),
    ("mixup=101", ("mixup", "0", "100", "101")),
    ("flip, crop=4", ("'flip,'", "'flip'")),
])
def test_an_error_is_one_line(text, pins):
    with pytest.raises(UserError) as error:
        parse_augmentation(text)
    check_text(str(error.value), *pins)
    assert "\n" not in str(error.value)


def test_augmentations_that_would_erase_an_image():
    check_augmentation(parse_augmentation("crop=27 cutout=27"), (28, 32, 1))
    for name in ("crop", "cutout"):
        with pytest.raises(UserError, match=rf"\b{name}\b.*\b28\b.*\b29\b|\b{name}\b.*\b29\b.*\b28\b"):
            check_augmentation(parse_augmentation(f"{name}=29"), (32, 28, 1))
        with pytest.raises(UserError, match=name):
            check_augmentation(parse_augmentation(f"{name}=28"), (32, 28, 1))


# the random parameters

def philox(counter, key):
    """One block of Philox4x64-10: four words (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")."""
    full = 2 ** 64 - 1
    a, b, c, d = counter
    k, q = key
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (right >> 64) ^ b ^ k, right & full, (left >> 64) ^ d ^ q, left & full
        k, q = (k + 0x9E3779B97F4A7C15) & full, (q + 0xBB67AE8584CAA73B) & full
    return a, b, c, d


def draw_by_hand(seed, epoch, step, count):
    """(count, 13) numbers in [0, 1), from the Philox above; NumPy increments the counter before it draws."""
    words = [word for block in range(-(-13 * count // 4)) for word in philox((block + 1, step, 0, 1), (seed, epoch))]
    return [[(word >> 11) / 2 ** 53 for word in words[13 * i:13 * (i + 1)]] for i in range(count)]


def test_philox_is_the_published_one():
    """The known-answer tests of the authors' Random123, kat_vectors."""
    full = 2 ** 64 - 1
    assert philox((0, 0, 0, 0), (0, 0)) == (
        0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b)
    assert philox((full,) * 4, (full,) * 2) == (
        0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0)


@pytest.mark.parametrize("at", [(0, 0, 0), (1, 2, 3), (2 ** 32 - 1, 299, 40_000)])
def test_the_stream_is_philox(at):
    assert augmentation_layer.draw_uniform(*at, 5).T.tolist() == draw_by_hand(*at, 5)


def test_every_step_has_its_own_random_stream():
    positions = [(seed, epoch, step) for seed in range(4) for epoch in range(4) for step in range(4)]
    streams = [augmentation_layer.draw_uniform(*position, 8).ravel() for position in positions]
    streams += [np.random.Generator(np.random.Philox(key=[seed, epoch])).random(104)  # the order of the images
                for seed in range(4) for epoch in range(4)]
    assert len(np.unique(np.concatenate(streams))) == 80 * 104
    assert sorted(permute_indices(104, 0, 0)) == list(range(104))  # the order is still drawn this way: see batches.py
    assert np.array_equal(permute_indices(104, 0, 0), np.argsort(streams[64], kind="stable"))


EVERYTHING = "flip crop=4 rotation=15 shift=0.1 cutout=8 mixup=0.2 cutmix=1"


def test_a_smaller_batch_has_the_same_parameters():
    large, small = (augmentation_layer.draw_augmentation_parameters(parse_augmentation(EVERYTHING), (32, 32, 3), 1, 2,
                                                                    3, count) for count in (128, 80))
    num_parameters = augmentation_layer.count_augmentation_parameters(parse_augmentation(EVERYTHING))
    assert large.dtype == np.float32 and large.shape == (128, num_parameters)
    own_columns = [*range(10), *range(20, 26)]
    assert np.array_equal(large[:80, own_columns], small[:, own_columns])
    assert np.array_equal(large[:79], small[:79])
    for parameters in (large, small):  # the partner is the next image; that of the last one is the first
        assert np.array_equal(parameters[:, 10:20], np.concatenate([parameters[1:, :10], parameters[:1, :10]]))


def test_operations_do_not_change_each_others_parameters():
    shape, at = (32, 32, 3), (1, 2, 3, 64)
    holes = augmentation_layer.draw_augmentation_parameters(parse_augmentation("cutout=8"), shape,
                                                            *at)[:, augmentation_layer.CUTOUT_BOX]
    assert np.array_equal(augmentation_layer.draw_augmentation_parameters(parse_augmentation(EVERYTHING), shape,
                                                                          *at)[:, augmentation_layer.CUTOUT_BOX], holes)


def test_flips_and_crops_are_uniform():
    """4,000 draws; five standard deviations either way: 0.5 +- 0.04, and 444 +- 100 for each of nine offsets."""
    parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation("flip crop=4"), (32, 32, 3), 0, 0,
                                                                 0, 4000)
    mirrored = parameters[:, 4] == -1
    assert abs(mirrored.mean() - 0.5) < 0.04
    assert np.array_equal(parameters[:, 4], np.where(mirrored, -1, 1))
    down, right = -parameters[:, 2], -parameters[~mirrored][:, 5]
    for offset, expected in ((down, 4000 / 9), (right, (~mirrored).sum() / 9)):
        offsets, counts = np.unique(offset, return_counts=True)
        assert offsets.tolist() == list(range(-4, 5))
        assert np.all(abs(counts - expected) < 5 * math.sqrt(expected))
    assert abs(np.corrcoef(down[~mirrored], right)[0, 1]) < 5 / math.sqrt(len(right))


def test_rotations_and_shifts_are_uniform():
    parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation("rotation=25"), (32, 32, 3), 0, 0,
                                                                 0, 4000).astype(float)
    angles = np.degrees(np.arctan2(parameters[:, 1], parameters[:, 0]))
    assert uniform_distance((angles / 25 + 1) / 2) < 1.95 / math.sqrt(4000)
    parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation("shift=0.1"), (20, 40, 3), 0, 0, 0,
                                                                 4000).astype(float)
    assert uniform_distance((-parameters[:, 2] / 2 + 1) / 2) < 1.95 / math.sqrt(4000)  # 0.1 of 20 rows
    assert uniform_distance((-parameters[:, 5] / 4 + 1) / 2) < 1.95 / math.sqrt(4000)  # 0.1 of 40 columns


def uniform_distance(values):
    """Return the Kolmogorov-Smirnov distance from uniform; 1.95 / sqrt(n) is exceeded once in 1,000."""
    values, n = np.sort(values), len(values)
    return max((np.arange(1, n + 1) / n - values).max(), (values - np.arange(n) / n).max())


@pytest.mark.parametrize("alpha, distribution", [
    (0.5, lambda x: 2 / np.pi * np.arcsin(np.sqrt(x))),
    (1.0, lambda x: x),
    (2.0, lambda x: 3 * x ** 2 - 2 * x ** 3),
    (3.0, lambda x: 10 * x ** 3 - 15 * x ** 4 + 6 * x ** 5),
])
def test_the_beta_distribution(alpha, distribution):
    """For the values of alpha whose distribution function has a closed form."""
    u, v = augmentation_layer.draw_uniform(5, 0, 0, 20_000)[:2]
    assert uniform_distance(distribution(augmentation_layer.sample_beta(alpha, u, v))) < 1.95 / math.sqrt(20_000)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.4, 10, 100])
def test_the_variance_of_beta(alpha):
    """1 / (4 (2 alpha + 1)); 20,000 draws of kurtosis at most 3 estimate it to 1%; five times that is allowed."""
    u, v = augmentation_layer.draw_uniform(5, 0, 0, 20_000)[:2]
    values = augmentation_layer.sample_beta(alpha, u, v)
    assert values.min() >= 0 and values.max() <= 1
    assert np.mean((values - 0.5) ** 2) * 4 * (2 * alpha + 1) == pytest.approx(1, abs=0.05)
    assert abs(values.mean() - 0.5) < 5 * 0.5 / math.sqrt(20_000)


def test_the_limits_of_beta():
    assert augmentation_layer.sample_beta(0.2, np.array([0.0, 0.0, 0.0]), np.array([0.0, 0.25, 0.5])).tolist() in (
        [1.0, 0.5, 0.0], [1.0, 1.0, 0.0])  # the cosine of pi / 2 is 6e-17 in floating point


def test_mixed_labels():
    one_hot = np.eye(10, dtype="float32")[np.arange(37) % 10]
    for text in ("mixup=0.2", "cutmix=1", "mixup=1 cutmix=1"):
        parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation(text), (32, 32, 3), 0, 0, 0, 37)
        mixed = augmentation_layer.mix_labels(parse_augmentation(text), parameters, one_hot)
        assert mixed.dtype == np.float32
        assert np.allclose(mixed.sum(axis=1), 1, atol=1e-6) and mixed.min() >= 0
        for i in range(37):
            assert mixed[i, i % 10] == parameters[i, 20]
            assert mixed[i, (i + 1) % 37 % 10] == 1 - parameters[i, 20]
    assert augmentation_layer.mix_labels(parse_augmentation("flip"), parameters, one_hot) is one_hot


def test_mixup_and_cutmix_are_equally_frequent():
    """Cutmix where the weight outside the patch is 1 and there is a patch: 4,000 coins; 0.04 is 5 std."""
    parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation("mixup=1 cutmix=1"), (32, 32, 3), 0,
                                                                 0, 0, 4000)
    assert abs(np.mean(parameters[:, 21] == 1) - 0.5) < 0.04
    mixup = parameters[parameters[:, 21] != 1]
    assert np.array_equal(mixup[:, 20], mixup[:, 21])
    assert np.all(mixup[:, 22] == mixup[:, 24]) and np.all(mixup[:, 23] == mixup[:, 25])  # no patch


# the images

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 9, 3), dtype=np.uint8)
AT = (7, 3, 11)
COPIES = ["", "flip", "crop=3", "flip crop=2", "cutout=5", "flip crop=2 cutout=4"]
BLENDED = ["rotation=30", "rotation=180", "shift=0.3", "flip crop=2 rotation=15 shift=0.1 cutout=4"]
MIXED = ["mixup=0.4", "cutmix=1", "flip crop=2 cutout=3 mixup=0.4 cutmix=1", "rotation=20 mixup=1"]


def augment_by_loops(image, u, text):
    """Augment an image by loops, from its 13 draws: flip, rotate and translate, cut out; exact if not interpolated."""
    a, (height, width, _) = parse_augmentation(text), image.shape
    if a.flip and u[0] < 0.5:
        image = image[:, ::-1]
    angle = math.radians((2 * u[3] - 1) * a.rotation)
    down = math.floor(u[1] * (2 * a.crop + 1)) - a.crop + (2 * u[4] - 1) * a.shift * height
    right = math.floor(u[2] * (2 * a.crop + 1)) - a.crop + (2 * u[5] - 1) * a.shift * width
    middle = complex((width - 1) / 2, -(height - 1) / 2)  # the complex plane: up is positive
    result = np.zeros(image.shape)
    for row in range(height):
        for column in range(width):
            point = complex(column, -row)
            if angle or down or right:
                point = (point - complex(right, -down) - middle) * cmath.exp(-1j * angle) + middle
            result[row, column] = interpolate(image, -point.imag, point.real)
    center_y, center_x = math.floor(u[6] * height), math.floor(u[7] * width)
    for row in range(height):
        for column in range(width):
            if 0 <= row - center_y + a.cutout // 2 < a.cutout and 0 <= column - center_x + a.cutout // 2 < a.cutout:
                result[row, column] = 0
    return result


def interpolate(image, y, x):
    """Return the bilinear value of an image at a point; outside it is 0."""
    value = 0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                value = value + (1 - abs(y - row)) * (1 - abs(x - column)) * image[row, column].astype(float)
    return value


def augment_all_by_loops(text, parameters):
    augmented = [augment_by_loops(image, u, text) for image, u in zip(IMAGES, draw_by_hand(*AT, len(IMAGES)))]
    if not parse_augmentation(text).has_mixing:
        return np.array(augmented)
    mixed = []
    for i, image in enumerate(augmented):
        weight = np.full(image.shape, float(parameters[i, 21]))
        top, left, bottom, right = (int(edge) for edge in parameters[i, 22:26])
        weight[top:bottom, left:right] = 0
        mixed.append(weight * image + (1 - weight) * augmented[(i + 1) % len(augmented)])
    return np.array(mixed)


def draw_parameters(text, count=len(IMAGES)):
    return augmentation_layer.draw_augmentation_parameters(parse_augmentation(text), IMAGES.shape[1:], *AT, count)


@pytest.fixture(scope="module")
def run_augmentation(tmp_path_factory):
    """Return a function that runs augment_backend.py on a backend, once; others than this process's in their own."""
    folder, outputs = tmp_path_factory.mktemp("images"), {}
    input_path = folder / "given.npz"
    np.savez(input_path, images=IMAGES,
             **{f"numbers/{text}": draw_parameters(text) for text in COPIES + BLENDED + MIXED})

    def run(backend):
        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed: pip install '.[{backend}]'")
        if backend not in outputs and backend == keras.backend.backend():
            augment_backend.main(input_path, folder / f"{backend}.npz")
        elif backend not in outputs:
            environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "",
                           "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(HERE.parent)}
            subprocess.run([sys.executable, HERE / "augment_backend.py", input_path, folder / f"{backend}.npz"],
                           env=environment, check=True)
        with np.load(folder / f"{backend}.npz") as file:
            outputs[backend] = dict(file)
        return outputs[backend]

    return run


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_images_match_the_loops(run_augmentation, backend):
    outputs = run_augmentation(backend)
    assert {key.split("/")[0] for key in outputs} == {"predict", "eager", "bfloat16", "fit"}
    for text in COPIES + BLENDED + MIXED:
        expected = augment_all_by_loops(text, draw_parameters(text))
        tolerance = 0 if text in COPIES else RANGE
        for mode in ("predict", "eager", "bfloat16"):
            actual = outputs[f"{mode}/{text}"]
            assert actual.dtype == np.float32 and actual.shape == IMAGES.shape
            assert np.abs(actual - expected).max() <= tolerance, (mode, text)
    assert np.array_equal(outputs["predict/"], IMAGES)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(run_augmentation, backend):
    expected, actual = run_augmentation("tensorflow"), run_augmentation(backend)
    assert set(expected) == set(actual)
    differences = {key: np.abs(expected[key] - actual[key]).max() for key in expected if key != "fit"}
    assert {key: difference for key, difference in differences.items() if not difference <= RANGE} == {}
    assert np.abs(expected["fit"]).max() > 1e-3  # it has learned, from a batch of four images and one of two
    assert np.abs(expected["fit"] - actual["fit"]).max() < 1e-6


def augment(text, images, parameters, partners=None):
    from keras import ops

    inputs = [images, parameters] + ([partners] if partners is not None else [])
    layer = augmentation_layer.AugmentationLayer(parse_augmentation(text))
    return ops.convert_to_numpy(layer([ops.convert_to_tensor(array) for array in inputs]))


def make_parameters(flipped=0, angle=0.0, down=0.0, right=0.0, shape=(5, 5, 1)):
    """Return the parameters of one image without cutout."""
    inverse = augmentation_layer.invert_affine(shape, *(np.array([value]) for value in (flipped, angle, down, right)))
    return np.stack([*inverse, *np.zeros((4, 1))], axis=1).astype("float32")


def test_directions():
    """Rotations are counterclockwise, translations are down and to the right, and the flip comes first."""
    image = np.arange(1, 26, dtype=np.uint8).reshape(1, 5, 5, 1)
    turned = augment("rotation=90", image, make_parameters(angle=90.0))
    assert np.array_equal(turned[0, ..., 0], np.rot90(image[0, ..., 0]))
    moved = augment("crop=2", image, make_parameters(down=2, right=-1))
    assert np.array_equal(moved[0, 2:, :-1, 0], image[0, :-2, 1:, 0]) and moved.sum() == image[0, :-2, 1:].sum()
    both = augment("flip rotation=90", image, make_parameters(flipped=1, angle=90.0))
    assert np.array_equal(both[0, ..., 0], np.rot90(image[0, :, ::-1, 0]))
    half = augment("shift=0.5", image, make_parameters(right=0.5))
    assert np.array_equal(half[0, 0, :, 0], [0.5, 1.5, 2.5, 3.5, 4.5])  # half of the black border is interpolated


def test_the_area_of_a_patch_matches_the_label_weight():
    own, partners = np.full((200, 12, 9, 1), 10, np.uint8), np.full((200, 12, 9, 1), 200, np.uint8)
    parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation("cutmix=1"), (12, 9, 1), *AT, 200)
    mixed = augment("cutmix=1", own, parameters, partners)
    assert set(np.unique(mixed)) == {10, 200}
    assert np.allclose((mixed == 10).mean(axis=(1, 2, 3)), parameters[:, 20], atol=1e-6)
    sizes = parameters[:, 24:26] - parameters[:, 22:24]
    assert sizes.min() >= 0 and np.all(sizes <= [12, 9]) and len(np.unique(sizes[:, 0])) > 6
    assert 0.5 < parameters[:, 20].mean() < 0.8  # 0.5 if patches were not clipped at the border


def test_cutouts_are_anywhere_and_clipped_at_the_border():
    """Its center is uniform over the pixels, so a corner is cut out a quarter as often as the middle."""
    parameters = augmentation_layer.draw_augmentation_parameters(parse_augmentation("cutout=8"), (32, 32, 1), *AT, 4000)
    is_kept = augment("cutout=8", np.full((4000, 32, 32, 1), 255, np.uint8), parameters) == 255
    areas = (~is_kept).sum(axis=(1, 2, 3))
    assert areas.max() == 64 and areas.min() == 16
    middle, corner = (~is_kept[:, 16, 16]).mean(), (~is_kept[:, 31, 31]).mean()
    assert abs(middle - 64 / 1024) < 5 * math.sqrt(64 / 1024 / 4000)
    # rows -4 .. 3 around the center: 4 of them reach the corner
    assert abs(corner - 16 / 1024) < 5 * math.sqrt(16 / 1024 / 4000)


def test_images_are_augmented_independently():
    for text in ("flip crop=2 rotation=15 shift=0.1 cutout=4", "crop=2"):
        parameters = draw_parameters(text)
        batch = augment(text, IMAGES, parameters)
        for i in range(len(IMAGES)):
            assert np.abs(augment(text, IMAGES[i:i + 1], parameters[i:i + 1]) - batch[i]).max() < 1e-3
