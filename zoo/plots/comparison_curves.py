"""The curves of several runs in one picture: validation loss and accuracy, and a key beneath."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from zoo.plots import figure as sheet, run_comparison, text_layout
from zoo.plots.learning_curves import limits
from zoo.plots.text_layout import counted

PANEL, TALL, GAP, LEFT = 330, 250, 70, 48  # points
ROW = 15  # of the key, points
COLOURS = (sheet.BLUE, sheet.VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # when there are more runs than colours
SHOWN = (("val_loss", "Validation loss", 0.1, np.inf), ("val_accuracy", "Validation accuracy", 0.05, 1))


def overlaid(runs):
    """Return the Figure of the curves of Runs of zoo.plots.run_comparison; at least one must have finished an epoch."""
    width = LEFT + 2 * PANEL + GAP + 2 * sheet.MARGIN
    said = [group.words for group in run_comparison.groups(runs)]
    head = sheet.headline(f"{counted(len(runs), 'run')} compared", " · ".join(said), width - 2 * sheet.MARGIN)
    key = [run for run in runs if run.history]
    top = sheet.MARGIN + head.height + 22
    figure = sheet.blank(width, top + TALL + 46 + ROW * len(key) + sheet.MARGIN)
    page = sheet.ruled(figure)
    sheet.write_headline(page, head)
    for place, (column, title, least, ceiling) in enumerate(SHOWN):
        axes = sheet.axes_at(figure, LEFT + sheet.MARGIN + place * (PANEL + GAP), top, PANEL, TALL)
        _draw(axes, run_comparison.lines(runs, column), title, least, ceiling)
    for place, run in enumerate(key):
        y = top + TALL + 46 + ROW * place
        page.plot([sheet.MARGIN, sheet.MARGIN + 26], [y, y], **_pen(place))
        result = run.result or {}
        test = f", test {result['test_accuracy_best']:.2%}".replace("%", " %") if result else ", not tested"
        words = f"{run.name}: {run.facts['network']} on {run.facts['dataset']['name']}{test}"
        sheet.write(page, sheet.MARGIN + 34, y, text_layout.shortened(words, 9, width - 2 * sheet.MARGIN - 34), 9,
                    va="center")
    return figure


def _pen(place):
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
            "linewidth": 1.7}


def _draw(axes, lines, title, least, ceiling):
    epochs = np.arange(1, len(lines[0][1]) + 1)
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.set_ylim(*limits(np.concatenate([values for _, values in lines]), least, ceiling))
    for place, (_, values) in enumerate(lines):
        axes.plot(epochs, values, marker="o" if len(epochs) <= 15 else None, markersize=4, clip_on=False, **_pen(place))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)))
    if ceiling == 1:
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    sheet.frame_axes(axes)
    axes.set_xlabel("epoch", size=9, color=sheet.MUTED, family=text_layout.FONT)
    sheet.write(axes, 0, 1.04, title, 10, va="baseline", weight="bold", transform=axes.transAxes)
