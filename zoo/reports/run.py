"""The report of a run as one self-contained HTML page: headline metrics, then curves, test results and run config.

Everything that comes from files is either escaped by the template, or data for the script, which writes it as text.
"""

import numpy as np

from zoo.diagrams.html import read_asset, render_template
from zoo.plots import metric_series
from zoo.plots.learning_curves import find_best_epoch
from zoo.reports import charts, embedding, evaluation_section
from zoo.training import calibration, run_files
from zoo.utils.text import pluralize

ENVIRONMENT_FIELDS = ("format", "backend", "device", "cpu", "versions", "commit")  # of run.json


def render_run_page(config, history=None, result=None, predictions=None, confusion_examples=None, architecture=None,
                    misclassified_texts=None):
    """Return the HTML of the report; what is None is left out.

    config: run.json; history: {column: float (epochs,)}; result: result.json; predictions: (labels, probabilities) on
    the test split; confusion_examples: (images, indices) of some images of the test split; architecture: the bytes of
    an SVG; misclassified_texts: the result of `text_examples.make_text_examples`.
    """
    modality = run_files.get_run_modality(config)
    dataset, best_epoch = config["dataset"], resolve_best_epoch(history, result)
    curve_charts = draw_curve_charts(history, best_epoch)
    data, evaluation = {"charts": charts.get_chart_data(curve_charts), "noun": modality.name}, None
    if predictions:
        data["matrix"] = evaluation_section.get_matrix_data(dataset["class_names"], *predictions)
        evaluation = evaluation_section.get_evaluation_data(dataset["class_names"], *predictions, confusion_examples,
                                                            modality)
    if predictions and confusion_examples and len(confusion_examples[0]):
        data["images"] = evaluation_section.get_image_data(*confusion_examples, *predictions)
    return render_template(
        "zoo.reports", "run.html", title=f"{config['model']} on {dataset['name']}",
        dataset_title=dataset.get("title") or dataset["name"], finished=bool(result),
        progress=format_progress(config, history, result),
        metrics=get_headline_metrics(config, history, result, predictions, best_epoch), charts=curve_charts,
        best_epoch=best_epoch, test=evaluation, plural=modality.plural, misclassified_texts=misclassified_texts,
        architecture=embedding.to_data_uri(architecture, "image/svg+xml") if architecture else None,
        tables=make_config_tables(config),
        command=config["command"] if isinstance(config.get("command"), str) else None,
        style=read_asset("zoo.reports", "run.css"), script=read_asset("zoo.reports", "run.js"), data=data)


def resolve_best_epoch(history, result):
    """Return the 1-based epoch with the best validation accuracy; 0 before the first epoch has finished."""
    if result:
        return int(result["best_epoch"])
    return find_best_epoch(history) if history else 0


# ------------------------------------------------------------------------------------------------------------ results

def format_progress(config, history, result):
    """Return the progress of the run as text."""
    epochs = pluralize(len(history["epoch"]) if history else 0, "epoch")
    max_epochs = config["recipe"].get("epochs") if isinstance(config.get("recipe"), dict) else None
    if result:
        return f"finished, {epochs}"
    return f"not finished: {epochs}{f' of {max_epochs}' if max_epochs else ''}, not tested on the test split"


def get_headline_metrics(config, history, result, predictions, best_epoch):
    """Return the headline metrics as pairs (value, label)."""
    cards = []
    if result:
        cards.append((f"{result['test_accuracy_best']:.2%}",
                      f"test accuracy, weights of epoch {best_epoch} (best validation accuracy)"))
        cards.append((f"{result['test_accuracy_last']:.2%}", "test accuracy, weights of the last epoch"))
        for key, label in (("test_top5_best", f"top-5, epoch {best_epoch}"), ("test_top5_last", "top-5, last epoch")):
            if isinstance(result.get(key), (int, float)):
                cards.append((f"{result[key]:.2%}", label))
    if history:
        accuracy = history["val_accuracy"][best_epoch - 1]
        cards.append((f"{accuracy:.2%}" if np.isfinite(accuracy) else "none",
                      f"validation accuracy of epoch {best_epoch}"))
    if predictions:
        cards.append((f"{calibration.compute_calibration_error(predictions[1], predictions[0]):.4f}",
                      "expected calibration error"))
    if isinstance(config.get("parameters"), int):
        cards.append((f"{config['parameters']:,}", "parameters"))
    if result and isinstance(result.get("seconds"), (int, float)):
        cards.append((format_long_duration(result["seconds"]), "training steps and testing"))
    return cards


def format_long_duration(seconds):
    """Return a duration as text."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def draw_curve_charts(history, best_epoch):
    """Return the Charts of a history, one per panel, and one of the learning rate."""
    if not history:
        return []
    curve_charts = []
    for title, is_fraction, panel_lines in metric_series.build_panels(history):
        outputs = list(dict.fromkeys(line.output for line in panel_lines))
        lines = [(metric_series.format_line_label(line),
                  f"o{outputs.index(line.output) % 5} {'validation' if line.is_validation else 'train'}", line.values)
                 for line in panel_lines]
        curve_charts.append(charts.draw_line_chart(title, lines, is_fraction, best_epoch))
    learning_rates = [("learning rate", "o0", history["learning_rate"])]
    return [*curve_charts, charts.draw_line_chart("Learning rate", learning_rates, False, best_epoch)]


# ----------------------------------------------------------------------------------------------------------- run config

def flatten_config(name, value):
    """Yield (name, text) pairs of a JSON value, with nested dictionaries flattened."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten_config(f"{name} {key}" if name and name != "model_config" else key, item)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or "none"
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    elif isinstance(value, float):
        yield name, f"{value:g}"
    elif name == "parameters":
        yield name, f"{value:,}"
    else:
        yield name, "none" if value in (None, "") else value


def make_config_tables(config):
    """Return (id, title, rows) for recipe, model, data, settings and environment: everything in run.json."""
    dataset = {key: value for key, value in config["dataset"].items() if key not in ("class_names", "title")}
    model = {key: config[key] for key in ("model", "parameters", "model_config") if key in config}
    config = config | {"class_weight": run_files.get_class_weights(config)}
    environment = {key: config[key] for key in ENVIRONMENT_FIELDS if key in config}
    settings = {key: value for key, value in config.items()
                if key not in (*model, *environment, "recipe", "dataset", "command")}
    sections = {"recipe": ("Recipe", config.get("recipe")), "model": ("Model", model), "data": ("Data", dataset),
                "settings": ("Settings", settings), "environment": ("Environment", environment)}
    return [(name, title, [*flatten_config("", content)]) for name, (title, content) in sections.items()
            if isinstance(content, dict) and content]
