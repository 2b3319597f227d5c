"""The pictures of a training run, drawn from the files in its directory and written into its plots/."""

from collections import namedtuple
from pathlib import Path

from zoo.diagrams import diagram
from zoo.errors import UserError, unknown_name_error
from zoo.plots.confusion_matrix import plot_confusion_matrix, format_top_confusions
from zoo.plots.figures import save_png
from zoo.plots.image_grid import plot_misclassified, plot_samples
from zoo.plots.learning_curves import find_best_epoch, plot_learning_curves
from zoo.plots.text_layout import pluralize
from zoo.registry import ModelConfig
from zoo.reports.run import render_run_page
from zoo.training import run_files
from zoo.utils.io import write_text, atomic_write


def draw_model(model, path):
    """Draw the architecture of a ModelConfig's model, or of a Keras model, into the file `path`, None for no file.

    Return its ModelSummary.
    """
    source = diagram.make_source_from_config(model) if isinstance(model, ModelConfig) else diagram.make_source_from_model(model)
    if path is not None:
        diagram.draw_diagram(source, path)
    return source.model_summary


def draw_run(run):
    """Draw the pictures that the files in the run directory `run` (str or Path) allow; return the paths written.

    history.csv gives plots/curves.png; samples.npz samples.png; predictions.npz confusion.png; both of them
    mistakes.png; whatever there is gives report.html. A run in which no epoch has finished has only that. What is
    there already is replaced. Raises UserError when `run` is no run directory or a file in it is damaged; all files
    are read before the first picture is written.
    """
    run = Path(run)
    files = _read_run_files(run)
    figures, report = _draw_figures(files), _render_report(run, files)
    written = []
    for name, figure in figures.items():
        path = run / "plots" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        with atomic_write(path) as scratch:
            save_png(figure, scratch)
        written.append(path)
    write_text(run / "report.html", report)
    return [*written, run / "report.html"]


_RunFiles = namedtuple("_RunFiles", "config history result samples predictions misclassified confusion_examples")


def _read_run_files(run):
    """Return the _Files of a run, checked; None for what is not there."""
    facts = run_files.read_config(run)
    classes = len(facts["dataset"]["class_names"])
    history = run_files.read_history(run)
    result = run_files.read_result(run, len(history["epoch"])) if history else None
    samples = run_files.read_samples(run, classes)
    predictions = run_files.read_predictions(run, classes)
    mistakes, cells = (read(run, predictions) if predictions else None
                       for read in (run_files.read_mistakes, run_files.read_confusion_examples))
    return _RunFiles(facts, history, result, samples, predictions, mistakes, cells)


def plot_run(run, plot_name):
    """Return the Figure of one of PLOTS, drawn from the files in the run directory `run`.

    Raises UserError for a plot that does not exist, or for which the run has no data yet.
    """
    if plot_name not in RUN_PLOTS:
        raise unknown_name_error("plot", plot_name, RUN_PLOTS)
    figure = RUN_PLOTS[plot_name](_read_run_files(Path(run)))
    if figure is None:
        raise UserError(f"{run} has no data for the plot {plot_name!r} yet: " + (
            "no epoch of it has finished" if plot_name == "curves" else "it has not been tested"))
    return figure


def _draw_figures(files):
    """Return a dict of name and Figure of all that can be drawn of a run."""
    figures = {name: draw(files) for name, draw in RUN_PLOTS.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _render_report(run, files):
    architecture = run / "plots" / "architecture.svg"
    return render_run_page(files.config, files.history, files.result, files.predictions, files.confusion_examples,
                           architecture.read_bytes() if architecture.is_file() else None)


def _format_run_title(config):
    return f"{config['network']} on {config['dataset']['name']}"


def _plot_curves(files):
    if not files.history:
        return None
    facts, history, result = files.config, files.history, files.result
    epochs = len(history["epoch"])
    best = int(result["best_epoch"]) if result else find_best_epoch(history)
    recipe = facts.get("recipe")
    requested = recipe.get("epochs") if isinstance(recipe, dict) and not result else None
    said = [f"{epochs} of {pluralize(requested, 'epoch')}" if isinstance(requested, int)
            else pluralize(epochs, "epoch")]
    if isinstance(facts.get("parameters"), int):
        said.insert(0, f"{facts['parameters']:,} parameters")
    if result is None:
        said.append("not finished, so not tested yet")
    elif best == epochs:
        said.append(f"test accuracy {_format_percent(result['test_accuracy_best'])}")
    else:
        said.append(f"test accuracy {_format_percent(result['test_accuracy_best'])} with the weights of epoch {best}, "
                    f"{_format_percent(result['test_accuracy_last'])} with the last")
    return plot_learning_curves(history, title=_format_run_title(facts), subtitle=" · ".join(said), best_epoch=best)


def _plot_samples(files):
    if not files.samples:
        return None
    (images, labels), dataset = files.samples, files.config["dataset"]
    height, width, channels = images.shape[1:]
    said = [pluralize(len(images), "training picture"), f"{height} × {width} {'grey' if channels == 1 else 'colour'}",
            f"{len(dataset['class_names'])} classes"]
    return plot_samples(images, labels, dataset["class_names"], title=str(dataset.get("title") or dataset["name"]),
                        subtitle=" · ".join(said))


def _plot_misclassified(files):
    if not files.misclassified:
        return None
    return plot_misclassified(*files.misclassified, *files.predictions, files.config["dataset"]["class_names"],
                              subtitle=_format_run_title(files.config))


def _plot_confusion(files):
    if not files.predictions:
        return None
    labels, probabilities = files.predictions
    names, predicted = files.config["dataset"]["class_names"], probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    often = format_top_confusions(labels, predicted, names)
    subtitle = f"{right:,} of {pluralize(len(labels), 'test picture')} right ({_format_percent(right / len(labels))})"
    return plot_confusion_matrix(labels, predicted, names, title=f"Confusion matrix: {_format_run_title(files.config)}",
                                 subtitle=f"{subtitle} · most often mistaken: {often}" if often else subtitle)


RUN_PLOTS = {"curves": _plot_curves, "samples": _plot_samples, "mistakes": _plot_misclassified,
             "confusion": _plot_confusion}


def _format_percent(fraction):
    return f"{fraction:.2%}".replace("%", " %")
