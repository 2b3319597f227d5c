"""A network's view of one picture: each question is answered when it is asked, and once."""

from functools import cached_property

import keras
import numpy as np

from zoo.analysis import attribution, feature_graph, summary
from zoo.analysis.features import run
from zoo.analysis.modules import words_of
from zoo.errors import UserError
from zoo.plots import feature_maps as layer_maps
from zoo.plots.colormaps import colours_of
from zoo.plots.feature_maps import judged
from zoo.plots.text_layout import plain

CLASSES = 3  # the most probable ones, for which it is asked what speaks for them
BARS = 10  # classes in the chart


class View:
    """A Subject with `pixels` uint8 (height, width, channels); `layers` are words for layers, see opened.chosen.

    source: what the picture is called and what was done to it, in words.
    """

    def __init__(self, subject, pixels, layers, source):
        self.subject, self.pixels, self.source = subject, pixels, source
        self.graph = feature_graph.laid_open(subject.model, pixels.shape)
        self.anatomy = summary.read(subject.model)
        self.layers = feature_graph.chosen(self.anatomy, self.graph, layers)
        self._named = isinstance(layers, list)

    @cached_property
    def picture(self):
        """The picture as the network gets it, enlarged if it is small: uint8 (height, width, 3)."""
        return colours_of(self.pixels)

    @property
    def side(self):
        return self.picture.shape[:2]

    @cached_property
    def maps(self):
        """The Maps of each of the layers."""
        words = {layer.name: words_of(layer) for layer in self.anatomy.layers}
        model = keras.Model(self.graph.image, [self.graph.tensors[name] for name in self.layers])
        outputs = run(model, self.pixels[None])
        return [judged(name, words[name], output) for name, output in zip(self.layers, outputs, strict=True)]

    @cached_property
    def filters(self):
        """(layer's name, kernels) of the layer that reads the picture; UserError where it has none to be seen."""
        found = layer_maps.first_filters(self.subject.model)
        if found is None:
            raise UserError(f"{self.subject.title} has no first layer whose filters read a grey or colour picture")
        return found

    @cached_property
    def hypercolumn(self):
        """(names, the mean of the maps of each, the mean of all), enlarged to the picture."""
        grids = [each for each in self.maps if each.is_grid]
        if not grids:
            raise UserError(f"a hypercolumn is made of layers with grids of maps; {', '.join(self.layers)} has none")
        return [each.name for each in grids], *layer_maps.hypercolumn(grids, self.side)

    # ------------------------------------------------------------------------------------------- what speaks for what

    @cached_property
    def scorer(self):
        return attribution.scorer(self.graph)

    @cached_property
    def probable(self):
        """Probabilities (classes,)."""
        (scores,) = run(self.scorer, self.pixels[None])
        if not np.isfinite(scores).all():
            raise UserError(f"{self.subject.title} gives scores that are not finite for this picture")
        return attribution.softmax(scores)[0]

    @cached_property
    def order(self):
        """The classes, the most probable first."""
        return [int(place) for place in np.argsort(-self.probable, kind="stable")]

    @property
    def asked(self):
        return self.order[:CLASSES]

    def called(self, place):
        return plain(self.subject.names[place]) if self.subject.names else f"class {place}"

    @cached_property
    def prediction(self):
        """[(name, probability)] of the BARS most probable classes."""
        return [(self.called(place), float(self.probable[place])) for place in self.order[:BARS]]

    @cached_property
    def gradcam(self):
        """[(layer, (classes asked, rows, columns))]: of the layers that were named, else of the last with a grid."""
        layers = self.layers if self._named else [attribution.last_grid(self.subject.model, self.graph)]
        return [(layer, attribution.grad_cam(self.subject.model, self.graph, self.pixels, layer, self.asked))
                for layer in layers]

    @cached_property
    def saliency(self):
        """(classes asked, height, width)."""
        return attribution.saliency(self.scorer, self.pixels, self.asked)

    @cached_property
    def occlusion(self):
        """((classes asked, rows, columns), sides of the patch in pixels)."""
        return attribution.occlusion(self.scorer, self.pixels, self.asked)
