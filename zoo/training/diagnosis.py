"""Find where a model ceased to be finite."""

import keras
import numpy as np


def describe_nonfinite_weight(model):
    """Describe the first weights of a model, from the input on, that are not finite."""
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            return f"{variable.path} is the first of the weights that are not finite"
    return "all weights are finite: the loss itself overflowed"
