"""The losses: of integer labels (n,) and float32 logits (n, classes), one number a picture, (n,)."""

import keras
from keras import ops

REJECTED = 0.1  # j of equation 9, the distance of a class "none of these": the paper asks for a positive number


def cross_entropy(labels, logits):
    """Return minus the logarithm of the probability of the label."""
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def smoothed(smoothing):
    """Return cross-entropy for targets (1 - smoothing) * one-hot + smoothing / classes.

    Szegedy et al. 2015 (arXiv:1512.00567), section 7.
    """
    def loss(labels, logits):
        others = -ops.mean(ops.log_softmax(logits), axis=-1)
        return (1 - smoothing) * cross_entropy(labels, logits) + smoothing * others

    return loss


def map_distance(labels, logits):
    """Return y_true + log(exp(-j) + sum_i exp(-y_i)) for logits that are minus the distances y_i.

    LeCun et al. 1998, equation 9: the distance to the label's code, and a competition with the other codes.
    """
    rejected = ops.full_like(logits[:, :1], -REJECTED)
    true = ops.take_along_axis(logits, ops.cast(ops.reshape(labels, (-1, 1)), "int32"), axis=-1)
    return ops.logsumexp(ops.concatenate([logits, rejected], axis=-1), axis=-1) - true[:, 0]


def of(recipe):
    """Return a recipe's two losses: what training makes small, and what people see.

    The second is without smoothing, in training and in validation, so that runs with and without it compare.
    """
    seen = map_distance if recipe.loss == "map_distance" else cross_entropy
    return (smoothed(recipe.smoothing) if recipe.smoothing else seen), seen
