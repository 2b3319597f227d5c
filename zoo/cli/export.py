"""python -m zoo export RUN --format F: the network of a run as a file for other programs, with the same answers."""

import sys

from zoo.cli import common
from zoo.exporters import formats
from zoo.training import plan as plans
from zoo.utils.io import expanded


def parser():
    made = common.Parser(prog="python -m zoo export",
                         description="Export the trained model of a run for use in other programs. What is written "
                                     "takes raw pixels (0 to 255; in format weights, scaled ones) and returns "
                                     "probabilities; it is compared with the run's model, and the names of the classes "
                                     "are stored with it.",
                         examples=("runs/mine --format onnx", "runs/mine --format keras -o mine.keras",
                                   "runs/mine --format litert --checkpoint last"))
    made.add_argument("run", metavar="RUN", help="run directory, such as runs/lenet5-digits-20261122-011000")
    made.add_argument("--format", metavar="|".join(formats.FORMATS), required=True,
                      help="; ".join(f"{name}: {each.description}" for name, each in formats.FORMATS.items())
                      + f"; {', '.join(name for name, each in formats.FORMATS.items() if each.needs_tensorflow)} need "
                        "--backend tensorflow; onnx needs pip install "
                        f"{' '.join(formats.FORMATS['onnx'].packages)}")
    made.add_argument("-o", "--output", metavar="PATH",
                      help="file to write, which must end in the suffix of its format ("
                           f"{', '.join(each.suffix for each in formats.FORMATS.values() if each.suffix[0] == '.')}), "
                           "or for saved_model a new folder; default: the run's name with the suffix, in the current "
                           "folder")
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
