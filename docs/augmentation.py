"""The picture of docs/augmentation.md: python docs/augmentation.py writes docs/images/augmentation.png."""

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
from zoo.training.augmentation import AugmentationLayer, mix_labels, draw_augmentation_parameters  # noqa: E402
from zoo.training.augmentation import parse_augmentation  # noqa: E402

SIDE = 64
CUTS = ((130, 50, 300), (0, 0, 230), (250, 380, 220), (150, 150, 130), (310, 60, 200))  # left, top, side of the photo
DIGITS = (3, 5, 8)
ROWS = ("", "flip", "crop=8", "rotation=25", "shift=0.1", "cutout=20", "mixup=1", "cutmix=1",
        "flip crop=8\nrotation=25\ncutout=20\ncutmix=1")
AT = (0, 0, 0)  # seed, epoch, step


def pictures():
    """Return uint8 (8, SIDE, SIDE, 3): five cuts of a photograph, three digits."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = Image.open(file).convert("RGB")
    found = [photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE)) for left, top, side in CUTS]
    with np.load(DIGITS_FILE, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    for digit in DIGITS:
        image = Image.fromarray(images[labels == digit][7])
        found.append(image.resize((SIDE, SIDE)).convert("RGB"))
    return np.stack([np.asarray(each) for each in found])


def augmented(images, text):
    """Return the pictures as floats and the share of each in its label."""
    augmentation = parse_augmentation(text)
    drawn = draw_augmentation_parameters(augmentation, images.shape[1:], *AT, len(images))
    inputs = [images, drawn] + ([np.roll(images, -1, axis=0)] if augmentation.has_mixing else [])
    entries = [keras.Input(each.shape[1:], dtype=each.dtype.name) for each in inputs]
    made = keras.Model(entries, AugmentationLayer(augmentation)(entries)).predict(inputs, verbose=0)
    return made, mix_labels(augmentation, drawn, np.eye(len(images), dtype="float32")).diagonal()


def main():
    images = pictures()
    figure = Figure(figsize=(9.2, 10), dpi=90)
    grid = figure.subplots(len(ROWS), len(images))
    figure.subplots_adjust(left=0.125, right=0.995, top=0.995, bottom=0.02, wspace=0.06, hspace=0.16)
    for text, row in zip(ROWS, grid):
        made, shares = augmented(images, text)
        row[0].set_ylabel(text or "as it is", rotation=0, ha="right", va="center", labelpad=8, family="monospace")
        for axes, picture, share in zip(row, made, shares):
            axes.imshow(picture / 255, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if parse_augmentation(text).has_mixing:
                axes.set_xlabel(f"{share:.0%} + {1 - share:.0%}", fontsize=8, labelpad=2)
    figure.savefig(ROOT / "docs" / "images" / "augmentation.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
