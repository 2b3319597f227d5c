"""The first weights of a network, where a recipe wants others than its paper's.

Deviations that a paper fixes, such as AlexNet's N(0, 0.01), do not follow a width multiplier, and many papers' weights
need more epochs, other rates or trained first layers: `initializer` draws kernels that train.
"""

import keras
import numpy as np

from zoo.training import optimizers

INITIALIZATION_STREAM = 2  # the last word of Philox's counter; the order of the images has 0 there, augmentation 1


def draw_initial_weights(model, recipe, seed):
    """Draw the kernels of `network` anew as the recipe's `initializer` says, and set the biases beside them.

    Nothing changes with "paper". Each kernel has a seed of its own, a function of `seed` and of its place.
    """
    if recipe.initializer == "paper":
        return
    found = optimizers.get_kernels(model)
    seeds = np.random.Philox(key=[seed, 0],
                             counter=[0, 0, 0, INITIALIZATION_STREAM]).random_raw(len(found)) >> np.uint64(33)
    for (layer, kernel), its_seed in zip(found, seeds, strict=True):
        initializer = keras.initializers.get({"class_name": recipe.initializer, "config": {"seed": int(its_seed)}})
        kernel.assign(keras.ops.reshape(initializer(get_fan_shape(kernel)), kernel.shape))
        if getattr(layer, "use_bias", False):
            layer.bias.assign(keras.ops.full(layer.bias.shape, recipe.initial_bias))


def get_fan_shape(kernel):
    """Return the shape from which Keras finds a kernel's fans: of a depthwise one, each channel is by itself."""
    if kernel.name != "depthwise_kernel":
        return kernel.shape
    rows, columns, channels, multiplier = kernel.shape
    return (rows, columns, 1, channels * multiplier)
