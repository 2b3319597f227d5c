"""Custom Keras models in place of registered ones: their requirements, and how they are prepared for training."""

import contextlib
import hashlib
import json
import re
from collections import Counter

import keras
import numpy as np
from keras import layers

from zoo.analysis.graph import check_has_input, defines_call, is_nested_model, iter_layers
from zoo.analysis.output_activation import (
    NON_LOGIT_ACTIVATIONS,
    drop_activation,
    find_output_activation,
    make_functional,
    remove_softmax,
)
from zoo.errors import UserError
from zoo.layers.preprocessing import RESCALING_LAYERS
from zoo.modality import get_modality
from zoo.training.keras_file import explain_keras_error
from zoo.training.run_config import CustomModelConfig

NUM_CHECKED_SAMPLES = 3  # random images or texts, to test whether a model outputs probabilities
NUM_PIXEL_VALUES = 256
# Of Keras's configs: entries that refer to layers by name, and entries of a process or of `compile`, which zoo calls
CONNECTION_ENTRIES = ("keras_history", "input_layers", "output_layers")
CHANGING_ENTRIES = ("shared_object_id", "compile_config")
TENSORFLOW_NAME = re.compile(r"[A-Za-z0-9_.\\/>-]*")  # of a name scope; every layer has one
SUM_TOLERANCE = 1e-2  # of the sum of probabilities: bfloat16 rounds each to 1 in 256


def check_custom_model(model):
    """Raise UserError unless `model` is a Keras model with one input and one output."""
    if isinstance(model, type):
        raise UserError(f"model is the class {model.__name__}; give an instance, such as {model.__name__}(...)")
    check_has_input(model)
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise UserError("model must be a name from zoo.list_models(), or a functional or Sequential Keras model with "
                        f"an input; got an object of type {type(model).__name__}")
    if defines_call(model):
        raise UserError(f"the model {model.name} defines what it computes in {type(model).__name__}.call, which zoo "
                        "cannot see; build it of layers, as a functional or Sequential model")
    is_image_shape, is_text_shape = (len(model.inputs[0].shape) == num_axes for num_axes in (4, 2))
    if (len(model.inputs) != 1 or len(model.outputs) != 1
            or not (is_image_shape or is_text_shape and find_vocabulary_size(model))):
        raise UserError(f"the model {model.name} is not a classifier of images or texts: it takes "
                        f"{', '.join(str(tuple(tensor.shape)) for tensor in model.inputs)} and has "
                        f"{len(model.outputs)} outputs; one input (batch, height, width, channels), or (batch, length) "
                        "before an Embedding layer, and one output are required")
    with convert_saving_errors(model):
        model.get_config()
    if keras.backend.backend() == "tensorflow":
        for layer in iter_layers(model):
            if not TENSORFLOW_NAME.fullmatch(layer.name):
                raise UserError(f"the layer name {layer.name!r} is invalid in TensorFlow; use letters of English, "
                                "digits, '_', '-' and '.'")
    [(path, count)] = Counter(weight.path for weight in model.weights).most_common(1) or [("", 0)]
    if count > 1:  # checkpoints have the weights by their paths
        raise UserError(f"the model {model.name} has {count} layers called {path.split('/')[-2:][0]!r} in different "
                        "nested models; give each layer a name of its own")


def get_source_arguments(model):
    """Return the arguments of `load_data` that a checked model determines: the shape, and for texts the vocabulary.

    Sizes that are None in the model's input are those of 32x32 RGB images, or texts of 100 tokens.
    """
    shape = model.inputs[0].shape[1:]
    return {"shape": tuple(size or default
                           for size, default in zip(shape, get_modality(shape).shape_example, strict=True)),
            "vocabulary": find_vocabulary_size(model)}


def find_vocabulary_size(model):
    """Return the number of token ids that a model's first Embedding layer takes; None without one."""
    return next((layer.input_dim for layer in iter_layers(model) if isinstance(layer, layers.Embedding)), None)


def make_custom_model_config(model, dataset_info):
    """Return the CustomModelConfig of a checked Keras model; raise UserError if it does not fit the dataset."""
    shape, output, expected = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:]), dataset_info.shape
    modality = get_modality(shape)
    if len(shape) != len(expected) or any(size not in (None, expected_size)
                                          for size, expected_size in zip(shape, expected, strict=True)):
        raise UserError(f"the model {model.name} takes {modality.plural} of shape {shape}; the "
                        f"{dataset_info.modality.plural} of {dataset_info.name} have shape {tuple(expected)}")
    if output != (dataset_info.classes,):
        raise UserError(f"the model {model.name} has {' x '.join(map(str, output)) or 'single'} outputs per "
                        f"{modality.name}; {dataset_info.name} has {dataset_info.classes} classes")
    rescale = modality.is_scaled and not any(type(layer).__name__ in RESCALING_LAYERS for layer in iter_layers(model))
    check_ending(model, expected, rescale)
    return CustomModelConfig(get_lasting_name(model), tuple(expected), dataset_info.classes, rescale,
                             compute_digest(model))


def compute_digest(model):
    """Return a hash of a model's layers and operations, their settings and connections, and the shapes of its weights.

    It is the same for the same code, whatever automatic names Keras gives.
    """
    with convert_saving_errors(model):
        config = make_canonical(make_functional(model).get_config())
        # that of a nested model has no layers if its class has an __init__ of its own
        layer_configs = [make_canonical(layer.get_config()) for layer in iter_layers(model)
                         if not is_nested_model(layer)]
    del config["name"]
    parts = [config, layer_configs, [list(weight.shape) for weight in model.weights]]
    text = json.dumps(parts, sort_keys=True, default=lambda item: type(item).__name__)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_canonical(value, key="", indices=()):
    """Return a value of a Keras config without what differs each time a model is made.

    Names lose the counters of automatic names; where a connection refers to a layer, its index in its model replaces
    the name, which the counter makes unique. key: of the value in the dict above it; indices: {layer name: index}.
    """
    if isinstance(value, dict):
        if {"layers", "output_layers"} <= {*value}:  # of a functional model
            indices = {layer["name"]: index for index, layer in enumerate(value["layers"])}
        return {name: make_canonical(item, name, indices) for name, item in value.items()
                if name not in CHANGING_ENTRIES}
    if isinstance(value, (list, tuple)):
        return [make_canonical(item, key, indices) for item in value]
    if isinstance(value, str) and key == "name":
        return re.sub(r"_\d+$", "", value)
    return indices[value] if isinstance(value, str) and key in CONNECTION_ENTRIES else value


def get_lasting_name(model):
    """Return a model's name, valid in file names, without the counter that Keras appends to automatic names.

    The same code creates sequential_4 the first time and sequential_5 the next, and must resume the same run.
    """
    match = re.fullmatch(r"(\w+?)_\d+", model.name)
    if match and match[1].replace("_", "") == type(model).__name__.lower():
        return match[1]
    return re.sub(r"[^A-Za-z0-9_-]+", "_", model.name).strip("_") or "model"


def save_custom_model(model, path):
    """Save the user's model; raise UserError if Keras cannot."""
    with convert_saving_errors(model):
        model.save(path)


@contextlib.contextmanager
def convert_saving_errors(model):
    """Convert what Keras raises when it cannot save the user's model, exceptions of many types, to UserError."""
    try:
        yield
    except Exception as error:
        raise UserError(f"the model {model.name} cannot be saved, so it cannot be trained into a run: "
                        f"{explain_keras_error(error)}") from error


def build_custom_model(model_config, path, mean, std, activation):
    """Return the model of a run from raw pixels uint8 (n, height, width, channels), or token ids, to (n, classes).

    path: the file that `save_custom_model` wrote. activation: None for logits, even if the user's model outputs
    probabilities.
    """
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:
        raise UserError(f"the model {model_config.name} cannot be loaded from its file {path.name}: "
                        f"{explain_keras_error(error)}") from error
    modality = get_modality(model_config.input_shape)
    samples = keras.Input(model_config.input_shape, dtype=modality.sample_dtype, name=modality.name)
    scale, offset = ([1 / (255 * s) for s in std], [-m / s for m, s in zip(mean, std, strict=True)])
    if not model_config.rescale:
        scale, offset = 1.0, 0.0
    scaled = samples
    if modality.is_scaled:
        scaled = layers.Rescaling(scale, offset, dtype="float32", name="zoo_preprocessing")(samples)
    logits_model = remove_softmax(model, drop_activation)

    def call_layer(layer, *inputs, **kwargs):
        return layer(*(scaled if tensor is samples else tensor for tensor in inputs), **kwargs)

    # Not nested, so that the layers of the user's model can be looked up by name next to ours.
    flat_model = keras.models.clone_model(logits_model, input_tensors=samples, clone_function=lambda layer: layer,
                                          call_function=call_layer)
    outputs = layers.Activation(activation or "linear", dtype="float32", name="zoo_predictions")(flat_model.output)
    return keras.Model(samples, outputs, name=model_config.name)


# ------------------------------------------------------------------------------------------------ the output activation

def check_ending(model, shape, rescale):
    """Raise UserError unless a model ends with logits, or with a softmax that `remove_softmax` can remove.

    Checks its layers, and its outputs for random samples of a shape. rescale: whether it takes standardized pixels.
    """
    classes = model.outputs[0].shape[-1]
    advice = f"end it with logits, Dense({classes}), or with Dense({classes}, activation='softmax')"
    name, activation, is_shared = find_output_activation(model)
    if activation in NON_LOGIT_ACTIVATIONS:
        raise UserError(f"the model {model.name} ends with {activation} (layer {name}), but zoo trains with a softmax; "
                        f"{advice}")
    rng, batch_shape = np.random.default_rng(0), (NUM_CHECKED_SAMPLES, *shape)
    num_values = find_vocabulary_size(model) or NUM_PIXEL_VALUES
    samples = rng.normal(size=batch_shape) if rescale else rng.integers(0, num_values, batch_shape)
    outputs = make_functional(model)(samples.astype(get_modality(shape).input_dtype), training=False)
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    are_probabilities = bool(((outputs >= 0) & (outputs <= 1)).all()
                             and np.allclose(outputs.sum(axis=1), 1, rtol=0, atol=SUM_TOLERANCE))
    if are_probabilities and activation != "softmax":
        raise UserError(f"the model {model.name} outputs probabilities, but its last layer ({name}) is not a softmax "
                        f"that can be removed; {advice}")
    if activation == "softmax" and not are_probabilities and np.isfinite(outputs).all():
        raise UserError(f"the model {model.name} ends with a softmax (layer {name}) that is not over its {classes} "
                        f"outputs, which do not sum to 1; {advice}")
    if activation == "softmax" and is_shared:
        raise UserError(f"the model {model.name} calls its softmax (layer {name}) more than once; use a separate layer "
                        "for the output")
