"""python -m zoo list: the networks, their papers, sizes and weights."""

import json
import sys

from zoo.cli import common
from zoo.registry import SPECS, facts
from zoo.utils.table import format_table
from zoo.weights.pretrained import list_names


def parser():
    made = common.Parser(prog="python -m zoo list",
                         description="List the networks with their papers, input sizes, numbers of parameters and the "
                                     "pretrained weights that there are.",
                         examples=("", "--json", "--markdown"))
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all that is known of each network as JSON")
    form.add_argument("--markdown", action="store_true", help="print the table as Markdown, as in the README")
    return made


def row(spec):
    """Return a network's cells: name, paper, year, input, classes, parameters, weights."""
    return (spec.name, spec.paper.short, str(spec.paper.year),
            "x".join(map(str, spec.input_shape)), str(spec.classes), f"{spec.parameters[0]:,}",
            ", ".join(list_names(spec.name)))


def markdown(rows):
    """Return rows of cells as the lines of a Markdown table, the two columns of numbers to the right."""
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return [lines[0], "| --- | --- | --- | --- | ---: | ---: | --- |", *lines[1:]]


def command(argv):
    arguments = parser().parse_args(argv)
    rows = [("name", "paper", "year", "input", "classes", "parameters", "weights"), *map(row, SPECS.values())]
    if arguments.json:
        print(json.dumps([{**facts(spec), "weights": list_names(spec.name)} for spec in SPECS.values()], indent=2))
    elif arguments.markdown:
        print("\n".join(markdown(rows)))
    else:
        print("\n".join(format_table(rows, right=(2, 4, 5))))


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
