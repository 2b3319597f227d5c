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

BEFORE = "normalise"  # the first layer, by the name that training knows


def build(blueprint, config, shape, classes, activation):
    """Return (model, backbone): raw pixels uint8 (n, *shape) to `classes` outputs; the whole backbone, of the same
    layers, from scaled pixels to its features.

    blueprint: of the network that is given the upsampled images. config: a FineTuneConfig. activation: None gives
    logits.
    """
    image = keras.Input(shape, dtype="uint8", name="image")
    x = PixelScaling(config.scale, config.offset, config.channel_order, name=BEFORE)(image)
    if config.upsample > 1:
        x = layers.UpSampling2D(config.upsample, interpolation="bilinear", name="enlarge")(x)
    features = builder.features(blueprint, x, None)
    backbone = keras.Model(x, features, name=blueprint.spec.name)  # with an input of its own
    if config.feature_layer:
        features = read_layer(backbone, config.feature_layer).output
    outputs = head(features, config, classes, activation)
    return keras.Model(image, outputs, name=blueprint.spec.name), backbone


def with_own_top(blueprint, source, activation):
    """Return the network of a Blueprint with its own top, from raw pixels uint8 (n, height, width, channels).

    It has the weights of a Source that says how pixels are scaled.
    """
    image = keras.Input(blueprint.input_shape, dtype="uint8", name="image")
    scaling = source.scaling
    pixels = PixelScaling(scaling.scale, scaling.offset, scaling.order, name=BEFORE)(image)
    model = keras.Model(image, builder.classifier(blueprint, pixels, activation), name=blueprint.spec.name)
    source.fill(keras.Model(pixels, model.output, name=model.name), blueprint, include_top=True)  # of the same layers
    return model


def head(features, config, classes, activation):
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


def read_layer(backbone, name):
    """Return the layer called `name`; UserError with the nearest one when the backbone has none."""
    names = [layer.name for layer in backbone.layers]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        raise UserError(f"{backbone.name} has no layer {name!r} in its backbone; "
                        + (f"did you mean {close[0]!r}?" if close else
                           f"it {'begins with' if len(names) > 6 else 'has'} {', '.join(names[1:6])}"))
    return backbone.get_layer(name)


def freeze(backbone, last):
    """Let the layers up to `last`, a name or "", learn nothing; normalisation keeps the statistics that it has."""
    names = [layer.name for layer in backbone.layers]
    for layer in backbone.layers[: names.index(last) + 1 if last else 0]:
        layer.trainable = False


def last_frozen(backbone, asked):
    """Return the name of the last layer that "all", "none", a number of `backbone.layers` or a name freezes, or ""."""
    if asked == "none":
        return ""
    if isinstance(asked, str) and asked.isdecimal():
        asked = int(asked)
    if asked == "all":
        return backbone.layers[-1].name
    if isinstance(asked, str):
        return read_layer(backbone, asked).name
    if asked > len(backbone.layers):
        raise UserError(f"freeze {asked} is more than the {len(backbone.layers)} layers of the backbone; use all")
    return backbone.layers[asked - 1].name if asked else ""


def narrow(backbone):
    """Return the names of the layers through which everything passes, in the order of the flow."""
    made = graph.calls(backbone)
    place = {node: number for number, node in enumerate(made)}
    furthest, found = -1, []
    for node, call in made.items():
        if furthest <= place[node]:
            found.append(node[0])
        furthest = max([furthest, *(place[reader] for reader, other in made.items() if node in other.read)])
    return found


def at_share(backbone, share):
    """Return the name of the layer, of those through which everything passes, nearest to a share of the backbone's.

    1: its last.
    """
    if share == 1:
        return backbone.layers[-1].name
    places = {layer.name: number for number, layer in enumerate(backbone.layers, start=1)}
    return min(narrow(backbone)[1:], key=lambda name: abs(places[name] - share * len(places)))


def resolve(blueprint, config, asked, recipe, shape, classes):
    """Return (FineTuneConfig with the layers that are meant, Recipe of the first of two stages or None, of the last).

    asked: a FineTuning; recipe: of its head.
    """
    _, backbone = build(blueprint, config, shape, classes, None)
    last = backbone.layers[-1].name
    if asked.strategy:
        strategy = finetuning.STRATEGIES[asked.strategy]
        feature_layer = "" if strategy.feature_layer == 1 else at_share(backbone, strategy.feature_layer)
        frozen = last_frozen(backbone, "all" if strategy.freeze == 1 else round(strategy.freeze * len(backbone.layers)))
        config = replace(config, feature_layer=feature_layer, frozen_until=frozen)
    else:
        freeze = asked.freeze if asked.freeze is not None else "none" if asked.weights is None else "all"
        config = replace(config, frozen_until=last_frozen(backbone, freeze))
    return config, *finetuning.stage_recipes(asked, recipe, config.frozen_until == last)
