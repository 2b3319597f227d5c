"""python -m zoo evaluate RUN: how good a trained network is, measured again."""

import sys
from pathlib import Path

from zoo.cli import common
from zoo.errors import UserError, unknown
from zoo.training import plan as plans

SPLITS = ("test", "validation")
LOOKED = "was looked at again: what is chosen by these numbers, they no longer judge fairly"


def parser():
    made = common.Parser(prog="python -m zoo evaluate",
                         description="Measure the network of a run again, from its files.")
    made.add_argument("run", metavar="RUN", help="a run directory, such as runs/lenet5-digits-20261122-011000")
    common.add_checkpoint(made)
    made.add_argument("--split", metavar="|".join(SPLITS), default="test", help="of the pictures; default: test")
    made.add_argument("--data-dir", metavar="DIR", help="where the data set's files are; default: where the training "
                                                       "had them")
    common.add_gpu(made)
    made.add_argument("-b", "--batch-size", metavar="N", help="pictures at once; default: that of the training, "
                                                              "which gives the same numbers to the last digit")
    return made


def batch_of(arguments, facts):
    """Return the number of pictures at once: what is asked for, or the recipe's."""
    if arguments.batch_size is not None:
        return common.whole_number("--batch-size", arguments.batch_size, 1, 2**20)
    recipe = facts.get("recipe")
    size = recipe.get("batch_size") if isinstance(recipe, dict) else None
    return size if isinstance(size, int) and size > 0 else 128


def told(scores):
    """Return rows (what, words) of what evaluation.scores returned."""
    rows = [("accuracy", f"{scores['accuracy']:.2%}, {scores['right']:,} of {scores['of']:,}")]
    if "top5" in scores:
        rows.append(("top-5", f"{scores['top5']:.2%}, the label among the five most probable classes"))
    return [*rows, ("loss", f"{scores['loss']:.4f}, the mean cross-entropy"),
            ("ece", f"{scores['ece']:.4f}, expected calibration error, 15 bins")]


def table(names, right, of):
    """Return the lines of a table: each class, the share recognised, of how many pictures."""
    wide = max(len("class"), *map(len, names))
    lines = [f"{'class':{wide}}  accuracy  pictures"]
    for name, good, count in zip(names, right, of, strict=True):
        share = f"{good / count:.2%}" if count else "-"
        lines.append(f"{name:{wide}}  {share:>8}  {count:>8,}")
    return lines


def command(argv):
    arguments = parser().parse_args(argv)
    checkpoint = common.checkpoint_of(arguments)
    if arguments.split not in SPLITS:
        raise unknown("split", arguments.split, SPLITS)

    from zoo.training import run_files  # NumPy, no backend
    from zoo.runs.data import reload_split

    run = Path(arguments.run).expanduser()
    facts = run_files.read_config(run)
    plans.checkpoint(run, checkpoint)
    if not isinstance(facts.get("blueprint"), dict):
        raise UserError(f"{run / 'run.json'} is damaged: it does not say how the network is built")
    batch_size = batch_of(arguments, facts)
    backend, chosen = common.choose_device(arguments.gpu, arguments.backend)
    split = reload_split(run, facts, arguments.split, arguments.data_dir)
    where = common.load(backend, chosen)

    from zoo.training import evaluation

    model = evaluation.reopened(run, facts, checkpoint)
    scores = evaluation.scores(evaluation.probabilities(model, split, batch_size), split.labels)
    names = [str(name) for name in facts["dataset"]["label_names"]]
    rows = [("run", f"{run}: {facts['network']} on {facts['dataset']['name']}"),
            ("weights", f"checkpoints/{checkpoint}.npz"),
            ("split", f"{arguments.split}, {len(split):,} pictures"), ("device", f"{where}, {backend}"), *told(scores)]
    print("\n".join(f"{what:9} {words}" for what, words in rows))
    print("", *table(names, scores["per_class"], scores["per_class_of"]), sep="\n")
    if arguments.split == "test":
        print(f"\nnote: the test split {LOOKED}")


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
