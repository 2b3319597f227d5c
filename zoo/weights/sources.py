"""Resolve "imagenet", "cifar10", a file or a run to weights in a model and the preprocessing that they expect."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo import env, registry
from zoo.errors import UserError
from zoo.utils.io import read_json
from zoo.utils.text import format_shape
from zoo.weights import files, layer_names, loading, pretrained


@dataclass(frozen=True)
class WeightsSource:
    """Weights of a model that are on disk or can be downloaded.

    Attributes:
        model_name: Name of the model.
        name: The weights as the user named them: a name, or the path of a file or run.
        path: Path of the file; None if it is still to be downloaded.
        has_paper_stem: Whether the weights are external ones with the paper's stem.
        scaling: Scaling of the pixels that they expect, the authors' for external weights; None if not known.
        remote_weights: RemoteWeights if they are published by Keras, else None.
        bundled_weights: BundledWeights if they are bundled with zoo, else None.
        run: Run directory that they are of, else None.
        model_config: ModelConfig of the model that they are of, for bundled weights and those of a run, else None.
        has_custom_head: Whether they are of a fine-tuned run, whose head is not the model's.
        implied_options: `{option: value}` of the model that a file was saved from, as far as it can be inferred.
        is_external: Whether the layer names are those of keras.applications or PyTorch, not zoo's.
        can_have_small_stem: Whether the first convolution has the shape of the small stem's, not of the paper's.
    """

    model_name: str
    name: str
    path: Path | None
    has_paper_stem: bool
    scaling: pretrained.Scaling | None
    remote_weights: pretrained.RemoteWeights | None = None
    bundled_weights: pretrained.BundledWeights | None = None
    run: Path | None = None
    model_config: registry.ModelConfig | None = None
    has_custom_head: bool = False
    implied_options: dict = field(default_factory=dict)
    is_external: bool = True
    can_have_small_stem: bool = False

    @property
    def is_scaling_assumed(self):
        """Whether the scaling of the pixels is inferred from the layer names: files do not record it."""
        return self.scaling is not None and self.bundled_weights is None and self.remote_weights is None

    def replace_preprocessing(self, preprocessing):
        """Return the source with the preprocessing called `preprocessing`; None leaves it unchanged."""
        pretrained.check_preprocessing(preprocessing)
        if preprocessing is None or (preprocessing == pretrained.RUN_PREPROCESSING and self.bundled_weights):
            return self
        if preprocessing == pretrained.RUN_PREPROCESSING:
            raise UserError(f"{self.name} is not a run, so the dataset statistics that its pixels were scaled with "
                            f"are not known; choose a preprocessing other than {preprocessing}, or give a run")
        channels = self.resolve_model_config().input_shape[2]
        return replace(self, scaling=pretrained.get_scaling(preprocessing, channels))

    def resolve_model_config(self, input_shape=None, classes=None, width=None, stem="auto", options=None, aux=False):
        """Return the requested ModelConfig; arguments not given are as the weights need them, or the paper's."""
        options, stem, own = {**self.implied_options, **(options or {})}, self.resolve_stem(stem), self.model_config
        if own:
            input_shape = own.input_shape if input_shape is None else input_shape
            classes = own.classes if classes is None else classes
            width = own.width if width is None else width
            options = {**own.options, **options}
        return registry.resolve_model_config(self.model_name, input_shape, classes, width, stem, options, aux)

    def resolve_stem(self, requested):
        """Return the stem to build: "auto" is that of the weights where it is known, the paper's for external ones."""
        if self.model_config:
            stem = self.model_config.stem
            if requested not in ("auto", stem):
                raise UserError(f"the weights {self.name!r} of {self.model_name} have the {stem} stem; leave out stem")
            return stem
        has_small_stem = registry.get_model_info(self.model_name).small_stem_below
        if not self.has_paper_stem or requested == "paper" or not has_small_stem:
            return requested
        if requested == "small" and not self.can_have_small_stem:
            raise UserError(f"{self.name} has weights of {self.model_name} with the paper's stem; leave out stem")
        return "small" if requested == "small" else "paper"

    def ensure_local(self, include_top):
        """Return the source with its file on disk, downloaded if necessary; raise UserError if that fails."""
        if self.path is not None:
            return self
        return replace(self, path=download_weights(self.remote_weights, include_top))

    def count_classes(self):
        """Return the number of classes of a weights file; None if it is the model's default, or not known.

        It is inferred from the file's arrays for the model's last layer.
        """
        if self.bundled_weights or self.remote_weights:
            return None
        from zoo.analysis import summary

        layers = summary.summarize_model_config(registry.resolve_model_config(self.model_name)).layers
        last_index = max(index for index, layer in enumerate(layers) if layer.parameters)
        return loading.count_outputs(self.path, self.model_name,
                                     [(layer.name, layer.class_name) for layer in layers[:last_index + 1]])

    def load_into(self, model, model_config, include_top):
        """Load the weights into `model`, built from `model_config` with or without its top; return the LoadReport."""
        self.check(model_config, include_top)
        path = self.ensure_local(include_top).path
        try:
            return loading.load_weights(model, self.model_name, path, list_optional_layers(model_config), include_top)
        except UserError as error:
            if self.bundled_weights is None:
                refuse_bundled_file(path)
                raise
            raise UserError(f"{path.name} in this installation of zoo is damaged; reinstall zoo ({error})") from None

    def check(self, model_config, include_top):
        """Raise UserError, before anything is downloaded, if the weights are not for this model config."""
        if self.bundled_weights:
            self._check_bundled(model_config, include_top)
            return
        if include_top and self.has_custom_head:
            raise UserError(f"{self.name} was fine-tuned with a custom head; load the whole model with zoo.load, "
                            "or its backbone with include_top=False")
        if not self.remote_weights:
            return
        model_info = model_config.model_info
        if include_top and model_info.classes != model_config.classes:
            raise UserError(f"the weights {self.name!r} are for {model_info.classes} classes; got "
                            f"{model_config.classes}; use include_top=False")
        if model_config.input_shape[2] != 3:
            raise UserError(f"the weights {self.name!r} of {self.model_name} are for images of any size "
                            f"with 3 channels; got {format_shape(model_config.input_shape)}")
        changed = [name for name, value in model_config.options.items()
                   if name in ("batch_norm", "scale", "groups", "v1_5") and value != model_info.options[name]]
        if model_config.width != 1 or changed:
            raise UserError(f"the weights {self.name!r} are for the unmodified {self.model_name}; leave "
                            f"{changed[0] if changed else 'width'} at "
                            f"{model_info.options[changed[0]] if changed else 1}")

    def _check_bundled(self, model_config, include_top):
        """Raise UserError unless the config is that of the bundled weights, or of their backbone at any image size."""
        expected = self.bundled_weights.model_config
        preset = registry.get_preset(expected.model_info, "small")
        settings = ", ".join([f"width {expected.width:g}",
                              *(f"{name}={value}" for name, value in preset.options.items())])
        requirement = (f"the weights {self.name!r} of {self.model_name} are for {format_shape(expected.input_shape)} "
                       f"images, {expected.classes} classes, {settings}")
        changed = [(name, value) for name, value in model_config.options.items()
                   if value != expected.options[name] and not name.endswith("dropout")]  # dropout has no weights
        if model_config.width != expected.width:
            changed.insert(0, ("width", model_config.width))
        if model_config.aux:
            changed.append(("aux", True))
        if changed:
            name, value = changed[0]
            raise UserError(f"{requirement}; got {name}={value}; leave out {name}")
        if model_config.input_shape[2] != expected.input_shape[2]:
            raise UserError(f"{requirement}; got {format_shape(model_config.input_shape)}; give images with channels="
                            f"{expected.input_shape[2]}")
        if include_top and (model_config.input_shape, model_config.classes) != (expected.input_shape,
                                                                                expected.classes):
            raise UserError(f"{requirement}; got {format_shape(model_config.input_shape)}, {model_config.classes} "
                            "classes; leave these out, or use include_top=False, which accepts any image size and any "
                            "number of classes")


def resolve_weights_source(weights, model_name):
    """Return the WeightsSource of `weights`: one of `PRETRAINED_NAMES`, or the path of a file or run directory.

    Raise UserError if it is not found, or a run of another model. Nothing is downloaded yet, and no array is read.
    """
    model_info = registry.get_model_info(model_name)
    if not isinstance(weights, (str, os.PathLike)):
        raise UserError("weights must be None, a name such as 'imagenet', or the path of a file or run; got "
                        f"{weights!r}")
    pretrained.check_weights(weights, model_name)
    if pretrained.is_weights_name(weights):
        published = pretrained.get_pretrained_weights(weights, model_info.name)
        if isinstance(published, pretrained.BundledWeights):
            return make_bundled_source(published)
        return WeightsSource(model_info.name, weights, None, True, pretrained.KERAS_SCALINGS[model_info.name],
                             published)
    path = files.resolve_weights_path(weights)
    run = pretrained.find_run(weights)
    model_config, has_custom_head = read_run_model(run, model_info.name) if run else (None, False)
    with files.open_weights_file(path) as weights_file:
        if weights_file.naming == "torch":
            is_external, scaling = True, pretrained.TORCHVISION_SCALINGS.get(model_info.name)
        else:
            names = [name for name, arrays in weights_file.layers.items() if arrays]
            is_external = weights_file.naming == "counted" or (
                weights_file.naming == "keras" and layer_names.is_keras_applications(names, model_info.name))
            scaling = pretrained.KERAS_SCALINGS.get(model_info.name) if is_external else None
        options = loading.infer_options(weights_file, model_info.name)
        can_have_small_stem = weights_file.naming == "torch" and is_small_kernel(weights_file.layers.get("conv1"))
    return WeightsSource(model_info.name, str(weights), path,
                         is_external and model_info.name in (*pretrained.KERAS_SCALINGS,
                                                             *pretrained.TORCHVISION_SCALINGS), scaling,
                         run=run, model_config=model_config, has_custom_head=has_custom_head, implied_options=options,
                         is_external=is_external, can_have_small_stem=can_have_small_stem)


def read_run_model(run, model_name):
    """Return (ModelConfig of a run, None for a user's own model; whether it has a custom head).

    Raise UserError if it is not a run of this model.
    """
    path = run / "run.json"
    try:
        config = read_json(path)
        model = config["model_config"]
        model_config = None if model.get("custom") else registry.resolve_model_config(**model)
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path} is damaged: {reason}") from None
    if model_config and model_config.model_info.name != model_name:
        raise UserError(f"{run} is a run of {model_config.model_info.name}, given {model_name}; name the same model")
    return model_config, config.get("finetuning") is not None


def is_small_kernel(arrays):
    """Return whether the arrays of the first convolution of a ResNet in PyTorch are of a 3x3 kernel, not of 7x7."""
    return bool(arrays) and arrays[0].shape[2:] == (3, 3)


def make_bundled_source(bundled_weights):
    """Return the WeightsSource of bundled weights."""
    return WeightsSource(bundled_weights.model_config.model_info.name, bundled_weights.dataset, bundled_weights.path,
                         False, bundled_weights.scaling, bundled_weights=bundled_weights,
                         model_config=bundled_weights.model_config)


def refuse_bundled_file(path):
    """Raise UserError if a file that does not fit the model is one of the bundled weights, whose name builds theirs."""
    bundled = pretrained.find_bundled_by_path(path)
    if bundled:
        config = bundled.model_config
        raise UserError(f"{path} has the bundled weights of {config.model_info.name} with {config.stem} stem and width "
                        f"{config.width:g}, which do not fit the model; give weights={bundled.dataset!r} for "
                        f"{config.model_info.name}")


def download_weights(remote_weights, include_top):
    """Return the path of published weights in Keras's cache, downloading them if necessary.

    Raise UserError that names the file, its URL and where to put it, if the download fails.
    """
    import keras

    file, md5 = remote_weights.with_top if include_top else remote_weights.without_top
    url = f"{pretrained.KERAS_URL}{remote_weights.folder}/{file}"
    path = env.get_keras_home() / "models" / file
    try:
        return Path(keras.utils.get_file(file, url, cache_dir=env.get_keras_home(), cache_subdir="models",
                                         file_hash=md5))
    except Exception as error:  # raised by urllib, the disk or the hash check
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} cannot be downloaded ({reason}); download {url} elsewhere and put it at "
                        f"{path}") from None


def list_optional_layers(model_config):
    """Return the layer names of the full model with auxiliary classifiers, all of which a file can have."""
    from zoo.analysis import summary

    full = summary.summarize_model_config(replace(model_config, aux=bool(model_config.model_info.aux_loss_weights)))
    return frozenset(layer.name for layer in full.layers)
