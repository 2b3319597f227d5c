"""python -m zoo export RUN --format F: the network of a run as a file for other programs, with the same answers."""

import sys

from zoo.cli import common
from zoo.exporters import formats
from zoo.training import plan as plans
from zoo.utils.io import expanded


def parser():
    made = common.Parser(prog="python -m zoo export", description="Write the network of a run for other programs: "
                         "from raw pixels to probabilities, with the names of its classes.")
    made.add_argument("run", metavar="RUN", help="a run directory")
    made.add_argument("--format", metavar="|".join(formats.FORMATS), required=True,
                      help="; ".join(f"{name}: {each.description}" for name, each in formats.FORMATS.items()))
    made.add_argument("-o", "--output", metavar="PATH", help="default: the run's name with the format's suffix")
    common.add_checkpoint(made)
    common.add_gpu(made)
    return made


def command(argv):
    arguments = parser().parse_intermixed_args(argv)
    name, run = arguments.format, expanded(arguments.run)
    formats.find(name)
    checkpoint = common.checkpoint_of(arguments)

    from zoo.training import run_files  # NumPy, no backend

    facts = run_files.read_config(run)
    plans.checkpoint(run, checkpoint)
    path = formats.output_path(arguments.output, run, name)
    backend, chosen = common.choose_device(arguments.gpu, arguments.backend)
    formats.check_backend(name, backend)
    common.load(backend, chosen)

    from zoo.exporters.export import export_run

    written = export_run(run, facts, name, path, checkpoint)
    labels = f"; the classes: {written.labels}" if written.labels else ""
    print(f"{path}: {written.preprocessing}; {written.images} images got the same answers, at most "
          f"{written.difference:.1g} apart{labels}")


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
