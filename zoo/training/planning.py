"""From what a call or a command asks for to the Plan of a training. No backend, and no NumPy but for fine-tuning."""

from dataclasses import replace

from zoo import env, registry
from zoo.errors import UserError, unknown
from zoo.training import augmentation, finetuning, plan as plans, recipe as recipes, recipes as table
from zoo.utils.validation import checked


def split_keywords(spec, keywords):
    """Return (options of the model, fields of the recipe): what {keyword: value} beside named arguments are."""
    options = {key: value for key, value in keywords.items() if key in spec.options}
    return options, {key: value for key, value in keywords.items() if key not in options}


def resolve_preset(spec, preset, width, options):
    """Return (width, options) with those of a preset; UserError where they contradict it."""
    if preset is None:
        return width, options
    small = registry.preset(spec, preset)
    if width is not None and width != small.width:
        raise UserError(f"the preset {preset} has width {small.width:g}; leave out width, or preset")
    return small.width, {**small.options, **options}


def find_origin(spec, asked, width, stem, options):
    """Return the Origin of the weights that a FineTuning asks for; None for a training from scratch."""
    if asked is None:
        return None
    if "dropout" in options:
        raise UserError("the network's dropout is of its own head, and this one gets a new head; give the head's "
                        "dropout among its hidden layers")
    from zoo.training import origins

    return origins.find(spec.name, asked.weights or "none", width, stem, options).rescale(asked.preprocessing)


def default_shape(spec, origin):
    """Return the (height, width, channels) to which a folder's images are resized where nothing else is asked for."""
    return registry.default_image_shape(spec) if origin is None else origin.folder_shape(spec, None)


def make_plan(spec, info, *, recipe, fields, seed, limit, width, stem, options, backend, precision, deterministic,
              asked=None, origin=None):
    """Return the Plan of a training; UserError for what makes no sense.

    Args:
        spec, info: of the network and the data set.
        recipe: its name, or None for the one that suits. fields: {field of the recipe: value}.
        asked, origin: a FineTuning and the Origin of its weights; None for a training from scratch.
    """
    base = resolve_recipe(spec, info, recipe, fields, asked)
    check_precision(precision)
    augmentation.check(augmentation.parse(base.augment), info.shape)
    if asked is None:
        blueprint, config = registry.blueprint(spec.name, info.shape, info.classes, width, stem, options), None
    else:
        blueprint, config = plan_model(spec, info, asked, origin)
    return plans.Plan(blueprint, info, base, seed, limit, env.backend(backend), deterministic, precision, config)


def make_custom_plan(custom, info, *, recipe, fields, seed, limit, backend, precision, deterministic):
    """Return the Plan of a training of a user's own model, a CustomModel; see `make_plan`."""
    if recipe not in (None, "modern"):
        raise UserError(f"the recipe {recipe} is for models of the catalogue; leave it out, and give its fields")
    base = change_fields(table.custom(info.name), fields)
    if base.sides or base.dropout:
        raise UserError("sides and dropout are for models of the catalogue; leave them out")
    check_precision(precision)
    augmentation.check(augmentation.parse(base.augment), info.shape)
    return plans.Plan(custom, info, base, seed, limit, env.backend(backend), deterministic, precision)


def check_precision(precision):
    if precision not in plans.PRECISIONS:
        raise unknown("precision", precision, plans.PRECISIONS)


def plan_model(spec, info, asked, origin):
    """Return (Blueprint, FineTuneConfig) of a fine-tuning; what is frozen is found when the model is built."""
    from zoo.training import origins

    blueprint, upsample, scaling = origins.seen(spec.name, info.shape, origin, info.classes)
    scaling = origins.scaling_for(scaling, info, blueprint.input_shape[2])
    return blueprint, finetuning.FineTuneConfig(
        origin.said, tuple(asked.head_layers), asked.pooling, asked.feature_layer or "", "", upsample, scaling.scale,
        scaling.offset, scaling.order)


def resolve_recipe(spec, info, name, fields, asked):
    """Return the Recipe called `name` with {field: value} changed; without a name the one that suits.

    asked: a FineTuning, whose recipe has no auxiliary classifiers and no dropout of the network's own head.
    """
    pretrained = asked is not None and asked.weights is not None
    base = table.find(spec.name, info.name, name or ("finetune" if pretrained else "modern"))
    if asked is not None:
        for field in ("sides", "dropout"):
            if fields.get(field):
                raise UserError(f"{field} is for a network with its own head, and this one gets a new head; leave it "
                                "out" + (", or give the head's dropout in head layers" if field == "dropout" else ""))
        base = replace(base, sides="", dropout="")
    base = change_fields(base, fields, spec.options)
    recipes.side_weights(base, spec)
    return base


def change_fields(recipe, fields, options=()):
    """Return a Recipe with {field: value} changed; UserError for what is neither a field nor one of the options."""
    known = recipes.as_dict(recipe)
    for field, value in fields.items():
        if field not in known:
            raise unknown("argument of fit, recipe field or model option", field, [*known, *options])
        checked(field, value, known[field])
    return recipes.overridden(recipe, fields)
