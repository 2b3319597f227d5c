"""The losses: of float32 targets (n, classes), which are shares of each class, and float32 logits (n, classes).

They give one number a picture, (n,). A target is 1 for the label's class; mixed pictures have two classes.
"""

import keras
from keras import ops

# J of equation 9, the distance of a class "none of these": the paper asks for a positive number
REJECTION_PENALTY = 0.1


class MeanLoss(keras.losses.Loss):
    """The mean over a batch of a function of (targets, logits) that gives (n,), weighed where pictures have weights."""

    def __init__(self, function):
        super().__init__(reduction="mean_with_sample_weight")
        self.function = function

    def call(self, targets, logits):
        return self.function(targets, logits)


def cross_entropy(targets, logits):
    """Return minus the mean logarithm of the classes' probabilities, weighed by their shares."""
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True)


def make_label_smoothing_loss(label_smoothing):
    """Return cross-entropy for targets (1 - smoothing) * targets + smoothing / classes.

    Szegedy et al. 2015 (arXiv:1512.00567), section 7.
    """
    def loss(targets, logits):
        others = -ops.mean(ops.log_softmax(logits), axis=-1)
        return (1 - label_smoothing) * cross_entropy(targets, logits) + label_smoothing * others

    return loss


def make_class_weighted_loss(loss, class_weight):
    """Return a loss times the weights of the targets' classes; of mixed images, by their shares.

    class_weight: numbers (classes,).
    """
    def function(targets, logits):
        weights = ops.convert_to_tensor(class_weight, "float32")
        return loss(targets, logits) * ops.sum(targets * weights, axis=-1)

    return function


def lenet_map_loss(targets, logits):
    """Return y_true + log(exp(-j) + sum_i exp(-y_i)) for logits that are minus the distances y_i.

    LeCun et al. 1998, equation 9: the distance to the label's code, and a competition with the other codes.
    """
    rejected = ops.full_like(logits[:, :1], -REJECTION_PENALTY)
    true = ops.sum(ops.cast(targets, logits.dtype) * logits, axis=-1)
    return ops.logsumexp(ops.concatenate([logits, rejected], axis=-1), axis=-1) - true


def is_correct(targets, logits):
    """Return 1 where the largest logit is that of the largest share, else 0."""
    return ops.cast(ops.equal(ops.argmax(targets, axis=-1), ops.argmax(logits, axis=-1)), "float32")


class Accuracy(keras.metrics.MeanMetricWrapper):
    """The fraction of images whose largest logit is right."""

    def __init__(self, name="accuracy"):
        super().__init__(is_correct, name=name)
        self._direction = "up"  # for Keras's EarlyStopping and ModelCheckpoint in mode "auto"


def get_losses(recipe):
    """Return a recipe's two losses: what training makes small, and what people see.

    The second is without smoothing, in training and in validation, so that runs with and without it compare.
    """
    seen = lenet_map_loss if recipe.loss == "map_distance" else cross_entropy
    return (make_label_smoothing_loss(recipe.label_smoothing) if recipe.label_smoothing else seen), seen
