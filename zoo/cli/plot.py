"""python -m zoo plot RUN: the pictures of a run and its report, made again from its files."""

import sys

from zoo.cli import common
from zoo.errors import UserError


def parser():
    made = common.Parser(prog="python -m zoo plot",
                         description="Draw the pictures of a run again, and its report.html, from its files alone.")
    made.add_argument("run", metavar="RUN", help="a run directory, such as runs/lenet5-digits-20261122-011000")
    return made


def command(argv):
    run = parser().parse_args(argv).run

    from zoo.reports.run_outputs import draw_run  # matplotlib

    try:
        written = draw_run(run)
    except OSError as error:
        raise UserError(f"cannot write the pictures of {run}: {error}") from None
    print("\n".join(map(str, written)))


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
