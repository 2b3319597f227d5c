"""The report of a run as one HTML page that needs no network: headline numbers first, then curves, mistakes, facts.

All that comes from files is escaped by the template, or is data for the script, which writes it as text.
"""

import numpy as np

from zoo.diagrams.html import read_text, render
from zoo.plots import metric_series
from zoo.plots.text_layout import counted
from zoo.reports import charts, embedding, mistakes
from zoo.training import calibration


def page(facts, history=None, result=None, predictions=None, cells=None, architecture=None):
    """Return the text of the report.

    facts: run.json; history: {column: float (epochs,)}; result: result.json; predictions: (labels, probabilities) of
    the test split; cells: (images, indices) of some of its pictures; architecture: the bytes of an SVG. What is None
    is left out.
    """
    dataset, best = facts["dataset"], best_epoch(history, result)
    drawn = drawn_curves(history, best)
    data = {"charts": charts.data_of(drawn)}
    if predictions:
        data["matrix"] = mistakes.matrix_data(dataset["label_names"], *predictions)
    if predictions and cells and len(cells[0]):
        data["pictures"] = mistakes.pictures_data(*cells, *predictions)
    return render(
        "zoo.reports", "run.html", title=f"{facts['network']} on {dataset['name']}",
        dataset_title=dataset.get("title") or dataset["name"], finished=bool(result),
        state=state(facts, history, result), numbers=numbers(facts, history, result, predictions, best), charts=drawn,
        best=best, test=mistakes.values(dataset["label_names"], *predictions, cells) if predictions else None,
        architecture=embedding.data_address(architecture, "image/svg+xml") if architecture else None,
        tables=tables(facts), command=facts["command"] if isinstance(facts.get("command"), str) else None,
        style=read_text("zoo.reports", "run.css"), script=read_text("zoo.reports", "run.js"), data=data)


def best_epoch(history, result):
    """Return the epoch, counted from 1, whose weights are the best by validation; 0 when none has finished."""
    if result:
        return int(result["best_epoch"])
    if not history:
        return 0
    accuracy = np.where(np.isfinite(history["val_accuracy"]), history["val_accuracy"], -1)
    return int(np.argmax(accuracy)) + 1


# ---------------------------------------------------------------------------------------------------- what came out

def state(facts, history, result):
    """Return how far the run has come, in words."""
    epochs = counted(len(history["epoch"]) if history else 0, "epoch")
    asked = facts["recipe"].get("epochs") if isinstance(facts.get("recipe"), dict) else None
    if result:
        return f"finished, {epochs}"
    return f"not finished: {epochs}{f' of {asked}' if asked else ''}, not tested on the test split"


def numbers(facts, history, result, predictions, best):
    """Return the headline numbers as pairs (value, words): what the network is worth, before all else."""
    cards = []
    if result:
        cards.append((percent(result["test_accuracy_best"]), f"test accuracy, weights of epoch {best}, "
                                                             "the best by validation"))
        cards.append((percent(result["test_accuracy_last"]), "test accuracy, weights of the last epoch"))
        for key, words in (("test_top5_best", f"top-5, epoch {best}"), ("test_top5_last", "top-5, last epoch")):
            if isinstance(result.get(key), (int, float)):
                cards.append((percent(result[key]), words))
    if history:
        cards.append((percent(history["val_accuracy"][best - 1]) if np.isfinite(history["val_accuracy"][best - 1])
                      else "none", f"validation accuracy of epoch {best}"))
    if predictions:
        cards.append((f"{calibration.expected_error(predictions[1], predictions[0]):.4f}",
                      "expected calibration error"))
    if isinstance(facts.get("parameters"), int):
        cards.append((f"{facts['parameters']:,}", "parameters"))
    if result and isinstance(result.get("seconds"), (int, float)):
        cards.append((lasting(result["seconds"]), "training and testing"))
    return cards


def lasting(seconds):
    """Return a length of time in words."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def percent(share):
    return f"{100 * share:.2f} %"


def drawn_curves(history, best):
    """Return the Charts of a history."""
    if not history:
        return []
    drawn = []
    for title, share, lines in metric_series.panels(history):
        outputs = list(dict.fromkeys(line.output for line in lines))
        each = [(metric_series.said(line),
                 f"o{outputs.index(line.output) % 5} {'valid' if line.validation else 'train'}", line.values)
                for line in lines]
        drawn.append(charts.over_epochs(title, each, share, best))
    rates = [("learning rate", "o0 rate", history["learning_rate"])]
    return [*drawn, charts.over_epochs("Learning rate", rates, False, best)]


# ------------------------------------------------------------------------------------------------ what was trained

def flat(name, value):
    """Yield (name, words) of what a JSON file says, dictionaries opened."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{name} {key}" if name and name != "blueprint" else key, inner)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or "none"
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    else:
        yield name, "none" if value in (None, "") else value


def tables(facts):
    """Return (id, title, rows) of the recipe, the network, the data and the environment: all that run.json tells."""
    dataset = {key: value for key, value in facts["dataset"].items() if key not in ("label_names", "title")}
    network = {key: facts[key] for key in ("network", "parameters", "blueprint") if key in facts}
    kept = {key: value for key, value in facts.items() if key not in (*network, "recipe", "dataset", "command")}
    told = {"recipe": ("Recipe", facts.get("recipe")), "network": ("Network", network), "data": ("Data", dataset),
            "environment": ("Environment", kept)}
    return [(name, title, [*flat("", content)]) for name, (title, content) in told.items()
            if isinstance(content, dict) and content]
