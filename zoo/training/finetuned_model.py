"""Build models for fine-tuning: preprocessing, backbone, head."""

import difflib
from dataclasses import replace

import keras
from keras import layers

from zoo.analysis import graph
from zoo.errors import UserError
from zoo.layers.preprocessing import PixelScaling
from zoo.models import builder
from zoo.training import finetuning

PREPROCESSING_LAYER = "preprocessing"


def build_finetuning_model(model_config, config, shape, classes, activation):
    """Return (model, backbone): from raw pixels uint8 (n, *shape) to `classes` outputs, and from scaled pixels to all
    features of the backbone; both share their layers.

    model_config: ModelConfig for the upsampled images. config: a FineTuneConfig. activation: None for logits.
    """
    image = keras.Input(shape, dtype="uint8", name="image")
    x = PixelScaling(config.scale, config.offset, config.channel_order, name=PREPROCESSING_LAYER)(image)
    if config.upsample > 1:
        x = layers.UpSampling2D(config.upsample, interpolation="bilinear", name="upsample")(x)
    features = builder.build_features(model_config, x, None)
    backbone = keras.Model(x, features, name=model_config.model_info.name)  # with an input of its own
    if config.feature_layer:
        features = get_backbone_layer(backbone, config.feature_layer).output
    outputs = build_finetuning_head(features, config, classes, activation)
    return keras.Model(image, outputs, name=model_config.model_info.name), backbone


def build_pretrained_classifier(model_config, source, activation):
    """Build a model with its original classification head, from raw pixels uint8 (n, height, width, channels).

    source: the WeightsSource of its weights, which specifies how pixels are scaled.
    """
    image = keras.Input(model_config.input_shape, dtype="uint8", name="image")
    scaling = source.scaling
    pixels = PixelScaling(scaling.scale, scaling.offset, scaling.channel_order, name=PREPROCESSING_LAYER)(image)
    model = keras.Model(image, builder.build_classifier(model_config, pixels, activation),
                        name=model_config.model_info.name)
    source.load_into(keras.Model(pixels, model.output, name=model.name), model_config,
                     include_top=True)  # shares its layers with `model`
    return model


def build_finetuning_head(features, config, classes, activation):
    """Return the outputs (n, classes) float32 of a head on a backbone's features."""
    pooling_layers = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    x = pooling_layers[config.pooling](name="head_pool")(features)
    for index, value in enumerate(config.head_layers, start=1):
        if value >= 1:
            x = layers.Dense(value, activation="relu", name=f"head{index}")(x)
        else:
            x = layers.Dropout(value, name=f"head{index}_drop")(x)
    x = layers.Dense(classes, name="head")(x)
    return layers.Activation(activation or "linear", dtype="float32", name="predictions")(x)


def get_backbone_layer(backbone, name):
    """Return the layer called `name`; raise UserError, which suggests the closest name, if there is none."""
    names = [layer.name for layer in backbone.layers]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        raise UserError(f"{backbone.name} has no layer {name!r} in its backbone; "
                        + (f"did you mean {close[0]!r}?" if close else
                           f"it {'begins with' if len(names) > 6 else 'has'} {', '.join(names[1:6])}"))
    return backbone.get_layer(name)


def freeze_layers(backbone, last_layer):
    """Freeze the layers up to `last_layer`, a name or "" for none; batch normalization keeps its statistics."""
    names = [layer.name for layer in backbone.layers]
    for layer in backbone.layers[: names.index(last_layer) + 1 if last_layer else 0]:
        layer.trainable = False


def find_freeze_boundary(backbone, freeze):
    """Return the name of the last frozen layer, or "", for "all", "none", a number of layers or a layer name.

    Where no layer after it has weights, the whole backbone is frozen: its last layer.
    """
    if freeze == "none":
        return ""
    if isinstance(freeze, str) and freeze.isdecimal():
        freeze = int(freeze)
    if freeze == "all":
        return backbone.layers[-1].name
    if isinstance(freeze, str):
        freeze = backbone.layers.index(get_backbone_layer(backbone, freeze)) + 1
    if freeze > len(backbone.layers):
        raise UserError(f"freeze {freeze} is more than the {len(backbone.layers)} layers of the backbone; use all")
    layer = backbone.layers[freeze - 1] if freeze else None
    if layer is None or isinstance(layer, keras.layers.InputLayer):
        return ""
    return layer.name if any(later.weights for later in backbone.layers[freeze:]) else backbone.layers[-1].name


def find_bottleneck_layers(backbone):
    """Return the names of the layers through which all data passes, in topological order."""
    calls = graph.get_layer_calls(backbone)
    indices = {node: index for index, node in enumerate(calls)}
    last_consumer, bottlenecks = -1, []
    for node in calls:
        if last_consumer <= indices[node]:
            bottlenecks.append(node[0])
        consumers = (indices[consumer] for consumer, call in calls.items() if node in call.input_calls)
        last_consumer = max([last_consumer, *consumers])
    return bottlenecks


def find_layer_at_fraction(backbone, fraction):
    """Return the name of the bottleneck layer nearest to a fraction of the backbone's layers; 1 for its last layer."""
    if fraction == 1:
        return backbone.layers[-1].name
    indices = {layer.name: index for index, layer in enumerate(backbone.layers, start=1)}
    return min(find_bottleneck_layers(backbone)[1:], key=lambda name: abs(indices[name] - fraction * len(indices)))


def resolve_finetuning(model_config, config, finetune_options, recipe, shape, classes):
    """Return (FineTuneConfig with resolved layer names, Recipe of the first of two stages or None, Recipe of the last).

    finetune_options: a FineTuneOptions. recipe: that of the head.
    """
    model, backbone = build_finetuning_model(model_config, config, shape, classes, None)
    if finetune_options.strategy:
        strategy = finetuning.FINETUNE_STRATEGIES[finetune_options.strategy]
        feature_layer = "" if strategy.feature_fraction == 1 else find_layer_at_fraction(backbone,
                                                                                         strategy.feature_fraction)
        frozen_until = find_freeze_boundary(backbone, "all" if strategy.freeze_fraction == 1
                                            else round(strategy.freeze_fraction * len(backbone.layers)))
        config = replace(config, feature_layer=feature_layer, frozen_until=frozen_until)
    else:
        freeze = finetune_options.freeze
        if freeze is None:
            freeze = "none" if finetune_options.weights is None or finetune_options.two_stage else "all"
        config = replace(config, frozen_until=find_freeze_boundary(backbone, freeze))
    return config, *finetuning.make_stage_recipes(finetune_options, recipe, is_fully_frozen(model, backbone, config))


def is_fully_frozen(model, backbone, config):
    """Return whether no layer with weights, of those that the head of a FineTuneConfig depends on, is trained."""
    names = [layer.name for layer in backbone.layers]
    frozen = names[:names.index(config.frozen_until) + 1] if config.frozen_until else []
    features = get_backbone_layer(backbone, config.feature_layer or names[-1]).output
    return not any(layer.weights and layer.name not in frozen
                   for layer in keras.Model(model.input, features).layers)
