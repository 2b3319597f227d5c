"""The models around a network: the one that is trained, with changes of its images, and the one that is asked."""

from dataclasses import replace

import keras
import numpy as np

from zoo import devices
from zoo.training import (
    augment,
    custom_model,
    deterministic,
    finetuned_model,
    initialization,
    optimizers,
    precision,
    saved,
)
from zoo.training.augmentation import NOTHING
from zoo.training.plan import CustomModel

BEHIND = "network"  # the name of all that stands behind the changes


def build(plan, model_file=None):
    """Return (network, backbone) of a Plan, its weights drawn with the plan's seed: raw pixels in, logits out.

    backbone: None, or for fine-tuning the model of the same layers that ends before the new head. model_file: of the
    user's own model.
    """
    if plan.deterministic:
        deterministic.enable(plan.backend)
    with devices.quiet():  # for this Keras loads TensorFlow, where it is installed, beside another backend
        keras.utils.set_random_seed(plan.seed)
    with precision.computing(plan.precision):
        if isinstance(plan.blueprint, CustomModel):
            network, backbone = custom_model.build(plan.blueprint, model_file, plan.dataset.mean, plan.dataset.std,
                                                   None), None
        elif plan.finetuning is None:
            network, backbone = saved.on_pixels(replace(plan.blueprint, aux=bool(plan.recipe.sides)), plan.dataset.mean,
                                                plan.dataset.std, None), None
        else:
            network, backbone = finetuned_model.build(plan.blueprint, plan.finetuning, plan.dataset.shape,
                                                      plan.dataset.classes, None)
    initialization.draw_weights(network, plan.recipe, plan.seed)
    optimizers.limit_norms(network, plan.recipe.max_norm)  # refuses a layer that is not there
    return network, backbone


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
    changed = augment.Augment(augmentation)(inputs)
    return keras.Model(inputs, after(in_rows(normalise, changed)), name=network.name)


def in_rows(normalise, pixels):
    """Return what a Rescaling makes of pixels, worked out for rows of them: CPUs are slow at three numbers in turn."""
    if type(normalise) is not keras.layers.Rescaling:
        return normalise(pixels)
    _, height, width, channels = pixels.shape
    scale, offset = (np.tile(np.broadcast_to(np.float32(each), channels), width)
                     for each in (normalise.scale, normalise.offset))
    rows = keras.ops.reshape(pixels, (-1, height, width * channels))
    return keras.ops.reshape(rows * scale + offset, (-1, height, width, channels))


def main(network):
    """Return the model of the main output alone: `network` where it has no other."""
    if not isinstance(network.output, dict):
        return network
    return keras.Model(network.input, network.output["main"], name=network.name)
