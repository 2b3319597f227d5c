"""From a ModelConfig to a keras.Model."""

import importlib

import keras
from keras import layers

from zoo.errors import UserError

GLOBAL_POOLING_CLASSES = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def build_model(model_config, *, include_top=True, pooling=None, classifier_activation="softmax"):
    """Return the model of a ModelConfig, from scaled pixels (n, height, width, channels) float32; see `zoo.build`."""
    if pooling is not None and pooling not in tuple(GLOBAL_POOLING_CLASSES):
        raise UserError(f"pooling is None, 'avg' or 'max'; given {pooling!r}")
    try:
        keras.activations.get(classifier_activation)
    except ValueError:
        raise UserError("classifier_activation is None or one of Keras's, such as 'softmax'; "
                        f"given {classifier_activation!r}") from None
    image = keras.Input(model_config.input_shape, name="image")
    if include_top:
        outputs = build_classifier(model_config, image, classifier_activation)
    else:
        outputs = build_features(model_config, image, pooling)
    return keras.Model(image, outputs, name=model_config.model_info.name)


def build_classifier(model_config, image, activation):
    """Return class probabilities (n, classes) float32 of the tensor `image`; `activation` None gives logits.

    With side classifiers: {"main": probabilities, "aux1": probabilities, ...}.
    """
    spec, file = model_config.model_info, _import_model_module(model_config)
    grid, tapped = _build_backbone(model_config, image)

    def classified(head, x, prefix, options, **names):
        logits = head(x, file.TABLES[spec.name], model_config.classes, width=model_config.width,
                      **_select_options(model_config, options), **names)
        return layers.Activation(activation or "linear", dtype="float32", name=f"{prefix}predictions")(logits)

    if not model_config.aux:
        return classified(file.head, grid, "", spec.head_options)
    sides = {name: classified(file.aux_head, tapped[name], f"{name}_", spec.aux_options, name=name)
             for name in spec.aux_loss_weights}
    return {"main": classified(file.head, grid, "", spec.head_options), **sides}


def build_features(model_config, image, pooling):
    """Return what the body makes of the tensor `image`, pooled over the grid if `pooling` is "avg" or "max"."""
    grid, _ = _build_backbone(model_config, image)
    return GLOBAL_POOLING_CLASSES[pooling](name="pooling")(grid) if pooling else grid


def _import_model_module(model_config):
    return importlib.import_module(f"zoo.models.{model_config.model_info.module}")


def _select_options(model_config, options):
    return {name: model_config.options[name] for name in options}


def _build_backbone(model_config, image):
    """Return the features and {side classifier: the tensor that it reads}."""
    if keras.config.image_data_format() != "channels_last":
        raise UserError("zoo's networks are channels-last; remove image_data_format from Keras's keras.json, or call "
                        "keras.config.set_image_data_format('channels_last')")
    spec, file = model_config.model_info, _import_model_module(model_config)
    options = _select_options(model_config, spec.backbone_options)
    if spec.small_stem_below:
        options["stem"] = model_config.stem
    made = file.backbone(image, file.TABLES[spec.name], width=model_config.width, **options)
    return made if spec.aux_loss_weights else (made, {})
