"""What the classes of published weights are called."""

import sys

import keras
import numpy as np

from zoo.data import dataset_info

IMAGENET_CLASSES = 1000


def get_weights_class_names(source, classes):
    """Return the names of the classes of a Source of weights; None where only their numbers are known.

    A thousand classes are ImageNet's, but in files of our own networks.
    """
    if source.bundled_weights:  # called by the data set that they were trained on
        return dataset_info.get_dataset_info(source.name).class_names
    return get_imagenet_class_names() if source.is_external and classes == IMAGENET_CLASSES else None


def get_imagenet_class_names():
    """Return the names of ImageNet's thousand classes from Keras's file; None, and a note, where it is not there."""
    try:
        rows = keras.applications.imagenet_utils.decode_predictions(np.eye(IMAGENET_CLASSES, dtype=np.float32), top=1)
    except Exception as error:  # what urllib or the disk raises
        print(f"note: classes have their numbers, their names cannot be fetched ({' '.join(str(error).split())})",
              file=sys.stderr)
        return None
    return tuple(name.replace("_", " ") for ((_, name, _),) in rows)
