"""Learning curves: loss and accuracy over the epochs, with the learning rate below."""

import numpy as np
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from zoo.plots import figures, metric_series, text_layout

# Width of a panel, its height and that of the learning rate below, points
PANEL_WIDTH, PANEL_HEIGHT, LR_HEIGHT = 268, 230, 30
# Room for the tick labels, for the labels at the line ends, and between the panels, points
LEFT_MARGIN, LABEL_WIDTH, PANEL_GAP = 52, 104, 34
FONT_SIZE = 9  # font size, points
TRAIN_COLOR, TRAIN_TEXT_COLOR = "#8C96A3", "#6B7480"  # the dashed line and, slightly darker for legibility, its label
AUX_COLORS = ("#000000", "#009E73", "#A85C8A", "#B07C00")  # of auxiliary outputs; index 0 is that of the main output
TICK_STEPS = (1, 2, 2.5, 5, 10)  # tick spacing, times a power of ten


def plot_learning_curves(history, *, title, subtitle="", best_epoch=None):
    """Return the Figure of a run's learning curves.

    history: dict of float arrays of equal length, a value per epoch: epoch (1, 2, ...), learning_rate, loss,
    accuracy, val_loss, val_accuracy, and further losses and accuracies such as aux1_loss; accuracies in 0..1.
    Non-finite values leave a gap.
    best_epoch: the epoch to mark; default: the first with the highest validation accuracy.
    """
    if best_epoch is None:
        best_epoch = find_best_epoch(history)
    width = LEFT_MARGIN + 2 * (PANEL_WIDTH + LABEL_WIDTH) + PANEL_GAP
    headline = figures.layout_headline(title, subtitle, width - 2 * figures.MARGIN)
    top = figures.MARGIN + headline.height + 22
    figure = figures.create_figure(width, top + PANEL_HEIGHT + 12 + LR_HEIGHT + 52)
    figures.add_headline(figures.add_full_axes(figure), headline)
    drawers = _draw_loss, _draw_accuracy
    for column, (draw, panel) in enumerate(zip(drawers, metric_series.build_panels(history), strict=True)):
        left = LEFT_MARGIN + column * (PANEL_WIDTH + LABEL_WIDTH + PANEL_GAP)
        draw(figures.add_axes(figure, left, top, PANEL_WIDTH, PANEL_HEIGHT), panel, history, best_epoch)
        _draw_learning_rates(figures.add_axes(figure, left, top + PANEL_HEIGHT + 12, PANEL_WIDTH, LR_HEIGHT), history)
    return figure


def find_best_epoch(history):
    """Return the best epoch, counted from 1, as the checkpoints choose it: by validation accuracy, then by loss."""
    accuracy = np.where(np.isfinite(history["val_accuracy"]), history["val_accuracy"], -1)
    loss = np.where(np.isfinite(history["val_loss"]), history["val_loss"], np.inf)
    return int(history["epoch"][np.lexsort((loss, -accuracy))[0]])


def _draw_loss(axes, panel, history, best_epoch):
    axes.set_ylim(*compute_axis_limits(np.concatenate([line.values for line in panel.lines]), 0.1, np.inf))
    _draw_lines(axes, history["epoch"], panel, _format_loss)
    _mark_best(axes, best_epoch, history["val_loss"][best_epoch - 1])


def _draw_accuracy(axes, panel, history, best_epoch):
    values = [line.values for line in panel.lines]
    axes.set_ylim(*compute_axis_limits(np.concatenate(values), 0.05, 1))
    axes.yaxis.set_major_formatter(lambda fraction, _: f"{100 * fraction:.4g}%")
    _draw_lines(axes, history["epoch"], panel, _format_accuracy)
    best = history["val_accuracy"][best_epoch - 1]
    _mark_best(axes, best_epoch, best)
    _annotate_best(axes, best_epoch, best, history["epoch"], values)


def compute_axis_limits(values, min_span, upper_bound):
    """Return the limits of an axis with all finite values and a margin, within 0..upper_bound.

    They are at least `min_span` apart (up to these bounds), so that small differences are not magnified.
    """
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    margin = max(0.07 * (high - low), (min_span - (high - low)) / 2)
    return max(min(0.0, low), low - margin), min(upper_bound, high + margin)


def _format_loss(value):
    return f"{value:.3f}" if 0.01 <= value < 1000 else f"{value:.2g}"


def _format_accuracy(value):
    return f"{100 * value:.1f}%"


def _draw_lines(axes, epochs, panel, format_value):
    """Draw the lines of a panel, float (epochs,) each, labeled at their ends with their names and last values."""
    _style_axes(axes, epochs)
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=TICK_STEPS))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    figures.add_text(axes, 0, 1.04, panel.title, 10, va="baseline", weight="bold", transform=axes.transAxes)
    marker = "o" if len(epochs) <= 15 else None  # a single epoch needs a marker, many markers overlap
    outputs, ends = list(dict.fromkeys(line.output for line in panel.lines)), []
    for line in panel.lines:
        label = line.output or ("validation" if line.is_validation else "train")
        color = text_color = AUX_COLORS[outputs.index(line.output) % len(AUX_COLORS)] if line.output else figures.BLUE
        if not line.output and not line.is_validation:
            color, text_color = TRAIN_COLOR, TRAIN_TEXT_COLOR
        line_style, line_width = ("-", 1.8) if line.is_validation else ((0, (4, 2)), 1.4)
        axes.plot(epochs, line.values, color=color, linestyle=line_style, linewidth=line_width, marker=marker,
                  markersize=4, clip_on=False)
        ends.append((line.values[-1], f"{label} {format_value(line.values[-1])}", text_color))
    _label_ends(axes, ends)


def _style_axes(axes, epochs):
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)))
    figures.frame_axes(axes)


def _label_ends(axes, ends):
    """Add the labels, (value, text, color), at the right ends of the lines, moved apart if they would overlap."""
    low, high = axes.get_ylim()
    ends = sorted(ends, key=lambda end: _scale_to_axis(end[0], low, high))
    positions = spread_labels([float(_scale_to_axis(value, low, high)) for value, *_ in ends],
                              FONT_SIZE * 1.35 / PANEL_HEIGHT)
    for y, (_, label, color) in zip(positions, ends, strict=True):
        figures.add_text(axes, 1 + 7 / PANEL_WIDTH, y, label, FONT_SIZE, color=color, va="center",
                         transform=axes.transAxes)


def spread_labels(heights, min_distance):
    """Return the ascending `heights`, in 0..1, moved as little as possible so that they are `min_distance` apart.

    Labels that would overlap are centered on their common mean.
    """
    groups = []  # [middle, count]
    for height in heights:
        groups.append([height, 1])
        while True:
            middle, count = groups[-1]
            groups[-1][0] = middle = min(max(middle, count * min_distance / 2), 1 - count * min_distance / 2)
            if len(groups) < 2 or middle - groups[-2][0] >= (count + groups[-2][1]) * min_distance / 2:
                break
            previous_middle, previous_count = groups.pop(-2)
            total = previous_count + count
            groups[-1] = [(previous_middle * previous_count + middle * count) / total, total]
    return [middle + (index - (count - 1) / 2) * min_distance for middle, count in groups for index in range(count)]


def _mark_best(axes, epoch, value):
    axes.axvline(epoch, color=figures.VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    axes.plot([epoch], [value], "o", markersize=8, markerfacecolor="none", markeredgecolor=figures.VERMILLION,
              markeredgewidth=1.5, clip_on=False, zorder=4)


def _annotate_best(axes, epoch, value, epochs, lines):
    """Add a label with the best epoch and its value, as near to its marker as possible without crossing a curve."""
    label = f"best epoch {epoch}\n{_format_accuracy(value)}"
    text_width = max(text_layout.estimate_text_width(line, FONT_SIZE) for line in label.split("\n")) / PANEL_WIDTH
    text_height, gap = 2.4 * FONT_SIZE / PANEL_HEIGHT, 9 / PANEL_WIDTH
    low, high = axes.get_ylim()
    mark_x, mark_y = (epoch - 0.5) / len(epochs), _scale_to_axis(value, low, high)
    dense_epochs = np.linspace(epochs[0], epochs[-1], 500)
    x = np.tile((dense_epochs - 0.5) / len(epochs), len(lines))
    y = np.concatenate([_scale_to_axis(np.interp(dense_epochs, epochs, line), low, high) for line in lines])

    def count_crossings(left, bottom):
        is_inside_x = (left - gap <= x) & (x <= left + text_width + gap)
        is_inside_y = (bottom - 0.03 <= y) & (y <= bottom + text_height + 0.03)
        return (is_inside_x & is_inside_y).sum()

    lefts = [left for left in (mark_x - gap - text_width, mark_x + gap) if 0 <= left <= 1 - text_width]
    positions = [(left, bottom) for left in lefts for bottom in np.linspace(0.02, 0.98 - text_height, 25)]
    left, bottom = min(positions,
                       key=lambda position: (count_crossings(*position), abs(position[1] + text_height / 2 - mark_y)))
    ha, x = ("right", mark_x - gap) if left < mark_x else ("left", mark_x + gap)
    figures.add_text(axes, x, bottom, label, FONT_SIZE, color=figures.VERMILLION, ha=ha, va="bottom",
                     transform=axes.transAxes)


def _draw_learning_rates(axes, history):
    """Draw the learning rate per epoch as steps, on a logarithmic scale if it falls far in a few steps."""
    epochs, learning_rates = history["epoch"], history["learning_rate"]
    _style_axes(axes, epochs)
    min_lr, max_lr = float(np.min(learning_rates)), float(np.max(learning_rates))
    if min_lr > 0 and max_lr / min_lr > 20 and len(np.unique(learning_rates)) <= 8:
        axes.set_yscale("log")
        lower_bound, upper_bound, ticks = min_lr / 2, max_lr * 1.5, (min_lr, max_lr)
    else:
        lower_bound, upper_bound, ticks = 0, max_lr * 1.15 or 1, (0, max_lr)
    axes.stairs(learning_rates, np.arange(len(epochs) + 1) + 0.5, baseline=lower_bound, fill=True, color="#C9CED6")
    axes.set_ylim(lower_bound, upper_bound)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(lambda learning_rate, _: f"{learning_rate:.2g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("epoch", size=FONT_SIZE, color=figures.MUTED_COLOR, family=text_layout.FONT)
    figures.add_text(axes, 1 + 7 / PANEL_WIDTH, 0.5, "learning rate", FONT_SIZE, color=figures.MUTED_COLOR, va="center",
                     transform=axes.transAxes)


def _scale_to_axis(value, low, high):
    """Return the position of `value` between low (0) and high (1); 0.5 if it is not finite."""
    return np.nan_to_num((value - low) / (high - low), nan=0.5, posinf=0.5, neginf=0.5)
