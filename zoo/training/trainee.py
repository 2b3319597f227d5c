"""The models around a network: the one that is trained, with changes of its pictures, and the one that is asked."""

import keras

from zoo.training import augment
from zoo.training.augmentation import NOTHING

BEHIND = "network"  # the name of all that stands behind the changes


def of(network, augmentation):
    """Return the model that is trained: `network`, raw pixels in, logits out; with its pictures changed first.

    Its weights are those of `network`, by the same paths. It takes what TrainingBatches gives.
    """
    if augmentation == NOTHING:
        return network
    shape = network.input_shape[1:]
    inputs = [keras.Input(shape, dtype="uint8", name="image"),
              keras.Input((augment.columns(augmentation),), dtype="float32", name="numbers"),
              *([keras.Input(shape, dtype="uint8", name="partner")] if augmentation.mixes else [])]
    normalise = network.get_layer("normalise")
    after = keras.Model(normalise.output, network.output, name=BEHIND)
    return keras.Model(inputs, after(normalise(augment.Augment(augmentation)(inputs))), name=network.name)


def main(network):
    """Return the model of the main output alone: `network` where it has no other."""
    if not isinstance(network.output, dict):
        return network
    return keras.Model(network.input, network.output["main"], name=network.name)
