"""Weights of the classes in the loss, for data sets in which some classes are rare. No backend is loaded."""

import difflib
import math

import numpy as np

from zoo.errors import UserError

BALANCED = "balanced"


def resolve_class_weight(class_weight, dataset):
    """Return the weight of each class, a tuple of float, in the order of the labels.

    Args:
        class_weight: "balanced", n / (classes * n_class) for the training split, as scikit-learn has it; or a dict from
            classes, names or labels, to numbers above 0; classes that it does not name weigh 1.
        dataset: a Dataset.

    Raises:
        UserError: a class that is not there, a number that is not above 0, or all weights alike.
    """
    names = [*map(str, dataset.info.class_names)]
    if class_weight == BALANCED:
        counts = np.bincount(dataset.train.labels, minlength=len(names))
        return tuple(float(len(dataset.train) / (len(names) * count)) for count in np.maximum(counts, 1))
    if not isinstance(class_weight, dict) or not class_weight:
        raise UserError(f"class_weight is {BALANCED!r}, or a dict such as {{{names[0]!r}: 2.0}}; given "
                        f"{class_weight!r}")
    weights = [1.0] * len(names)
    for key, value in class_weight.items():
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not number or not (0 < value < 1e6 and math.isfinite(value)):
            raise UserError(f"the weight of a class is a number above 0 and below 1,000,000; given {value!r} for "
                            f"{key!r}")
        weights[find_class_label(key, names)] = float(value)
    return tuple(weights)


def find_class_label(key, names):
    """Return the label that a class name or a label means."""
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and 0 <= key < len(names):
        return int(key)
    if key in names:
        return names.index(key)
    close = difflib.get_close_matches(str(key), names, n=1)
    known = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names[:8])}"
    raise UserError(f"no class is called {key!r}; {known}")
