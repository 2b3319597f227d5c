"""The plot of docs/augmentation.md: python docs/augmentation.py writes docs/images/augmentation.png."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import keras  # noqa: E402
import matplotlib.cbook  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from PIL import Image  # noqa: E402

from zoo.data.datasets import DIGITS_FILE  # noqa: E402
from zoo.training.augmentation import parse_augmentation  # noqa: E402
from zoo.training.augmentation_layer import (AugmentationLayer, draw_augmentation_parameters,  # noqa: E402
                                             mix_labels)

SIDE = 64
CUTS = ((130, 50, 300), (0, 0, 230), (250, 380, 220), (150, 150, 130), (310, 60, 200))  # left, top, side of the photo
DIGITS = (3, 5, 8)
ROWS = ("", "flip", "crop=8", "rotation=25", "shift=0.1", "cutout=20", "mixup=1", "cutmix=1",
        "flip crop=8\nrotation=25\ncutout=20\ncutmix=1")
AT = (0, 0, 0)  # seed, epoch, step


def load_images():
    """Return uint8 (8, SIDE, SIDE, 3): five cuts of a photograph, three digits."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = Image.open(file).convert("RGB")
    images_shown = [photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE)) for left, top, side in CUTS]
    with np.load(DIGITS_FILE, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    for digit in DIGITS:
        image = Image.fromarray(images[labels == digit][7])
        images_shown.append(image.resize((SIDE, SIDE)).convert("RGB"))
    return np.stack([np.asarray(image) for image in images_shown])


def augment(images, text):
    """Return the augmented images as floats, and the fraction of each in its own label."""
    augmentation = parse_augmentation(text)
    parameters = draw_augmentation_parameters(augmentation, images.shape[1:], *AT, len(images))
    inputs = [images, parameters] + ([np.roll(images, -1, axis=0)] if augmentation.has_mixing else [])
    tensors = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in inputs]
    augmented = keras.Model(tensors, AugmentationLayer(augmentation)(tensors)).predict(inputs, verbose=0)
    return augmented, mix_labels(augmentation, parameters, np.eye(len(images), dtype="float32")).diagonal()


def main():
    images = load_images()
    figure = Figure(figsize=(9.2, 10), dpi=90)
    grid = figure.subplots(len(ROWS), len(images))
    figure.subplots_adjust(left=0.125, right=0.995, top=0.995, bottom=0.02, wspace=0.06, hspace=0.16)
    for text, row in zip(ROWS, grid):
        augmented, fractions = augment(images, text)
        row[0].set_ylabel(text or "as it is", rotation=0, ha="right", va="center", labelpad=8, family="monospace")
        for axes, image, fraction in zip(row, augmented, fractions):
            axes.imshow(image / 255, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if parse_augmentation(text).has_mixing:
                axes.set_xlabel(f"{fraction:.0%} + {1 - fraction:.0%}", fontsize=8, labelpad=2)
    figure.savefig(ROOT / "docs" / "images" / "augmentation.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
