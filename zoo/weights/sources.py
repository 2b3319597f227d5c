"""From what a person says, "imagenet", "cifar10", a file or a run, to weights in a model and the pixels they expect."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo import env, registry
from zoo.errors import UserError
from zoo.utils.io import expanded, read_json
from zoo.weights import files, load, names, pretrained


@dataclass(frozen=True)
class Source:
    """Weights of a network that are on the disk, or can be fetched.

    said: as the person said it. path: None where it is to be fetched. foreign: they are of the paper's stem, and have
    the authors' preprocessing, `scaling`; None: what pixels they expect is not known. bundled: where they come with
    zoo. implied: {option: value} of the network that a file is of, as far as it shows.
    of_others: by the names of their layers they are of keras.applications' or PyTorch's network, not of our own.
    """

    network: str
    said: str
    path: Path | None
    foreign: bool
    scaling: pretrained.Scaling | None
    bundled: pretrained.Bundled | None = None
    implied: dict = field(default_factory=dict)
    of_others: bool = True

    @property
    def is_assumed(self):
        """Whether the scaling of the pixels is assumed by the names of the layers: files do not say it."""
        return self.scaling is not None and self.bundled is None and self.said not in pretrained.NAMES

    def rescale(self, preprocessing):
        """Return it with the scaling of pixels called `preprocessing`; None leaves it as it is."""
        pretrained.check_preprocessing(preprocessing)
        if preprocessing is None or (preprocessing == pretrained.OF_RUN and self.bundled):
            return self
        if preprocessing == pretrained.OF_RUN:
            raise UserError(f"{self.said} is no run, so the data set is not known that its pixels were scaled by; "
                            f"choose another preprocessing than {preprocessing}, or give a run")
        channels = self.resolve_blueprint().input_shape[2]
        return replace(self, scaling=pretrained.named_scaling(preprocessing, channels))

    def resolve_blueprint(self, input_shape=None, classes=None, width=None, stem="auto", options=None, aux=False):
        """Return the Blueprint of what is asked for; what is not given is as the weights need it, or the paper's."""
        options, stem = {**self.implied, **(options or {})}, self.stem(stem)
        if self.bundled:
            own = self.bundled.blueprint
            input_shape = own.input_shape if input_shape is None else input_shape
            classes = own.classes if classes is None else classes
            width = own.width if width is None else width
            options = {**own.options, **options}
        return registry.blueprint(self.network, input_shape, classes, width, stem, options, aux)

    def stem(self, asked):
        """Return which stem to build: "auto" is the paper's for weights of others, their own for bundled ones."""
        if self.bundled:
            own = self.bundled.blueprint.stem
            if asked not in ("auto", own):
                raise UserError(f"the weights {self.said!r} of {self.network} have the {own} stem; leave out stem")
            return own
        if not self.foreign or asked == "paper" or not registry.find(self.network).small_below:
            return asked
        if asked == "small":
            raise UserError(f"{self.said} holds weights of {self.network} with the paper's stem; leave stem as it is")
        return "paper"

    def here(self, include_top):
        """Return it with its file on the disk, fetched if need be; UserError where that cannot be."""
        if self.path is not None:
            return self
        return replace(self, path=fetched(pretrained.find(self.said, self.network), include_top))

    def count_classes(self):
        """Return how many classes a file of weights is for; None where that is the network's own number, or not known.

        Told by the layer of the file that is the network's last.
        """
        if self.bundled or self.said in pretrained.NAMES:
            return None
        from zoo.analysis import summary

        layers = summary.of_network(registry.blueprint(self.network)).layers
        last = max(index for index, layer in enumerate(layers) if layer.parameters)
        return load.count_outputs(self.path, self.network, [(layer.name, layer.kind) for layer in layers[:last + 1]])

    def fill(self, model, blueprint, include_top):
        """Give `model`, built of `blueprint` with or without its top, the weights; return the load.Report."""
        self.check(blueprint, include_top)
        path = self.here(include_top).path
        try:
            return load.load(model, self.network, path, spare_of(blueprint), include_top)
        except UserError as error:
            if self.bundled is None:
                raise
            raise UserError(f"{path.name} of this installation of zoo is damaged; reinstall zoo ({error})") from None

    def head_of_its_own(self):
        """Return whether the weights are of a run whose top is not the network's; UserError for a damaged run."""
        facts = expanded(self.said) / "run.json"
        try:
            return facts.is_file() and read_json(facts).get("finetuning") is not None
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{facts} is damaged: it is no JSON that zoo wrote") from error

    def check(self, blueprint, include_top):
        """Raise UserError for a network that published weights are not for, before anything is fetched."""
        if self.bundled:
            self._check_bundled(blueprint, include_top)
            return
        if include_top and self.head_of_its_own():
            raise UserError(f"{self.said} was fine-tuned with a head of its own: zoo.load has it whole, "
                            "include_top=False its body")
        if self.said not in pretrained.NAMES:
            return
        spec = blueprint.spec
        if include_top and spec.classes != blueprint.classes:
            raise UserError(f"the weights {self.said!r} are for {spec.classes} classes; given {blueprint.classes}; "
                            "use include_top=False")
        if blueprint.input_shape[2] != 3:
            raise UserError(f"the weights {self.said!r} of {self.network} are for pictures of anyxanyx3; given "
                            f"{cross(blueprint.input_shape)}")
        odd = [name for name, value in blueprint.options.items()
               if name in ("batch_norm", "scale", "groups") and value != spec.options[name]]
        if blueprint.width != 1 or odd:
            raise UserError(f"the weights {self.said!r} are for {self.network} as it is; leave "
                            f"{odd[0] if odd else 'width'} at {spec.options[odd[0]] if odd else 1}")

    def _check_bundled(self, blueprint, include_top):
        """Raise UserError for anything but the model that bundled weights are for, or its backbone at any size."""
        own = self.bundled.blueprint
        preset = registry.preset(own.spec, "small")
        form = ", ".join([f"width {own.width:g}", *(f"{name}={value}" for name, value in preset.options.items())])
        what = f"the weights {self.said!r} of {self.network} are for {cross(own.input_shape)} images, {own.classes} " \
               f"classes, {form}"
        other = [(name, value) for name, value in blueprint.options.items()
                 if value != own.options[name] and not name.endswith("dropout")]  # which has no weights
        if blueprint.width != own.width:
            other.insert(0, ("width", blueprint.width))
        if blueprint.aux:
            other.append(("aux", True))
        if other:
            name, value = other[0]
            raise UserError(f"{what}; given {name}={value}; leave out {name}")
        if blueprint.input_shape[2] != own.input_shape[2]:
            raise UserError(f"{what}; given {cross(blueprint.input_shape)}; give images with channels="
                            f"{own.input_shape[2]}")
        if include_top and (blueprint.input_shape, blueprint.classes) != (own.input_shape, own.classes):
            raise UserError(f"{what}; given {cross(blueprint.input_shape)}, {blueprint.classes} classes; leave these "
                            "out, or use include_top=False, which takes any image size and any number of classes")


def find(weights, network):
    """Return the Source of `weights`: one of published.NAMES, or the path of a file or of a run directory.

    UserError where there is no such one. Nothing is fetched yet, and no array is read.
    """
    spec = registry.find(network)
    if not isinstance(weights, (str, os.PathLike)):
        raise UserError(f"weights is None, a name such as 'imagenet', or the path of a file or run; given {weights!r}")
    pretrained.check(weights, network)
    if weights in pretrained.NAMES:
        known = pretrained.find(weights, spec.name)
        if isinstance(known, pretrained.Bundled):
            return of_bundled(known)
        return Source(spec.name, weights, None, True, pretrained.OF_KERAS[spec.name])
    path = files.found(weights)
    with files.opened(path) as contents:
        if contents.naming == "torch":
            foreign, scaling = True, pretrained.OF_TORCH.get(spec.name)
        else:
            foreign = contents.naming == "counted" or (contents.naming == "keras" and names.is_foreign(
                [name for name, row in contents.layers.items() if row], spec.name))
            scaling = pretrained.OF_KERAS.get(spec.name) if foreign else None
        implied = load.implied_options(contents, spec.name)
    return Source(spec.name, str(weights), path, foreign and spec.name in pretrained.LEAST_SIDE, scaling,
                  implied=implied, of_others=foreign)


def of_bundled(bundled):
    """Return the Source of weights that come with the package."""
    return Source(bundled.blueprint.spec.name, bundled.dataset, bundled.path, False, bundled.scaling, bundled)


def cross(shape):
    return "x".join(map(str, shape))


def fetched(known, include_top):
    """Return the path of published weights, in Keras's cache or beside this file.

    UserError that names the file, its address and where to put it, when it cannot be fetched.
    """
    import keras

    file, md5 = known.with_top if include_top else known.without
    url = f"{pretrained.KERAS}{known.folder}/{file}"
    place = env.keras_home() / "models" / file
    try:
        return Path(keras.utils.get_file(file, url, cache_dir=env.keras_home(), cache_subdir="models",
                                         file_hash=md5))
    except Exception as error:  # what urllib, the disk or the hash raises
        words = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} cannot be fetched ({words}); fetch {url} elsewhere and put it at {place}") from None


def spare_of(blueprint):
    """Return the names of the layers of the whole network, with its side classifiers: what a file may have more."""
    from zoo.analysis import summary

    whole = summary.of_network(replace(blueprint, aux=bool(blueprint.spec.sides)))
    return frozenset(layer.name for layer in whole.layers)
