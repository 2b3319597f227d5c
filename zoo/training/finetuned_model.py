"""The model of a fine-tuning: pixels, backbone, head."""

import difflib
from dataclasses import replace

import keras
from keras import layers

from zoo.analysis import graph
from zoo.errors import UserError
from zoo.layers.preprocessing import PixelScaling
from zoo.models import builder
from zoo.training import finetuning

PREPROCESSING_LAYER = "normalise"  # the first layer, by the name that training knows


def build_finetuning_model(model_config, config, shape, classes, activation):
    """Return (model, backbone): raw pixels uint8 (n, *shape) to `classes` outputs; the whole backbone, of the same
    layers, from scaled pixels to its features.

    blueprint: of the network that is given the upsampled images. config: a FineTuneConfig. activation: None gives
    logits.
    """
    image = keras.Input(shape, dtype="uint8", name="image")
    x = PixelScaling(config.scale, config.offset, config.channel_order, name=PREPROCESSING_LAYER)(image)
    if config.upsample > 1:
        x = layers.UpSampling2D(config.upsample, interpolation="bilinear", name="enlarge")(x)
    features = builder.build_features(model_config, x, None)
    backbone = keras.Model(x, features, name=model_config.model_info.name)  # with an input of its own
    if config.feature_layer:
        features = get_backbone_layer(backbone, config.feature_layer).output
    outputs = build_finetuning_head(features, config, classes, activation)
    return keras.Model(image, outputs, name=model_config.model_info.name), backbone


def build_pretrained_classifier(model_config, source, activation):
    """Return the network of a ModelConfig with its own top, from raw pixels uint8 (n, height, width, channels).

    It has the weights of a Source that says how pixels are scaled.
    """
    image = keras.Input(model_config.input_shape, dtype="uint8", name="image")
    scaling = source.scaling
    pixels = PixelScaling(scaling.scale, scaling.offset, scaling.channel_order, name=PREPROCESSING_LAYER)(image)
    model = keras.Model(image, builder.build_classifier(model_config, pixels, activation),
                        name=model_config.model_info.name)
    source.load_into(keras.Model(pixels, model.output, name=model.name), model_config,
                     include_top=True)  # of the same layers
    return model


def build_finetuning_head(features, config, classes, activation):
    """Return the outputs (n, classes) float32 of a backbone's features."""
    pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    x = pool[config.pooling](name="head_pool")(features)
    for number, step in enumerate(config.head_layers, start=1):
        if step >= 1:
            x = layers.Dense(step, activation="relu", name=f"head{number}")(x)
        else:
            x = layers.Dropout(step, name=f"head{number}_drop")(x)
    x = layers.Dense(classes, name="head")(x)
    return layers.Activation(activation or "linear", dtype="float32", name="predictions")(x)


def get_backbone_layer(backbone, name):
    """Return the layer called `name`; UserError with the nearest one when the backbone has none."""
    names = [layer.name for layer in backbone.layers]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        raise UserError(f"{backbone.name} has no layer {name!r} in its backbone; "
                        + (f"did you mean {close[0]!r}?" if close else
                           f"it {'begins with' if len(names) > 6 else 'has'} {', '.join(names[1:6])}"))
    return backbone.get_layer(name)


def freeze_layers(backbone, last_layer):
    """Let the layers up to `last`, a name or "", learn nothing; normalisation keeps the statistics that it has."""
    names = [layer.name for layer in backbone.layers]
    for layer in backbone.layers[: names.index(last_layer) + 1 if last_layer else 0]:
        layer.trainable = False


def find_freeze_boundary(backbone, freeze):
    """Return the name of the last layer that "all", "none", a number of `backbone.layers` or a name freezes, or ""."""
    if freeze == "none":
        return ""
    if isinstance(freeze, str) and freeze.isdecimal():
        freeze = int(freeze)
    if freeze == "all":
        return backbone.layers[-1].name
    if isinstance(freeze, str):
        return get_backbone_layer(backbone, freeze).name
    if freeze > len(backbone.layers):
        raise UserError(f"freeze {freeze} is more than the {len(backbone.layers)} layers of the backbone; use all")
    frozen = backbone.layers[freeze - 1] if freeze else None
    return "" if frozen is None or isinstance(frozen, keras.layers.InputLayer) else frozen.name


def find_bottleneck_layers(backbone):
    """Return the names of the layers through which everything passes, in the order of the flow."""
    made = graph.get_layer_calls(backbone)
    place = {node: number for number, node in enumerate(made)}
    furthest, found = -1, []
    for node, call in made.items():
        if furthest <= place[node]:
            found.append(node[0])
        furthest = max([furthest, *(place[reader] for reader, other in made.items() if node in other.input_calls)])
    return found


def find_layer_at_fraction(backbone, fraction):
    """Return the name of the layer, of those through which everything passes, nearest to a share of the backbone's.

    1: its last.
    """
    if fraction == 1:
        return backbone.layers[-1].name
    places = {layer.name: number for number, layer in enumerate(backbone.layers, start=1)}
    return min(find_bottleneck_layers(backbone)[1:], key=lambda name: abs(places[name] - fraction * len(places)))


def resolve_finetuning(model_config, config, finetune_options, recipe, shape, classes):
    """Return (FineTuneConfig with the layers that are meant, Recipe of the first of two stages or None, of the last).

    asked: a FineTuneOptions; recipe: of its head.
    """
    _, backbone = build_finetuning_model(model_config, config, shape, classes, None)
    last = backbone.layers[-1].name
    if finetune_options.strategy:
        strategy = finetuning.FINETUNE_STRATEGIES[finetune_options.strategy]
        feature_layer = "" if strategy.feature_fraction == 1 else find_layer_at_fraction(backbone,
                                                                                         strategy.feature_fraction)
        frozen = find_freeze_boundary(backbone, "all" if strategy.freeze_fraction == 1
                                      else round(strategy.freeze_fraction * len(backbone.layers)))
        config = replace(config, feature_layer=feature_layer, frozen_until=frozen)
    else:
        freeze = finetune_options.freeze if finetune_options.freeze is not None else "none" if finetune_options.weights is None else "all"
        config = replace(config, frozen_until=find_freeze_boundary(backbone, freeze))
    return config, *finetuning.make_stage_recipes(finetune_options, recipe, config.frozen_until == last)
