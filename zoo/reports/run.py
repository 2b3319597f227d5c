"""The report of a run as one HTML page that needs no network: headline numbers first, then curves, mistakes, facts.

All that comes from files is escaped by the template, or is data for the script, which writes it as text.
"""

import numpy as np

from zoo.diagrams.html import read_asset, render_template
from zoo.plots import metric_series
from zoo.plots.text_layout import pluralize
from zoo.reports import charts, embedding, evaluation_section
from zoo.training import calibration


def render_run_page(config, history=None, result=None, predictions=None, confusion_examples=None, architecture=None):
    """Return the text of the report.

    facts: run.json; history: {column: float (epochs,)}; result: result.json; predictions: (labels, probabilities) of
    the test split; cells: (images, indices) of some of its pictures; architecture: the bytes of an SVG. What is None
    is left out.
    """
    dataset, best = config["dataset"], resolve_best_epoch(history, result)
    drawn = draw_curve_charts(history, best)
    data = {"charts": charts.get_chart_data(drawn)}
    if predictions:
        data["matrix"] = evaluation_section.get_matrix_data(dataset["class_names"], *predictions)
    if predictions and confusion_examples and len(confusion_examples[0]):
        data["pictures"] = evaluation_section.get_image_data(*confusion_examples, *predictions)
    return render_template(
        "zoo.reports", "run.html", title=f"{config['network']} on {dataset['name']}",
        dataset_title=dataset.get("title") or dataset["name"], finished=bool(result),
        state=format_progress(config, history, result), numbers=get_headline_metrics(config, history, result,
                                                                                     predictions, best), charts=drawn,
        best=best, test=evaluation_section.get_evaluation_data(dataset["class_names"], *predictions,
                                                               confusion_examples) if predictions else None,
        architecture=embedding.to_data_uri(architecture, "image/svg+xml") if architecture else None,
        tables=make_config_tables(config), command=config["command"] if isinstance(config.get("command"),
                                                                                   str) else None,
        style=read_asset("zoo.reports", "run.css"), script=read_asset("zoo.reports", "run.js"), data=data)


def resolve_best_epoch(history, result):
    """Return the epoch, counted from 1, whose weights are the best by validation; 0 when none has finished."""
    if result:
        return int(result["best_epoch"])
    if not history:
        return 0
    accuracy = np.where(np.isfinite(history["val_accuracy"]), history["val_accuracy"], -1)
    return int(np.argmax(accuracy)) + 1


# ---------------------------------------------------------------------------------------------------- what came out

def format_progress(config, history, result):
    """Return how far the run has come, in words."""
    epochs = pluralize(len(history["epoch"]) if history else 0, "epoch")
    asked = config["recipe"].get("epochs") if isinstance(config.get("recipe"), dict) else None
    if result:
        return f"finished, {epochs}"
    return f"not finished: {epochs}{f' of {asked}' if asked else ''}, not tested on the test split"


def get_headline_metrics(config, history, result, predictions, best_epoch):
    """Return the headline numbers as pairs (value, words): what the network is worth, before all else."""
    cards = []
    if result:
        cards.append((format_percent(result["test_accuracy_best"]), f"test accuracy, weights of epoch {best_epoch}, "
                                                             "the best by validation"))
        cards.append((format_percent(result["test_accuracy_last"]), "test accuracy, weights of the last epoch"))
        for key, words in (("test_top5_best", f"top-5, epoch {best_epoch}"), ("test_top5_last", "top-5, last epoch")):
            if isinstance(result.get(key), (int, float)):
                cards.append((format_percent(result[key]), words))
    if history:
        cards.append((format_percent(history["val_accuracy"][best_epoch - 1])
                      if np.isfinite(history["val_accuracy"][best_epoch - 1]) else "none",
                      f"validation accuracy of epoch {best_epoch}"))
    if predictions:
        cards.append((f"{calibration.compute_calibration_error(predictions[1], predictions[0]):.4f}",
                      "expected calibration error"))
    if isinstance(config.get("parameters"), int):
        cards.append((f"{config['parameters']:,}", "parameters"))
    if result and isinstance(result.get("seconds"), (int, float)):
        cards.append((format_long_duration(result["seconds"]), "training and testing"))
    return cards


def format_long_duration(seconds):
    """Return a length of time in words."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def format_percent(fraction):
    return f"{100 * fraction:.2f} %"


def draw_curve_charts(history, best_epoch):
    """Return the Charts of a history."""
    if not history:
        return []
    drawn = []
    for title, share, lines in metric_series.build_panels(history):
        outputs = list(dict.fromkeys(line.output for line in lines))
        each = [(metric_series.format_line_label(line),
                 f"o{outputs.index(line.output) % 5} {'valid' if line.is_validation else 'train'}", line.values)
                for line in lines]
        drawn.append(charts.draw_line_chart(title, each, share, best_epoch))
    rates = [("learning rate", "o0 rate", history["learning_rate"])]
    return [*drawn, charts.draw_line_chart("Learning rate", rates, False, best_epoch)]


# ------------------------------------------------------------------------------------------------ what was trained

def flatten_config(name, value):
    """Yield (name, words) of what a JSON file says, dictionaries opened."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten_config(f"{name} {key}" if name and name != "blueprint" else key, inner)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or "none"
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    else:
        yield name, "none" if value in (None, "") else value


def make_config_tables(config):
    """Return (id, title, rows) of the recipe, the network, the data and the environment: all that run.json tells."""
    dataset = {key: value for key, value in config["dataset"].items() if key not in ("class_names", "title")}
    network = {key: config[key] for key in ("network", "parameters", "blueprint") if key in config}
    kept = {key: value for key, value in config.items() if key not in (*network, "recipe", "dataset", "command")}
    told = {"recipe": ("Recipe", config.get("recipe")), "network": ("Network", network), "data": ("Data", dataset),
            "environment": ("Environment", kept)}
    return [(name, title, [*flatten_config("", content)]) for name, (title, content) in told.items()
            if isinstance(content, dict) and content]
