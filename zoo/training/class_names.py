"""Class names of published weights."""

import sys

import keras
import numpy as np

from zoo.data import dataset_info

IMAGENET_CLASSES = 1000


def get_weights_class_names(source, classes):
    """Return the class names of a WeightsSource; None if only the class indices are known.

    A thousand classes are taken to be ImageNet's, except in files of zoo's own models.
    """
    if source.bundled_weights:  # named after the dataset that they were trained on
        return dataset_info.get_dataset_info(source.name).class_names
    return get_imagenet_class_names() if source.is_external and classes == IMAGENET_CLASSES else None


def get_imagenet_class_names():
    """Return ImageNet's 1000 class names from Keras's file; None, with a note, if it is unavailable."""
    try:
        rows = keras.applications.imagenet_utils.decode_predictions(np.eye(IMAGENET_CLASSES, dtype=np.float32), top=1)
    except Exception as error:  # network or disk errors
        print(f"note: showing class indices: the class names cannot be fetched ({' '.join(str(error).split())})",
              file=sys.stderr)
        return None
    return tuple(name.replace("_", " ") for ((_, name, _),) in rows)
