"""The plots of a training run, drawn from the files in its directory and written into its plots/, and its report."""

from collections import namedtuple
from pathlib import Path

from zoo.diagrams import diagram
from zoo.errors import UserError, unknown_name_error
from zoo.plots.confusion_matrix import format_top_confusions, plot_confusion_matrix
from zoo.plots.figures import write_png
from zoo.plots.image_grid import plot_misclassified, plot_samples
from zoo.plots.learning_curves import plot_learning_curves
from zoo.registry import ModelConfig
from zoo.reports.run import render_run_page, resolve_best_epoch
from zoo.training import run_files, run_samples
from zoo.utils.io import write_text
from zoo.utils.text import pluralize


def draw_model(model, path):
    """Draw the architecture of a ModelConfig or a Keras model to the file `path`, or not if it is None.

    Return the ModelSummary of the model.
    """
    make_source = diagram.make_source_from_config if isinstance(model, ModelConfig) else diagram.make_source_from_model
    source = make_source(model)
    if path is not None:
        diagram.draw_diagram(source, path)
    return source.model_summary


def draw_run(run):
    """Draw all plots for which the run directory `run` (str or Path) has data, and the report; return their paths.

    history.csv is drawn to plots/curves.png; samples.npz to samples.png; predictions.npz to confusion.png; both of them
    to misclassified.png; report.html includes whatever exists. Before the first epoch has finished there is only the
    report. Existing files are replaced. Raises UserError when `run` is not a run directory or a file in it is damaged;
    all files are read before the first plot is written.
    """
    run = Path(run)
    files = _read_run_files(run)
    figures, report = _draw_figures(files), _render_report(run, files)
    written = []
    for name, figure in figures.items():
        path = run / "plots" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_png(figure, path)
        written.append(path)
    write_text(run / "report.html", report)
    return [*written, run / "report.html"]


_RunFiles = namedtuple("_RunFiles", "config history result samples predictions misclassified confusion_examples")


def _read_run_files(run):
    """Return the validated _RunFiles of a run, with None for files that do not exist."""
    config = run_files.read_config(run)
    num_classes = len(config["dataset"]["class_names"])
    history = run_files.read_history(run)
    result = run_files.read_result(run, len(history["epoch"])) if history else None
    samples = run_samples.read_samples(run, num_classes)
    predictions = run_samples.read_predictions(run, num_classes)
    misclassified = run_samples.read_misclassified(run, predictions) if predictions else None
    confusion_examples = run_samples.read_confusion_examples(run, predictions) if predictions else None
    return _RunFiles(config, history, result, samples, predictions, misclassified, confusion_examples)


def plot_run(run, plot_name):
    """Return the Figure of one of RUN_PLOTS, drawn from the files in the run directory `run`.

    Raises UserError for an unknown plot, or one for which the run has no data yet.
    """
    if plot_name not in RUN_PLOTS:
        raise unknown_name_error("plot", plot_name, RUN_PLOTS)
    files = _read_run_files(Path(run))
    modality = run_files.get_run_modality(files.config)
    if plot_name not in modality.plots:
        raise UserError(f"the plot {plot_name!r} is not available for {modality.plural}; choose from: "
                        f"{', '.join(modality.plots)}")
    figure = RUN_PLOTS[plot_name](files)
    if figure is None:
        raise UserError(f"{run} has no data for the plot {plot_name!r} yet: " + (
            "no epoch has finished" if plot_name == "curves" else "it has not been tested"))
    return figure


def _draw_figures(files):
    """Return {name: Figure} of all plots for which the run has data."""
    figures = {name: RUN_PLOTS[name](files) for name in run_files.get_run_modality(files.config).plots}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _render_report(run, files):
    architecture = run / "plots" / "architecture.svg"
    make_examples = run_files.get_run_modality(files.config).get_function("make_report_examples")
    examples = make_examples(run, files) if files.predictions else {}
    return render_run_page(files.config, files.history, files.result, files.predictions, **examples,
                           architecture=architecture.read_bytes() if architecture.is_file() else None)


def _format_run_title(config):
    return f"{config['model']} on {config['dataset']['name']}"


def _plot_curves(files):
    if not files.history:
        return None
    config, history, result = files.config, files.history, files.result
    epochs = len(history["epoch"])
    best_epoch = resolve_best_epoch(history, result)
    recipe = config.get("recipe")
    requested = recipe.get("epochs") if isinstance(recipe, dict) and not result else None
    parts = [f"{epochs} of {pluralize(requested, 'epoch')}" if isinstance(requested, int)
             else pluralize(epochs, "epoch")]
    if isinstance(config.get("parameters"), int):
        parts.insert(0, f"{config['parameters']:,} parameters")
    if result is None:
        parts.append("not finished, not tested yet")
    elif best_epoch == epochs:
        parts.append(f"test accuracy {result['test_accuracy_best']:.2%}")
    else:
        parts.append(f"test accuracy {result['test_accuracy_best']:.2%} with the weights of epoch "
                     f"{best_epoch}, {result['test_accuracy_last']:.2%} with the last")
    return plot_learning_curves(history, title=_format_run_title(config), subtitle=" · ".join(parts),
                                best_epoch=best_epoch)


def _plot_samples(files):
    if not files.samples:
        return None
    (images, labels), dataset = files.samples, files.config["dataset"]
    height, width, channels = images.shape[1:]
    parts = [pluralize(len(images), "training image"), f"{height} × {width} {'grayscale' if channels == 1 else 'RGB'}",
             f"{len(dataset['class_names'])} classes"]
    return plot_samples(images, labels, dataset["class_names"], title=str(dataset.get("title") or dataset["name"]),
                        subtitle=" · ".join(parts))


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
    num_correct, noun = int((predicted == labels).sum()), run_files.get_run_modality(files.config).name
    top_confusions = format_top_confusions(labels, predicted, names)
    subtitle = (f"{num_correct:,} of {pluralize(len(labels), f'test {noun}')} correct "
                f"({num_correct / len(labels):.2%})")
    if top_confusions:
        subtitle += f" · most confused: {top_confusions}"
    return plot_confusion_matrix(labels, predicted, names, title=f"Confusion matrix: {_format_run_title(files.config)}",
                                 subtitle=subtitle)


RUN_PLOTS = {"curves": _plot_curves, "samples": _plot_samples,
             "misclassified": _plot_misclassified, "confusion": _plot_confusion}
