"""python -m zoo report RUN: draw the plots and the report of a run again, from its files."""

from zoo.cli import common
from zoo.errors import UserError


def build_parser():
    parser = common.Parser(prog="python -m zoo report",
                           description="Draw the plots of a run and its report.html again, from the files in the run "
                                       "directory.",
                           examples=("runs/mine", "runs/lenet5-digits-20261122-011000", "/data/runs/mine"))
    parser.add_argument("run", metavar="RUN", help="run directory, finished or not; RUN/plots/ and RUN/report.html are "
                                                   "written")
    return parser


def execute_report(argv):
    run = build_parser().parse_args(argv).run

    from zoo.plots import fonts  # matplotlib
    from zoo.reports.run_outputs import draw_run
    from zoo.training import run_files

    try:
        written = draw_run(run)
    except OSError as error:
        raise UserError(f"cannot write the plots of {run}: {error}") from None
    common.print_lines(*written)
    if note := fonts.format_undrawable_note(run_files.read_config(run)["dataset"]["class_names"]):
        common.print_lines(f"note: {note}")


def main(argv=None):
    return common.run_command(execute_report, argv)
