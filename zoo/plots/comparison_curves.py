"""Learning curves of several runs in one figure: validation loss and accuracy, with a legend below."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from zoo.plots import figures, text_layout
from zoo.plots.learning_curves import compute_axis_limits
from zoo.utils.text import pluralize

PANEL_WIDTH, PANEL_HEIGHT, PANEL_GAP, LEFT_MARGIN = 330, 250, 70, 48  # points
LEGEND_ROW_HEIGHT = 15  # points
LINE_COLORS = (figures.BLUE, figures.VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
LINE_STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # line styles for more runs than colors
PANEL_METRICS = (("val_loss", "Validation loss", 0.1, np.inf), ("val_accuracy", "Validation accuracy", 0.05, 1))


def plot_run_comparison(runs, seed_summaries):
    """Return the Figure of the curves of RunSummary objects, of which at least one must have finished an epoch.

    seed_summaries: list of str, the results over seeds, for the subtitle.
    """
    width = LEFT_MARGIN + 2 * PANEL_WIDTH + PANEL_GAP + 2 * figures.MARGIN
    headline = figures.layout_headline(f"{pluralize(len(runs), 'run')} compared", " · ".join(seed_summaries),
                                       width - 2 * figures.MARGIN)
    runs_with_history = [run for run in runs if run.history]
    top = figures.MARGIN + headline.height + 22
    figure = figures.create_figure(width, top + PANEL_HEIGHT + 46 + LEGEND_ROW_HEIGHT * len(runs_with_history)
                                   + figures.MARGIN)
    page = figures.add_full_axes(figure)
    figures.add_headline(page, headline)
    for index, (column, title, min_span, upper_bound) in enumerate(PANEL_METRICS):
        axes = figures.add_axes(figure, LEFT_MARGIN + figures.MARGIN + index * (PANEL_WIDTH + PANEL_GAP), top,
                                PANEL_WIDTH, PANEL_HEIGHT)
        _draw_metric(axes, collect_curves(runs, column), title, min_span, upper_bound)
    for index, run in enumerate(runs_with_history):
        y = top + PANEL_HEIGHT + 46 + LEGEND_ROW_HEIGHT * index
        page.plot([figures.MARGIN, figures.MARGIN + 26], [y, y], **_choose_line_style(index))
        result = run.result or {}
        test = f", test {result['test_accuracy_best']:.2%}" if result else ", not tested"
        label = f"{run.name}: {run.config['model']} on {run.config['dataset']['name']}{test}"
        figures.add_text(page, figures.MARGIN + 34, y,
                         text_layout.truncate_text(label, 9, width - 2 * figures.MARGIN - 34), 9, va="center")
    return figure


def collect_curves(runs, column):
    """Return [(run name, float (epochs,))] of a history column, padded with NaN to the length of the longest run."""
    num_epochs = max(len(run.history["epoch"]) for run in runs if run.history)
    return [(run.name, np.pad(run.history[column], (0, num_epochs - len(run.history["epoch"])), constant_values=np.nan))
            for run in runs if run.history]


def _choose_line_style(index):
    return {"color": LINE_COLORS[index % len(LINE_COLORS)],
            "linestyle": LINE_STYLES[index // len(LINE_COLORS) % len(LINE_STYLES)], "linewidth": 1.7}


def _draw_metric(axes, curves, title, min_span, upper_bound):
    epochs = np.arange(1, len(curves[0][1]) + 1)
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.set_ylim(*compute_axis_limits(np.concatenate([values for _, values in curves]), min_span, upper_bound))
    for index, (_, values) in enumerate(curves):
        axes.plot(epochs, values, marker="o" if len(epochs) <= 15 else None, markersize=4, clip_on=False,
                  **_choose_line_style(index))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)))
    if upper_bound == 1:
        axes.yaxis.set_major_formatter(lambda fraction, _: f"{100 * fraction:.4g}%")
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    figures.frame_axes(axes)
    axes.set_xlabel("epoch", size=9, color=figures.MUTED_COLOR, family=text_layout.FONT)
    figures.add_text(axes, 0, 1.04, title, 10, va="baseline", weight="bold", transform=axes.transAxes)
