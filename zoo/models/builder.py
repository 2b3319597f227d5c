"""Building a keras.Model from a ModelConfig."""

import importlib

import keras
from keras import layers

from zoo.errors import UserError

GLOBAL_POOLING_CLASSES = {  # by the number of axes of the features, with the batch axis
    "avg": {3: layers.GlobalAveragePooling1D, 4: layers.GlobalAveragePooling2D},
    "max": {3: layers.GlobalMaxPooling1D, 4: layers.GlobalMaxPooling2D}}


def build_model(model_config, *, include_top=True, pooling=None, classifier_activation="softmax"):
    """Build the model of a ModelConfig.

    Its input is scaled pixels, (n, height, width, channels) float32, or token ids, (n, length) int32.

    The arguments are those of `zoo.build`; UserError for invalid ones.
    """
    if pooling is not None and pooling not in tuple(GLOBAL_POOLING_CLASSES):
        raise UserError(f"pooling must be None, 'avg' or 'max'; got {pooling!r}")
    try:
        keras.activations.get(classifier_activation)
    except ValueError:
        raise UserError("classifier_activation must be None or a Keras activation, such as 'softmax'; "
                        f"got {classifier_activation!r}") from None
    modality = model_config.model_info.modality
    inputs = keras.Input(model_config.input_shape, dtype=modality.input_dtype, name=modality.name)
    if include_top:
        outputs = build_classifier(model_config, inputs, classifier_activation)
    else:
        outputs = build_features(model_config, inputs, pooling)
    return keras.Model(inputs, outputs, name=model_config.model_info.name)


def build_classifier(model_config, inputs, activation):
    """Return the class probabilities, (n, classes) float32, for the tensor `inputs`; logits if `activation` is None.

    With auxiliary classifiers: {"main": probabilities, "aux1": probabilities, ...}.
    """
    model_info, module = model_config.model_info, _import_model_module(model_config)
    feature_map, aux_inputs = _build_backbone(model_config, inputs)

    def apply_head(head, x, prefix, options, **names):
        logits = head(x, module.TABLES[model_info.name], model_config.classes, width=model_config.width,
                      **_select_options(model_config, options), **names)
        return layers.Activation(activation or "linear", dtype="float32", name=f"{prefix}predictions")(logits)

    if not model_config.aux:
        return apply_head(module.head, feature_map, "", model_info.head_options)
    aux_outputs = {name: apply_head(module.aux_head, aux_inputs[name], f"{name}_", model_info.aux_options, name=name)
                   for name in model_info.aux_loss_weights}
    return {"main": apply_head(module.head, feature_map, "", model_info.head_options), **aux_outputs}


def build_features(model_config, inputs, pooling):
    """Return the backbone's features for the tensor `inputs`, globally pooled if `pooling` is "avg" or "max"."""
    feature_map, _ = _build_backbone(model_config, inputs)
    if pooling is None:
        return feature_map
    if len(feature_map.shape) == 2:
        raise UserError(f"the features of {model_config.model_info.name} are pooled already; leave out pooling; got "
                        f"{pooling!r}")
    return GLOBAL_POOLING_CLASSES[pooling][len(feature_map.shape)](name="pooling")(feature_map)


def _import_model_module(model_config):
    return importlib.import_module(f"zoo.models.{model_config.model_info.module}")


def _select_options(model_config, options):
    return {name: model_config.options[name] for name in options}


def _build_backbone(model_config, inputs):
    """Return the features and {auxiliary classifier: its input tensor}."""
    if keras.config.image_data_format() != "channels_last":
        raise UserError("zoo's models require channels_last; remove image_data_format from Keras's keras.json, or call "
                        "keras.config.set_image_data_format('channels_last')")
    model_info, module = model_config.model_info, _import_model_module(model_config)
    options = _select_options(model_config, model_info.backbone_options)
    if model_info.small_stem_below:
        options["stem"] = model_config.stem
    outputs = module.backbone(inputs, module.TABLES[model_info.name], width=model_config.width, **options)
    return outputs if model_info.aux_loss_weights else (outputs, {})
