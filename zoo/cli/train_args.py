"""Training options of the command line: recipe, width and options, the run to resume. No backend, no NumPy."""

import argparse
import shlex

from zoo import env
from zoo.cli import common
from zoo.errors import UserError
from zoo.training import recipe, recipes, run_config
from zoo.training.run_config_factory import split_keywords
from zoo.utils.io import expand_user
from zoo.utils.validation import parse_assignments, parse_value

# Additional flags of recipe fields, beside the flag with the field's name
RECIPE_FLAG_ALIASES = {"learning_rate": ("--lr",), "batch_size": ("-b",)}
RESUME_ARGUMENTS = ("resume", "epochs", "gpu", "backend", "data_dir", "max_seconds", "checkpoint_minutes",
                    "hosts", "host_index", "log")  # arguments that are allowed beside --resume


def get_recipe_flags(field):
    """Return the flags of a recipe field, the one with its name first."""
    return f"--{field.replace('_', '-')}", *RECIPE_FLAG_ALIASES.get(field, ())


class RecipeFlag(argparse.Action):
    """Store the value of a recipe flag as (flag, text); UserError if two flags of one field are given."""

    def __call__(self, parser, namespace, text, flag=None):
        previous = getattr(namespace, self.dest, None)
        if previous and previous[0] != flag:
            raise UserError(f"{' '.join(previous)} and {flag} {text} set the same field; give one of them")
        setattr(namespace, self.dest, (flag, text))


def add_recipe(parser, default, exclude=()):
    """Add a group of flags: --recipe, one for each recipe field that is not in `exclude`, and --set.

    default: how the default of --recipe is chosen, for its help. See `parse_recipe_fields`.
    """
    group = parser.add_argument_group("recipe", "how the model is trained; each flag overrides a field of the "
                                              "recipe, whose value is the default (python -m zoo recipes shows it)")
    group.add_argument("--recipe", metavar="|".join(recipes.RECIPE_NAMES),
                       help="set of defaults for the fields below; modern: today's usual choices; paper: those of the "
                            "authors; notes: those of lecture notes of 2016 to 2018, with Adadelta; finetune: for a "
                            f"new head on pretrained weights, with Adam; default: {default}")
    for name, field in recipe.RECIPE_FIELDS.items():
        if name not in exclude:
            group.add_argument(*get_recipe_flags(name), dest=name, action=RecipeFlag, metavar=format_metavar(field),
                               help=format_field_help(field))
    group.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[],
                       help="another way to change a field, by its name as python -m zoo recipes prints it, such as "
                            "weight_decay=1e-4; can be repeated")


def format_metavar(field):
    """Return the metavar of a recipe field in --help: its choices, or the kind of value."""
    return "|".join(field.metadata["choices"]) or {int: "N", float: "X", str: "TEXT"}[type(field.default)]


def format_field_help(field):
    """Return the help text of a recipe field, with an example if the format of its value is not obvious."""
    example = field.metadata["example"]
    return field.metadata["help"] + (f"; such as {shlex.quote(str(example))}" if example is not None else "")


def parse_recipe_fields(arguments):
    """Return {field: value} of the recipe fields set by --set and the flags of `add_recipe`."""
    defaults = recipe.serialize_recipe(recipe.Recipe())
    changes = parse_assignments("--set", arguments.set, defaults)
    for field, default in defaults.items():
        flag_and_text = getattr(arguments, field, None)
        if flag_and_text is None:
            continue
        flag, text = flag_and_text
        flag = flag if flag.startswith("--") else get_recipe_flags(field)[0]  # -b
        if field in changes:
            raise UserError(f"{flag} {text} and --set {field}={changes[field]} set the same field; give one of them")
        changes[field] = parse_value(flag, text, default)
    return changes


def parse_model_and_recipe(arguments, model_info):
    """Return (width, options of the model, {field: value} of the recipe) of the preset and the command line.

    The dropout of the recipe is an option of the model.
    """
    preset = common.parse_preset(arguments, model_info)
    options = {**(preset.options if preset else {}),
               **parse_assignments("--model-option", arguments.model_option, model_info.options)}
    fields = parse_recipe_fields(arguments)
    dropout_options, fields = split_keywords(model_info, fields)
    dropout = dropout_options.get("dropout")
    if dropout:
        if "dropout" in options:
            raise UserError("--model-option dropout and the recipe field dropout set the same value; give one of them")
        options["dropout"] = parse_value("dropout", dropout, model_info.options["dropout"])
    return preset.width if preset else common.parse_width(arguments), options, fields


def parse_resume(parser, arguments, argv):
    """Return (run directory, RunConfig) for --resume: the RunConfig of run.json, possibly with more epochs."""
    from zoo.training import run_files  # NumPy

    parser.set_defaults(**dict.fromkeys(vars(arguments)))
    given_names = {name for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    disallowed = [name for name in vars(arguments) if name in given_names and name not in RESUME_ARGUMENTS]
    if disallowed:
        flag = disallowed[0] if disallowed[0] == "network" else get_recipe_flags(disallowed[0])[0]
        raise UserError(f"--resume continues a run with its own settings, {flag} cannot be given; allowed are "
                        "--epochs, --gpu, --backend, --data-dir, --max-seconds, --checkpoint-minutes, --log, --hosts "
                        "and --host-index")
    run = expand_user(arguments.resume)
    config = run_config.get_run_config(run, run_files.read_config(run))
    backend = env.select_backend(arguments.backend)
    if config.backend != backend:
        raise UserError(f"{run} was started with {config.backend}, but this is {backend}; give --backend "
                        f"{config.backend}")
    if arguments.epochs is None:
        return run, config
    return run, run_config.extend_epochs(run, config, recipe.override_recipe(
        config.recipe, {"epochs": parse_value("--epochs", arguments.epochs[1], 1)}).epochs)
