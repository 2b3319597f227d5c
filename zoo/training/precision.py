"""The numbers in which a network computes; what it learns stays in float32.

In float32 whatever the precision: the weights and the optimizer, batch normalisation's moments, local response
normalisation, RBF distances, the scaling of the pixels and their augmentation, the logits from the last layer on, and
so the losses.
"""

import contextlib

import keras

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def precision_scope(precision):
    """Let the layers that are made in this context compute in a precision, a key of POLICIES."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def add_loss_scaling(optimizer, model):
    """Return `optimizer`, or where `network` computes in float16 one around it that scales the loss as it goes.

    float16 has no numbers under 6e-8, which many gradients are. The scale begins with 2**15, doubles after 2,000 steps
    and halves when a gradient is not finite; such a step is left out.
    """
    if any(layer.compute_dtype == "float16" for layer in model.layers):
        return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    return optimizer


def get_inner_optimizer(optimizer):
    """Return the optimizer that steps: the one inside, where `add_loss_scaling` has put another around it."""
    return getattr(optimizer, "inner_optimizer", optimizer)
