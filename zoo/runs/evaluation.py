"""Evaluating the model of a run on labelled images: its own splits, or others. Only `evaluate` loads a backend."""

from pathlib import Path

from zoo.data.labelled import LabelledImages, load_labelled
from zoo.errors import UserError
from zoo.runs.data import reload_split
from zoo.training import plan as plans

DEFAULT_BATCH_SIZE = 128  # where run.json names none


def load_own(run, config, split, data_dir=None):
    """Return the LabelledImages of one of the run's own splits; `config` is what its run.json holds."""
    own = reload_split(run, config, split, data_dir)
    return LabelledImages(own, str(config["dataset"].get("source")), split)


def load_other(run, config, data, split, data_dir=None):
    """Return the LabelledImages of other data than the run's splits; see `load_labelled`.

    A note says so where the run was trained on images of the same folder or file.
    """
    info = config["dataset"]
    try:
        names, shape = [str(name) for name in info["label_names"]], tuple(info["shape"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{Path(run) / 'run.json'} is damaged: the dataset has no {error}") from None
    images = load_labelled(data, names, shape, part=split, data_dir=data_dir,
                           labels_from=info.get("labels_from", "folder"), white=info.get("white"))
    if images.part != "test" and is_within(images.source, info.get("source") or ""):
        note = f"{run} was trained on images from {info['source']}, and these may include them"
        return LabelledImages(images.split, images.source, images.part, (*images.notes, note))
    return images


def is_within(path, folder):
    """Return whether a source is another, or lies below it; names that are no absolute paths are not compared."""
    path, folder = Path(path), Path(folder)
    return path.is_absolute() and folder.is_absolute() and folder in (path, *path.parents)


def recipe_batch_size(config):
    """Return the batch size of the training, with which the numbers are those of result.json to the last digit."""
    recipe = config.get("recipe")
    size = recipe.get("batch_size") if isinstance(recipe, dict) else None
    return size if isinstance(size, int) and size > 0 else DEFAULT_BATCH_SIZE


def evaluate(run, config, images, checkpoint="best", batch_size=None):
    """Return the scores, see `zoo.training.evaluation.scores`, of a run's model on LabelledImages."""
    plans.checkpoint(run, checkpoint)

    from zoo.training import evaluation

    model = evaluation.reopened(run, config, checkpoint)
    probabilities = evaluation.probabilities(model, images.split, batch_size or recipe_batch_size(config))
    names = [str(name) for name in config["dataset"]["label_names"]]
    return evaluation.scores(probabilities, images.split.labels, names)
