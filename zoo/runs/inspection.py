"""`Run.inspect`: visualizations of a run's model for one image, as figures. Loads the backend."""

import numpy as np

from zoo.data import image_io
from zoo.errors import UserError
from zoo.plots import inspected_model, inspection_plots
from zoo.plots.inspection import ImageInspection
from zoo.utils.io import check_page_path
from zoo.utils.validation import check_positive_integer

DEFAULT_CHANNELS = 8  # feature maps per layer


class Inspection:
    """Visualizations of a model for one image. Each method returns a matplotlib Figure, which a notebook shows.

    Args:
        model: a `zoo.plots.inspected_model.InspectedModel`.
        image: a Pillow image of any size; it is resized to the model's input size.
        name: str, the name of the image in the figures.
        white_levels: dict, how the run scaled images of more than eight bits; see `zoo.data.bit_depth`.

    Example:

    >>> inspection = run.inspect("three.png")
    >>> inspection.gradcam().savefig("gradcam.png")
    """

    def __init__(self, model, image, name, white_levels=None):
        model_input = image_io.prepare_image(image, inspected_model.resolve_input_shape(model), white_levels)
        self.image = model_input.pixels
        self._model, self._views = model, {}
        self._source = ", ".join(filter(None, (name, model_input.transformations)))

    def prediction(self):
        """Return the Figure of the ten most probable classes."""
        return self._plot("prediction")

    def features(self, layers="stages", channels=DEFAULT_CHANNELS):
        """Return the Figure of feature maps.

        Args:
            layers: "stages", the last layer of each stage; "all"; a layer's name, or a list of names.
            channels: int, number of feature maps per layer.
        """
        return self._plot("feature-maps", layers, channels)

    def filters(self):
        """Return the Figure of the kernels of the first layer."""
        return self._plot("filters")

    def hypercolumn(self, layers="stages"):
        """Return the Figure of the feature maps of `layers`, see `features`, upsampled to the image and averaged."""
        return self._plot("hypercolumn", layers)

    def gradcam(self, layers=None, target_classes=None):
        """Return the Figure of Grad-CAM heatmaps.

        Args:
            layers: a layer's name, or a list of names; None for the last layer whose feature map is larger than 1x1.
            target_classes: a class name or label, or a list of them; None for the three most probable classes.

        Example:

        >>> run.inspect("cat.png").gradcam(target_classes="dog")
        """
        if isinstance(layers, str) and layers in ("all", "stages"):
            raise UserError(f"gradcam takes layer names, or None for the last layer; got {layers!r}")
        return self._plot("gradcam", "stages" if layers is None else layers, target_classes=target_classes)

    def saliency(self, target_classes=None):
        """Return the Figure of the gradients of class scores with respect to the pixels.

        Args:
            target_classes: see `gradcam`.
        """
        return self._plot("saliency", target_classes=target_classes)

    def occlusion(self, target_classes=None):
        """Return the Figure of how far each class probability falls when a gray patch hides part of the image.

        Args:
            target_classes: see `gradcam`.
        """
        return self._plot("occlusion", target_classes=target_classes)

    def report(self, to_file="look.html", layers="stages", channels=DEFAULT_CHANNELS, target_classes=None):
        """Write one interactive HTML page with all of these; return its Path."""
        from zoo.reports import inspection

        path = check_page_path(to_file)
        inspection.write_inspection_page(self._view(layers, target_classes),
                                         check_positive_integer("channels", channels), path)
        return path

    def __repr__(self):
        return (f"<zoo.Inspection of {self._source} by {self._model.title}: prediction(), features(), filters(), "
                "hypercolumn(), gradcam(), saliency(), occlusion(), report()>")

    def _plot(self, what, layers="stages", channels=DEFAULT_CHANNELS, target_classes=None):
        return inspection_plots.plot_inspection(self._view(layers, target_classes), what,
                                                check_positive_integer("channels", channels))

    def _view(self, layers, target_classes=None):
        """Return the ImageInspection with these layers and classes, cached with what it has computed."""
        selection = layers if layers in ("all", "stages") else [layers] if isinstance(layers, str) else [*layers]
        targets = [target_classes] if isinstance(target_classes, (str, int, np.integer)) else target_classes
        if not selection:
            raise UserError("layers is empty; give layer names, 'stages' or 'all'")
        if targets is not None and not [*targets]:
            raise UserError("target_classes is empty; give class names or labels, or None for the most probable ones")
        key = repr((selection, targets))
        if key not in self._views:
            self._views[key] = ImageInspection(self._model, self.image, selection, self._source, targets)
        return self._views[key]

    def _repr_png_(self):
        return self.prediction()._repr_png_()
