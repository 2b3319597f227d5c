"""python -m zoo recipes NET DATASET: how a network is trained, and what differs from the base recipe."""

import sys

from zoo import registry
from zoo.cli import common, help_text
from zoo.data import dataset_info as datasets
from zoo.errors import UserError
from zoo.training import recipe as recipes, recipes as table
from zoo.utils.table import format_table


def build_parser():
    made = common.Parser(prog="python -m zoo recipes", usage="%(prog)s NET DATASET [OPTION ...]",
                         description="Print the recipes with which a network is trained on a data set, as a table of "
                                     "fields. A star marks a value that differs from the base recipe. python -m "
                                     "zoo.train --set FIELD=VALUE changes any field.",
                         epilog=help_text.format_models(),
                         examples=("resnet34 cifar10", "lenet5 mnist --recipe paper",
                                   "vgg16 cifar100 --recipe finetune"))
    made.add_argument("network", metavar="NET", nargs="?", help="name of the network; all names are listed below")
    made.add_argument("dataset", metavar="DATASET", nargs="?",
                      help=f"name of the data set: {', '.join(datasets.DATASETS)}")
    made.add_argument("--recipe", metavar="|".join(table.RECIPE_NAMES),
                      help="print only this recipe; modern: today's usual choices; paper: those of the authors; notes: "
                           "those of lecture notes of 2016 to 2018; finetune: for a new head on pretrained weights; "
                           "default: all, in columns")
    return made


def get_recipe_rows(model_name, dataset, kinds):
    """Return the table's rows: field, then for each kind its value, with a star where the base has another."""
    found = [recipes.serialize_recipe(table.get_recipe(model_name, dataset, kind)) for kind in kinds]
    base = recipes.serialize_recipe(table.BASE)
    return [[name, *(format_recipe_value(each[name]) + ("*" if each[name] != base[name] else "") for each in found)]
            for name in base]


def format_recipe_value(value):
    """Return a value of a recipe as people write it; "-" for an empty text."""
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def execute_recipes(argv):
    arguments = build_parser().parse_args(argv)
    if arguments.network is None or arguments.dataset is None:
        raise UserError(f"which {'network' if arguments.network is None else 'data set'}? "
                        "type python -m zoo recipes NET DATASET, such as lenet5 mnist")
    spec, facts = registry.get_model_info(arguments.network), datasets.get_dataset_info(arguments.dataset)
    kinds = table.RECIPE_NAMES if arguments.recipe is None else (arguments.recipe,)
    lines = [["field", *kinds], *get_recipe_rows(spec.name, facts.name, kinds)]
    print(f"{spec.name} on {facts.name}", *format_table(lines), sep="\n")


def main(argv=None):
    return common.run_command(execute_recipes, argv)


if __name__ == "__main__":
    sys.exit(main())
