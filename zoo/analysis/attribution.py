"""What in a picture speaks for a class: Grad-CAM, saliency, occlusion. Scores are those before the softmax."""

import keras
import numpy as np
from keras import ops

from zoo.analysis import feature_graph, features
from zoo.analysis.gradients import compute_gradient
from zoo.errors import UserError

PATCH_VALUE = 128  # the patch that is put over a part of the picture, of 0..255
PATCHES_PER_SIDE = 5  # a patch is this part of a side of the picture
POSITIONS_PER_SIDE = 10  # of the patch along a side


def build_score_model(graph):
    """Return the model of a FeatureGraph from pixels to scores (n, classes); UserError where it has no such scores."""
    if len(graph.scores.shape) != 2 or graph.scores.shape[1] < 2:
        raise UserError("the network does not end in one score for each of several classes: there is nothing to speak "
                        "for; --what maps, filters and hypercolumn need none")
    return keras.Model(graph.image, graph.scores)


def sum_class_scores(scores, class_indices):
    """Return the sum of the scores (k, classes) of class places[0] in the first row, places[1] in the second, ...

    With k copies of a picture the derivatives of each score are then those in its copy.
    """
    wanted = np.eye(scores.shape[1], dtype="float32")[list(class_indices)]
    return ops.sum(ops.multiply(ops.cast(scores, "float32"), wanted))


def repeat_image(pixels, class_indices):
    return np.repeat(np.float32(pixels)[None], len(class_indices), axis=0)


def saliency(score_model, pixels, class_indices):
    """Return how much each pixel moves the score of each of the classes: (len(places), height, width) float32.

    0 or more: the largest magnitude of the derivative among the channels, at `pixels` (height, width, channels).
    Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034, section 3.
    """
    found = compute_gradient(lambda image: sum_class_scores(score_model(image, training=False), class_indices),
                             repeat_image(pixels, class_indices))
    return np.abs(found).max(axis=-1)


def grad_cam(model, graph, pixels, layer, class_indices):
    """Return where the maps of `layer` speak for each of the classes `places`: (len(places), rows, columns) float32.

    The weight of a map is the mean over its grid of the derivatives of the score; the weighted sum of the maps, where
    it is positive. Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2. `graph` is the model's FeatureGraph.
    UserError for a layer without a grid.
    """
    tensor = graph.tensors[layer]
    if len(tensor.shape) != 4:
        raise UserError(f"Grad-CAM needs a layer whose output is a grid of maps; that of {layer} is "
                        f"{'x'.join(map(str, tensor.shape[1:]))}")
    nudged = feature_graph.build_feature_graph(model, pixels.shape, (layer, tensor))
    both = keras.Model([nudged.image, nudged.perturbation], [nudged.scores, nudged.tensors[layer]])
    image = ops.convert_to_tensor(repeat_image(pixels, class_indices))
    nothing = np.zeros((len(class_indices), *tensor.shape[1:]), "float32")

    def output(nudge):
        return both([image, nudge], training=False)

    slopes = compute_gradient(lambda nudge: sum_class_scores(output(nudge)[0], class_indices),
                              nothing).mean(axis=(1, 2))
    maps = ops.convert_to_numpy(ops.cast(output(ops.convert_to_tensor(nothing))[1], "float32"))
    return np.maximum(np.einsum("nijc,nc->nij", maps, slopes), 0)


def find_last_feature_map(model, graph):
    """Return the name of the last layer that gives a grid of maps, pools left out: the one Grad-CAM looks at."""
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    found = [name for name, tensor in graph.tensors.items()
             if feature_graph.is_feature_map(tensor.shape[1:]) and not any(
                 word in kinds.get(name, "") for word in ("Pool", "Dropout", "Subsampling"))]
    if not found:
        raise UserError(f"{model.name} has no layer with a grid of maps, which Grad-CAM needs")
    return found[-1]


def occlusion(score_model, pixels, class_indices):
    """Return how much the probability of each class falls with a grey patch at each of PLACES x PLACES places.

    (len(places), rows, columns) float32, above 0 where the patch hides what speaks for the class; and the patch's
    sides in pixels.
    A patch is a PATCH-th of a side, its places are spread evenly. Zeiler and Fergus 2014, arXiv:1311.2901, 4.2.
    """
    height, width, _ = pixels.shape
    sides = [max(1, round(side / PATCHES_PER_SIDE)) for side in (height, width)]
    tops, lefts = (np.unique(np.linspace(0, side - patch, POSITIONS_PER_SIDE).round().astype(int))
                   for side, patch in zip((height, width), sides, strict=True))
    hidden = np.repeat(np.float32(pixels)[None], 1 + len(tops) * len(lefts), axis=0)
    for number, (top, left) in enumerate(((top, left) for top in tops for left in lefts), start=1):
        hidden[number, top : top + sides[0], left : left + sides[1]] = PATCH_VALUE
    (scores,) = features.predict_in_batches(score_model, hidden)
    probable = to_probabilities(scores)[:, class_indices].T
    return (probable[:, :1] - probable[:, 1:]).reshape(-1, len(tops), len(lefts)), tuple(sides)


def to_probabilities(scores):
    """Return probabilities (n, classes) of scores; those that are probabilities already stay."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return scores
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
