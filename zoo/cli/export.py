"""python -m zoo export RUN --format F: export the trained model of a run for other programs, and verify it."""

from zoo.cli import common
from zoo.exporters import formats
from zoo.training import run_config
from zoo.utils.io import expand_user


def build_parser():
    parser = common.Parser(prog="python -m zoo export",
                           description="Export the trained model of a run for use in other programs. The exported "
                                       "model takes raw pixels (0 to 255; in format weights, scaled ones) and returns "
                                       "probabilities; it is compared with the run's model, and stored with the class "
                                       "names.",
                           examples=("runs/mine --format onnx", "runs/mine --format keras -o mine.keras",
                                     "runs/mine --format litert --checkpoint last"))
    parser.add_argument("run", metavar="RUN", help="run directory, such as runs/lenet5-digits-20261122-011000")
    needing_tensorflow = [name for name, export_format in formats.EXPORT_FORMATS.items()
                          if export_format.needs_tensorflow]
    suffixes = [export_format.suffix for export_format in formats.EXPORT_FORMATS.values()
                if export_format.suffix[0] == "."]
    parser.add_argument("--format", metavar="|".join(formats.EXPORT_FORMATS), required=True,
                        help="; ".join(f"{name}: {export_format.description}"
                                       for name, export_format in formats.EXPORT_FORMATS.items())
                        + f"; {', '.join(needing_tensorflow)} are written with TensorFlow, "
                          "the default backend, from runs of any backend; onnx needs pip install "
                          f"{' '.join(formats.EXPORT_FORMATS['onnx'].packages)}")
    parser.add_argument("-o", "--output", metavar="PATH",
                        help="file to write, which must end in the suffix of its format ("
                             f"{', '.join(suffixes)}), or for saved_model a new folder; default: the run's name with "
                             "the suffix, in the current folder")
    common.add_checkpoint(parser)
    common.add_gpu(parser)
    return parser


def execute_export(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    name, run = arguments.format, expand_user(arguments.run)
    formats.get_export_format(name)
    checkpoint = common.parse_checkpoint(arguments)

    from zoo.training import run_files  # NumPy, no backend

    config = run_files.read_config(run)
    run_config.find_checkpoint(run, checkpoint)
    path = formats.resolve_export_path(arguments.output, run, name)
    backend, device = common.select_device(arguments.gpu, arguments.backend)
    formats.check_export_backend(name, backend)
    common.load_keras(backend, device)

    from zoo.exporters.export import export_run

    exported = export_run(run, config, name, path, checkpoint)
    plural = run_files.get_run_modality(config).plural
    labels = f"; class names: {exported.labels_path}" if exported.labels_path else ""
    common.print_lines(f"{path}: {exported.preprocessing}; verified on {exported.num_samples} {plural}, max. "
                       f"absolute difference {exported.max_difference:.1g}{labels}")


def main(argv=None):
    return common.run_command(execute_export, argv)
