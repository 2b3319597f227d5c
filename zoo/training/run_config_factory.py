"""From what a call or a command asks for to the Plan of a training. No backend, and no NumPy but for fine-tuning."""

from dataclasses import replace

from zoo import env, registry
from zoo.errors import UserError, unknown_name_error
from zoo.training import augmentation, finetuning, recipe as recipes, recipes as table, run_config as plans
from zoo.utils.validation import check_type


def split_keywords(model_info, keywords):
    """Return (options of the model, fields of the recipe): what {keyword: value} beside named arguments are."""
    options = {key: value for key, value in keywords.items() if key in model_info.options}
    return options, {key: value for key, value in keywords.items() if key not in options}


def apply_preset(model_info, preset, width, options):
    """Return (width, options) with those of a preset; UserError where they contradict it."""
    if preset is None:
        return width, options
    small = registry.get_preset(model_info, preset)
    if width is not None and width != small.width:
        raise UserError(f"the preset {preset} has width {small.width:g}; leave out width, or preset")
    return small.width, {**small.options, **options}


def resolve_backbone_weights(model_info, finetune_options, width, stem, options):
    """Return the BackboneWeights of the weights that a FineTuneOptions asks for; None for a training from scratch."""
    if finetune_options is None:
        return None
    if "dropout" in options:
        raise UserError("the network's dropout is of its own head, and this one gets a new head; give the head's "
                        "dropout among its hidden layers")
    from zoo.training import pretrained_backbone

    return pretrained_backbone.find_backbone_weights(model_info.name, finetune_options.weights or "none", width, stem,
                                                     options).replace_preprocessing(finetune_options.preprocessing)


def get_folder_image_shape(model_info, backbone_weights):
    """Return the (height, width, channels) to which a folder's images are resized where nothing else is asked for."""
    return registry.get_default_image_shape(model_info) if backbone_weights is None else backbone_weights.get_image_shape(model_info, None)


def make_run_config(model_info, info, *, recipe, overrides, seed, limit, width, stem, options, backend, precision,
                    deterministic, finetune_options=None, backbone_weights=None):
    """Return the Plan of a training; UserError for what makes no sense.

    Args:
        spec, info: of the network and the data set.
        recipe: its name, or None for the one that suits. fields: {field of the recipe: value}.
        asked, origin: a FineTuneOptions and the BackboneWeights of its weights; None for a training from scratch.
    """
    base = resolve_recipe(model_info, info, recipe, overrides, finetune_options)
    check_precision(precision)
    augmentation.check_augmentation(augmentation.parse_augmentation(base.augmentation), info.shape)
    if finetune_options is None:
        blueprint, config = registry.resolve_model_config(model_info.name, info.shape, info.classes, width, stem,
                                                          options), None
    else:
        blueprint, config = configure_finetuning(model_info, info, finetune_options, backbone_weights)
    return plans.RunConfig(blueprint, info, base, seed, limit, env.select_backend(backend), deterministic, precision,
                           config)


def make_custom_run_config(model_config, info, *, recipe, overrides, seed, limit, backend, precision, deterministic):
    """Return the Plan of a training of a user's own model, a CustomModelConfig; see `make_run_config`."""
    if recipe not in (None, "modern"):
        raise UserError(f"the recipe {recipe} is for models of the catalogue; leave it out, and give its fields")
    base = override_fields(table.make_custom_model_recipe(info.name), overrides)
    if base.aux_loss_weights or base.dropout:
        raise UserError("sides and dropout are for models of the catalogue; leave them out")
    check_precision(precision)
    augmentation.check_augmentation(augmentation.parse_augmentation(base.augmentation), info.shape)
    return plans.RunConfig(model_config, info, base, seed, limit, env.select_backend(backend), deterministic, precision)


def check_precision(precision):
    if precision not in plans.PRECISIONS:
        raise unknown_name_error("precision", precision, plans.PRECISIONS)


def configure_finetuning(model_info, info, finetune_options, backbone_weights):
    """Return (ModelConfig, FineTuneConfig) of a fine-tuning; what is frozen is found when the model is built."""
    from zoo.training import pretrained_backbone

    blueprint, upsample, scaling = pretrained_backbone.resolve_model_input(model_info.name, info.shape,
                                                                           backbone_weights, info.classes)
    scaling = pretrained_backbone.resolve_pixel_scaling(scaling, info, blueprint.input_shape[2])
    return blueprint, finetuning.FineTuneConfig(backbone_weights.name, tuple(finetune_options.head_layers),
                                                finetune_options.pooling, finetune_options.feature_layer or "", "",
                                                upsample, scaling.scale, scaling.offset, scaling.channel_order)


def resolve_recipe(model_info, info, name, overrides, finetune_options):
    """Return the Recipe called `name` with {field: value} changed; without a name the one that suits.

    asked: a FineTuneOptions, whose recipe has no auxiliary classifiers and no dropout of the network's own head.
    """
    pretrained = finetune_options is not None and finetune_options.weights is not None
    base = table.get_recipe(model_info.name, info.name, name or ("finetune" if pretrained else "modern"))
    if finetune_options is not None:
        for field in ("aux_loss_weights", "dropout"):
            if overrides.get(field):
                raise UserError(f"{field} is for a network with its own head, and this one gets a new head; leave it "
                                "out" + (", or give the head's dropout in head layers" if field == "dropout" else ""))
        base = replace(base, aux_loss_weights="", dropout="")
    base = override_fields(base, overrides, model_info.options)
    recipes.resolve_aux_loss_weights(base, model_info)
    return base


def override_fields(recipe, overrides, options=()):
    """Return a Recipe with {field: value} changed; UserError for what is neither a field nor one of the options."""
    known = recipes.serialize_recipe(recipe)
    for field, value in overrides.items():
        if field not in known:
            raise unknown_name_error("argument of fit, recipe field or model option", field, [*known, *options])
        check_type(field, value, known[field])
    return recipes.override_recipe(recipe, overrides)
