"""Building the RunConfig of a training from arguments. Loads no backend, and NumPy only for fine-tuning."""

import inspect
from dataclasses import replace

from zoo import env, registry
from zoo.data.dataset_info import describe_datasets
from zoo.data.sources import describe_source
from zoo.errors import UserError, unknown_name_error
from zoo.modality import get_modality
from zoo.training import augmentation, finetuning, recipes
from zoo.training.recipe import (RECIPE_FIELDS, check_effective, override_recipe, resolve_aux_loss_weights,
                                 serialize_recipe)
from zoo.training.run_config import PRECISIONS, RunConfig
from zoo.utils.keyword_hints import check_keywords
from zoo.utils.validation import check_type
from zoo.weights.pretrained import list_weights_names

# recipe fields that the learning rate range test, of a few steps with learning rates of its own, does not use
FIELDS_OF_TRAINING = ("learning_rate", "lr_schedule", "warmup_epochs", "milestones", "gamma", "lr_patience", "min_lr",
                      "early_stopping_patience", "early_stopping_min_delta", "epochs", "ema_momentum")


def check_training_keywords(name, function, model, keywords):
    """Raise UserError for a keyword that is neither a recipe field nor an option of the model.

    name, function: of the called function, whose own arguments are suggested, too. model: a name, or the user's own.
    """
    options = registry.get_model_info(model).options if isinstance(model, str) else ()
    unknown = {key: value for key, value in keywords.items() if key not in {*RECIPE_FIELDS, *options}}
    parameters = [*inspect.signature(function).parameters][:-1]  # without **keywords
    valid_names = [*parameters, *RECIPE_FIELDS, *options]
    check_keywords(name, unknown, valid_names, list_weights_names(model) if isinstance(model, str) else ())
    if unknown:
        raise unknown_name_error(f"argument of {name}", next(iter(unknown)), valid_names)


def refuse_catalogue_arguments(**arguments):
    """Raise UserError for the first {argument: value} that is given, other than None, False and (), to a custom model.
    """
    for argument, value in arguments.items():
        if value is not None and value is not False and value != ():
            raise UserError(f"{argument} applies only to models of the catalogue, given by name, and the model given "
                            "is your own; leave it out")


def refuse_fields_of_training(overrides):
    """Raise UserError for the first of {field: value} that the learning rate range test does not use."""
    for field in overrides:
        if field in FIELDS_OF_TRAINING:
            raise UserError(f"{field} has no effect in a learning rate range test; leave it out")


def split_keywords(model_info, keywords):
    """Split additional {keyword: value} into (options of the model, fields of the recipe).

    The dropout is an option of the model; UserError if it has none.
    """
    options = {key: value for key, value in keywords.items() if key in model_info.options}
    fields = {key: value for key, value in keywords.items() if key not in options}
    if fields.pop("dropout", ""):
        raise UserError(f"{model_info.name} has no dropout; leave out dropout")
    return options, fields


def apply_preset(model_info, preset, width, options):
    """Return (width, options) with those of a preset applied; UserError where they contradict it."""
    if preset is None:
        return width, options
    preset_config = registry.get_preset(model_info, preset)
    if width is not None and width != preset_config.width:
        raise UserError(f"the preset {preset} has width {preset_config.width:g}; remove width, or preset")
    for option, value in preset_config.options.items():
        if options.get(option, value) != value:
            raise UserError(f"the preset {preset} has {option}={value}; remove {option}, or preset")
    return preset_config.width, {**preset_config.options, **options}


def resolve_backbone_weights(model_info, finetune_options, width, stem, options):
    """Return the BackboneWeights that FineTuneOptions request; None for training from scratch."""
    if finetune_options is None:
        return None
    refuse_finetuning(model_info)
    if "dropout" in options:
        raise UserError("the option dropout belongs to the model's own head, which is replaced; give the dropout of "
                        "the new head in its head layers")
    from zoo.training import pretrained_backbone

    return pretrained_backbone.find_backbone_weights(model_info.name, finetune_options.weights or "none", width, stem,
                                                     options).replace_preprocessing(finetune_options.preprocessing)


def refuse_finetuning(model_info):
    """Raise UserError if a model is for samples without pretrained weights."""
    model_info.modality.require("fine-tuning", model_info.name, "leave out weights and the settings of a new head")


def get_source_arguments(model_info, backbone_weights, options):
    """Return the arguments of `load_data` that the model determines: the shape, and for texts the vocabulary."""
    shape = (registry.get_default_shape(model_info) if backbone_weights is None
             else backbone_weights.get_image_shape(model_info, None))
    return {"shape": shape, "vocabulary": {**model_info.options, **options}.get("vocabulary")}


def make_run_config(model_info, info, *, recipe, overrides, seed, limit, width, stem, options, backend, precision,
                    deterministic, finetune_options=None, backbone_weights=None):
    """Return the RunConfig of a training; UserError for invalid or contradictory arguments.

    Args:
        model_info, info: the ModelInfo and the DatasetInfo.
        recipe: its name, or None for the default. overrides: {field of the recipe: value}.
        finetune_options, backbone_weights: a FineTuneOptions and its BackboneWeights; None for training from scratch.
    """
    resolved_recipe, notes = resolve_recipe(model_info, info, recipe, overrides, finetune_options)
    check_precision(precision)
    check_modality(model_info, info)
    check_augmentation(resolved_recipe, info)
    if finetune_options is None:
        model_config, finetune_config = registry.resolve_model_config(model_info.name, info.shape, info.classes, width,
                                                                      stem, options), None
    else:
        model_config, finetune_config = configure_finetuning(model_info, info, finetune_options, backbone_weights)
    return RunConfig(model_config, info, resolved_recipe, seed, limit, env.select_backend(backend), deterministic,
                     precision, finetune_config, notes=tuple(notes))


def make_custom_run_config(model_config, info, *, recipe, overrides, seed, limit, backend, precision, deterministic):
    """Return the RunConfig for a user's own model, a CustomModelConfig; see `make_run_config`."""
    if recipe not in (None, "modern"):
        raise UserError(f"the recipe {recipe} is for zoo's own models; leave it out, and pass its fields")
    refuse_catalogue_arguments(**{field: overrides.get(field) or None for field in ("aux_loss_weights", "dropout")})
    resolved_recipe, notes = override_fields(recipes.make_custom_model_recipe(info.name), overrides)
    check_precision(precision)
    if precision != "float32":
        raise UserError(f"precision={precision!r} has no effect on your own model, whose layers have their precision "
                        f"already; leave it out, and call keras.config.set_dtype_policy('mixed_{precision}') before "
                        "you build the model")
    check_augmentation(resolved_recipe, info)
    return RunConfig(model_config, info, resolved_recipe, seed, limit, env.select_backend(backend), deterministic,
                     precision, notes=tuple(notes))


def check_modality(model_info, info):
    """Raise UserError unless a model is for the samples, images or texts, of a DatasetInfo."""
    check_sample_modality(model_info, info.modality, info.name)


def check_sample_modality(model_info, other, source):
    """Raise UserError unless a model is for samples of the Modality `other`; source: where they are, for messages."""
    modality = model_info.modality
    if modality is not other:
        raise UserError(f"{model_info.name} classifies {modality.plural}, and {source} has {other.plural}; "
                        f"{describe_datasets(modality)}; for {source}, use a model such as "
                        f"{' or '.join([*registry.select_models(other.name)][:2])}")


def check_source_modality(model_info, source):
    """Raise UserError unless a model is for the samples of a source of data, as far as that is known without reading.
    """
    from zoo.data.loading import get_source_kind, get_source_shape  # NumPy

    kind = get_source_kind(source)
    shape = get_source_shape(kind, source)
    if shape is not None:
        check_sample_modality(model_info, get_modality(shape),
                              describe_source(kind, source) if kind != "dataset" else source.info.name)


def check_augmentation(recipe, info):
    """Raise UserError where the augmentation of a recipe does not fit the samples of a DatasetInfo."""
    if recipe.augmentation:
        info.modality.require("augmentation", info.name, "leave it out")
        augmentation.check_augmentation(augmentation.parse_augmentation(recipe.augmentation), info.shape)


def check_precision(precision):
    if precision not in PRECISIONS:
        raise unknown_name_error("precision", precision, PRECISIONS)


def configure_finetuning(model_info, info, finetune_options, backbone_weights):
    """Return (ModelConfig, FineTuneConfig); which layers are frozen is determined when the model is built."""
    from zoo.training import pretrained_backbone

    model_config, upsample, scaling = pretrained_backbone.resolve_model_input(model_info.name, info.shape,
                                                                              backbone_weights, info.classes)
    scaling = pretrained_backbone.resolve_pixel_scaling(scaling, info, model_config.input_shape[2])
    return model_config, finetuning.FineTuneConfig(backbone_weights.name, tuple(finetune_options.head_layers),
                                                   finetune_options.pooling, finetune_options.feature_layer or "", "",
                                                   upsample, scaling.scale, scaling.offset, scaling.channel_order)


def resolve_recipe(model_info, info, name, overrides, finetune_options):
    """Return (Recipe called `name`, None for the default, with overrides {field: value}; list of notes about it).

    finetune_options: a FineTuneOptions or None; a recipe for fine-tuning has no auxiliary classifiers.
    """
    is_pretrained = finetune_options is not None and finetune_options.weights is not None
    name = ("finetune" if is_pretrained else "modern") if name is None else name
    recipe = recipes.get_recipe(model_info.name, info.name, name)
    if finetune_options is not None:
        if overrides.get("aux_loss_weights"):
            raise UserError("aux_loss_weights belongs to the model's own head, which is replaced; leave it out")
        recipe = replace(recipe, aux_loss_weights="")
    recipe, notes = override_fields(recipe, overrides)
    resolve_aux_loss_weights(recipe, model_info)
    return recipe, notes


def override_fields(recipe, overrides):
    """Return (Recipe with overrides {field: value}, in the types of the fields, list of notes about it).

    UserError for a value of the wrong type. With an optimizer of another family than the recipe's, its usual learning
    rate replaces the recipe's, unless one is given.
    """
    fields = serialize_recipe(recipe)
    overrides = {field: check_type(field, value, fields[field]) for field, value in overrides.items()}
    recipe, notes = recipes.replace_optimizer(recipe, overrides)
    recipe = override_recipe(recipe, overrides)
    check_effective(recipe, overrides)
    return recipe, notes
