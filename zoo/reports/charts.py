"""The SVG charts of a report: lines over the epochs, and a reliability diagram. The style sheet sets the colors."""

from collections import namedtuple

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from zoo.utils.text import flatten_whitespace

CHART_WIDTH, CHART_HEIGHT = 460, 250  # in SVG user units; a chart is scaled to the width available
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 26  # margins around the plot area
RELIABILITY_SIZE = 300  # width and height of the reliability diagram's plot area
MAX_EPOCHS_WITH_DOTS = 15  # up to this number of epochs, each epoch is marked with a dot

# svg: Markup; names, classes, values, last: for each line its name, CSS class, formatted values, and the last of them
Chart = namedtuple("Chart", "title svg names classes values last")

MISSING_VALUE = "none"  # shown for a value that is not finite


def get_last_value(values):
    """Return the last formatted value of a line that is not MISSING_VALUE, or MISSING_VALUE."""
    return next((value for value in reversed(values) if value != MISSING_VALUE), MISSING_VALUE)


def format_metric(value, is_fraction):
    """Return a value as short text: a percentage, four decimals, or three significant digits."""
    if not np.isfinite(value):
        return MISSING_VALUE
    if is_fraction:
        return f"{100 * value:.2f}%"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def draw_line_chart(title, lines, is_fraction, best_epoch):
    """Return the Chart of `lines`, [(name, CSS class, float (epochs,))], over epochs 1, 2, ...

    best_epoch: the epoch to mark, or 0.
    """
    values = np.stack([values for *_, values in lines])
    epochs = values.shape[1]
    low, high, ticks = compute_axis_scale(values, is_fraction)

    def to_x(epoch):
        return LEFT + (epoch - 0.5) / epochs * (CHART_WIDTH - LEFT - RIGHT)

    def to_y(value):
        return TOP + (high - value) / (high - low) * (CHART_HEIGHT - TOP - BOTTOM)

    elements = [f'<line class="grid" x1="{LEFT}" x2="{CHART_WIDTH - RIGHT}" y1="{to_y(tick):.1f}" '
                f'y2="{to_y(tick):.1f}"/>'
                f'<text class="end" x="{LEFT - 6}" y="{to_y(tick) + 4:.1f}">{format_tick(tick, is_fraction)}</text>'
                for tick in ticks]
    epoch_ticks = MaxNLocator(6, integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)).tick_values(1, epochs)
    elements += [f'<text class="middle" x="{to_x(tick):.1f}" y="{CHART_HEIGHT - 8}">{int(tick)}</text>'
                 for tick in epoch_ticks if 1 <= tick <= epochs]
    if best_epoch:
        elements.append(f'<line class="best" x1="{to_x(best_epoch):.1f}" x2="{to_x(best_epoch):.1f}" y1="{TOP}" '
                        f'y2="{CHART_HEIGHT - BOTTOM}"/>')
    for _, css_class, line in lines:
        elements += draw_polylines([(to_x(epoch), to_y(value)) if np.isfinite(value) else None
                                    for epoch, value in enumerate(line, start=1)], css_class)
    elements.append(f'<line class="cursor" y1="{TOP}" y2="{CHART_HEIGHT - BOTTOM}" hidden="hidden"/>')
    svg = Markup('<svg class="chart" viewBox="0 0 {} {}" tabindex="0" role="img" '
                 'aria-label="{} over the epochs; use the arrow keys to read the values" '
                 'data-left="{}" data-right="{}" data-epochs="{}">{}</svg>').format(
        CHART_WIDTH, CHART_HEIGHT, flatten_whitespace(title), LEFT, CHART_WIDTH - RIGHT, epochs,
        Markup("".join(elements)))
    formatted = [[format_metric(value, is_fraction) for value in line] for line in values]
    return Chart(title, svg, [name for name, *_ in lines], [css_class for _, css_class, _ in lines], formatted,
                 [get_last_value(line) for line in formatted])


def get_chart_data(charts):
    """Return the data that the script needs for Charts."""
    return [{"names": chart.names, "classes": chart.classes, "values": chart.values} for chart in charts]


def compute_axis_scale(values, is_fraction):
    """Return (low, high, ticks) of an axis for all finite values; it starts at 0 where that is near."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if not is_fraction and (0 <= low < 0.4 * high or low == high > 0):
        low = 0.0
    min_range = 0.05 if is_fraction else 0.1 * abs(high) or 0.1
    margin = max(0.05 * (high - low), (min_range - (high - low)) / 2)
    low, high = (low - margin if low else 0.0), high + margin
    if is_fraction:
        low, high = max(low, 0.0), min(high, 1.0)
    ticks = MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)).tick_values(low, high)
    return low, high, [tick for tick in ticks if low <= tick <= high]


def format_tick(tick, is_fraction):
    """Return the label of a tick."""
    return f"{100 * tick:.4g}%" if is_fraction else f"{tick:.4g}"


def draw_polylines(points, css_class):
    """Return the SVG elements of one line; None in `points` is a gap, a point between two gaps becomes a dot."""
    segments, elements = [[]], []
    for point in points:
        segments[-1].append(point) if point else segments.append([])
    for segment in filter(None, segments):
        if len(segment) > 1:
            coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in segment)
            elements.append(f'<polyline class="line {css_class}" points="{coordinates}"/>')
        if len(segment) == 1 or len(points) <= MAX_EPOCHS_WITH_DOTS:
            elements += [f'<circle class="dot {css_class}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in segment]
    return elements


def draw_reliability_diagram(bins, plural="images"):
    """Return the SVG of a Reliability: the accuracy of each bin of samples beside its mean confidence."""
    left, top, size = 46, 8, RELIABILITY_SIZE
    right, bottom, bin_width = left + size, top + size, size / len(bins.count)
    elements = []
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        y, x = top + (1 - fraction) * size, left + fraction * size
        elements.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
                        f'<text class="end" x="{left - 6}" y="{y + 4:.1f}">{100 * fraction:.0f}%</text>'
                        f'<text class="middle" x="{x:.1f}" y="{bottom + 16}">{100 * fraction:.0f}%</text>')
    max_count = max(int(bins.count.max()), 1)
    for index, (count, confidence, accuracy) in enumerate(zip(*bins, strict=True)):
        if not count:
            continue
        x, width = left + index * bin_width, bin_width - 2
        low, high = min(confidence, accuracy), max(confidence, accuracy)
        css_class = "overconfident" if confidence > accuracy else "underconfident"
        tooltip = f"{count:,} {plural}: mean confidence {100 * confidence:.1f}%, accuracy {100 * accuracy:.1f}%"
        elements.append(f'<g class="bin"><title>{tooltip}</title>'
                        f'<rect class="accuracy" x="{x + 1:.1f}" y="{top + (1 - accuracy) * size:.1f}" '
                        f'width="{width:.1f}" height="{accuracy * size:.1f}"/>'
                        f'<rect class="gap {css_class}" x="{x + 1:.1f}" '
                        f'y="{top + (1 - high) * size:.1f}" width="{width:.1f}" height="{(high - low) * size:.1f}"/>'
                        f'<rect class="count" x="{x + 1:.1f}" y="{bottom + 72 - 30 * count / max_count:.1f}" '
                        f'width="{width:.1f}" height="{30 * count / max_count:.1f}"/></g>')
    elements.append(f'<line class="diagonal" x1="{left}" x2="{right}" y1="{bottom}" y2="{top}"/>'
                    f'<text class="middle" x="{left + size / 2}" y="{bottom + 34}">confidence</text>')
    return Markup(f'<svg class="reliability" viewBox="0 -4 {right + 24} {bottom + 78}" role="img" '
                  f'aria-label="Reliability diagram">{"".join(elements)}</svg>')
