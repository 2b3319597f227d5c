"""python -m zoo recipes MODEL DATASET: print the recipes of a model, and their differences from the defaults."""

from zoo import registry
from zoo.cli import common, help_text
from zoo.data import dataset_info
from zoo.errors import UserError
from zoo.training import recipe, recipes
from zoo.training.run_config_factory import check_modality, refuse_finetuning
from zoo.utils.table import format_table


def build_parser():
    parser = common.Parser(prog="python -m zoo recipes", usage="%(prog)s MODEL DATASET [OPTION ...]",
                           description="Print the recipes with which a model is trained on a dataset, as a table of "
                                       "fields. A star marks a value that differs from the default of the field. "
                                       "python -m zoo.train --set FIELD=VALUE changes any field.",
                           epilog=help_text.format_models(),
                           examples=("resnet34 cifar10", "lenet5 mnist --recipe paper",
                                     "vgg16 cifar100 --recipe finetune"))
    parser.add_argument("network", metavar="MODEL", nargs="?", help="name of the model; all names are listed below")
    parser.add_argument("dataset", metavar="DATASET", nargs="?",
                        help=f"name of the dataset: {', '.join(dataset_info.DATASETS)}")
    parser.add_argument("--recipe", metavar="|".join(recipes.RECIPE_NAMES),
                        help="print only this recipe; modern: today's usual choices; paper: those of the authors; "
                             "notes: those of lecture notes of 2016 to 2018; finetune: for a new head on pretrained "
                             "weights; default: all, in columns (zoo.train uses modern, zoo finetune finetune)")
    return parser


def get_recipe_rows(model_name, dataset, kinds):
    """Return the rows of the table: a field and its value in each recipe, with a star if it differs from the base."""
    columns = [recipe.serialize_recipe(recipes.get_recipe(model_name, dataset, kind)) for kind in kinds]
    base = recipe.serialize_recipe(recipes.BASE)
    return [[name, *(format_recipe_value(fields[name]) + ("*" if fields[name] != base[name] else "")
                     for fields in columns)] for name in base]


def format_recipe_value(value):
    """Return the value of a recipe field as text; "-" for an empty string."""
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def execute_recipes(argv):
    arguments = build_parser().parse_args(argv)
    if arguments.network is None or arguments.dataset is None:
        raise UserError(f"missing argument {'MODEL' if arguments.network is None else 'DATASET'}; "
                        "type python -m zoo recipes MODEL DATASET, such as lenet5 mnist")
    model_info, info = registry.get_model_info(arguments.network), dataset_info.get_dataset_info(arguments.dataset)
    check_modality(model_info, info)
    if arguments.recipe == "finetune":
        refuse_finetuning(model_info)
    kinds = (arguments.recipe,) if arguments.recipe else [
        kind for kind in recipes.RECIPE_NAMES if kind != "finetune" or "fine-tuning" in model_info.modality.features]
    rows = [["field", *kinds], *get_recipe_rows(model_info.name, info.name, kinds)]
    print(f"{model_info.name} on {info.name}", *format_table(rows), sep="\n")


def main(argv=None):
    return common.run_command(execute_recipes, argv)
