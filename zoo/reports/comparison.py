"""Several runs as one page: the table, the spread over seeds, and the curves over each other."""

from zoo.plots import run_comparison
from zoo.plots.text_layout import counted
from zoo.reports import charts
from zoo.reports.html import section, text
from zoo.reports.run import assembled, chart_figures

SHOWN = (("val_loss", "Validation loss", False), ("val_accuracy", "Validation accuracy", True),
         ("loss", "Training loss", False), ("accuracy", "Training accuracy", True),
         ("learning_rate", "Learning rate", False))


def comparing(runs):
    """Return the text of the page of Runs of zoo.plots.run_comparison."""
    drawn = []
    if any(run.history for run in runs):
        for column, title, share in SHOWN:
            lines = [(name, f"o{place % 5}{' dash' if place % 10 > 4 else ''}", values)
                     for place, (name, values) in enumerate(run_comparison.lines(runs, column))]
            drawn.append(charts.over_epochs(title, lines, share, 0))
    data = {"charts": [{"names": chart.names, "classes": chart.classes, "values": chart.values} for chart in drawn]}
    title = f"{counted(len(runs), 'run')} compared"
    return assembled(title, [f"<header><h1>{text(title)}</h1></header>", table(runs), spreads(runs),
                             section("curves", "Curves", chart_figures(drawn),
                                     '<p class="hint">Point at a curve for its values, or use the arrow keys.</p>')
                             if drawn else ""], data)


def table(runs):
    head, rows = run_comparison.table(runs)
    cells = "".join(f"<th scope=col>{text(name)}</th>" for name in head)
    body = "".join(f"<tr><th scope=row>{text(first)}</th>{''.join(f'<td>{text(each)}</td>' for each in rest)}</tr>"
                   for first, *rest in rows)
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def spreads(runs):
    found = run_comparison.groups(runs)
    said = "".join(f"<p>{text(group.words)}. <span class=hint>{text(', '.join(group.names))}</span></p>"
                   for group in found)
    return section("spread", "Over seeds", "<p>Mean and standard deviation of runs that differ by the seed alone.</p>",
                   said) if found else ""
