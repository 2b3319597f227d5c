"""`Run.inspect`: visualizations of a run's model for one image, as figures. Loads the backend."""

import numpy as np

from zoo.data import image_io
from zoo.errors import UserError
from zoo.plots import inspected_model, inspection_plots
from zoo.plots.inspection import ImageInspection
from zoo.utils.io import check_writable

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

    def gradcam(self, layers=None):
        """Return the Figure of Grad-CAM heatmaps of the three most probable classes.

        Args:
            layers: a layer's name, or a list of names; None for the last layer whose feature map is larger than 1x1.
        """
        if isinstance(layers, str) and layers in ("all", "stages"):
            raise UserError(f"gradcam takes layer names, or None for the last layer; got {layers!r}")
        return self._plot("gradcam", "stages" if layers is None else layers)

    def saliency(self):
        """Return the Figure of the gradients of the class scores with respect to the pixels."""
        return self._plot("saliency")

    def occlusion(self):
        """Return the Figure of how far each class probability falls when a grey patch hides part of the image."""
        return self._plot("occlusion")

    def report(self, to_file="look.html", layers="stages", channels=DEFAULT_CHANNELS):
        """Write one interactive HTML page with all of these; return its Path."""
        from zoo.reports import inspection

        path = check_writable(to_file)
        if path.suffix.lower() != ".html":
            raise UserError(f"the report must be a .html file; got {str(to_file)!r}")
        inspection.write_inspection_page(self._view(layers), check_channels(channels), path)
        return path

    def _plot(self, what, layers="stages", channels=DEFAULT_CHANNELS):
        return inspection_plots.plot_inspection(self._view(layers), what, check_channels(channels))

    def _view(self, layers):
        """Return the ImageInspection with these layers, cached with what it has computed."""
        selection = layers if layers in ("all", "stages") else [layers] if isinstance(layers, str) else [*layers]
        key = selection if isinstance(selection, str) else tuple(selection)
        if not selection:
            raise UserError("layers is empty; give layer names, 'stages' or 'all'")
        if key not in self._views:
            self._views[key] = ImageInspection(self._model, self.image, selection, self._source)
        return self._views[key]

    def _repr_png_(self):
        return self.prediction()._repr_png_()


def check_channels(channels):
    """Return `channels`; UserError unless it is an integer of 1 or more."""
    if isinstance(channels, bool) or not isinstance(channels, (int, np.integer)) or channels < 1:
        raise UserError(f"channels must be an integer of 1 or more; got {channels!r}")
    return int(channels)
