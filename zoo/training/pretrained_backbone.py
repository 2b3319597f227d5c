"""Where the weights of a transfer come from, and how network and pixels must be for them. No backend is loaded."""

from dataclasses import dataclass, replace

from zoo import registry
from zoo.errors import UserError
from zoo.training import finetuning, run_config as plans, run_files
from zoo.utils.io import expand_user
from zoo.weights import pretrained, sources


@dataclass(frozen=True)
class BackboneWeights:
    """weights: the Source, None where they are drawn. said: as the person named them; "" for none.

    stem, width, options: those of the network that the weights are of. scaling: of the pixels, None where the weights
    do not say. shape: (height, width, channels) of the pictures that they were trained on, None where not known.
    preprocessing: the name of the scaling, where it has been chosen and is not that of the weights.
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
        the paper's where they do not say, and without weights that of a training from scratch.

        image_size: (height, width) where the user gives it.
        """
        default = registry.get_default_image_shape(model_info) if self.source is None else model_info.input_shape
        height, width, channels = self.shape or default
        return (*(image_size or (height, width)), channels)

    def ensure_local(self):
        """Return it with its file on the disk, fetched if need be; UserError where that cannot be."""
        return self if self.source is None else replace(self, source=self.source.ensure_local(include_top=False))

    def load_into(self, backbone, model_config):
        """Give a body the weights, if there are any, and return the lines that say what was done."""
        if self.source is None:
            return []
        lines = [f"{'weights':8} {self.source.load_into(backbone, model_config, include_top=False)}"]
        if self.preprocessing is None and self.scaling is None:
            lines.append(f"{'note':8} {self.name} does not say how its pixels were scaled: those of a data set are "
                         "brought to mean 0 and deviation 1, those of a folder to -1..1; --preprocessing changes it")
        elif self.preprocessing is None and self.source.is_scaling_assumed:
            lines.append(f"{'note':8} {self.name} does not say how its pixels were scaled: as the authors of the "
                         "network's published weights do is assumed; --preprocessing changes it")
        return lines

    def replace_preprocessing(self, preprocessing):
        """Return it with the scaling called `preprocessing`; None leaves it as it is."""
        pretrained.check_preprocessing(preprocessing)
        if preprocessing is None or (preprocessing == pretrained.RUN_PREPROCESSING and self.is_run):
            return self
        scaling = None if preprocessing == pretrained.RUN_PREPROCESSING else pretrained.PREPROCESSING[preprocessing]
        return replace(self, scaling=scaling, preprocessing=preprocessing)

    @property
    def is_run(self):
        """Whether the weights are a run's, or trained like one, and say how pixels are scaled."""
        return self.shape is not None


def find_backbone_weights(model_name, weights, width=None, stem="auto", options=None):
    """Return the BackboneWeights of what --weights says: "none", "imagenet", "cifar10", "mnist", a file or a run.

    width, stem, options: of the network where the weights do not come from a run, which has its own. A width of None is
    the paper's, or that of bundled weights, which have options of their own, too.
    """
    if weights == "none":
        if stem == "auto" and registry.get_model_info(model_name).small_stem_below and model_name in pretrained.KERAS_MIN_SIZE:
            stem = "paper"  # as it would be with weights
        return BackboneWeights(None, "", stem, 1.0 if width is None else width, options or {}, None, None)
    source = sources.resolve_weights_source(weights, model_name)
    path = expand_user(weights)
    if path.is_dir():
        return find_run_weights(path, source, (width, stem, options or {}))
    blueprint = source.resolve_model_config(width=width, stem=stem, options=options)
    shape = blueprint.input_shape if source.bundled_weights else None
    return BackboneWeights(source, str(weights), source.resolve_stem(stem), blueprint.width, blueprint.options,
                           source.scaling, shape)


def find_run_weights(run, source, requested):
    """Return the BackboneWeights of a run directory; UserError where another network, or another form of it, is asked
    for.
    """
    facts = run_files.read_config(run)
    try:
        blueprint, dataset = plans.get_model_config(facts), facts["dataset"]
        config = plans.get_finetune_config(facts)
        if config is not None:
            scaling = pretrained.Scaling(config.scale, config.offset, config.channel_order)
        else:
            scaling = pretrained.make_standard_scaling(dataset["mean"], dataset["std"])
        shape = tuple(dataset["shape"])
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None
    if isinstance(blueprint, plans.CustomModelConfig):
        raise UserError(f"{run} is of a model of your own, not of {source.model_name}; load it with zoo.load")
    if blueprint.model_info.name != source.model_name:
        raise UserError(f"{run} is of {blueprint.model_info.name}, given {source.model_name}; name the same network")
    if requested != (None, "auto", {}):
        raise UserError(f"{run} says how its network is built; leave out --width, --stem and --option")
    return BackboneWeights(source, str(run), blueprint.stem, blueprint.width, blueprint.options, scaling, shape)


def find_weights_to_resume(run_config):
    """Return the BackboneWeights of a Plan that is resumed; UserError where its weights are not there any more."""
    config, blueprint = run_config.finetuning, run_config.model_config
    weights = config.weights or "none"
    form = () if weights != "none" and expand_user(weights).is_dir() else (
        blueprint.width, blueprint.stem, blueprint.options)
    scaling = pretrained.Scaling(config.scale, config.offset, config.channel_order)
    return replace(find_backbone_weights(blueprint.model_info.name, weights, *form), scaling=scaling,
                   preprocessing=pretrained.RUN_PREPROCESSING)


def resolve_model_input(model_name, shape, backbone_weights, classes):
    """Return (ModelConfig, how many times pictures are enlarged, Scaling or None) for pictures of `shape`.

    Grey pictures become coloured ones where the network, or what trained it, has them so.
    """
    channels = backbone_weights.shape[2] if backbone_weights.shape else registry.get_model_info(model_name).input_shape[2]
    if shape[2] != 1 and backbone_weights.shape and shape[2] != channels:
        raise UserError(f"the weights {backbone_weights.name} are for grey pictures, these are coloured; choose other weights")
    factor, (height, width, _) = finetuning.compute_upsampled_shape(shape, model_name, backbone_weights.stem)
    blueprint = registry.resolve_model_config(model_name, (height, width, max(channels, shape[2])), classes,
                                              backbone_weights.width, backbone_weights.stem, backbone_weights.options)
    if backbone_weights.source is not None:
        backbone_weights.source.check(blueprint, include_top=False)
    scaling = backbone_weights.scaling
    if backbone_weights.preprocessing in pretrained.PREPROCESSING:
        scaling = pretrained.get_scaling(backbone_weights.preprocessing, blueprint.input_shape[2])
    return blueprint, factor, scaling


def resolve_pixel_scaling(scaling, info, channels):
    """Return the Scaling of pixels: that of the weights, or to mean 0 and deviation 1 of the data set."""
    if scaling is not None:
        return scaling
    mean, std = (each * channels if len(each) == 1 else each for each in (tuple(info.mean), tuple(info.std)))
    return pretrained.make_standard_scaling(mean, std)
