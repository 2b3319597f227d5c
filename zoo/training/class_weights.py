"""Class weights in the loss, for imbalanced datasets. Loads no backend."""

import math

import numpy as np

from zoo.data.class_labels import find_class_label
from zoo.errors import UserError

BALANCED = "balanced"


def resolve_class_weight(class_weight, dataset):
    """Return the weight of each class, a tuple of floats, in the order of the labels.

    Args:
        class_weight: "balanced", for n / (classes * n_class) on the training split, as in scikit-learn; or a dict from
            class names or labels to numbers above 0; other classes have weight 1.
        dataset: a Dataset.

    Raises:
        UserError: if a class does not exist or is given twice, a weight is not above 0 and below 1,000,000, or
            `class_weight` is neither "balanced" nor a dict with at least one entry.
    """
    names = [*map(str, dataset.info.class_names)]
    if isinstance(class_weight, str) and class_weight == BALANCED:
        counts = np.bincount(dataset.train.labels, minlength=len(names))
        return tuple(float(len(dataset.train) / (len(names) * count)) for count in np.maximum(counts, 1))
    if not isinstance(class_weight, dict) or not class_weight:
        received = repr(class_weight) if isinstance(class_weight, (str, dict)) else (
            f"an object of type {type(class_weight).__name__}; dict(enumerate(weights)) gives a weight to each label")
        raise UserError(f"class_weight must be {BALANCED!r}, or a dict such as {{{names[0]!r}: 2.0}}; got {received}")
    weights = {}
    for key, value in class_weight.items():
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not is_number or not (0 < value < 1e6 and math.isfinite(value)):
            raise UserError(f"a class weight must be a number above 0 and below 1,000,000; got {value!r} for {key!r}")
        label = find_class_label(key, names)
        if label in weights:
            raise UserError(f"class_weight has the class {names[label]!r} twice, by its name and as {label}; give one")
        weights[label] = float(value)
    return tuple(weights.get(label, 1.0) for label in range(len(names)))
