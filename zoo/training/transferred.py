"""The network of a transfer as a Keras model: pixels, body, head."""

import difflib

import keras
from keras import layers

from zoo.analysis import graph
from zoo.errors import UserError
from zoo.layers.preprocessing import PixelScaling
from zoo.models import builder
from zoo.training.transfer import head_of

BEFORE = "normalise"  # the first layer, by the name that training knows


def network(blueprint, transfer, shape, classes, activation):
    """Return (model, body): raw pixels uint8 (n, *shape) to `classes` outputs; the whole body, of the same layers, from
    scaled pixels to its features.

    blueprint: of the network that sees the enlarged picture. activation: None gives logits.
    """
    image = keras.Input(shape, dtype="uint8", name="image")
    x = PixelScaling(transfer.scale, transfer.offset, transfer.order, name=BEFORE)(image)
    if transfer.enlarge > 1:
        x = layers.UpSampling2D(transfer.enlarge, interpolation="bilinear", name="enlarge")(x)
    features = builder.features(blueprint, x, None)
    whole = keras.Model(x, features, name=blueprint.spec.name)  # with an input of its own
    if transfer.features:
        features = read_layer(whole, transfer.features).output
    outputs = head(features, transfer, classes, activation)
    return keras.Model(image, outputs, name=blueprint.spec.name), whole


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


def head(features, transfer, classes, activation):
    """Return the outputs (n, classes) float32 of what the body made of pictures."""
    pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    x = pool[transfer.pooling](name="head_pool")(features)
    for number, step in enumerate(head_of(transfer.head), start=1):
        if isinstance(step, int):
            x = layers.Dense(step, activation="relu", name=f"head{number}")(x)
        else:
            x = layers.Dropout(step, name=f"head{number}_drop")(x)
    x = layers.Dense(classes, name="head")(x)
    return layers.Activation(activation or "linear", dtype="float32", name="predictions")(x)


def read_layer(body, name):
    """Return the layer called `name`; UserError with the nearest one when the body has none."""
    names = [layer.name for layer in body.layers]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        raise UserError(f"{body.name} has no layer {name!r} in its body; "
                        + (f"did you mean {close[0]!r}?" if close else
                           f"it {'begins with' if len(names) > 6 else 'has'} {', '.join(names[1:6])}"))
    return body.get_layer(name)


def freeze(body, last):
    """Let the layers up to `last`, a name or "", learn nothing; normalisation keeps the statistics that it has."""
    names = [layer.name for layer in body.layers]
    for layer in body.layers[: names.index(last) + 1 if last else 0]:
        layer.trainable = False


def last_frozen(body, asked):
    """Return the name of the last layer that "all", "none", a number of `body.layers` or a name freezes, or ""."""
    if asked == "none":
        return ""
    if asked == "all":
        return body.layers[-1].name
    if isinstance(asked, str):
        return read_layer(body, asked).name
    if asked > len(body.layers):
        raise UserError(f"--freeze {asked} is more than the {len(body.layers)} layers of the body; use all")
    return body.layers[asked - 1].name if asked else ""


def narrow(body):
    """Return the names of the layers through which everything passes, in the order of the flow."""
    made = graph.calls(body)
    place = {node: number for number, node in enumerate(made)}
    furthest, found = -1, []
    for node, call in made.items():
        if furthest <= place[node]:
            found.append(node[0])
        furthest = max([furthest, *(place[reader] for reader, other in made.items() if node in other.read)])
    return found


def at_share(body, share):
    """Return the name of the layer, of those through which everything passes, nearest to a share of the body's layers.

    1: its last.
    """
    if share == 1:
        return body.layers[-1].name
    places = {layer.name: number for number, layer in enumerate(body.layers, start=1)}
    return min(narrow(body)[1:], key=lambda name: abs(places[name] - share * len(places)))
