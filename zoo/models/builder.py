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
    """Return class probabilities (n, classes) float32 of the tensor `image`; `activation` None gives logits.

    With side classifiers: {"main": probabilities, "aux1": probabilities, ...}.
    """
    spec, file = blueprint.spec, _file(blueprint)
    grid, tapped = _body(blueprint, image)

    def classified(head, x, prefix, options, **names):
        logits = head(x, file.TABLES[spec.name], blueprint.classes, width=blueprint.width,
                      **_chosen(blueprint, options), **names)
        return layers.Activation(activation or "linear", dtype="float32", name=f"{prefix}predictions")(logits)

    if not blueprint.aux:
        return classified(file.head, grid, "", spec.head_options)
    sides = {name: classified(file.side, tapped[name], f"{name}_", spec.side_options, name=name) for name in spec.sides}
    return {"main": classified(file.head, grid, "", spec.head_options), **sides}


def features(blueprint, image, pooling):
    """Return what the body makes of the tensor `image`, pooled over the grid if `pooling` is "avg" or "max"."""
    grid, _ = _body(blueprint, image)
    return POOLINGS[pooling](name="pooling")(grid) if pooling else grid


def _file(blueprint):
    return importlib.import_module(f"zoo.models.{blueprint.spec.file}")


def _chosen(blueprint, options):
    return {name: blueprint.options[name] for name in options}


def _body(blueprint, image):
    """Return the features and {side classifier: the tensor that it reads}."""
    if keras.config.image_data_format() != "channels_last":
        raise UserError("zoo's networks are channels-last; remove image_data_format from Keras's keras.json, or call "
                        "keras.config.set_image_data_format('channels_last')")
    spec, file = blueprint.spec, _file(blueprint)
    options = _chosen(blueprint, spec.body_options)
    if spec.small_below:
        options["stem"] = blueprint.stem
    made = file.body(image, file.TABLES[spec.name], width=blueprint.width, **options)
    return made if spec.sides else (made, {})
