"""Attribution of a class score to the image: Grad-CAM, saliency, occlusion. Scores are logits, before the softmax."""

import keras
import numpy as np
from keras import ops

from zoo.analysis import feature_graph, features
from zoo.analysis.classification_metrics import softmax
from zoo.analysis.gradients import compute_gradient
from zoo.analysis.graph import get_layer_calls
from zoo.analysis.output_activation import NON_LOGIT_ACTIVATIONS
from zoo.errors import UserError
from zoo.layers.preprocessing import RESCALING_LAYERS

PATCH_VALUE = 128  # gray value of the occluding patch, in 0..255
PATCHES_PER_SIDE = 5  # the patch's height and width are this fraction of the image's: 1 / 5
PLOTS_WITHOUT_SCORES = "feature-maps, filters and hypercolumn work without class scores"
POSITIONS_PER_SIDE = 10  # patch positions along each side of the image


def build_score_model(graph):
    """Return the model of a FeatureGraph from pixels to scores (n, classes); UserError if it has no such scores."""
    if len(graph.scores.shape) != 2 or graph.scores.shape[1] < 2:
        raise UserError("the model does not output one score for each of several classes, which attribution needs; "
                        f"{PLOTS_WITHOUT_SCORES}")
    if graph.activation in NON_LOGIT_ACTIVATIONS:
        raise UserError(f"the model ends with {graph.activation}, so its outputs are not the probabilities of classes "
                        f"that exclude each other; end it with a softmax; {PLOTS_WITHOUT_SCORES}")
    return keras.Model(graph.image, graph.scores)


def sum_class_scores(scores, class_indices):
    """Return the sum of the scores (k, classes) of class class_indices[0] in row 0, class_indices[1] in row 1, ...

    With k copies of an image, the gradient with respect to each copy is then that of its own score.
    """
    mask = np.eye(scores.shape[1], dtype="float32")[list(class_indices)]
    return ops.sum(ops.multiply(ops.cast(scores, "float32"), mask))


def repeat_image(pixels, class_indices):
    """Return a float32 batch with a copy of the image for each class."""
    return np.repeat(np.float32(pixels)[None], len(class_indices), axis=0)


def saliency(score_model, pixels, class_indices):
    """Return the saliency map of each class: (len(class_indices), height, width) float32, 0 or more.

    The maximum over the channels of the absolute gradient of the score at `pixels` (height, width, channels).
    Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034, section 3.
    """
    gradients = compute_gradient(lambda image: sum_class_scores(score_model(image, training=False), class_indices),
                                 repeat_image(pixels, class_indices))
    return np.abs(gradients).max(axis=-1)


def grad_cam(model, graph, pixels, layer, class_indices):
    """Return the Grad-CAM heatmap of `layer` for each class: (len(class_indices), rows, columns) float32.

    The ReLU of the sum of the feature maps, each weighted by the spatial mean of the gradient of the score with respect
    to it. Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2. `graph` is the model's FeatureGraph. UserError
    for a layer whose output is not a feature map.
    """
    tensor = graph.tensors[layer]
    if len(tensor.shape) != 4:
        raise UserError(f"Grad-CAM needs a layer whose output is a feature map; the output of {layer} is "
                        f"{'x'.join(map(str, tensor.shape[1:]))}")
    perturbed = feature_graph.build_feature_graph(model, pixels.shape, (layer, tensor))
    score_and_map_model = keras.Model([perturbed.image, perturbed.perturbation],
                                      [perturbed.scores, perturbed.tensors[layer]])
    image = ops.convert_to_tensor(repeat_image(pixels, class_indices))
    zeros = np.zeros((len(class_indices), *tensor.shape[1:]), "float32")

    def compute_outputs(perturbation):
        return score_and_map_model([image, perturbation], training=False)

    gradients = compute_gradient(
        lambda perturbation: sum_class_scores(compute_outputs(perturbation)[0], class_indices), zeros)
    channel_weights = gradients.mean(axis=(1, 2))
    feature_maps = ops.convert_to_numpy(ops.cast(compute_outputs(ops.convert_to_tensor(zeros))[1], "float32"))
    return np.maximum(np.einsum("nijc,nc->nij", feature_maps, channel_weights), 0)


def find_last_feature_map(model, graph):
    """Return the name of the last layer with a feature map, pooling excluded: the default layer of Grad-CAM.

    The image, scaled or padded, is not a feature map: that depends on a layer with weights.
    """
    class_names = {layer.name: type(layer).__name__ for layer in model.layers}
    weighted_calls, weighted_names = set(), set()
    for (name, call_index), call in get_layer_calls(model).items():
        has_weights = call.layer is not None and bool(call.layer.weights) and call.class_name not in RESCALING_LAYERS
        if has_weights or weighted_calls.intersection(call.input_calls):
            weighted_calls.add((name, call_index))
            weighted_names.add(name)
    layer_names = [name for name, tensor in graph.tensors.items()
                   if name in weighted_names and feature_graph.is_feature_map(tensor.shape[1:]) and not any(
                       excluded in class_names.get(name, "") for excluded in ("Pool", "Dropout", "Subsampling"))]
    if not layer_names:
        raise UserError(f"{model.name} has no layer whose output is a feature map, which Grad-CAM needs")
    return layer_names[-1]


def occlusion(score_model, pixels, class_indices):
    """Return the drop in the probability of each class with a gray patch at each position, and the patch's shape.

    The drops are (len(class_indices), rows, columns) float32, above 0 where the patch hides evidence for the class; the
    shape is (height, width) in pixels. A side of the patch is 1 / PATCHES_PER_SIDE of that of the image; up to
    POSITIONS_PER_SIDE positions are evenly spaced along each side. Zeiler and Fergus 2014, arXiv:1311.2901, 4.2.
    """
    (row_starts, patch_height), (column_starts, patch_width) = map(find_patches, pixels.shape[:2])
    occluded = np.repeat(np.float32(pixels)[None], 1 + len(row_starts) * len(column_starts), axis=0)
    for index, (row, column) in enumerate(((row, column) for row in row_starts for column in column_starts), start=1):
        occluded[index, row : row + patch_height, column : column + patch_width] = PATCH_VALUE
    (scores,) = features.predict_in_batches(score_model, occluded)
    probabilities = to_probabilities(scores)[:, class_indices].T
    drops = probabilities[:, :1] - probabilities[:, 1:]
    return drops.reshape(-1, len(row_starts), len(column_starts)), (patch_height, patch_width)


def find_patches(size):
    """Return where the patches along a side of `size` pixels start, and how many pixels each covers."""
    patch_size = max(1, round(size / PATCHES_PER_SIDE))
    return np.unique(np.linspace(0, size - patch_size, POSITIONS_PER_SIDE).round().astype(int)), patch_size


def average_over_patches(drops, shape):
    """Return the drops of `occlusion` (k, rows, columns) as (k, *shape): for each pixel, the mean of its patches.

    shape: (height, width) of the image. The patches overlap, and all together cover it.
    """
    weights = []  # (positions, pixels) of rows and columns: each patch has the same weight for a pixel that it covers
    for size in shape:
        starts, patch_size = find_patches(size)
        pixels = np.arange(size)
        is_covered = (pixels >= starts[:, None]) & (pixels < starts[:, None] + patch_size)
        weights.append(is_covered / is_covered.sum(axis=0))
    return np.einsum("krc,rh,cw->khw", drops, *weights)


def to_probabilities(scores):
    """Return the softmax of scores (n, classes); scores that already are probabilities are returned unchanged."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return scores
    return softmax(scores)
