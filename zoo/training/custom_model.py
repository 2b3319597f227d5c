"""A Keras model of the user's own in place of one of the catalogue: what is asked of it, and how it is trained."""

import hashlib
import json
import re

import keras
from keras import layers

from zoo.errors import UserError
from zoo.training.run_config import CustomModelConfig

RESCALING_LAYERS = ("Rescaling", "Normalization", "PixelScaling")  # layers that show that a model takes raw pixels


def check_custom_model(model):
    """Raise UserError unless `model` is a Keras model with one input and one output."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise UserError("model is a name of zoo.list_models(), or a functional or Sequential Keras model that has an "
                        f"input; given an object of type {type(model).__name__}")
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.inputs[0].shape) != 4:
        raise UserError(f"the model {model.name} is no classifier of images: it takes "
                        f"{', '.join(str(tuple(each.shape)) for each in model.inputs)} and gives {len(model.outputs)} "
                        "outputs; one input (batch, height, width, channels) and one output are needed")


def get_custom_image_shape(model):
    """Return the (height, width, channels) that a model takes; 32 for a side that it leaves open, 3 channels."""
    return tuple(side or default for side, default in zip(model.inputs[0].shape[1:], (32, 32, 3), strict=True))


def make_custom_model_config(model, dataset_info):
    """Return the CustomModelConfig of a checked Keras model for a data set; UserError where the two do not go
    together.
    """
    shape, output, expected = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:]), dataset_info.shape
    if any(side not in (None, given) for side, given in zip(shape, expected, strict=True)):
        raise UserError(f"the model {model.name} takes images of shape {shape}; those of {dataset_info.name} are "
                        f"{tuple(expected)}")
    if output != (dataset_info.classes,):
        raise UserError(f"the model {model.name} gives {' x '.join(map(str, output)) or 'single'} outputs for an "
                        f"image; {dataset_info.name} has {dataset_info.classes} classes")
    rescale = not any(type(layer).__name__ in RESCALING_LAYERS for layer in model.layers)
    parts = [(type(layer).__name__, [list(weight.shape) for weight in layer.weights]) for layer in model.layers]
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", model.name).strip("_") or "model"
    return CustomModelConfig(name, tuple(expected), dataset_info.classes, rescale,
                             hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16])


def save_custom_model(model, path):
    """Save the user's model; UserError where Keras cannot."""
    try:
        model.save(path)
    except Exception as error:  # Keras raises what it likes
        first, *_ = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"the model {model.name} cannot be saved by Keras, so it cannot be resumed: {first}") from error


def build_custom_model(model_config, path, mean, std, activation):
    """Return the model of a run from raw pixels uint8 (n, height, width, channels) to (n, classes).

    path: of the file that `save_custom_model` wrote. activation: None gives logits, also where the user's model gives
    probabilities.
    """
    try:
        given = keras.saving.load_model(path, compile=False)
    except Exception as error:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"{path} cannot be read as a Keras model: {first}") from error
    image = keras.Input(model_config.input_shape, dtype="uint8", name="image")
    scale, offset = ([1 / (255 * s) for s in std], [-m / s for m, s in zip(mean, std, strict=True)])
    if not model_config.rescale:
        scale, offset = 1.0, 0.0
    pixels = layers.Rescaling(scale, offset, dtype="float32", name="normalise")(image)
    whole = keras.Model(given.inputs[0], get_logits(given))

    def call(layer, *inputs, **keywords):
        return layer(*(pixels if each is image else each for each in inputs), **keywords)

    # Not nested: the layers of the user's model stand in one model with ours, and are found by their names.
    flat = keras.models.clone_model(whole, input_tensors=image, clone_function=lambda layer: layer, call_function=call)
    outputs = layers.Activation(activation or "linear", dtype="float32", name="zoo_predictions")(flat.output)
    return keras.Model(image, outputs, name=model_config.name)


def get_logits(model):
    """Return the tensor of a model's logits: its output without a softmax at its end."""
    last = model.layers[-1]
    if isinstance(last, layers.Softmax) or (isinstance(last, layers.Activation)
                                            and last.activation is keras.activations.softmax):
        return last.input
    if getattr(last, "activation", None) is keras.activations.softmax:
        last.activation = keras.activations.linear
    return model.outputs[0]
