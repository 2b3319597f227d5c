"""Several runs as one page: the table, the spread over seeds, and the overlaid curves."""

from zoo.diagrams.html import read_asset, render_template
from zoo.plots import run_comparison
from zoo.plots.text_layout import pluralize
from zoo.reports import charts

CHART_METRICS = (("val_loss", "Validation loss", False), ("val_accuracy", "Validation accuracy", True),
                 ("loss", "Training loss", False), ("accuracy", "Training accuracy", True),
                 ("learning_rate", "Learning rate", False))


def render_comparison_page(runs):
    """Return the HTML of the page that compares Runs of zoo.plots.run_comparison."""
    curve_charts = []
    if any(run.history for run in runs):
        for column, title, is_fraction in CHART_METRICS:
            lines = [(name, f"o{index % 5}{' dash' if index % 10 > 4 else ''}", values)
                     for index, (name, values) in enumerate(run_comparison.collect_curves(runs, column))]
            curve_charts.append(charts.draw_line_chart(title, lines, is_fraction, 0))
    return render_template(
        "zoo.reports", "comparison.html", title=f"{pluralize(len(runs), 'run')} compared", charts=curve_charts,
        table=run_comparison.build_comparison_table(runs), groups=run_comparison.group_seed_runs(runs),
        style=read_asset("zoo.reports", "run.css"), script=read_asset("zoo.reports", "run.js"),
        data={"charts": charts.get_chart_data(curve_charts)})


def render_comparison_table(runs):
    """Return the table and the spread over seeds as HTML to embed in another page."""
    return render_template("zoo.reports", "comparison_table.html", table=run_comparison.build_comparison_table(runs),
                           groups=run_comparison.group_seed_runs(runs))
