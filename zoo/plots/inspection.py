"""A network's view of one picture: each question is answered when it is asked, and once."""

from functools import cached_property

import keras
import numpy as np

from zoo.analysis import attribution, feature_graph, summary
from zoo.analysis.features import predict_in_batches
from zoo.analysis.modules import format_layer
from zoo.errors import UserError
from zoo.plots import feature_maps as layer_maps
from zoo.plots.colormaps import upsample_to_rgb
from zoo.plots.feature_maps import analyze_output
from zoo.plots.text_layout import format_class_name

NUM_TARGET_CLASSES = 3  # the most probable ones, for which it is asked what speaks for them
NUM_PREDICTED_CLASSES = 10  # classes in the chart


class ImageInspection:
    """A Subject with `pixels` uint8 (height, width, channels); `layers` are words for layers, see opened.chosen.

    source: what the picture is called and what was done to it, in words.
    """

    def __init__(self, inspected_model, pixels, layers, source):
        self.inspected_model, self.pixels, self.source = inspected_model, pixels, source
        self.graph = feature_graph.build_feature_graph(inspected_model.model, pixels.shape)
        self.model_summary = summary.summarize_model(inspected_model.model)
        self.layers = feature_graph.select_layers(self.model_summary, self.graph, layers)
        self._has_named_layers = isinstance(layers, list)

    @cached_property
    def image(self):
        """The picture as the network gets it, enlarged if it is small: uint8 (height, width, 3)."""
        return upsample_to_rgb(self.pixels)

    @property
    def image_size(self):
        return self.image.shape[:2]

    @cached_property
    def feature_maps(self):
        """The Maps of each of the layers."""
        words = {layer.name: format_layer(layer) for layer in self.model_summary.layers}
        model = keras.Model(self.graph.image, [self.graph.tensors[name] for name in self.layers])
        outputs = predict_in_batches(model, self.pixels[None])
        return [analyze_output(name, words[name], output) for name, output in zip(self.layers, outputs, strict=True)]

    @cached_property
    def filters(self):
        """(layer's name, kernels) of the layer that reads the picture; UserError where it has none to be seen."""
        found = layer_maps.get_first_filters(self.inspected_model.model)
        if found is None:
            raise UserError(f"{self.inspected_model.title} has no first layer whose filters read a grey or colour picture")
        return found

    @cached_property
    def hypercolumn(self):
        """(names, the mean of the maps of each, the mean of all), enlarged to the picture."""
        grids = [each for each in self.feature_maps if each.is_spatial]
        if not grids:
            raise UserError(f"a hypercolumn is made of layers with grids of maps; {', '.join(self.layers)} has none")
        return [each.name for each in grids], *layer_maps.compute_hypercolumn(grids, self.image_size)

    # ------------------------------------------------------------------------------------------- what speaks for what

    @cached_property
    def logits_model(self):
        return attribution.build_score_model(self.graph)

    @cached_property
    def probabilities(self):
        """Probabilities (classes,)."""
        (scores,) = predict_in_batches(self.logits_model, self.pixels[None])
        if not np.isfinite(scores).all():
            raise UserError(f"{self.inspected_model.title} gives scores that are not finite for this picture")
        return attribution.to_probabilities(scores)[0]

    @cached_property
    def ranked_classes(self):
        """The classes, the most probable first."""
        return [int(place) for place in np.argsort(-self.probabilities, kind="stable")]

    @property
    def target_classes(self):
        return self.ranked_classes[:NUM_TARGET_CLASSES]

    def get_class_name(self, index):
        return format_class_name(self.inspected_model.class_names[index]) if self.inspected_model.class_names else f"class {index}"

    @cached_property
    def prediction(self):
        """[(name, probability)] of the BARS most probable classes."""
        return [(self.get_class_name(place), float(self.probabilities[place]))
                for place in self.ranked_classes[:NUM_PREDICTED_CLASSES]]

    @cached_property
    def gradcam(self):
        """[(layer, (classes asked, rows, columns))]: of the layers that were named, else of the last with a grid."""
        layers = self.layers if self._has_named_layers else [attribution.find_last_feature_map(self.inspected_model.model, self.graph)]
        return [(layer,
                 attribution.grad_cam(self.inspected_model.model, self.graph, self.pixels, layer, self.target_classes))
                for layer in layers]

    @cached_property
    def saliency(self):
        """(classes asked, height, width)."""
        return attribution.saliency(self.logits_model, self.pixels, self.target_classes)

    @cached_property
    def occlusion(self):
        """((classes asked, rows, columns), sides of the patch in pixels)."""
        return attribution.occlusion(self.logits_model, self.pixels, self.target_classes)
