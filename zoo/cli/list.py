"""python -m zoo list: list the models, their papers, input sizes and pretrained weights."""

import json

from zoo.cli import common
from zoo.catalogue import MODELS
from zoo.registry import get_model_metadata
from zoo.utils.table import format_table
from zoo.weights.pretrained import list_weights_names


def build_parser():
    parser = common.Parser(prog="python -m zoo list",
                           description="List the models with their papers, input sizes, numbers of parameters and "
                                       "available pretrained weights.",
                           examples=("", "--json", "--markdown"))
    output_format = parser.add_mutually_exclusive_group()
    output_format.add_argument("--json", action="store_true", help="print the full metadata of each network as JSON")
    output_format.add_argument("--markdown", action="store_true", help="print the table as Markdown, as in the README")
    return parser


def format_model_row(model_info):
    """Return the table row of a network: name, paper, year, input, classes, parameters, weights."""
    return (model_info.name, model_info.format_attribution(), str(model_info.paper.year),
            model_info.modality.format_shape(model_info.input_shape), str(model_info.classes),
            f"{model_info.parameters[0]:,}", ", ".join(list_weights_names(model_info.name)))


def format_markdown_table(rows):
    """Return the lines of a Markdown table, with classes and parameters aligned to the right."""
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return [lines[0], "| --- | --- | --- | --- | ---: | ---: | --- |", *lines[1:]]


def execute_list(argv):
    arguments = build_parser().parse_args(argv)
    rows = [("name", "paper", "year", "input", "classes", "parameters", "weights"),
            *map(format_model_row, MODELS.values())]
    if arguments.json:
        print(json.dumps([{**get_model_metadata(model_info), "weights": list_weights_names(model_info.name)}
                          for model_info in MODELS.values()], indent=2))
    elif arguments.markdown:
        print("\n".join(format_markdown_table(rows)))
    else:
        print("\n".join(format_table(rows, right=(2, 4, 5))))


def main(argv=None):
    return common.run_command(execute_list, argv)
