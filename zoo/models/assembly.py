"""From a Blueprint to a keras.Model."""

import importlib

import keras
from keras import layers

from zoo.errors import UserError

POOLINGS = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def build(blueprint, *, include_top=True, pooling=None, classifier_activation="softmax"):
    """Return the model of a Blueprint, from scaled pixels (n, height, width, channels) float32; see `zoo.build`."""
    if pooling is not None and pooling not in tuple(POOLINGS):
        raise UserError(f"pooling is None, 'avg' or 'max'; given {pooling!r}")
    try:
        keras.activations.get(classifier_activation)
    except ValueError:
        raise UserError("classifier_activation is None or one of Keras's, such as 'softmax'; "
                        f"given {classifier_activation!r}") from None
    image = keras.Input(blueprint.input_shape, name="image")
    if include_top:
        outputs = classifier(blueprint, image, classifier_activation)
    else:
        outputs = features(blueprint, image, pooling)
    return keras.Model(image, outputs, name=blueprint.spec.name)


def classifier(blueprint, image, activation):
    """Return class probabilities (n, classes) float32 of the tensor `image`; `activation` None gives logits."""
    head_options = {name: blueprint.options[name] for name in blueprint.spec.head_options}
    file, name = _file(blueprint), blueprint.spec.name
    logits = file.head(_body(blueprint, image), file.TABLES[name], blueprint.classes, width=blueprint.width,
                       **head_options)
    return layers.Activation(activation or "linear", dtype="float32", name="predictions")(logits)


def features(blueprint, image, pooling):
    """Return what the body makes of the tensor `image`, pooled over the grid if `pooling` is "avg" or "max"."""
    grid = _body(blueprint, image)
    return POOLINGS[pooling](name="pooling")(grid) if pooling else grid


def _file(blueprint):
    return importlib.import_module(f"zoo.models.{blueprint.spec.file}")


def _body(blueprint, image):
    if keras.config.image_data_format() != "channels_last":
        raise UserError("zoo's networks are channels-last; remove image_data_format from Keras's keras.json, or call "
                        "keras.config.set_image_data_format('channels_last')")
    spec = blueprint.spec
    options = {name: blueprint.options[name] for name in spec.body_options}
    if spec.small_below:
        options["stem"] = blueprint.stem
    return _file(blueprint).body(image, _file(blueprint).TABLES[spec.name], width=blueprint.width, **options)
