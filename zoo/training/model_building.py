"""The model of a run, the model with augmentation that is trained, and the model of the main output."""

import sys
from dataclasses import replace

import keras
import numpy as np

from zoo import devices
from zoo.training import (augmentation_layer, custom_model, finetuned_model, initialization, model_loading, optimizers,
                          precision)
from zoo.training.augmentation import NO_AUGMENTATION
from zoo.training.run_config import CustomModelConfig

INNER_MODEL_NAME = "network"  # the name of the submodel after the augmentation


def build_run_model(run_config, model_file=None):
    """Return (model, backbone) of a RunConfig, initialized with its seed: raw pixels in, logits out.

    backbone: None, or for fine-tuning the model of the same layers up to the new head. model_file: path of the user's
    own model.
    """
    if run_config.deterministic:
        enable_determinism(run_config.backend)
    model_loading.check_name_scope()
    with devices.suppress_stderr():  # here Keras imports TensorFlow, if installed, beside another backend
        keras.utils.set_random_seed(run_config.seed)
    with precision.precision_scope(run_config.precision):
        model_config, dataset, backbone = run_config.model_config, run_config.dataset, None
        if isinstance(model_config, CustomModelConfig):
            model = custom_model.build_custom_model(model_config, model_file, dataset.mean, dataset.std, None)
        elif run_config.finetuning is None:
            model_config = replace(model_config, aux=bool(run_config.recipe.aux_loss_weights))
            model = model_loading.build_with_preprocessing(model_config, dataset.mean, dataset.std, None)
        else:
            model, backbone = finetuned_model.build_finetuning_model(model_config, run_config.finetuning, dataset.shape,
                                                                     dataset.classes, None)
    initialization.draw_initial_weights(model, run_config.recipe, run_config.seed)
    optimizers.add_max_norm(model, run_config.recipe.max_norm)  # raises for a layer that does not exist
    return model, backbone


def enable_determinism(backend):
    """Enable deterministic operations in PyTorch, once loaded; devices.py enables them in the other backends before."""
    if backend == "torch":
        sys.modules["torch"].use_deterministic_algorithms(True, warn_only=True)


def add_augmentation(model, augmentation):
    """Return the model that is trained: `model`, raw pixels in, logits out, preceded by the augmentation.

    Its weights are those of `model`, with the same paths. Its inputs are those of TrainingBatches.
    """
    if augmentation == NO_AUGMENTATION:
        return model
    shape = model.input_shape[1:]
    inputs = [keras.Input(shape, dtype="uint8", name="image"),
              keras.Input((augmentation_layer.count_augmentation_parameters(augmentation),), dtype="float32",
                          name="numbers"),
              *([keras.Input(shape, dtype="uint8", name="partner")] if augmentation.has_mixing else [])]
    preprocessing = model.layers[1]  # everything else reads its output
    inner_model = keras.Model(preprocessing.output, model.output, name=INNER_MODEL_NAME)
    augmented = augmentation_layer.AugmentationLayer(augmentation)(inputs)
    return keras.Model(inputs, inner_model(rescale_rows(preprocessing, augmented)), name=model.name)


def rescale_rows(rescaling, pixels):
    """Apply a Rescaling layer to whole rows of pixels: CPUs are slow on a last axis of size three."""
    if type(rescaling) is not keras.layers.Rescaling:
        return rescaling(pixels)
    _, height, width, channels = pixels.shape
    scale, offset = (np.tile(np.broadcast_to(np.float32(value), channels), width)
                     for value in (rescaling.scale, rescaling.offset))
    rows = keras.ops.reshape(pixels, (-1, height, width * channels))
    return keras.ops.reshape(rows * scale + offset, (-1, height, width, channels))


def get_main_output_model(model):
    """Return the model of the main output alone: `model` itself where it has no other."""
    if not isinstance(model.output, dict):
        return model
    return keras.Model(model.input, model.output["main"], name=model.name)
