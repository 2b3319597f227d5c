"""The gradient of a scalar with respect to a tensor, on TensorFlow, JAX and PyTorch.

Keras has no public function for it, so each backend's own API is used, which no other module of zoo does. No backend is
imported here: Keras has already loaded the one in use.
"""

import sys

import keras
import numpy as np
from keras import ops


def compute_gradient(function, value):
    """Return the gradient of `function`, from a tensor to a scalar tensor, at `value`: float32, of the same shape.

    It is zero if the scalar does not depend on the tensor.
    """
    value = ops.convert_to_tensor(value)
    gradient = GRADIENT_FUNCTIONS[keras.config.backend()](function, value)
    if gradient is None:
        return np.zeros(value.shape, np.float32)
    return ops.convert_to_numpy(ops.cast(gradient, "float32"))


def _compute_tensorflow_gradient(function, value):
    tensorflow = sys.modules["tensorflow"]

    @tensorflow.function  # executed eagerly, TensorFlow 2.21 with oneDNN writes out of bounds in Xception and crashes
    def gradient(value):
        with tensorflow.GradientTape() as tape:
            tape.watch(value)
            output = function(value)
        return tape.gradient(output, value, unconnected_gradients="zero")

    return gradient(value)


def _compute_jax_gradient(function, value):
    return sys.modules["jax"].grad(function)(value)


def _compute_torch_gradient(function, value):
    value.requires_grad_()
    return sys.modules["torch"].autograd.grad(function(value), value, allow_unused=True)[0]


GRADIENT_FUNCTIONS = {"tensorflow": _compute_tensorflow_gradient, "jax": _compute_jax_gradient,
                      "torch": _compute_torch_gradient}
