"""The report of a run as one HTML page that needs no network: headline numbers first, then curves, mistakes, facts.

All that comes from files is escaped, or is data for the script, which writes it as text.
"""

from importlib.resources import files

import numpy as np

from zoo.plots import metric_series
from zoo.plots.text_layout import counted
from zoo.reports import charts, embedding, mistakes
from zoo.reports.html import percent, section, text
from zoo.training import calibration

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


def assembled(title, sections, data):
    """Return a page of HTML `sections`, with our script, our style and what `data` holds for the script."""
    here = files("zoo.reports")
    script, style = ("\n" + here.joinpath(name).read_text("utf-8") for name in ("run.js", "run.css"))
    return PAGE.format(title=text(title), style=style, script=script, body="\n".join(filter(None, sections)),
                       data=embedding.packed(data), script_hash=embedding.hashed(script),
                       style_hash=embedding.hashed(style))


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
        data["matrix"] = mistakes.matrix_data(facts["dataset"]["label_names"], *predictions)
    if predictions and cells and len(cells[0]):
        data["pictures"] = mistakes.pictures_data(*cells, *predictions)
    return assembled(title, [
        header(title, facts, history, result), numbers(facts, history, result, predictions, best), curves(drawn, best),
        *tested(facts, predictions, cells),
        drawing(architecture, title), tables(facts), command(facts)], data)


def tested(facts, predictions, cells):
    """Return the sections that the test split fills; none of a run that was not tested."""
    if not predictions:
        return []
    names = facts["dataset"]["label_names"]
    return [mistakes.matrix(*predictions, names), mistakes.worst(predictions, cells), mistakes.trust(*predictions),
            mistakes.classes(*predictions, names)]


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
    for title, share, lines in metric_series.panels(history):
        outputs = list(dict.fromkeys(line.output for line in lines))
        each = [(metric_series.said(line),
                 f"o{outputs.index(line.output) % 5} {'valid' if line.validation else 'train'}", line.values)
                for line in lines]
        drawn.append(charts.over_epochs(title, each, share, best))
    rates = [("learning rate", "o0 rate", history["learning_rate"])]
    return [*drawn, charts.over_epochs("Learning rate", rates, False, best)]


def chart_figures(drawn):
    """Return Charts with their keys, which tell the last values until somebody points at an epoch."""
    figures = []
    for place, chart in enumerate(drawn):
        key = "".join(f'<li><i class="{kind}"></i><span>{text(name)}</span> '
                      f'<output>{text(charts.at_the_end(values))}</output></li>'
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


# ------------------------------------------------------------------------------------------------ what was trained

def drawing(architecture, title):
    if not architecture:
        return ""
    return section("architecture", "Architecture", f'<div class="scroll paper"><img alt="The architecture of '
                   f'{text(title)}" src="{embedding.data_address(architecture, "image/svg+xml")}"></div>')


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
