"""The report of a run as one HTML page that needs no network: headline numbers first, then curves, mistakes, facts.

All that comes from files is escaped, or is data for the script, which writes it as text.
"""

from html import escape
from importlib.resources import files

import numpy as np

from zoo.pictures import series
from zoo.pictures.lettering import counted, plain
from zoo.pictures.measure import printable
from zoo.pictures.report import charts, embedded
from zoo.training import calibration

WORST = 24  # mistakes shown
OFTEN = 8  # pairs of classes named
LIKELY = 3  # classes told of each picture

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; script-src '{script_hash}'; \
style-src '{style_hash}'; base-uri 'none'; form-action 'none'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="held">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def text(words):
    """Return what a file said, as it can stand in a page."""
    return escape(printable(str(words)))


def percent(share):
    return f"{100 * share:.2f} %"


def assembled(title, sections, data):
    """Return a page of HTML `sections`, with our script, our style and what `data` holds for the script."""
    here = files("zoo.pictures.report")
    script, style = ("\n" + here.joinpath(name).read_text("utf-8") for name in ("page.js", "page.css"))
    return PAGE.format(title=text(title), style=style, script=script, body="\n".join(filter(None, sections)),
                       data=embedded.packed(data), script_hash=embedded.hashed(script),
                       style_hash=embedded.hashed(style))


def page(facts, history=None, result=None, predictions=None, cells=None, architecture=None):
    """Return the text of the report.

    facts: run.json; history: {column: float (epochs,)}; result: result.json; predictions: (labels, probabilities) of
    the test split; cells: (images, indices) of some of its pictures; architecture: the bytes of an SVG. What is None
    is left out.
    """
    title = f"{facts['network']} on {facts['dataset']['name']}"
    best = best_epoch(history, result)
    drawn = drawn_curves(history, best)
    data = {"charts": [{"names": chart.names, "classes": chart.classes, "values": chart.values} for chart in drawn]}
    if predictions:
        data["matrix"] = matrix_data(facts["dataset"]["label_names"], *predictions)
    if predictions and cells and len(cells[0]):
        data["pictures"] = pictures_data(*cells, *predictions)
    return assembled(title, [
        header(title, facts, history, result), numbers(facts, history, result, predictions, best), curves(drawn, best),
        matrix(predictions, facts), worst(predictions, cells), trust(predictions), classes(predictions, facts),
        drawing(architecture, title), tables(facts), command(facts)], data)


def section(name, title, *parts):
    return "\n".join([f'<section id="{name}"><h2>{title}</h2>', *filter(None, parts), "</section>"])


def best_epoch(history, result):
    """Return the epoch, counted from 1, whose weights are the best by validation; 0 when none has finished."""
    if result:
        return int(result["best_epoch"])
    if not history:
        return 0
    accuracy = np.where(np.isfinite(history["val_accuracy"]), history["val_accuracy"], -1)
    return int(np.argmax(accuracy)) + 1


# ---------------------------------------------------------------------------------------------------- what came out

def header(title, facts, history, result):
    dataset, epochs = facts["dataset"], len(history["epoch"]) if history else 0
    asked = facts["recipe"].get("epochs") if isinstance(facts.get("recipe"), dict) else None
    state = (f"finished, {counted(epochs, 'epoch')}" if result else
             f"not finished: {counted(epochs, 'epoch')}" + (f" of {text(asked)}" if asked else "") +
             ", not tested on the test split")
    what = dataset.get("title") or dataset["name"]
    return (f'<header><h1>{text(title)}</h1><p>{text(what)} · '
            f'<span class="{"done" if result else "open"}">{state}</span></p></header>')


def numbers(facts, history, result, predictions, best):
    """Return the headline numbers: what the network is worth, before all else."""
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
    return '<ul id="numbers">' + "".join(f"<li><b>{text(value)}</b> <span>{text(words)}</span></li>"
                                         for value, words in cards) + "</ul>" if cards else ""


def lasting(seconds):
    """Return a length of time in words."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def drawn_curves(history, best):
    if not history:
        return []
    drawn = []
    for title, share, lines in series.panels(history):
        outputs = list(dict.fromkeys(line.output for line in lines))
        each = [(series.said(line), f"o{outputs.index(line.output) % 5} {'valid' if line.validation else 'train'}",
                 line.values) for line in lines]
        drawn.append(charts.over_epochs(title, each, share, best))
    rates = [("learning rate", "o0 rate", history["learning_rate"])]
    return [*drawn, charts.over_epochs("Learning rate", rates, False, best)]


def chart_figures(drawn):
    """Return Charts with their keys, which tell the last values until somebody points at an epoch."""
    figures = []
    for place, chart in enumerate(drawn):
        key = "".join(f'<li><i class="{kind}"></i><span>{text(name)}</span> <output>{text(charts.at_the_end(values))}</output></li>'
                      for name, kind, values in zip(chart.names, chart.classes, chart.values, strict=True))
        figures.append(f'<figure data-chart="{place}"><figcaption>{text(chart.title)} <span class="epoch">'
                       f'at the end</span></figcaption>{chart.svg}<ul class="key">{key}</ul></figure>')
    return f'<div class="charts">{"".join(figures)}</div>'


def curves(drawn, best):
    if not drawn:
        return section("curves", "Curves", "<p>No epoch has finished.</p>")
    return section("curves", "Curves", chart_figures(drawn),
                   f'<p class="hint">Point at a curve for its values, or use the arrow keys. The dotted line is '
                   f'epoch {best}, the best by validation.</p>')


# -------------------------------------------------------------------------------------------------------- mistakes

def matrix_data(names, labels, probabilities):
    """Return the classes' names and the cells of the confusion matrix that are not empty: [true, predicted, count]."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    return {"names": [printable(plain(name)) for name in names], "cells": [*map(list, zip(*pairs.tolist(),
                                                                                          counts.tolist(), strict=True))]}


def pictures_data(images, indices, labels, probabilities):
    """Return the pictures in one sheet, and of each [true, place in the test split, [[class, probability], ...]]."""
    address, columns = embedded.sheet(images)
    each = []
    for index in indices:
        row = probabilities[index].astype(np.float64)
        likely = np.argsort(-row, kind="stable")[:LIKELY]
        each.append([int(labels[index]), int(index), [[int(place), round(float(row[place]), 4)] for place in likely]])
    return {"sheet": address, "columns": columns, "height": images.shape[1], "width": images.shape[2], "each": each}


def matrix(predictions, facts):
    if not predictions:
        return ""
    labels, probabilities = predictions
    predicted = probabilities.argmax(axis=1)
    right = int((labels == predicted).sum())
    names = facts["dataset"]["label_names"]
    wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]]), axis=1, return_counts=True)
    often = "".join(
        f'<li><button data-cell="{pairs[0, i]},{pairs[1, i]}">{text(plain(names[pairs[0, i]]))} as '
        f'{text(plain(names[pairs[1, i]]))} <b>{counts[i]:,}</b></button></li>'
        for i in np.argsort(-counts, kind="stable")[:OFTEN])
    return section(
        "confusion", "Confusion matrix",
        f"<p>{right:,} of {counted(len(labels), 'test picture')} right. A row is a true class, a column what it was "
        "taken for. Choose a cell to see its pictures: with the mouse, or with the arrow keys and Enter.</p>",
        '<div class="beside"><div class="scroll"><svg id="matrix" tabindex="0" role="application" '
        'aria-label="Confusion matrix; arrow keys move, Enter shows the pictures" aria-describedby="told"></svg></div>'
        '<div id="cell"><p id="told" aria-live="polite"></p><div id="shown" class="tiles"></div></div></div>',
        f'<h3>Most often mistaken</h3><ul id="often">{often}</ul>' if often else "")


def worst(predictions, cells):
    """Return the section of the mistakes that the network was surest of, among the pictures that are kept."""
    if not predictions or not cells:
        return ""
    (labels, probabilities), (_, indices) = predictions, cells
    predicted = probabilities[indices].argmax(axis=1)
    sure = probabilities[indices].max(axis=1)
    wrong = np.flatnonzero(predicted != labels[indices])
    if not len(wrong):
        return section("worst", "Worst mistakes", "<p>There are none.</p>")
    order = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    tiles = "".join(f'<div data-picture="{place}"></div>' for place in order)
    return section("worst", "Worst mistakes", "<p>Those that the network was surest of.</p>",
                   f'<div class="tiles">{tiles}</div>')


def trust(predictions):
    if not predictions:
        return ""
    labels, probabilities = predictions
    bins = calibration.reliability(probabilities, labels)
    error = calibration.expected_error(probabilities, labels)
    sure, right = probabilities.max(axis=1).mean(), (probabilities.argmax(axis=1) == labels).mean()
    return section(
        "calibration", "Calibration",
        f"<p>The network was {100 * sure:.2f} % sure of its answers on average, and {100 * right:.2f} % of them were "
        f"right. Expected calibration error: <b>{error:.4f}</b>, the mean distance of the bars from the diagonal over "
        f"{len(bins.count)} bins of equal width, weighted by their pictures (Guo et al. 2017, arXiv:1706.04599).</p>",
        '<div class="trust">', charts.reliability(bins),
        '<ul class="key"><li><i class="right"></i>share of right answers</li><li><i class="over"></i>surer than right'
        '</li><li><i class="under"></i>less sure than right</li><li><i class="count"></i>pictures of a bin</li></ul></div>')


def classes(predictions, facts):
    if not predictions:
        return ""
    labels, probabilities = predictions
    names = facts["dataset"]["label_names"]
    of = np.bincount(labels, minlength=len(names))
    right = np.bincount(labels[probabilities.argmax(axis=1) == labels], minlength=len(names))
    rows = "".join(
        f"<tr><th scope=row>{text(plain(name))}</th><td>"
        + (f'<meter min="0" max="{count}" value="{good}"></meter></td><td>{percent(good / count)}</td>' if count else
           "</td><td>none</td>") + f"<td>{good:,} of {count:,}</td></tr>"
        for name, good, count in zip(names, right, of, strict=True))
    return section("classes", "Classes", "<p>The share of a class's test pictures that were recognised.</p>",
                   f'<table class="classes"><tbody>{rows}</tbody></table>')


# ------------------------------------------------------------------------------------------------ what was trained

def drawing(architecture, title):
    if not architecture:
        return ""
    return section("architecture", "Architecture", f'<div class="scroll paper"><img alt="The architecture of '
                   f'{text(title)}" src="{embedded.data_address(architecture, "image/svg+xml")}"></div>')


def rows(pairs):
    return "<table>" + "".join(f"<tr><th scope=row>{text(name)}</th><td>{text(value)}</td></tr>"
                               for name, value in pairs) + "</table>"


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
    """Return the recipe, the network, the data and the environment: whatever run.json says of them."""
    dataset = {key: value for key, value in facts["dataset"].items() if key not in ("label_names", "title")}
    network = {key: facts[key] for key in ("network", "parameters", "blueprint") if key in facts}
    kept = {key: value for key, value in facts.items() if key not in (*network, "recipe", "dataset", "command")}
    told = {"recipe": ("Recipe", facts.get("recipe")), "network": ("Network", network), "data": ("Data", dataset),
            "environment": ("Environment", kept)}
    each = [section(name, title, rows(flat("", content))) for name, (title, content) in told.items()
            if isinstance(content, dict) and content]
    return f'<div class="columns">{"".join(each)}</div>'


def command(facts):
    if not isinstance(facts.get("command"), str):
        return ""
    return section("command", "The command", f'<div class="command"><code>{text(facts["command"])}</code>'
                   '<button id="copy">Copy</button></div>')
