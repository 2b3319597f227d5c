"""python -m zoo evaluate RUN: evaluate a trained model, on its own data or on other labeled images or texts."""

import json

from zoo.cli import common
from zoo.cli.dataset_args import add_invalid_images
from zoo.errors import unknown_name_error
from zoo.training import run_config
from zoo.utils.flag_names import translate_keywords
from zoo.utils.io import expand_user
from zoo.utils.numbers import format_loss

SPLITS = ("test", "validation")


def build_parser():
    parser = common.Parser(prog="python -m zoo evaluate",
                           description="Evaluate the trained model of a run, on its own data or on other labeled "
                                       "images, or texts: accuracy, loss, calibration, and precision, recall and F1 of "
                                       "each class.",
                           examples=("runs/mine", "runs/mine --split validation --json",
                                     "runs/mine --data new-images/ --gpu none", "runs/reviews --data reviews.csv"))
    parser.add_argument("run", metavar="RUN", help="run directory, such as runs/lenet5-digits-20261122-011000")
    common.add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print all results as JSON in place of tables")
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", "--data", dest="data", metavar="FOLDER|FILE.npz|FILE.csv|NAME",
                      help="labeled images, or texts, to evaluate on in place of the run's own; FOLDER: all images of "
                           "a folder with a folder for each class, or those of --split if it has train, val and test "
                           "folders; FILE.npz and NAME (of a dataset, such as cifar10 or imdb): those of --split; "
                           "FILE.csv: all of its texts, or those of --split if it has a column split; classes are "
                           "matched by name, in an .npz file by index; "
                           "default: the run's own data")
    data.add_argument("--split", metavar="|".join(SPLITS), default="test",
                      help="part of the data to evaluate on; default: test")
    data.add_argument("--data-dir", metavar="DIR",
                      help="folder with the files of a named dataset, as published, packed or unpacked; default: that "
                           "of the training, or with --dataset NAME the folder in ZOO_DATA, or else Keras's cache, or "
                           "else a download")
    data.add_argument("--labels-from", metavar="folder|filename",
                      help="where the class of an image in the folder of --data is read from, as in training; default: "
                           "as in training")
    add_invalid_images(data)
    device = parser.add_argument_group("device")
    common.add_gpu(device)
    device.add_argument("-b", "--batch-size", metavar="N",
                        help="number of images in a batch; default: that of the training, which reproduces its results "
                             "to the last digit")
    return parser


def format_scores(scores):
    """Return the scores as rows (label, text)."""
    rows = [("accuracy", f"{scores['accuracy']:.2%}, {scores['correct']:,} of {scores['total']:,}")]
    if "top5" in scores:
        rows.append(("top-5", f"{scores['top5']:.2%}, the label among the five most probable classes"))
    return [*rows, ("loss", f"{format_loss(scores['loss'])}, the mean cross-entropy"),
            ("ece", f"{scores['ece']:.4f}, expected calibration error, 15 bins")]


def describe_data(images, plural, own_source):
    """Return a description of the images or texts (plural); own_source: source of the run's own."""
    part = f"the {images.split_name} split" if images.split_name else "all"
    other = "" if images.source == own_source else "; not the run's own test split"
    return f"{len(images):,} {plural}, {part} of {images.source}{other}"


def execute_evaluate(argv):
    arguments = build_parser().parse_args(argv)
    checkpoint = common.parse_checkpoint(arguments)
    if arguments.split not in SPLITS:
        raise unknown_name_error("split", arguments.split, SPLITS)
    batch_size = arguments.batch_size and common.parse_int("--batch-size", arguments.batch_size, 1, 2**20)

    from zoo.analysis.classification_metrics import format_metrics  # NumPy, no backend
    from zoo.runs import evaluation
    from zoo.training import run_files

    run = expand_user(arguments.run)
    config = run_files.read_config(run)
    run_config.find_checkpoint(run, checkpoint)
    run_files.check_model_config(run, config)
    backend, device = common.select_device(arguments.gpu, arguments.backend)
    is_own = arguments.data is None
    images = evaluation.load_images(run, config, arguments.data, arguments.split, arguments.data_dir,
                                    arguments.labels_from, arguments.invalid_images)
    device_name = common.load_keras(backend, device)
    scores = evaluation.evaluate_run(run, config, images, checkpoint, batch_size)
    notes, plural = [*map(translate_keywords, scores.pop("notes"))], run_files.get_run_modality(config).plural
    if arguments.json:
        print(json.dumps({"run": str(run), "checkpoint": checkpoint, "source": images.source,
                          "split": images.split_name, "is_own": is_own, "notes": notes, **scores}, indent=2))
        return
    rows = [("run", f"{run}: {config['model']} on {config['dataset']['name']}"),
            ("weights", f"checkpoints/{checkpoint}.npz"),
            ("split", f"{images.split_name}, {len(images):,} {plural}") if is_own else
            ("data", describe_data(images, plural, config["dataset"].get("source"))),
            ("device", f"{device_name}, {backend}"), *format_scores(scores)]
    common.print_lines(*(f"{label:9} {text}" for label, text in rows), "", *format_metrics(scores, plural))
    if notes:
        common.print_lines("", *(f"note: {note}" for note in notes))


def main(argv=None):
    return common.run_command(execute_evaluate, argv)
