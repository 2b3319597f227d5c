"""The gradient of a number with respect to a tensor, on TensorFlow, JAX and PyTorch.

Keras has no public function for it, so each backend is asked in its own words: the only place of zoo that does so.
No backend is imported: Keras has loaded the one that is in use.
"""

import sys

import keras
import numpy as np
from keras import ops


def compute_gradient(function, value):
    """Return the derivatives of `function`, from a tensor to a scalar tensor, at `value`: float32, the shape of it.

    Zero where the number does not depend on the tensor.
    """
    value = ops.convert_to_tensor(value)
    found = GRADIENT_FUNCTIONS[keras.config.backend()](function, value)
    return np.zeros(value.shape, np.float32) if found is None else ops.convert_to_numpy(ops.cast(found, "float32"))


def _compute_tensorflow_gradient(function, value):
    tensorflow = sys.modules["tensorflow"]

    @tensorflow.function  # op by op, TensorFlow 2.21 with oneDNN writes beside its memory in Xception and crashes
    def slopes(value):
        with tensorflow.GradientTape() as tape:
            tape.watch(value)
            number = function(value)
        return tape.gradient(number, value, unconnected_gradients="zero")

    return slopes(value)


def _compute_jax_gradient(function, value):
    return sys.modules["jax"].grad(function)(value)


def _compute_torch_gradient(function, value):
    value.requires_grad_()
    return sys.modules["torch"].autograd.grad(function(value), value, allow_unused=True)[0]


GRADIENT_FUNCTIONS = {"tensorflow": _compute_tensorflow_gradient, "jax": _compute_jax_gradient,
                      "torch": _compute_torch_gradient}
