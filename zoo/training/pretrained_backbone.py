"""The source of a backbone's weights, and the model and preprocessing that they require. No backend is loaded."""

from dataclasses import dataclass, replace

from zoo import registry
from zoo.errors import UserError
from zoo.training import finetuning, run_files
from zoo.training.run_config import CustomModelConfig, get_finetune_config, get_model_config
from zoo.utils.text import pluralize
from zoo.weights import pretrained, sources


@dataclass(frozen=True)
class BackboneWeights:
    """The weights of a backbone and what is known about them.

    source: a WeightsSource, None for random weights. name: as the run records them; "" for none. stem, width,
    options: those of the model that the weights belong to. scaling: of the pixels, None where unknown. shape: (height,
    width, channels) of the images that they were trained on, None where unknown. preprocessing: the name of the
    scaling where it was requested instead of that of the weights.
    """

    source: sources.WeightsSource | None
    name: str
    stem: str
    width: float
    options: dict
    scaling: pretrained.Scaling | None
    shape: tuple | None
    preprocessing: str | None = None

    def get_image_shape(self, model_info, image_size):
        """Return the shape to which a folder's images are resized: that of the images that the weights were trained on,
        the paper's where it is unknown, and without weights that of training from scratch.

        image_size: (height, width) where the user requests one.
        """
        default = registry.get_default_shape(model_info) if self.source is None else model_info.input_shape
        height, width, channels = self.shape or default
        return (*(image_size or (height, width)), channels)

    def ensure_local(self):
        """Return the weights with their file on disk, downloaded if necessary; UserError where that fails."""
        return self if self.source is None else replace(self, source=self.source.ensure_local(include_top=False))

    def load_into(self, backbone, model_config):
        """Load the weights, if any, into a backbone and return lines for the header of the run."""
        if self.source is None:
            return []
        lines = [f"{'weights':8} {self.source.load_into(backbone, model_config, include_top=False)}"]
        if self.preprocessing is None and self.scaling is None:
            lines.append(f"{'note':8} {self.name} does not say how its pixels were scaled: those of a dataset are "
                         "scaled to mean 0 and standard deviation 1, those of a folder to -1..1; "
                         "preprocessing=... changes it")
        elif self.preprocessing is None and self.source.is_scaling_assumed:
            lines.append(f"{'note':8} {self.name} does not say how its pixels were scaled: the preprocessing of the "
                         "model's published weights is assumed; preprocessing=... changes it")
        return lines

    def replace_preprocessing(self, preprocessing):
        """Return the weights with the scaling called `preprocessing`; None keeps their own."""
        pretrained.check_preprocessing(preprocessing)
        if preprocessing is None or (preprocessing == pretrained.RUN_PREPROCESSING and self.is_run):
            return self
        scaling = None if preprocessing == pretrained.RUN_PREPROCESSING else pretrained.PREPROCESSING[preprocessing]
        return replace(self, scaling=scaling, preprocessing=preprocessing)

    @property
    def is_run(self):
        """Whether the weights are those of a run, or trained like one, and their scaling is known."""
        return self.shape is not None


def find_backbone_weights(model_name, weights, width=None, stem="auto", options=None):
    """Return the BackboneWeights for a value of --weights: "none", "imagenet", "cifar10", "mnist", a file or a run.

    width, stem, options: of the model where the weights are not those of a run, which has its own. A width of None is
    the paper's, or that of bundled weights, which have their own options, too.
    """
    if weights == "none":
        has_small_stem = registry.get_model_info(model_name).small_stem_below
        if stem == "auto" and has_small_stem and model_name in pretrained.KERAS_MIN_SIZE:
            stem = "paper"  # as with pretrained weights
        return BackboneWeights(None, "", stem, 1.0 if width is None else width, options or {}, None, None)
    source = sources.resolve_weights_source(weights, model_name)
    name = pretrained.make_weights_record(weights)
    if source.run:
        return find_run_weights(source, name, (width, stem, options or {}))
    model_config = source.resolve_model_config(width=width, stem=stem, options=options)
    shape = model_config.input_shape if source.bundled_weights else None
    return BackboneWeights(source, name, source.resolve_stem(stem), model_config.width, model_config.options,
                           source.scaling, shape)


def find_run_weights(source, name, requested):
    """Return the BackboneWeights of a run; UserError where another width, stem or option is requested."""
    run = source.run
    config = run_files.read_config(run)
    try:
        model_config, dataset = get_model_config(config), config["dataset"]
        finetune_config = get_finetune_config(config)
        if finetune_config is not None:
            scaling = finetune_config.scaling
        else:
            scaling = pretrained.make_standard_scaling(dataset["mean"], dataset["std"])
        shape = tuple(dataset["shape"])
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None
    if isinstance(model_config, CustomModelConfig):
        raise UserError(f"{run} holds a custom model, not {source.model_name}; load it with zoo.load")
    if requested != (None, "auto", {}):
        raise UserError(f"{run} defines how its model is built; remove width=..., stem=... and the model's options")
    return BackboneWeights(source, name, model_config.stem, model_config.width, model_config.options, scaling,
                           shape)


def find_weights_to_resume(run_config):
    """Return the BackboneWeights of a RunConfig that is resumed; UserError where its weights no longer exist."""
    finetune_config, model_config = run_config.finetuning, run_config.model_config
    weights = finetune_config.weights or "none"
    is_run = weights != "none" and pretrained.find_run(weights) is not None
    model_form = () if is_run else (model_config.width, model_config.stem, model_config.options)
    return replace(find_backbone_weights(model_config.model_info.name, weights, *model_form),
                   scaling=finetune_config.scaling, preprocessing=pretrained.RUN_PREPROCESSING)


def resolve_model_input(model_name, shape, backbone_weights, classes):
    """Return (ModelConfig, upsampling factor, Scaling or None) for images of `shape`.

    Grayscale images are converted to RGB where the model, or the data that it was pretrained on, is RGB.
    """
    pretrained_shape = backbone_weights.shape or registry.get_model_info(model_name).input_shape
    channels = pretrained_shape[2]
    if shape[2] != 1 and backbone_weights.shape and shape[2] != channels:
        raise UserError(f"the weights {backbone_weights.name} are for images with {pluralize(channels, 'channel')}; "
                        f"got images with {shape[2]}; choose other weights, or convert the images")
    factor, (height, width, _) = finetuning.compute_upsampled_shape(shape, model_name, backbone_weights.stem)
    model_config = registry.resolve_model_config(model_name, (height, width, max(channels, shape[2])), classes,
                                                 backbone_weights.width, backbone_weights.stem,
                                                 backbone_weights.options)
    if backbone_weights.source is not None:
        backbone_weights.source.check(model_config, include_top=False)
    scaling = backbone_weights.scaling
    if backbone_weights.preprocessing in pretrained.PREPROCESSING:
        scaling = pretrained.get_scaling(backbone_weights.preprocessing, model_config.input_shape[2])
    return model_config, factor, scaling


def resolve_pixel_scaling(scaling, info, channels):
    """Return the Scaling of the weights, or the one to mean 0 and standard deviation 1 of the dataset."""
    if scaling is not None:
        return scaling
    mean, std = (values * channels if len(values) == 1 else values for values in (tuple(info.mean), tuple(info.std)))
    return pretrained.make_standard_scaling(mean, std)
