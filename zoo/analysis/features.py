"""The outputs of layers for images, as arrays."""

import keras
import numpy as np
from keras import ops

from zoo.analysis import feature_graph, summary
from zoo.errors import UserError

MAX_BATCH_SIZE = 32  # images per forward pass,
MAX_BATCH_PIXELS = 2**19  # or fewer, up to this number of pixels: the feature maps take hundreds of times the memory


def compute_features(model, images, layers="stages"):
    """Return {layer name: output float32 (n, ...)} for images (n, height, width, channels); see `zoo.features`."""
    model = feature_graph.select_main_output(model)
    images = check_image_array(images, model)
    graph = feature_graph.build_feature_graph(model, images.shape[1:])
    if isinstance(layers, str) and layers not in feature_graph.LAYER_KEYWORDS:
        layers = [layers]
    names = feature_graph.select_layers(summary.summarize_model(model), graph, layers)
    if not names:
        raise UserError(f"no layer of {model.name} is selected; give layer names, 'stages' or 'all', not {layers!r}")
    feature_model = keras.Model(graph.image, [graph.tensors[name] for name in names])
    return dict(zip(names, predict_in_batches(feature_model, images), strict=True))


def check_image_array(images, model):
    """Return the images as an array; UserError if its shape does not fit the model's input."""
    images = np.asarray(images)
    input_shape = model.inputs[0].shape[1:]
    if images.ndim != 4 or not len(images) or any(
            expected not in (None, received) for expected, received in zip(input_shape, images.shape[1:], strict=True)):
        expected_shape = " x ".join("any" if expected is None else str(expected) for expected in input_shape)
        raise UserError(f"images for {model.name} must have shape (batch, height, width, channels), "
                        f"{expected_shape}; got {images.shape}")
    return images


def predict_in_batches(model, images):
    """Return the outputs of `model` in inference mode as a list of float32 arrays."""
    batch_outputs = []
    batch_size = max(1, min(MAX_BATCH_SIZE, MAX_BATCH_PIXELS // (images.shape[1] * images.shape[2])))
    for start in range(0, len(images), batch_size):
        batch = ops.convert_to_tensor(images[start : start + batch_size].astype("float32"))
        outputs = model(batch, training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        batch_outputs.append([ops.convert_to_numpy(ops.cast(output, "float32")) for output in outputs])
    return [np.concatenate(outputs) for outputs in zip(*batch_outputs, strict=True)]
