"""The pictures of a training run, drawn from the files in its directory and written into its plots/."""

from collections import namedtuple
from pathlib import Path

from zoo.diagrams import diagram
from zoo.errors import UserError, unknown
from zoo.plots.confusion_matrix import confusion, most_mistaken
from zoo.plots.figure import save_png
from zoo.plots.image_grid import mistakes, sample_grid
from zoo.plots.learning_curves import best_of, curves
from zoo.plots.text_layout import counted
from zoo.registry import Blueprint
from zoo.reports.run import page
from zoo.training import run_files
from zoo.utils.io import write_text, written_whole


def draw_model(model, path):
    """Draw the architecture of a Blueprint's model, or of a Keras model, into the file `path`, None for no file.

    Return its Anatomy.
    """
    source = diagram.of_blueprint(model) if isinstance(model, Blueprint) else diagram.of_model(model)
    if path is not None:
        diagram.diagram(source, path)
    return source.anatomy


def draw_run(run):
    """Draw the pictures that the files in the run directory `run` (str or Path) allow; return the paths written.

    history.csv gives plots/curves.png; samples.npz samples.png; predictions.npz confusion.png; both of them
    mistakes.png; whatever there is gives report.html. A run in which no epoch has finished has only that. What is
    there already is replaced. Raises UserError when `run` is no run directory or a file in it is damaged; all files
    are read before the first picture is written.
    """
    run = Path(run)
    files = _read(run)
    figures, report = _figures(files), _report(run, files)
    written = []
    for name, figure in figures.items():
        path = run / "plots" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as scratch:
            save_png(figure, scratch)
        written.append(path)
    write_text(run / "report.html", report)
    return [*written, run / "report.html"]


_Files = namedtuple("_Files", "facts history result samples predictions mistakes cells")


def _read(run):
    """Return the _Files of a run, checked; None for what is not there."""
    facts = run_files.read_config(run)
    classes = len(facts["dataset"]["label_names"])
    history = run_files.read_history(run)
    result = run_files.read_result(run, len(history["epoch"])) if history else None
    samples = run_files.read_samples(run, classes)
    predictions = run_files.read_predictions(run, classes)
    mistakes, cells = (read(run, predictions) if predictions else None
                       for read in (run_files.read_mistakes, run_files.read_cells))
    return _Files(facts, history, result, samples, predictions, mistakes, cells)


def plot_run(run, what):
    """Return the Figure of one of PLOTS, drawn from the files in the run directory `run`.

    Raises UserError for a plot that does not exist, or for which the run has no data yet.
    """
    if what not in PLOTS:
        raise unknown("plot", what, PLOTS)
    figure = PLOTS[what](_read(Path(run)))
    if figure is None:
        raise UserError(f"{run} has no data for the plot {what!r} yet: " + (
            "no epoch of it has finished" if what == "curves" else "it has not been tested"))
    return figure


def _figures(files):
    """Return a dict of name and Figure of all that can be drawn of a run."""
    figures = {name: draw(files) for name, draw in PLOTS.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _report(run, files):
    architecture = run / "plots" / "architecture.svg"
    return page(files.facts, files.history, files.result, files.predictions, files.cells,
                architecture.read_bytes() if architecture.is_file() else None)


def _what(facts):
    return f"{facts['network']} on {facts['dataset']['name']}"


def _curves(files):
    if not files.history:
        return None
    facts, history, result = files.facts, files.history, files.result
    epochs = len(history["epoch"])
    best = int(result["best_epoch"]) if result else best_of(history)
    recipe = facts.get("recipe")
    requested = recipe.get("epochs") if isinstance(recipe, dict) and not result else None
    said = [f"{epochs} of {counted(requested, 'epoch')}" if isinstance(requested, int) else counted(epochs, "epoch")]
    if isinstance(facts.get("parameters"), int):
        said.insert(0, f"{facts['parameters']:,} parameters")
    if result is None:
        said.append("not finished, so not tested yet")
    elif best == epochs:
        said.append(f"test accuracy {_percent(result['test_accuracy_best'])}")
    else:
        said.append(f"test accuracy {_percent(result['test_accuracy_best'])} with the weights of epoch {best}, "
                    f"{_percent(result['test_accuracy_last'])} with the last")
    return curves(history, title=_what(facts), subtitle=" · ".join(said), best_epoch=best)


def _samples(files):
    if not files.samples:
        return None
    (images, labels), dataset = files.samples, files.facts["dataset"]
    height, width, channels = images.shape[1:]
    said = [counted(len(images), "training picture"), f"{height} × {width} {'grey' if channels == 1 else 'colour'}",
            f"{len(dataset['label_names'])} classes"]
    return sample_grid(images, labels, dataset["label_names"], title=str(dataset.get("title") or dataset["name"]),
                       subtitle=" · ".join(said))


def _mistakes(files):
    if not files.mistakes:
        return None
    return mistakes(*files.mistakes, *files.predictions, files.facts["dataset"]["label_names"],
                    subtitle=_what(files.facts))


def _confusion(files):
    if not files.predictions:
        return None
    labels, probabilities = files.predictions
    names, predicted = files.facts["dataset"]["label_names"], probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    often = most_mistaken(labels, predicted, names)
    subtitle = f"{right:,} of {counted(len(labels), 'test picture')} right ({_percent(right / len(labels))})"
    return confusion(labels, predicted, names, title=f"Confusion matrix: {_what(files.facts)}",
                     subtitle=f"{subtitle} · most often mistaken: {often}" if often else subtitle)


PLOTS = {"curves": _curves, "samples": _samples, "mistakes": _mistakes, "confusion": _confusion}


def _percent(share):
    return f"{share:.2%}".replace("%", " %")
