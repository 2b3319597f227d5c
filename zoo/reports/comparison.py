"""Several runs as one page: the table, the spread over seeds, and the overlaid curves."""

from zoo.diagrams.html import read_asset, render_template
from zoo.plots.comparison_curves import collect_curves
from zoo.reports import charts
from zoo.utils.text import pluralize

CHART_METRICS = (("val_loss", "Validation loss", False), ("val_accuracy", "Validation accuracy", True),
                 ("loss", "Training loss", False), ("accuracy", "Training accuracy", True),
                 ("learning_rate", "Learning rate", False))


def render_comparison_page(runs, table, seed_groups):
    """Return the HTML of the page that compares runs.

    runs: RunSummary objects. table, seed_groups: their ComparisonTable and SeedGroups, see zoo.runs.comparison.
    """
    curve_charts = []
    if any(run.history for run in runs):
        for column, title, is_fraction in CHART_METRICS:
            lines = [(name, f"o{index % 5}{' dash' if index % 10 > 4 else ''}", values)
                     for index, (name, values) in enumerate(collect_curves(runs, column))]
            curve_charts.append(charts.draw_line_chart(title, lines, is_fraction, 0))
    return render_template(
        "zoo.reports", "comparison.html", title=f"{pluralize(len(runs), 'run')} compared", charts=curve_charts,
        table=table, groups=seed_groups,
        style=read_asset("zoo.reports", "run.css"), script=read_asset("zoo.reports", "run.js"),
        data={"charts": charts.get_chart_data(curve_charts)})


def render_comparison_table(table, seed_groups):
    """Return the table and the spread over seeds as HTML to embed in another page."""
    return render_template("zoo.reports", "comparison_table.html", table=table, groups=seed_groups)
