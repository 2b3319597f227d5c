"""What layers make of pictures, as arrays."""

import keras
import numpy as np
from keras import ops

from zoo.analysis import feature_graph, summary
from zoo.errors import UserError

MAX_BATCH_SIZE = 32  # pictures that go through the network together at most,
MAX_BATCH_PIXELS = 2**19  # or as many as have so many pixels: what layers make of them takes hundreds of times the room


def compute_features(model, images, layers="stages"):
    """Return {layer's name: its output float32 (n, ...)} for images (n, height, width, channels): `zoo.features`."""
    model = feature_graph.select_main_output(model)
    images = check_image_array(images, model)
    graph = feature_graph.build_feature_graph(model, images.shape[1:])
    if isinstance(layers, str) and layers not in feature_graph.LAYER_KEYWORDS:
        layers = [layers]
    names = feature_graph.select_layers(summary.summarize_model(model), graph, layers)
    if not names:
        raise UserError(f"name a layer of {model.name}, or 'stages' or 'every'; given {layers!r}")
    tapped = keras.Model(graph.image, [graph.tensors[name] for name in names])
    return dict(zip(names, predict_in_batches(tapped, images), strict=True))


def check_image_array(images, model):
    """Return images as an array that fits the model; UserError otherwise."""
    images = np.asarray(images)
    wanted = model.inputs[0].shape[1:]
    if images.ndim != 4 or not len(images) or any(side not in (None, given)
                                                   for side, given in zip(wanted, images.shape[1:], strict=True)):
        sides = " x ".join("any" if side is None else str(side) for side in wanted)
        raise UserError(f"images for {model.name} are an array (number, height, width, channels), {sides}; given one "
                        f"of shape {images.shape}")
    return images


def predict_in_batches(model, images):
    """Return the outputs of `model`, which gives a list of tensors, as float32 arrays, in inference."""
    found = []
    together = max(1, min(MAX_BATCH_SIZE, MAX_BATCH_PIXELS // (images.shape[1] * images.shape[2])))
    for start in range(0, len(images), together):
        batch = ops.convert_to_tensor(images[start : start + together].astype("float32"))
        outputs = model(batch, training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        found.append([ops.convert_to_numpy(ops.cast(each, "float32")) for each in outputs])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]
