"""Several runs as one page: the table, the spread over seeds, and the curves over each other."""

from zoo.diagrams.html import read_text, render
from zoo.plots import run_comparison
from zoo.plots.text_layout import counted
from zoo.reports import charts

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
    return render("zoo.reports", "comparison.html", title=f"{counted(len(runs), 'run')} compared", charts=drawn,
                  table=run_comparison.table(runs), groups=run_comparison.groups(runs),
                  style=read_text("zoo.reports", "run.css"), script=read_text("zoo.reports", "run.js"),
                  data={"charts": charts.data_of(drawn)})


def fragment(runs):
    """Return the table and the spread over seeds as HTML to stand in another page."""
    return render("zoo.reports", "comparison_table.html", table=run_comparison.table(runs),
                  groups=run_comparison.groups(runs))
