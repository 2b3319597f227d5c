"""From what a person says, "imagenet", "cifar10", a file or a run, to weights in a model and the pixels they expect."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo import env, registry
from zoo.errors import UserError
from zoo.utils.io import expand_user, read_json
from zoo.weights import files, layer_names, loading, pretrained


@dataclass(frozen=True)
class WeightsSource:
    """Weights of a network that are on the disk, or can be fetched.

    said: as the person said it. path: None where it is to be fetched. foreign: they are of the paper's stem, and have
    the authors' preprocessing, `scaling`; None: what pixels they expect is not known. bundled: where they come with
    zoo. implied: {option: value} of the network that a file is of, as far as it shows.
    of_others: by the names of their layers they are of keras.applications' or PyTorch's network, not of our own.
    """

    model_name: str
    name: str
    path: Path | None
    has_paper_stem: bool
    scaling: pretrained.Scaling | None
    bundled_weights: pretrained.BundledWeights | None = None
    implied_options: dict = field(default_factory=dict)
    is_external: bool = True

    @property
    def is_scaling_assumed(self):
        """Whether the scaling of the pixels is assumed by the names of the layers: files do not say it."""
        return self.scaling is not None and self.bundled_weights is None and self.name not in pretrained.PRETRAINED_NAMES

    def replace_preprocessing(self, preprocessing):
        """Return it with the scaling of pixels called `preprocessing`; None leaves it as it is."""
        pretrained.check_preprocessing(preprocessing)
        if preprocessing is None or (preprocessing == pretrained.RUN_PREPROCESSING and self.bundled_weights):
            return self
        if preprocessing == pretrained.RUN_PREPROCESSING:
            raise UserError(f"{self.name} is no run, so the data set is not known that its pixels were scaled by; "
                            f"choose another preprocessing than {preprocessing}, or give a run")
        channels = self.resolve_model_config().input_shape[2]
        return replace(self, scaling=pretrained.get_scaling(preprocessing, channels))

    def resolve_model_config(self, input_shape=None, classes=None, width=None, stem="auto", options=None, aux=False):
        """Return the ModelConfig of what is asked for; what is not given is as the weights need it, or the paper's."""
        options, stem = {**self.implied_options, **(options or {})}, self.resolve_stem(stem)
        if self.bundled_weights:
            own = self.bundled_weights.model_config
            input_shape = own.input_shape if input_shape is None else input_shape
            classes = own.classes if classes is None else classes
            width = own.width if width is None else width
            options = {**own.options, **options}
        return registry.resolve_model_config(self.model_name, input_shape, classes, width, stem, options, aux)

    def resolve_stem(self, requested):
        """Return which stem to build: "auto" is the paper's for weights of others, their own for bundled ones."""
        if self.bundled_weights:
            own = self.bundled_weights.model_config.stem
            if requested not in ("auto", own):
                raise UserError(f"the weights {self.name!r} of {self.model_name} have the {own} stem; leave out stem")
            return own
        if not self.has_paper_stem or requested == "paper" or not registry.get_model_info(self.model_name).small_stem_below:
            return requested
        if requested == "small":
            raise UserError(f"{self.name} holds weights of {self.model_name} with the paper's stem; leave stem as it is")
        return "paper"

    def ensure_local(self, include_top):
        """Return it with its file on the disk, fetched if need be; UserError where that cannot be."""
        if self.path is not None:
            return self
        return replace(self, path=download_weights(pretrained.get_pretrained_weights(self.name, self.model_name),
                                                   include_top))

    def count_classes(self):
        """Return how many classes a file of weights is for; None where that is the network's own number, or not known.

        Told by the layer of the file that is the network's last.
        """
        if self.bundled_weights or self.name in pretrained.PRETRAINED_NAMES:
            return None
        from zoo.analysis import summary

        layers = summary.summarize_model_config(registry.resolve_model_config(self.model_name)).layers
        last = max(index for index, layer in enumerate(layers) if layer.parameters)
        return loading.count_outputs(self.path, self.model_name,
                                     [(layer.name, layer.class_name) for layer in layers[:last + 1]])

    def load_into(self, model, model_config, include_top):
        """Give `model`, built of `blueprint` with or without its top, the weights; return the load.Report."""
        self.check(model_config, include_top)
        path = self.ensure_local(include_top).path
        try:
            return loading.load_weights(model, self.model_name, path, list_optional_layers(model_config), include_top)
        except UserError as error:
            if self.bundled_weights is None:
                raise
            raise UserError(f"{path.name} of this installation of zoo is damaged; reinstall zoo ({error})") from None

    def has_custom_head(self):
        """Return whether the weights are of a run whose top is not the network's; UserError for a damaged run."""
        facts = expand_user(self.name) / "run.json"
        try:
            return facts.is_file() and read_json(facts).get("finetuning") is not None
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{facts} is damaged: it is no JSON that zoo wrote") from error

    def check(self, model_config, include_top):
        """Raise UserError for a network that published weights are not for, before anything is fetched."""
        if self.bundled_weights:
            self._check_bundled(model_config, include_top)
            return
        if include_top and self.has_custom_head():
            raise UserError(f"{self.name} was fine-tuned with a head of its own: zoo.load has it whole, "
                            "include_top=False its body")
        if self.name not in pretrained.PRETRAINED_NAMES:
            return
        spec = model_config.model_info
        if include_top and spec.classes != model_config.classes:
            raise UserError(f"the weights {self.name!r} are for {spec.classes} classes; given {model_config.classes}; "
                            "use include_top=False")
        if model_config.input_shape[2] != 3:
            raise UserError(f"the weights {self.name!r} of {self.model_name} are for pictures of anyxanyx3; given "
                            f"{format_shape(model_config.input_shape)}")
        odd = [name for name, value in model_config.options.items()
               if name in ("batch_norm", "scale", "groups") and value != spec.options[name]]
        if model_config.width != 1 or odd:
            raise UserError(f"the weights {self.name!r} are for {self.model_name} as it is; leave "
                            f"{odd[0] if odd else 'width'} at {spec.options[odd[0]] if odd else 1}")

    def _check_bundled(self, model_config, include_top):
        """Raise UserError for anything but the model that bundled weights are for, or its backbone at any size."""
        own = self.bundled_weights.model_config
        preset = registry.get_preset(own.model_info, "small")
        form = ", ".join([f"width {own.width:g}", *(f"{name}={value}" for name, value in preset.options.items())])
        what = f"the weights {self.name!r} of {self.model_name} are for {format_shape(own.input_shape)} images, {own.classes} " \
               f"classes, {form}"
        other = [(name, value) for name, value in model_config.options.items()
                 if value != own.options[name] and not name.endswith("dropout")]  # which has no weights
        if model_config.width != own.width:
            other.insert(0, ("width", model_config.width))
        if model_config.aux:
            other.append(("aux", True))
        if other:
            name, value = other[0]
            raise UserError(f"{what}; given {name}={value}; leave out {name}")
        if model_config.input_shape[2] != own.input_shape[2]:
            raise UserError(f"{what}; given {format_shape(model_config.input_shape)}; give images with channels="
                            f"{own.input_shape[2]}")
        if include_top and (model_config.input_shape, model_config.classes) != (own.input_shape, own.classes):
            raise UserError(f"{what}; given {format_shape(model_config.input_shape)}, {model_config.classes} classes; leave these "
                            "out, or use include_top=False, which takes any image size and any number of classes")


def resolve_weights_source(weights, model_name):
    """Return the Source of `weights`: one of published.NAMES, or the path of a file or of a run directory.

    UserError where there is no such one. Nothing is fetched yet, and no array is read.
    """
    spec = registry.get_model_info(model_name)
    if not isinstance(weights, (str, os.PathLike)):
        raise UserError(f"weights is None, a name such as 'imagenet', or the path of a file or run; given {weights!r}")
    pretrained.check_weights(weights, model_name)
    if weights in pretrained.PRETRAINED_NAMES:
        known = pretrained.get_pretrained_weights(weights, spec.name)
        if isinstance(known, pretrained.BundledWeights):
            return make_bundled_source(known)
        return WeightsSource(spec.name, weights, None, True, pretrained.KERAS_SCALINGS[spec.name])
    path = files.resolve_weights_path(weights)
    with files.open_weights_file(path) as contents:
        if contents.naming == "torch":
            foreign, scaling = True, pretrained.TORCHVISION_SCALINGS.get(spec.name)
        else:
            foreign = contents.naming == "counted" or (contents.naming == "keras" and layer_names.is_keras_applications(
                [name for name, row in contents.layers.items() if row], spec.name))
            scaling = pretrained.KERAS_SCALINGS.get(spec.name) if foreign else None
        implied = loading.infer_options(contents, spec.name)
    return WeightsSource(spec.name, str(weights), path, foreign and spec.name in pretrained.KERAS_MIN_SIZE, scaling,
                         implied_options=implied, is_external=foreign)


def make_bundled_source(bundled_weights):
    """Return the Source of weights that come with the package."""
    return WeightsSource(bundled_weights.model_config.model_info.name, bundled_weights.dataset, bundled_weights.path,
                         False, bundled_weights.scaling, bundled_weights)


def format_shape(shape):
    return "x".join(map(str, shape))


def download_weights(remote_weights, include_top):
    """Return the path of published weights, in Keras's cache or beside this file.

    UserError that names the file, its address and where to put it, when it cannot be fetched.
    """
    import keras

    file, md5 = remote_weights.with_top if include_top else remote_weights.without_top
    url = f"{pretrained.KERAS_URL}{remote_weights.folder}/{file}"
    place = env.get_keras_home() / "models" / file
    try:
        return Path(keras.utils.get_file(file, url, cache_dir=env.get_keras_home(), cache_subdir="models",
                                         file_hash=md5))
    except Exception as error:  # what urllib, the disk or the hash raises
        words = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} cannot be fetched ({words}); fetch {url} elsewhere and put it at {place}") from None


def list_optional_layers(model_config):
    """Return the names of the layers of the whole network, with its side classifiers: what a file may have more."""
    from zoo.analysis import summary

    whole = summary.summarize_model_config(replace(model_config, aux=bool(model_config.model_info.aux_loss_weights)))
    return frozenset(layer.name for layer in whole.layers)
