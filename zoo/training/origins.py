"""Where the weights of a transfer come from, and how network and pixels must be for them. No backend is loaded."""

from dataclasses import dataclass, replace

from zoo import registry
from zoo.errors import UserError
from zoo.training import finetuning, plan as plans, run_files
from zoo.utils.io import expanded
from zoo.weights import pretrained, sources


@dataclass(frozen=True)
class Origin:
    """weights: the Source, None where they are drawn. said: as the person named them; "" for none.

    stem, width, options: those of the network that the weights are of. scaling: of the pixels, None where the weights
    do not say. shape: (height, width, channels) of the pictures that they were trained on, None where not known.
    preprocessing: the name of the scaling, where it has been chosen and is not that of the weights.
    """

    weights: sources.Source | None
    said: str
    stem: str
    width: float
    options: dict
    scaling: pretrained.Scaling | None
    shape: tuple | None
    preprocessing: str | None = None

    def folder_shape(self, spec, size):
        """Return the shape to which a folder's pictures are brought: as the weights had them, or the paper's; `size` is
        (height, width), where a person has asked for it."""
        height, width, channels = self.shape or spec.input_shape
        return (*(size or (height, width)), channels)

    def here(self):
        """Return it with its file on the disk, fetched if need be; UserError where that cannot be."""
        return self if self.weights is None else replace(self, weights=self.weights.here(include_top=False))

    def fill(self, body, blueprint):
        """Give a body the weights, if there are any, and return the lines that say what was done."""
        if self.weights is None:
            return []
        lines = [f"{'weights':8} {self.weights.fill(body, blueprint, include_top=False)}"]
        if self.preprocessing is None and self.scaling is None:
            lines.append(f"{'note':8} {self.said} does not say how its pixels were scaled: those of a data set are "
                         "brought to mean 0 and deviation 1, those of a folder to -1..1; --preprocessing changes it")
        elif self.preprocessing is None and self.weights.is_assumed:
            lines.append(f"{'note':8} {self.said} does not say how its pixels were scaled: as the authors of the "
                         "network's published weights do is assumed; --preprocessing changes it")
        return lines

    def rescale(self, preprocessing):
        """Return it with the scaling called `preprocessing`; None leaves it as it is."""
        pretrained.check_preprocessing(preprocessing)
        if preprocessing is None or (preprocessing == pretrained.OF_RUN and self.is_run):
            return self
        scaling = None if preprocessing == pretrained.OF_RUN else pretrained.PREPROCESSING[preprocessing]
        return replace(self, scaling=scaling, preprocessing=preprocessing)

    @property
    def is_run(self):
        """Whether the weights are a run's, or trained like one, and say how pixels are scaled."""
        return self.shape is not None


def find(network, weights, width=None, stem="auto", options=None):
    """Return the Origin of what --weights says: "none", "imagenet", "cifar10", "mnist", a file or a run.

    width, stem, options: of the network where the weights do not come from a run, which has its own. A width of None is
    the paper's, or that of bundled weights, which have options of their own, too.
    """
    if weights == "none":
        if stem == "auto" and registry.find(network).small_below and network in pretrained.LEAST_SIDE:
            stem = "paper"  # as it would be with weights
        return Origin(None, "", stem, 1.0 if width is None else width, options or {}, None, None)
    source = sources.find(weights, network)
    path = expanded(weights)
    if path.is_dir():
        return of_run(path, source, (width, stem, options or {}))
    blueprint = source.resolve_blueprint(width=width, stem=stem, options=options)
    shape = blueprint.input_shape if source.bundled else None
    return Origin(source, str(weights), source.stem(stem), blueprint.width, blueprint.options, source.scaling, shape)


def of_run(run, source, asked):
    """Return the Origin of a run directory; UserError where another network, or another form of it, is asked for."""
    facts = run_files.read_config(run)
    try:
        blueprint, dataset = plans.blueprint_of(facts), facts["dataset"]
        config = plans.finetuning_of(facts)
        if config is not None:
            scaling = pretrained.Scaling(config.scale, config.offset, config.channel_order)
        else:
            scaling = pretrained.standard(dataset["mean"], dataset["std"])
        shape = tuple(dataset["shape"])
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None
    if isinstance(blueprint, plans.CustomModel):
        raise UserError(f"{run} is of a model of your own, not of {source.network}; load it with zoo.load")
    if blueprint.spec.name != source.network:
        raise UserError(f"{run} is of {blueprint.spec.name}, given {source.network}; name the same network")
    if asked != (None, "auto", {}):
        raise UserError(f"{run} says how its network is built; leave out --width, --stem and --option")
    return Origin(source, str(run), blueprint.stem, blueprint.width, blueprint.options, scaling, shape)


def of_plan(plan):
    """Return the Origin of a Plan that is resumed; UserError where its weights are not there any more."""
    config, blueprint = plan.finetuning, plan.blueprint
    weights = config.weights or "none"
    form = () if weights != "none" and expanded(weights).is_dir() else (
        blueprint.width, blueprint.stem, blueprint.options)
    scaling = pretrained.Scaling(config.scale, config.offset, config.channel_order)
    return replace(find(blueprint.spec.name, weights, *form), scaling=scaling, preprocessing=pretrained.OF_RUN)


def seen(network, shape, origin, classes):
    """Return (Blueprint, how many times pictures are enlarged, Scaling or None) for pictures of `shape`.

    Grey pictures become coloured ones where the network, or what trained it, has them so.
    """
    channels = origin.shape[2] if origin.shape else registry.find(network).input_shape[2]
    if shape[2] != 1 and origin.shape and shape[2] != channels:
        raise UserError(f"the weights {origin.said} are for grey pictures, these are coloured; choose other weights")
    factor, (height, width, _) = finetuning.upsampled_shape(shape, network, origin.stem)
    blueprint = registry.blueprint(network, (height, width, max(channels, shape[2])), classes, origin.width,
                                   origin.stem, origin.options)
    if origin.weights is not None:
        origin.weights.check(blueprint, include_top=False)
    scaling = origin.scaling
    if origin.preprocessing in pretrained.PREPROCESSING:
        scaling = pretrained.named_scaling(origin.preprocessing, blueprint.input_shape[2])
    return blueprint, factor, scaling


def scaling_for(scaling, facts, channels):
    """Return the Scaling of pixels: that of the weights, or to mean 0 and deviation 1 of the data set."""
    if scaling is not None:
        return scaling
    mean, std = (each * channels if len(each) == 1 else each for each in (tuple(facts.mean), tuple(facts.std)))
    return pretrained.standard(mean, std)
