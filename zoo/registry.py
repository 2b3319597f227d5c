"""Finding a model in the catalogue, and the validation of requested model configurations.

Standard library only: the command line lists, suggests and rejects from here before a backend loads.
"""

import dataclasses
import numbers
from dataclasses import dataclass

from zoo.catalogue import MODELS
from zoo.errors import UserError, unknown_name_error
from zoo.modality import MODALITIES, join_names
from zoo.model_info import ModelInfo
from zoo.utils.validation import check_type, is_integer

MAX_WIDTH_MULTIPLIER = 100  # no machine has the memory for wider models


def select_models(modality):
    """Return {name: ModelInfo} of the models for a modality, "image" or "text"."""
    return {name: info for name, info in MODELS.items() if info.modality is MODALITIES[modality]}


@dataclass(frozen=True)
class ModelConfig:
    """A fully resolved model configuration, which models.builder builds and a run records."""

    model_info: ModelInfo
    input_shape: tuple
    classes: int
    width: float
    stem: str  # "paper" or "small", resolved
    options: dict
    aux: bool  # with auxiliary classifiers


def get_model_info(name):
    """Return the ModelInfo of the model `name`; UserError with the closest name if there is none."""
    if not isinstance(name, str) or name not in MODELS:
        raise unknown_name_error("model", name, MODELS)
    return MODELS[name]


def resolve_model_config(name, input_shape=None, classes=None, width=None, stem="auto", options=None, aux=False):
    """Validate the arguments of `zoo.build` and return them as a ModelConfig; UserError if one is invalid.

    None for `input_shape`, `classes` or `width` selects the paper's value.
    """
    model_info = get_model_info(name)
    shape = _check_input_shape(model_info, model_info.input_shape if input_shape is None else input_shape)
    classes = model_info.classes if classes is None else classes
    width = 1.0 if width is None else width
    if not is_integer(classes) or classes < 2:
        raise UserError(f"classes must be an integer of at least 2; got {classes!r}")
    if model_info.max_classes and classes > model_info.max_classes:
        raise UserError(f"{name} has codes for {model_info.max_classes} classes only; got {classes}; use lenet5, which "
                        "supports any number")
    if isinstance(width, bool) or not isinstance(width, numbers.Real) or not 0 < width <= MAX_WIDTH_MULTIPLIER:
        raise UserError("width must be a positive number of at most "
                        f"{MAX_WIDTH_MULTIPLIER}, such as 0.5; got {width!r}")
    if model_info.fixed_width and width != 1:
        raise UserError(f"{name} supports the paper's widths only; got width {width!r}; use lenet5, which supports any")
    if not isinstance(aux, bool) or (aux and not model_info.aux_loss_weights):
        names = ", ".join(info.name for info in MODELS.values() if info.aux_loss_weights)
        raise UserError("aux must be False or True, and True only for models with auxiliary classifiers "
                        f"({names}); got {aux!r}")
    return ModelConfig(model_info, shape, int(classes), float(width), _resolve_stem(model_info, stem, shape),
                       _resolve_options(model_info, options or {}), aux)


def check_top(model_info, include_top, pooling, aux, options):
    """Raise UserError for an argument of `zoo.build` that has no effect with this value of `include_top`.

    options: the model options that the user gives, {name: value}.
    """
    if include_top:
        if pooling is not None:
            raise UserError(f"pooling={pooling!r} is only for include_top=False, where it is None, 'avg' or 'max'; the "
                            "model with its top has the paper's pooling; omit it, or give include_top=False")
        return
    if aux:
        raise UserError("auxiliary classifiers belong to the top; use aux=False with include_top=False")
    for name in options:
        if name not in model_info.backbone_options:
            raise UserError(f"{model_info.name}'s {name} belongs to the top; omit {name}=..., or include_top=False")


def get_default_shape(model_info):
    """Return the shape that the samples of a folder are brought to for training from scratch.

    Images of 32x32 if the model has a small stem, which two CPU cores can train; otherwise the paper's size.
    """
    return (32, 32, model_info.input_shape[2]) if model_info.small_stem_below else model_info.input_shape


def get_preset(model_info, name):
    """Return the Preset `name` of a model; UserError if the model has none of that name.

    >>> get_preset(get_model_info("resnet34"), "small").width
    0.125
    """
    if name != "small":
        raise unknown_name_error("preset", name, ["small"])
    if model_info.small_preset is None:
        raise UserError(f"preset={name} has the width of bundled weights, of which there are none for "
                        f"{model_info.name}; omit it, or give a narrower width, such as width=0.25")
    return model_info.small_preset


def get_model_metadata(model_info):
    """Return the metadata of a model as a dict that can be written as JSON."""
    return {"name": model_info.name, "paper": {**vars(model_info.paper), "url": model_info.paper.url},
            "input_shape": model_info.input_shape, "classes": model_info.classes,
            "variant": model_info.variant or None, "parameters": model_info.parameters[0],
            "trainable_parameters": model_info.parameters[1],
            "min_size": model_info.min_size, "max_size": model_info.max_size or None,
            "max_classes": model_info.max_classes or None, "fixed_width": model_info.fixed_width,
            "stems": ["paper", "small"] if model_info.small_stem_below else ["paper"],
            "small_stem_below": model_info.small_stem_below, "feature_layer": model_info.feature_layer,
            "options": model_info.options, "choices": model_info.choices, "limits": model_info.limits,
            "aux_loss_weights": model_info.aux_loss_weights}


def serialize_model_config(model_config):
    """Return a ModelConfig as the arguments of `resolve_model_config`, in a dict that can be written as JSON."""
    arguments = {field.name: getattr(model_config, field.name) for field in dataclasses.fields(model_config)
                 if field.name != "model_info"}
    return {"name": model_config.model_info.name, **arguments}


def _check_input_shape(model_info, shape):
    modality, axes = model_info.modality, model_info.modality.axes
    if (not isinstance(shape, (tuple, list)) or len(shape) != len(axes)
            or not all(is_integer(size) and size > 0 for size in shape)):
        count = "three positive integers" if len(axes) == 3 else "one positive integer in a tuple"
        raise UserError(f"input_shape must be {count}, ({', '.join(axes)}), such as {model_info.input_shape}; got "
                        f"{shape!r}")
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) > 3:  # (channels, height, width)
        raise UserError(f"input_shape must be (height, width, channels); got {tuple(shape)}, with the channels first; "
                        f"give {(*shape[1:], shape[0])}")
    sizes, names = shape[:len(modality.sized_axes)], join_names(modality.sized_axes)
    given = "x".join(map(str, sizes))
    if min(sizes) < model_info.min_size:
        raise UserError(f"{model_info.name} requires {modality.plural} of at least {model_info.min_size} "
                        f"{modality.unit} in {names}; got {given}; {modality.enlarge}")
    if model_info.max_size and max(sizes) > model_info.max_size:
        raise UserError(f"{model_info.name} requires {modality.plural} of {model_info.min_size} to "
                        f"{model_info.max_size} {modality.unit} in {names}; got {given}; {modality.shrink}")
    return tuple(map(int, shape))


def _resolve_stem(model_info, stem, shape):
    if stem not in ("auto", "paper", "small"):
        raise UserError(f"stem must be auto, paper or small; got {stem!r}")
    if stem == "auto":
        return "small" if min(shape[:2]) < model_info.small_stem_below else "paper"
    if stem == "small" and not model_info.small_stem_below:
        raise UserError(f"{model_info.name} has no small stem: its stem already accepts small images; use stem 'auto' "
                        "or 'paper'")
    if stem == "paper" and min(shape[:2]) < model_info.paper_stem_min_size:
        raise UserError(f"{model_info.name} with the paper's stem requires images of at least "
                        f"{model_info.paper_stem_min_size} pixels in height and width; got {shape[0]}x{shape[1]}; "
                        "use stem 'auto' or 'small'")
    return stem


def _resolve_options(model_info, requested):
    for name in requested:
        if name not in model_info.options:
            raise unknown_name_error(f"{model_info.name} option", name, model_info.options)
    options = {**model_info.options, **requested}
    options = {name: check_type(f"{model_info.name}'s {name}", value, model_info.options[name])
               for name, value in options.items()}
    for name, choices in model_info.choices.items():
        if options[name] not in choices:
            raise UserError(f"{model_info.name}'s {name} must be one of {', '.join(map(str, choices))}; "
                            f"got {options[name]!r}")
    for name, (min_value, max_value) in model_info.limits.items():
        if not min_value <= options[name] <= max_value:
            raise UserError(f"{model_info.name}'s {name} must be from {min_value} to {max_value:,}; got "
                            f"{options[name]}")
    for name, value in options.items():
        if isinstance(value, float) and not 0 <= value < 1:  # all float options are dropout rates
            raise UserError(f"{name} must be a fraction of at least 0 and less than 1; got {value}")
    return options
