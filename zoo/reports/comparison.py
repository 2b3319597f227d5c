"""Several runs as one page: the table, the spread over seeds, and the curves over each other."""

from zoo.diagrams.html import read_asset, render_template
from zoo.plots import run_comparison
from zoo.plots.text_layout import pluralize
from zoo.reports import charts

CHART_METRICS = (("val_loss", "Validation loss", False), ("val_accuracy", "Validation accuracy", True),
                 ("loss", "Training loss", False), ("accuracy", "Training accuracy", True),
                 ("learning_rate", "Learning rate", False))


def render_comparison_page(runs):
    """Return the text of the page of Runs of zoo.plots.run_comparison."""
    drawn = []
    if any(run.history for run in runs):
        for column, title, share in CHART_METRICS:
            lines = [(name, f"o{place % 5}{' dash' if place % 10 > 4 else ''}", values)
                     for place, (name, values) in enumerate(run_comparison.collect_curves(runs, column))]
            drawn.append(charts.draw_line_chart(title, lines, share, 0))
    return render_template("zoo.reports", "comparison.html", title=f"{pluralize(len(runs), 'run')} compared",
                           charts=drawn, table=run_comparison.build_comparison_table(runs),
                           groups=run_comparison.group_seed_runs(runs), style=read_asset("zoo.reports", "run.css"),
                           script=read_asset("zoo.reports", "run.js"), data={"charts": charts.get_chart_data(drawn)})


def render_comparison_table(runs):
    """Return the table and the spread over seeds as HTML to stand in another page."""
    return render_template("zoo.reports", "comparison_table.html", table=run_comparison.build_comparison_table(runs),
                           groups=run_comparison.group_seed_runs(runs))
