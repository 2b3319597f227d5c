"""python -m zoo compare RUN RUN ...: compare runs in a table and in a figure or page."""

from zoo.cli import common
from zoo.errors import UserError


def build_parser():
    parser = common.Parser(prog="python -m zoo compare",
                           description="Compare runs in a table of their differences and results, with mean and "
                                       "standard deviation over runs that differ only in the seed, and in a figure of "
                                       "their learning curves.",
                           examples=("runs/a runs/b", "runs/a runs/b runs/c -o comparison.html",
                                     "runs/mine-seed0 runs/mine-seed1 runs/mine-seed2 -o seeds.png"))
    parser.add_argument("runs", metavar="RUN", nargs="+",
                        help="run directories, at least two, such as runs/*, finished or not")
    parser.add_argument("-o", "--output", metavar="FILE", default="comparison.png",
                        help="file to write: .png for the learning curves of all runs in one figure, or .html for a "
                             "page with curves and table; default: comparison.png")
    return parser


def execute_compare(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    if len(arguments.runs) < 2:
        raise UserError(f"give at least two runs; got only {arguments.runs[0]}")

    from zoo.runs.comparison import Comparison, check_comparison_path  # NumPy and matplotlib

    path = check_comparison_path(arguments.output)
    comparison = Comparison(arguments.runs)
    print(comparison)
    if path.suffix.lower() == ".png" and not comparison.has_curves:
        print("\nno epoch of these runs has finished: there are no curves to plot")
        return
    print()
    common.print_lines(comparison.save(path))


def main(argv=None):
    return common.run_command(execute_compare, argv)
