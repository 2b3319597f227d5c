"""Learning curves: loss and accuracy over the epochs, the learning rate beneath."""

import numpy as np
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from zoo.plots import figures as sheet, metric_series, text_layout

# Width of a panel, its height and that of the learning rate beneath, points
PANEL_WIDTH, PANEL_HEIGHT, LR_HEIGHT = 268, 230, 30
# Room for the numbers, for the words at the lines' ends, between the panels
LEFT_MARGIN, LABEL_WIDTH, PANEL_GAP = 52, 104, 34
FONT_SIZE = 9  # font size, points
TRAIN_COLOR, TRAIN_TEXT_COLOR = "#8C96A3", "#6B7480"  # the dashed line and, a little darker to be read, its words
AUX_COLORS = ("#000000", "#009E73", "#A85C8A", "#B07C00")  # of further outputs; the first is the main one's place
TICK_STEPS = (1, 2, 2.5, 5, 10)  # between two ticks, times a power of ten


def plot_learning_curves(history, *, title, subtitle="", best_epoch=None):
    """Return the Figure of a run's learning curves.

    history: dict of float arrays of one length, a value per epoch: epoch (1, 2, ...), learning_rate, loss,
    accuracy, val_loss, val_accuracy, and more losses and accuracies such as aux1_loss; accuracies within 0..1.
    Values that are not finite leave a gap.
    best_epoch: the epoch that is marked; without it the first with the highest validation accuracy.
    """
    if best_epoch is None:
        best_epoch = find_best_epoch(history)
    width = LEFT_MARGIN + 2 * (PANEL_WIDTH + LABEL_WIDTH) + PANEL_GAP
    head = sheet.layout_headline(title, subtitle, width - 2 * sheet.MARGIN)
    top = sheet.MARGIN + head.height + 22
    figure = sheet.create_figure(width, top + PANEL_HEIGHT + 12 + LR_HEIGHT + 52)
    sheet.add_headline(sheet.add_full_axes(figure), head)
    for column, draw in enumerate((_draw_loss, _draw_accuracy)):
        left = LEFT_MARGIN + column * (PANEL_WIDTH + LABEL_WIDTH + PANEL_GAP)
        draw(sheet.add_axes(figure, left, top, PANEL_WIDTH, PANEL_HEIGHT), history, best_epoch)
        _draw_learning_rates(sheet.add_axes(figure, left, top + PANEL_HEIGHT + 12, PANEL_WIDTH, LR_HEIGHT), history)
    return figure


def find_best_epoch(history):
    """Return the epoch (counted from 1) with the highest validation accuracy, the first of equals."""
    accuracy = np.where(np.isfinite(history["val_accuracy"]), history["val_accuracy"], -1)
    return int(history["epoch"][np.argmax(accuracy)])


def _draw_loss(axes, history, best_epoch):
    (panel,) = [panel for panel in metric_series.build_panels(history) if panel.title == "Loss"]
    axes.set_ylim(*compute_axis_limits(np.concatenate([line.values for line in panel.lines]), 0.1, np.inf))
    _draw_lines(axes, history["epoch"], panel, _format_loss)
    _mark_best(axes, best_epoch, history["val_loss"][best_epoch - 1])


def _draw_accuracy(axes, history, best_epoch):
    (panel,) = [panel for panel in metric_series.build_panels(history) if panel.title == "Accuracy"]
    values = [line.values for line in panel.lines]
    axes.set_ylim(*compute_axis_limits(np.concatenate(values), 0.05, 1))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    _draw_lines(axes, history["epoch"], panel, _format_accuracy)
    best = history["val_accuracy"][best_epoch - 1]
    _mark_best(axes, best_epoch, best)
    _annotate_best(axes, best_epoch, best, history["epoch"], values)


def compute_axis_limits(values, min_span, upper_bound):
    """Return the ends of an axis that holds all finite values with some air, within 0..ceiling, not narrower than
    least_span: else a single epoch would be drawn under a microscope."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    air = max(0.07 * (high - low), (min_span - (high - low)) / 2)
    return max(min(0.0, low), low - air), min(upper_bound, high + air)


def _format_loss(value):
    return f"{value:.3f}" if 0.01 <= value < 1000 else f"{value:.2g}"


def _format_accuracy(value):
    return f"{100 * value:.1f} %"


def _draw_lines(axes, epochs, panel, format_value):
    """Draw the lines of a panel, float (epochs,) each, and write at their ends what they are and their last values."""
    _style_axes(axes, epochs)
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=TICK_STEPS))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    sheet.add_text(axes, 0, 1.04, panel.title, 10, va="baseline", weight="bold", transform=axes.transAxes)
    marker = "o" if len(epochs) <= 15 else None  # a single epoch is a point, and sixty points are a smear
    outputs, ends = list(dict.fromkeys(line.output for line in panel.lines)), []
    for line in panel.lines:
        name = line.output or ("validation" if line.is_validation else "train")
        color = letters = AUX_COLORS[outputs.index(line.output) % len(AUX_COLORS)] if line.output else sheet.BLUE
        if not line.output and not line.is_validation:
            color, letters = TRAIN_COLOR, TRAIN_TEXT_COLOR
        style, wide = ("-", 1.8) if line.is_validation else ((0, (4, 2)), 1.4)
        axes.plot(epochs, line.values, color=color, linestyle=style, linewidth=wide, marker=marker, markersize=4,
                  clip_on=False)
        ends.append((line.values[-1], f"{name} {format_value(line.values[-1])}", letters))
    _label_ends(axes, ends)


def _style_axes(axes, epochs):
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)))
    sheet.frame_axes(axes)


def _label_ends(axes, ends):
    """Write (value, words, colour) beside the right ends of the lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    ends = sorted(ends, key=lambda end: _scale_to_axis(end[0], low, high))
    places = spread_labels([float(_scale_to_axis(value, low, high)) for value, *_ in ends],
                           FONT_SIZE * 1.35 / PANEL_HEIGHT)
    for y, (_, words, color) in zip(places, ends, strict=True):
        sheet.add_text(axes, 1 + 7 / PANEL_WIDTH, y, words, FONT_SIZE, color=color, va="center",
                       transform=axes.transAxes)


def spread_labels(heights, min_distance):
    """Return `heights`, rising, within 0..1, moved as little as may be so that neighbours are `need` apart.

    Those that would touch stand around their common middle.
    """
    groups = []  # [middle, how many]
    for height in heights:
        groups.append([height, 1])
        while True:
            middle, count = groups[-1]
            groups[-1][0] = middle = min(max(middle, count * min_distance / 2), 1 - count * min_distance / 2)
            if len(groups) < 2 or middle - groups[-2][0] >= (count + groups[-2][1]) * min_distance / 2:
                break
            before, fewer = groups.pop(-2)
            groups[-1] = [(before * fewer + middle * count) / (fewer + count), fewer + count]
    return [middle + (place - (count - 1) / 2) * min_distance for middle, count in groups for place in range(count)]


def _mark_best(axes, epoch, value):
    axes.axvline(epoch, color=sheet.VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    axes.plot([epoch], [value], "o", markersize=8, markerfacecolor="none", markeredgecolor=sheet.VERMILLION,
              markeredgewidth=1.5, clip_on=False, zorder=4)


def _annotate_best(axes, epoch, value, epochs, lines):
    """Write the best epoch and its value beside its mark: as near as may be where no curve passes."""
    words = f"best epoch {epoch}\n{_format_accuracy(value)}"
    wide = max(text_layout.estimate_text_width(line, FONT_SIZE) for line in words.split("\n")) / PANEL_WIDTH
    tall, gap = 2.4 * FONT_SIZE / PANEL_HEIGHT, 9 / PANEL_WIDTH
    low, high = axes.get_ylim()
    at, mark = (epoch - 0.5) / len(epochs), _scale_to_axis(value, low, high)
    dense = np.linspace(epochs[0], epochs[-1], 500)
    x = np.tile((dense - 0.5) / len(epochs), len(lines))
    y = np.concatenate([_scale_to_axis(np.interp(dense, epochs, line), low, high) for line in lines])

    def crossed(left, bottom):
        inside = (left - gap <= x) & (x <= left + wide + gap) & (bottom - 0.03 <= y) & (y <= bottom + tall + 0.03)
        return inside.sum()

    lefts = [left for left in (at - gap - wide, at + gap) if 0 <= left <= 1 - wide]
    spots = [(left, bottom) for left in lefts for bottom in np.linspace(0.02, 0.98 - tall, 25)]
    left, bottom = min(spots, key=lambda spot: (crossed(*spot), abs(spot[1] + tall / 2 - mark)))
    ha, x = ("right", at - gap) if left < at else ("left", at + gap)
    sheet.add_text(axes, x, bottom, words, FONT_SIZE, color=sheet.VERMILLION, ha=ha, va="bottom",
                   transform=axes.transAxes)


def _draw_learning_rates(axes, history):
    """Draw the learning rate of each epoch as steps; on a logarithmic scale when it falls far in a few steps."""
    epochs, rates = history["epoch"], history["learning_rate"]
    _style_axes(axes, epochs)
    least, most = float(np.min(rates)), float(np.max(rates))
    if least > 0 and most / least > 20 and len(np.unique(rates)) <= 8:
        axes.set_yscale("log")
        floor, ceiling, marks = least / 2, most * 1.5, (least, most)
    else:
        floor, ceiling, marks = 0, most * 1.15 or 1, (0, most)
    axes.stairs(rates, np.arange(len(epochs) + 1) + 0.5, baseline=floor, fill=True, color="#C9CED6")
    axes.set_ylim(floor, ceiling)
    axes.yaxis.set_major_locator(FixedLocator(marks))
    axes.yaxis.set_major_formatter(lambda rate, _: f"{rate:.2g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("epoch", size=FONT_SIZE, color=sheet.MUTED_COLOR, family=text_layout.FONT)
    sheet.add_text(axes, 1 + 7 / PANEL_WIDTH, 0.5, "learning rate", FONT_SIZE, color=sheet.MUTED_COLOR, va="center",
                   transform=axes.transAxes)


def _scale_to_axis(value, low, high):
    """Return where `value` stands between low (0) and high (1); half way up for what is not finite."""
    return np.nan_to_num((value - low) / (high - low), nan=0.5, posinf=0.5, neginf=0.5)
