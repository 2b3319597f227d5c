"""python -m zoo evaluate RUN: how good a trained model is, on its own data or on other labelled images."""

import json
import sys
from pathlib import Path

from zoo.cli import common
from zoo.errors import UserError, unknown
from zoo.training import plan as plans

SPLITS = ("test", "validation")
LOOKED = "was looked at again: what is chosen by these numbers, they no longer judge fairly"


def parser():
    parser = common.Parser(prog="python -m zoo evaluate",
                           description="Evaluate the model of a run again, on its own data or on other labelled "
                                       "images.")
    parser.add_argument("run", metavar="RUN", help="a run directory, such as runs/lenet5-digits-20261122-011000")
    parser.add_argument("--data", metavar="FOLDER|FILE.npz|NAME",
                        help="other labelled images: FOLDER/CLASS, all of them; of FOLDER/test/CLASS, a data set and "
                             "an .npz file with splits the test split; classes are matched by name, the labels of an "
                             ".npz file are numbers; default: the run's own data")
    parser.add_argument("--split", metavar="|".join(SPLITS), default="test", help="default: test")
    parser.add_argument("--data-dir", metavar="DIR", help="where the files of the data set are; default: where the "
                                                          "training had them")
    common.add_checkpoint(parser)
    common.add_gpu(parser)
    parser.add_argument("-b", "--batch-size", metavar="N", help="default: that of the training, which gives the same "
                                                                "numbers to the last digit")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


def format_scores(scores):
    """Return rows (what, text) of the scores."""
    rows = [("accuracy", f"{scores['accuracy']:.2%}, {scores['right']:,} of {scores['of']:,}")]
    if "top5" in scores:
        rows.append(("top-5", f"{scores['top5']:.2%}, the label among the five most probable classes"))
    return [*rows, ("loss", f"{scores['loss']:.4f}, the mean cross-entropy"),
            ("ece", f"{scores['ece']:.4f}, expected calibration error, 15 bins")]


def describe(images, own_source):
    """Return the text that says which images these are; own_source: where the run's own are from."""
    part = f"the {images.part} split" if images.part else "all"
    other = "" if images.source == own_source else "; not the run's own test split"
    return f"{len(images):,} images, {part} of {images.source}{other}"


def command(argv):
    arguments = parser().parse_args(argv)
    checkpoint = common.checkpoint_of(arguments)
    if arguments.split not in SPLITS:
        raise unknown("split", arguments.split, SPLITS)
    batch_size = arguments.batch_size and common.whole_number("--batch-size", arguments.batch_size, 1, 2**20)

    from zoo.analysis.classification_metrics import format_metrics  # NumPy, no backend
    from zoo.runs import evaluation
    from zoo.training import run_files

    run = Path(arguments.run).expanduser()
    config = run_files.read_config(run)
    plans.checkpoint(run, checkpoint)
    if not isinstance(config.get("blueprint"), dict):
        raise UserError(f"{run / 'run.json'} is damaged: it does not say how the network is built")
    backend, chosen = common.choose_device(arguments.gpu, arguments.backend)
    is_own = arguments.data is None
    if is_own:
        images = evaluation.load_own(run, config, arguments.split, arguments.data_dir)
    else:
        images = evaluation.load_other(run, config, arguments.data, arguments.split, arguments.data_dir)
    where = common.load(backend, chosen)
    scores = evaluation.evaluate(run, config, images, checkpoint, batch_size)
    notes = list(images.notes)
    if is_own and arguments.split == "test":
        notes.append(f"the test split {LOOKED}")
    if arguments.json:
        print(json.dumps({"run": str(run), "checkpoint": checkpoint, "source": images.source, "split": images.part,
                          "is_own": is_own, "notes": notes, **scores}, indent=2))
        return
    rows = [("run", f"{run}: {config['network']} on {config['dataset']['name']}"),
            ("weights", f"checkpoints/{checkpoint}.npz"),
            ("split", f"{images.part}, {len(images):,} images") if is_own else
            ("data", describe(images, config["dataset"].get("source"))),
            ("device", f"{where}, {backend}"), *format_scores(scores)]
    print("\n".join(f"{what:9} {text}" for what, text in rows))
    print("", *format_metrics(scores), sep="\n")
    if notes:
        print("", *(f"note: {note}" for note in notes), sep="\n")


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
