"""The models around a network: the one that is trained, with changes of its images, and the one that is asked."""

from dataclasses import replace

import keras
import numpy as np

from zoo import devices
from zoo.training import (augmentation_layer, custom_model, determinism, finetuned_model, initialization, model_loading,
                          optimizers, precision)
from zoo.training.augmentation import NO_AUGMENTATION
from zoo.training.run_config import CustomModelConfig

INNER_MODEL_NAME = "network"  # the name of all that stands behind the changes


def build_run_model(run_config, model_file=None):
    """Return (network, backbone) of a Plan, its weights drawn with the plan's seed: raw pixels in, logits out.

    backbone: None, or for fine-tuning the model of the same layers that ends before the new head. model_file: of the
    user's own model.
    """
    if run_config.deterministic:
        determinism.enable_determinism(run_config.backend)
    with devices.suppress_stderr():  # for this Keras loads TensorFlow, where it is installed, beside another backend
        keras.utils.set_random_seed(run_config.seed)
    with precision.precision_scope(run_config.precision):
        if isinstance(run_config.model_config, CustomModelConfig):
            network, backbone = custom_model.build_custom_model(run_config.model_config, model_file,
                                                                run_config.dataset.mean, run_config.dataset.std,
                                                                None), None
        elif run_config.finetuning is None:
            network, backbone = model_loading.build_with_preprocessing(replace(run_config.model_config, aux=bool(run_config.recipe.aux_loss_weights)), run_config.dataset.mean,
                                                                       run_config.dataset.std, None), None
        else:
            network, backbone = finetuned_model.build_finetuning_model(run_config.model_config, run_config.finetuning,
                                                                       run_config.dataset.shape,
                                                                       run_config.dataset.classes, None)
    initialization.draw_initial_weights(network, run_config.recipe, run_config.seed)
    optimizers.add_max_norm(network, run_config.recipe.max_norm)  # refuses a layer that is not there
    return network, backbone


def add_augmentation(model, augmentation):
    """Return the model that is trained: `network`, raw pixels in, logits out; with its pictures changed first.

    Its weights are those of `network`, by the same paths. It takes what TrainingBatches gives.
    """
    if augmentation == NO_AUGMENTATION:
        return model
    shape = model.input_shape[1:]
    inputs = [keras.Input(shape, dtype="uint8", name="image"),
              keras.Input((augmentation_layer.count_augmentation_parameters(augmentation),), dtype="float32",
                          name="numbers"),
              *([keras.Input(shape, dtype="uint8", name="partner")] if augmentation.has_mixing else [])]
    normalise = model.get_layer("normalise")
    after = keras.Model(normalise.output, model.output, name=INNER_MODEL_NAME)
    changed = augmentation_layer.AugmentationLayer(augmentation)(inputs)
    return keras.Model(inputs, after(rescale_rows(normalise, changed)), name=model.name)


def rescale_rows(rescaling, pixels):
    """Return what a Rescaling makes of pixels, worked out for rows of them: CPUs are slow at three numbers in turn."""
    if type(rescaling) is not keras.layers.Rescaling:
        return rescaling(pixels)
    _, height, width, channels = pixels.shape
    scale, offset = (np.tile(np.broadcast_to(np.float32(each), channels), width)
                     for each in (rescaling.scale, rescaling.offset))
    rows = keras.ops.reshape(pixels, (-1, height, width * channels))
    return keras.ops.reshape(rows * scale + offset, (-1, height, width, channels))


def get_main_output_model(model):
    """Return the model of the main output alone: `network` where it has no other."""
    if not isinstance(model.output, dict):
        return model
    return keras.Model(model.input, model.output["main"], name=model.name)
