"""python -m zoo compare RUN RUN ...: runs side by side, in a table and in a picture."""

import sys

from zoo.cli import common
from zoo.errors import UserError
from zoo.utils.io import expanded, writable, write_text, written_whole

ENDINGS = (".png", ".html")


def parser():
    made = common.Parser(prog="python -m zoo compare",
                         description="Set runs side by side: what they differ in, what came out, and mean and standard "
                                  "deviation where only the seed differs.")
    made.add_argument("runs", metavar="RUN", nargs="+", help="run directories, two or more, finished or not")
    made.add_argument("-o", "--output", metavar="FILE", default="comparison.png",
                      help="the curves of all runs over each other, .png, or .html with the table; default: "
                           "comparison.png")
    return made


def checked(output):
    """Return the path to write, its ending one that we know and its folder there."""
    if expanded(output).suffix.lower() not in ENDINGS:
        raise UserError(f"the picture's ending says what it is, {' or '.join(ENDINGS)}; given {output!r}")
    return writable(output)


def columns(table):
    """Return the lines of a Table: columns as wide as they must be, numbers to the right."""
    rows = [table.head, *table.rows]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [all(cell[:1] in "-0123456789" for cell in column) for column in zip(*table.rows, strict=True)]
    return ["  ".join(cell.rjust(width) if number else cell.ljust(width)
                      for cell, width, number in zip(row, wide, right, strict=True)).rstrip() for row in rows]


def command(argv):
    arguments = parser().parse_intermixed_args(argv)
    if len(arguments.runs) < 2:
        raise UserError(f"name two runs or more; given {arguments.runs[0]}")
    path = checked(arguments.output)

    from zoo.plots import run_comparison  # NumPy and matplotlib

    runs = run_comparison.read(arguments.runs)
    print("\n".join(columns(run_comparison.table(runs))))
    _, lacking = run_comparison.differences(runs)
    if lacking:
        print(f"\nnote: not every run.json tells of {', '.join(lacking)}: other versions of zoo wrote them")
    for group in run_comparison.groups(runs):
        print(f"\n{group.words}\n  ({', '.join(group.names)})")
    if path.suffix.lower() == ".html":
        from zoo.reports.comparison import comparing

        write_text(path, comparing(runs))
    elif any(run.history for run in runs):
        from zoo.plots.comparison_curves import overlaid

        with written_whole(path) as scratch:
            overlaid(runs).savefig(scratch, format="png", dpi="figure")
    else:
        print("\nno epoch of these runs has finished: there are no curves to draw")
        return
    print(f"\n{path}")


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
