"""Losses of float32 targets (n, classes), which are class probabilities, and float32 logits (n, classes).

They return one value per image, (n,). A target is one-hot, or for mixed images has two classes.
"""

import keras
from keras import ops

# j in equation 9, the distance of a rejection class "none of these": the paper requires a positive number
REJECTION_PENALTY = 0.1


class MeanLoss(keras.losses.Loss):
    """The mean over a batch of a function of (targets, logits) that returns (n,), weighted if samples have weights."""

    def __init__(self, function):
        super().__init__(reduction="mean_with_sample_weight")
        self.function = function

    def call(self, targets, logits):
        return self.function(targets, logits)


def cross_entropy(targets, logits):
    """Return the cross-entropy of each image: the negative log probabilities, weighted by the targets."""
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True)


def make_label_smoothing_loss(label_smoothing):
    """Return cross-entropy with targets (1 - label_smoothing) * targets + label_smoothing / classes.

    Szegedy et al. 2015 (arXiv:1512.00567), section 7.
    """
    def loss(targets, logits):
        uniform_loss = -ops.mean(ops.log_softmax(logits), axis=-1)
        return (1 - label_smoothing) * cross_entropy(targets, logits) + label_smoothing * uniform_loss

    return loss


def make_class_weighted_loss(loss, class_weight):
    """Return `loss` multiplied by the weights of the targets' classes, averaged over the classes of mixed images.

    class_weight: numbers (classes,).
    """
    def weighted_loss(targets, logits):
        weights = ops.convert_to_tensor(class_weight, "float32")
        return loss(targets, logits) * ops.sum(targets * weights, axis=-1)

    return weighted_loss


def lenet_map_loss(targets, logits):
    """Return y_true + log(exp(-j) + sum_i exp(-y_i)) for logits that are the negative distances -y_i.

    LeCun et al. 1998, equation 9: the distance to the label's code, and competition with the other codes.
    """
    rejection = ops.full_like(logits[:, :1], -REJECTION_PENALTY)
    true_logits = ops.sum(ops.cast(targets, logits.dtype) * logits, axis=-1)
    return ops.logsumexp(ops.concatenate([logits, rejection], axis=-1), axis=-1) - true_logits


def is_correct(targets, logits):
    """Return 1 where the largest logit and the largest target are of the same class, otherwise 0."""
    return ops.cast(ops.equal(ops.argmax(targets, axis=-1), ops.argmax(logits, axis=-1)), "float32")


class Accuracy(keras.metrics.MeanMetricWrapper):
    """The fraction of images whose largest logit is that of the correct class."""

    def __init__(self, name="accuracy"):
        super().__init__(is_correct, name=name)
        self._direction = "up"  # for Keras's EarlyStopping and ModelCheckpoint in mode "auto"


def get_losses(recipe):
    """Return a recipe's training loss and reported loss.

    The reported loss has no label smoothing, in training and in validation, so that all runs can be compared.
    """
    reported_loss = lenet_map_loss if recipe.loss == "map_distance" else cross_entropy
    training_loss = make_label_smoothing_loss(recipe.label_smoothing) if recipe.label_smoothing else reported_loss
    return training_loss, reported_loss
