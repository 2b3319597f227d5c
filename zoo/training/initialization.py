"""Weight initialization, where a recipe overrides the paper's.

Fixed standard deviations, such as AlexNet's N(0, 0.01), do not adapt to a width multiplier, and many papers'
initializations need more epochs, other learning rates or pretrained first layers: `initializer` replaces them by one
that trains without these.
"""

import keras
import numpy as np

from zoo.training import optimizers

INITIALIZATION_STREAM = 2  # the last word of Philox's counter; the order of the images uses 0, augmentation 1


def draw_initial_weights(model, recipe, seed):
    """Reinitialize the kernels of `model` with the recipe's `initializer`, and their biases with `initial_bias`.

    Does nothing for "paper". Each kernel has a seed of its own, a function of `seed` and of its index.
    """
    if recipe.initializer == "paper":
        return
    kernels = optimizers.get_kernels(model)
    generator = np.random.Philox(key=[seed, 0], counter=[0, 0, 0, INITIALIZATION_STREAM])
    kernel_seeds = generator.random_raw(len(kernels)) >> np.uint64(33)
    for (layer, kernel), kernel_seed in zip(kernels, kernel_seeds, strict=True):
        initializer = keras.initializers.get({"class_name": recipe.initializer, "config": {"seed": int(kernel_seed)}})
        kernel.assign(keras.ops.reshape(initializer(get_fan_shape(kernel)), kernel.shape))
        if getattr(layer, "use_bias", False):
            layer.bias.assign(keras.ops.full(layer.bias.shape, recipe.initial_bias))


def get_fan_shape(kernel):
    """Return the shape from which Keras computes a kernel's fans; depthwise kernels have a fan-in per channel."""
    if kernel.name != "depthwise_kernel":
        return kernel.shape
    rows, columns, channels, multiplier = kernel.shape
    return (rows, columns, 1, channels * multiplier)
