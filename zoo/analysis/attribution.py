"""What in a picture speaks for a class: Grad-CAM, saliency, occlusion. Scores are those before the softmax."""

import keras
import numpy as np
from keras import ops

from zoo.analysis import feature_graph, features
from zoo.analysis.gradients import gradient
from zoo.errors import UserError

GREY = 128  # the patch that is put over a part of the picture, of 0..255
PATCH = 5  # a patch is this part of a side of the picture
PLACES = 10  # of the patch along a side


def scorer(graph):
    """Return the model of an Opened from pixels to scores (n, classes); UserError where it has no such scores."""
    if len(graph.scores.shape) != 2 or graph.scores.shape[1] < 2:
        raise UserError("the network does not end in one score for each of several classes: there is nothing to speak "
                        "for; --what maps, filters and hypercolumn need none")
    return keras.Model(graph.image, graph.scores)


def summed(scores, places):
    """Return the sum of the scores (k, classes) of class places[0] in the first row, places[1] in the second, ...

    With k copies of a picture the derivatives of each score are then those in its copy.
    """
    wanted = np.eye(scores.shape[1], dtype="float32")[list(places)]
    return ops.sum(ops.multiply(ops.cast(scores, "float32"), wanted))


def copies(pixels, places):
    return np.repeat(np.float32(pixels)[None], len(places), axis=0)


def saliency(score, pixels, places):
    """Return how much each pixel moves the score of each of the classes: (len(places), height, width) float32.

    0 or more: the largest magnitude of the derivative among the channels, at `pixels` (height, width, channels).
    Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034, section 3.
    """
    found = gradient(lambda image: summed(score(image, training=False), places), copies(pixels, places))
    return np.abs(found).max(axis=-1)


def grad_cam(model, graph, pixels, layer, places):
    """Return where the maps of `layer` speak for each of the classes `places`: (len(places), rows, columns) float32.

    The weight of a map is the mean over its grid of the derivatives of the score; the weighted sum of the maps, where
    it is positive. Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2. `graph` is the model's Opened.
    UserError for a layer without a grid.
    """
    tensor = graph.tensors[layer]
    if len(tensor.shape) != 4:
        raise UserError(f"Grad-CAM needs a layer whose output is a grid of maps; that of {layer} is "
                        f"{'x'.join(map(str, tensor.shape[1:]))}")
    nudged = feature_graph.laid_open(model, pixels.shape, (layer, tensor))
    both = keras.Model([nudged.image, nudged.nudge], [nudged.scores, nudged.tensors[layer]])
    image = ops.convert_to_tensor(copies(pixels, places))
    nothing = np.zeros((len(places), *tensor.shape[1:]), "float32")

    def output(nudge):
        return both([image, nudge], training=False)

    slopes = gradient(lambda nudge: summed(output(nudge)[0], places), nothing).mean(axis=(1, 2))
    maps = ops.convert_to_numpy(ops.cast(output(ops.convert_to_tensor(nothing))[1], "float32"))
    return np.maximum(np.einsum("nijc,nc->nij", maps, slopes), 0)


def last_grid(model, graph):
    """Return the name of the last layer that gives a grid of maps, pools left out: the one Grad-CAM looks at."""
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    found = [name for name, tensor in graph.tensors.items()
             if feature_graph.is_grid(tensor.shape[1:]) and not any(
                 word in kinds.get(name, "") for word in ("Pool", "Dropout", "Subsampling"))]
    if not found:
        raise UserError(f"{model.name} has no layer with a grid of maps, which Grad-CAM needs")
    return found[-1]


def occlusion(score, pixels, places):
    """Return how much the probability of each class falls with a grey patch at each of PLACES x PLACES places.

    (len(places), rows, columns) float32, above 0 where the patch hides what speaks for the class; and the patch's
    sides in pixels.
    A patch is a PATCH-th of a side, its places are spread evenly. Zeiler and Fergus 2014, arXiv:1311.2901, 4.2.
    """
    height, width, _ = pixels.shape
    sides = [max(1, round(side / PATCH)) for side in (height, width)]
    tops, lefts = (np.unique(np.linspace(0, side - patch, PLACES).round().astype(int))
                   for side, patch in zip((height, width), sides, strict=True))
    hidden = np.repeat(np.float32(pixels)[None], 1 + len(tops) * len(lefts), axis=0)
    for number, (top, left) in enumerate(((top, left) for top in tops for left in lefts), start=1):
        hidden[number, top : top + sides[0], left : left + sides[1]] = GREY
    (scores,) = features.run(score, hidden)
    probable = softmax(scores)[:, places].T
    return (probable[:, :1] - probable[:, 1:]).reshape(-1, len(tops), len(lefts)), tuple(sides)


def softmax(scores):
    """Return probabilities (n, classes) of scores; those that are probabilities already stay."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return scores
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
