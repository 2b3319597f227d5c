"""python -m zoo compare RUN RUN ...: runs side by side, in a table and in a picture."""

import sys

from zoo.cli import common
from zoo.errors import UserError


def build_parser():
    made = common.Parser(prog="python -m zoo compare",
                         description="Compare runs in a table of their differences and results, with mean and standard "
                                     "deviation of runs that differ in the seed alone, and in a figure of their "
                                     "learning curves.",
                         examples=("runs/a runs/b", "runs/a runs/b runs/c -o comparison.html",
                                   "runs/mine-seed0 runs/mine-seed1 runs/mine-seed2 -o seeds.png"))
    made.add_argument("runs", metavar="RUN", nargs="+", help="run directories, at least two, finished or not")
    made.add_argument("-o", "--output", metavar="FILE", default="comparison.png",
                      help="file to write: .png for the learning curves of all runs in one figure, or .html for a page "
                           "with curves and table; default: comparison.png")
    return made


def execute_compare(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    if len(arguments.runs) < 2:
        raise UserError(f"name two runs or more; given {arguments.runs[0]}")

    from zoo.runs.comparison import Comparison, check_comparison_path  # NumPy and matplotlib

    path = check_comparison_path(arguments.output)
    comparison = Comparison(arguments.runs)
    print(comparison)
    if path.suffix.lower() == ".png" and not comparison.has_curves:
        print("\nno epoch of these runs has finished: there are no curves to draw")
        return
    print(f"\n{comparison.save(path)}")


def main(argv=None):
    return common.run_command(execute_compare, argv)


if __name__ == "__main__":
    sys.exit(main())
