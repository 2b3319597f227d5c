"""Where a network ceased to be finite."""

import keras
import numpy as np


def describe_nonfinite_weight(model):
    """Return words for the first of a model's weights, from the pictures on, that are not finite."""
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            return f"{variable.path} is the first of the weights that are not finite"
    return "all weights are finite: the loss itself overflowed"
