"""Mixed precision: compute in bfloat16 or float16, with weights in float32.

Always in float32: the weights and the optimizer, moments of batch normalization, local response normalization, RBF
distances, rescaling and augmentation of the pixels, and the logits, hence the losses.
"""

import contextlib

import keras

from zoo.analysis.graph import iter_layers

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def precision_scope(precision):
    """Set the precision, a key of POLICIES, of the layers that are created in this context."""
    old_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(old_policy)


def add_loss_scaling(optimizer, model):
    """Return `optimizer`, wrapped for dynamic loss scaling where `model` computes in float16.

    float16 has no numbers below 6e-8, as many gradients are. The scale starts at 2**15, doubles after 2,000 steps and
    is halved when a gradient is not finite; such a step is skipped.
    """
    if any(layer.compute_dtype == "float16" for layer in iter_layers(model)):
        return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    return optimizer


def get_inner_optimizer(optimizer):
    """Return the optimizer itself, without the wrapper of `add_loss_scaling`."""
    return getattr(optimizer, "inner_optimizer", optimizer)
