"""The inspection of a model on one image: each result is computed on first access and cached."""

from functools import cached_property

import keras
import numpy as np

from zoo.analysis import attribution, feature_graph, summary
from zoo.analysis.features import predict_in_batches
from zoo.analysis.modules import format_layer
from zoo.data import class_labels
from zoo.errors import UserError
from zoo.plots.colormaps import upsample_to_rgb
from zoo.plots.feature_maps import analyze_output, compute_hypercolumn, get_first_filters
from zoo.utils.text import format_class_name

NUM_TARGET_CLASSES = 3  # the most probable classes, for which attributions are computed
NUM_PREDICTED_CLASSES = 10  # classes in the bar chart


def find_target_classes(inspected_model, target_classes):
    """Return the labels of classes of an InspectedModel, given by name or label; UserError for an unknown one."""
    num_classes = inspected_model.model.output_shape[-1]
    names = [*(inspected_model.class_names or map(str, range(num_classes)))]
    return [class_labels.find_class_label(target, names) for target in target_classes]


class ImageInspection:
    """The inspection of an InspectedModel on one image.

    Args:
        inspected_model: an InspectedModel.
        pixels: uint8 (height, width, channels).
        layers: the layers to show; see `feature_graph.select_layers`.
        source: text, the image's name and the transformations applied to it.
        target_classes: list of class names or labels for which attributions are computed; None for the
            NUM_TARGET_CLASSES most probable ones.
    """

    def __init__(self, inspected_model, pixels, layers, source, target_classes=None):
        self.inspected_model, self.pixels, self.source = inspected_model, pixels, source
        self.graph = feature_graph.build_feature_graph(inspected_model.model, pixels.shape)
        self.model_summary = summary.summarize_model(inspected_model.model)
        self.layers = feature_graph.select_layers(self.model_summary, self.graph, layers)
        self._has_named_layers = isinstance(layers, list)
        self._requested_classes = target_classes and find_target_classes(inspected_model, target_classes)

    @cached_property
    def image(self):
        """The model's input image as RGB, enlarged if it is small: uint8 (height, width, 3)."""
        return upsample_to_rgb(self.pixels)

    @property
    def image_size(self):
        return self.image.shape[:2]

    @cached_property
    def feature_maps(self):
        """The FeatureMaps of each layer."""
        descriptions = {layer.name: format_layer(layer) for layer in self.model_summary.layers}
        model = keras.Model(self.graph.image, [self.graph.tensors[name] for name in self.layers])
        outputs = predict_in_batches(model, self.pixels[None])
        return [analyze_output(name, descriptions[name], output)
                for name, output in zip(self.layers, outputs, strict=True)]

    @cached_property
    def filters(self):
        """(layer name, kernels) of the first layer with a kernel; UserError if it has no filters that can be shown."""
        filters = get_first_filters(self.inspected_model.model)
        if filters is None:
            raise UserError(f"{self.inspected_model.title} has no filters that read a grayscale or RGB image")
        return filters

    @cached_property
    def hypercolumn(self):
        """(layer names, mean map of each layer, mean of all maps), upsampled to the image."""
        spatial_maps = [maps for maps in self.feature_maps if maps.is_spatial]
        if not spatial_maps:
            raise UserError(f"a hypercolumn needs layers with feature maps; got {', '.join(self.layers)}")
        return [maps.name for maps in spatial_maps], *compute_hypercolumn(spatial_maps, self.image_size)

    # ------------------------------------------------------------------------------------------------- attributions

    @cached_property
    def logits_model(self):
        return attribution.build_score_model(self.graph)

    @cached_property
    def probabilities(self):
        """The class probabilities, float (classes,)."""
        (scores,) = predict_in_batches(self.logits_model, self.pixels[None])
        if not np.isfinite(scores).all():
            raise UserError(f"{self.inspected_model.title} outputs scores that are not finite for this image")
        return attribution.to_probabilities(scores)[0]

    @cached_property
    def ranked_classes(self):
        """The class indices, the most probable first."""
        return [int(index) for index in np.argsort(-self.probabilities, kind="stable")]

    @property
    def target_classes(self):
        """The labels of the classes for which attributions are computed."""
        return self._requested_classes or self.ranked_classes[:NUM_TARGET_CLASSES]

    def get_class_name(self, index):
        names = self.inspected_model.class_names
        return format_class_name(names[index]) if names else f"class {index}"

    @cached_property
    def prediction(self):
        """[(class name, probability)] of the NUM_PREDICTED_CLASSES most probable classes."""
        return [(self.get_class_name(index), float(self.probabilities[index]))
                for index in self.ranked_classes[:NUM_PREDICTED_CLASSES]]

    @cached_property
    def gradcam(self):
        """[(layer name, (target classes, rows, columns))] of the layers given by name, else of the last feature map."""
        model = self.inspected_model.model
        layers = self.layers if self._has_named_layers else [attribution.find_last_feature_map(model, self.graph)]
        return [(layer, attribution.grad_cam(model, self.graph, self.pixels, layer, self.target_classes))
                for layer in layers]

    @cached_property
    def saliency(self):
        """The saliency maps (target classes, height, width)."""
        return attribution.saliency(self.logits_model, self.pixels, self.target_classes)

    @cached_property
    def occlusion(self):
        """((target classes, rows, columns), (height, width) of the patch in pixels)."""
        return attribution.occlusion(self.logits_model, self.pixels, self.target_classes)

    @property
    def occlusion_maps(self):
        """The drop of each pixel, the mean of the patches that cover it: (target classes, height, width)."""
        return attribution.average_over_patches(self.occlusion[0], self.pixels.shape[:2])
