"""python -m zoo export RUN --format F: the network of a run as a file for other programs, with the same answers."""

import sys

from zoo.cli import common
from zoo.exporters import formats
from zoo.training import run_config as plans
from zoo.utils.io import expand_user


def build_parser():
    made = common.Parser(prog="python -m zoo export",
                         description="Export the trained model of a run for use in other programs. What is written "
                                     "takes raw pixels (0 to 255; in format weights, scaled ones) and returns "
                                     "probabilities; it is compared with the run's model, and the names of the classes "
                                     "are stored with it.",
                         examples=("runs/mine --format onnx", "runs/mine --format keras -o mine.keras",
                                   "runs/mine --format litert --checkpoint last"))
    made.add_argument("run", metavar="RUN", help="run directory, such as runs/lenet5-digits-20261122-011000")
    made.add_argument("--format", metavar="|".join(formats.EXPORT_FORMATS), required=True,
                      help="; ".join(f"{name}: {each.description}" for name, each in formats.EXPORT_FORMATS.items())
                      + f"; {', '.join(name for name, each in formats.EXPORT_FORMATS.items() if each.needs_tensorflow)} need "
                        "--backend tensorflow; onnx needs pip install "
                        f"{' '.join(formats.EXPORT_FORMATS['onnx'].packages)}")
    made.add_argument("-o", "--output", metavar="PATH",
                      help="file to write, which must end in the suffix of its format ("
                           f"{', '.join(each.suffix for each in formats.EXPORT_FORMATS.values() if each.suffix[0] == '.')}), "
                           "or for saved_model a new folder; default: the run's name with the suffix, in the current "
                           "folder")
    common.add_checkpoint(made)
    common.add_gpu(made)
    return made


def execute_export(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    name, run = arguments.format, expand_user(arguments.run)
    formats.get_export_format(name)
    checkpoint = common.parse_checkpoint(arguments)

    from zoo.training import run_files  # NumPy, no backend

    facts = run_files.read_config(run)
    plans.find_checkpoint(run, checkpoint)
    path = formats.resolve_export_path(arguments.output, run, name)
    backend, chosen = common.select_device(arguments.gpu, arguments.backend)
    formats.check_export_backend(name, backend)
    common.load_keras(backend, chosen)

    from zoo.exporters.export import export_run

    written = export_run(run, facts, name, path, checkpoint)
    labels = f"; the classes: {written.labels_path}" if written.labels_path else ""
    print(f"{path}: {written.preprocessing}; {written.num_images} images got the same answers, at most "
          f"{written.max_difference:.1g} apart{labels}")


def main(argv=None):
    return common.run_command(execute_export, argv)


if __name__ == "__main__":
    sys.exit(main())
