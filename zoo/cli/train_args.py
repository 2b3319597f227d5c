"""What a training's command line asks for: recipe, form of the network, a run to resume. No backend, no NumPy."""

import argparse
import shlex

from zoo import env
from zoo.cli import common
from zoo.errors import UserError
from zoo.training import recipe as recipes, recipes as table, run_config as plans
from zoo.utils.io import expand_user
from zoo.utils.validation import parse_assignments, parse_value

# Further flags of recipe fields, beside that of the field's name
RECIPE_FLAG_ALIASES = {"learning_rate": ("--lr",), "batch_size": ("-b",)}
RESUME_ARGUMENTS = ("resume", "epochs", "gpu", "backend", "data_dir", "max_seconds",
                    "hosts", "host_index", "log")  # what may be said beside --resume


def get_recipe_flags(field):
    """Return the flags of a recipe's field, its own first."""
    return f"--{field.replace('_', '-')}", *RECIPE_FLAG_ALIASES.get(field, ())


class RecipeFlag(argparse.Action):
    """Keep what a recipe's flag gives as (flag, text); UserError where two flags of one field are given."""

    def __call__(self, parser, namespace, text, flag=None):
        before = getattr(namespace, self.dest, None)
        if before and before[0] != flag:
            raise UserError(f"{' '.join(before)} and {flag} {text} are the same field; give one of them")
        setattr(namespace, self.dest, (flag, text))


def add_recipe(parser, exclude=()):
    """Add a group of flags: --recipe, one for each field of a recipe but those `strip_flags`, and --set.

    See `parse_recipe_fields`.
    """
    group = parser.add_argument_group("recipe", "how the network is trained; each flag changes a field of the recipe, "
                                              "whose value is the default (python -m zoo recipes shows it)")
    group.add_argument("--recipe", metavar="|".join(table.RECIPE_NAMES),
                       help="set of defaults for the fields below; modern: today's usual choices; paper: those of the "
                            "authors; notes: those of lecture notes of 2016 to 2018, with Adadelta; finetune: for a "
                            "new head on pretrained weights, with Adam; default: finetune with --weights, or else "
                            "modern")
    for name, field in recipes.RECIPE_FIELDS.items():
        if name not in exclude:
            group.add_argument(*get_recipe_flags(name), dest=name, action=RecipeFlag, metavar=format_metavar(field),
                               help=format_field_help(field))
    group.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[],
                       help="another way to change a field, by its name as python -m zoo recipes prints it, such as "
                            "weight_decay=1e-4; can be repeated")


def format_metavar(field):
    """Return what stands for a field's value in help: what there is to choose from, or the kind of value."""
    return "|".join(field.metadata["choices"]) or {int: "N", float: "X", str: "TEXT"}[type(field.default)]


def format_field_help(field):
    """Return a field's help: what it means, and an example where it is not clear how to write one."""
    example = field.metadata["example"]
    return field.metadata["help"] + (f"; for example {shlex.quote(str(example))}" if example is not None else "")


def parse_recipe_fields(arguments):
    """Return {field: value} of what --set and the flags of `add_recipe` change."""
    defaults = recipes.serialize_recipe(recipes.Recipe())
    changes = parse_assignments("--set", arguments.set, defaults)
    for field, default in defaults.items():
        given = getattr(arguments, field, None)
        if given is None:
            continue
        flag, text = given
        flag = flag if flag.startswith("--") else get_recipe_flags(field)[0]  # -b
        if field in changes:
            raise UserError(f"{flag} {text} and --set {field}={changes[field]} are the same field; give one of them")
        changes[field] = parse_value(flag, text, default)
    return changes


def parse_width_and_options(arguments, model_info, fields):
    """Return (width, options) of the network: those of the preset and of the command line, and the recipe's dropout."""
    preset = common.parse_preset(arguments, model_info)
    options = {**(preset.options if preset else {}),
               **parse_assignments("--option", arguments.option, model_info.options)}
    dropout = fields.get("dropout")
    if dropout:
        if "dropout" not in model_info.options:
            raise UserError(f"{model_info.name} has no dropout to set; leave it empty: dropout=")
        if "dropout" in options:
            raise UserError("--option dropout and the recipe's dropout are the same; give one of them")
        options["dropout"] = parse_value("dropout", dropout, model_info.options["dropout"])
    return preset.width if preset else common.parse_width(arguments), options


def parse_resume(parser, arguments, argv):
    """Return (run directory, Plan) for --resume: those of run.json, perhaps with more epochs."""
    from zoo.training import run_files  # NumPy

    parser.set_defaults(**dict.fromkeys(vars(arguments)))
    given = {name for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    other = [name for name in vars(arguments) if name in given and name not in RESUME_ARGUMENTS]
    if other:
        said = other[0] if other[0] == "network" else get_recipe_flags(other[0])[0]
        raise UserError(f"--resume goes on with a run as it was begun, {said} cannot be given; beside it there can be "
                        "--epochs, --gpu, --backend, --data-dir, --max-seconds, --log, --hosts and --host-index")
    run = expand_user(arguments.resume)
    plan = plans.get_run_config(run, run_files.read_config(run))
    backend = env.select_backend(arguments.backend)
    if plan.backend != backend:
        raise UserError(f"{run} was begun with {plan.backend}, and this is {backend}; give --backend {plan.backend}")
    if arguments.epochs is None:
        return run, plan
    return run, plans.extend_epochs(run, plan, recipes.override_recipe(
        plan.recipe, {"epochs": parse_value("--epochs", arguments.epochs[1], 1)}).epochs)


def strip_flags(argv, flags):
    """Return a command line without some flags and their values: --flag value, or --flag=value."""
    kept, skip = [], False
    for word in argv:
        if not skip and word.partition("=")[0] not in flags:
            kept.append(word)
        skip = not skip and word in flags
    return kept
