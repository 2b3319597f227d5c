"""The charts of a report as SVG: lines over the epochs, and a reliability diagram. Colours are the style sheet's."""

from collections import namedtuple

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from zoo.plots.font_metrics import escape_unprintable

CHART_WIDTH, CHART_HEIGHT = 460, 250  # of a chart, units of its own; it is drawn as wide as there is room
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 26  # room around the plot
RELIABILITY_SIZE = 300  # of the reliability diagram's plot
MAX_EPOCHS_WITH_DOTS = 15  # up to so many epochs each gets a dot

# svg: Markup; of each line its name, its class, its values in words, and the last of them
Chart = namedtuple("Chart", "title svg names classes values last")

MISSING_VALUE = "none"  # what is said of a value that is not finite


def get_last_value(values):
    """Return the last of a line's values in words that is one."""
    return next((value for value in reversed(values) if value != MISSING_VALUE), MISSING_VALUE)


def format_metric(value, is_fraction):
    """Return a value in words, as short as it can be read."""
    if not np.isfinite(value):
        return MISSING_VALUE
    if is_fraction:
        return f"{100 * value:.2f} %"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def draw_line_chart(title, lines, is_fraction, best_epoch):
    """Return the Chart of `lines`, [(name, class, float (epochs,))], over epochs 1, 2, ...; `best`: to mark, or 0."""
    values = np.stack([values for *_, values in lines])
    epochs = values.shape[1]
    low, high, ticks = compute_axis_scale(values, is_fraction)

    def at(epoch):
        return LEFT + (epoch - 0.5) / epochs * (CHART_WIDTH - LEFT - RIGHT)

    def up(value):
        return TOP + (high - value) / (high - low) * (CHART_HEIGHT - TOP - BOTTOM)

    drawn = [f'<line class="grid" x1="{LEFT}" x2="{CHART_WIDTH - RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>'
             f'<text class="end" x="{LEFT - 6}" y="{up(tick) + 4:.1f}">{format_tick(tick, is_fraction)}</text>'
             for tick in ticks]
    whole = MaxNLocator(6, integer=True, min_n_ticks=1, steps=(1, 2, 5, 10)).tick_values(1, epochs)
    drawn += [f'<text class="middle" x="{at(tick):.1f}" y="{CHART_HEIGHT - 8}">{int(tick)}</text>'
              for tick in whole if 1 <= tick <= epochs]
    if best_epoch:
        drawn.append(f'<line class="best" x1="{at(best_epoch):.1f}" x2="{at(best_epoch):.1f}" y1="{TOP}" y2="{CHART_HEIGHT - BOTTOM}"/>')
    for _, kind, line in lines:
        drawn += draw_polylines([(at(epoch), up(value)) if np.isfinite(value) else None
                                 for epoch, value in enumerate(line, start=1)], kind)
    drawn.append(f'<line class="cursor" y1="{TOP}" y2="{CHART_HEIGHT - BOTTOM}" hidden="hidden"/>')
    svg = Markup('<svg class="chart" viewBox="0 0 {} {}" tabindex="0" role="img" '
                 'aria-label="{} over the epochs; arrow keys tell the values" '
                 'data-left="{}" data-right="{}" data-epochs="{}">{}</svg>').format(
        CHART_WIDTH, CHART_HEIGHT, escape_unprintable(title), LEFT, CHART_WIDTH - RIGHT, epochs, Markup("".join(drawn)))
    said = [[format_metric(value, is_fraction) for value in line] for line in values]
    return Chart(title, svg, [name for name, *_ in lines], [kind for _, kind, _ in lines], said,
                 [get_last_value(line) for line in said])


def get_chart_data(charts):
    """Return what the script needs of Charts."""
    return [{"names": chart.names, "classes": chart.classes, "values": chart.values} for chart in charts]


def compute_axis_scale(values, is_fraction):
    """Return (low, high, ticks) of an axis that holds all finite values, from 0 on where that is near."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if not is_fraction and (0 <= low < 0.4 * high or low == high > 0):
        low = 0.0
    least = 0.05 if is_fraction else 0.1 * abs(high) or 0.1
    air = max(0.05 * (high - low), (least - (high - low)) / 2)
    low, high = (low - air if low else 0.0), high + air
    if is_fraction:
        low, high = max(low, 0.0), min(high, 1.0)
    ticks = MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)).tick_values(low, high)
    return low, high, [tick for tick in ticks if low <= tick <= high]


def format_tick(tick, is_fraction):
    return f"{100 * tick:.4g} %" if is_fraction else f"{tick:.4g}"


def draw_polylines(points, css_class):
    """Return the elements of one line; a None among `points` is a gap, and a point between two gaps a dot."""
    runs, drawn = [[]], []
    for point in points:
        runs[-1].append(point) if point else runs.append([])
    for run in filter(None, runs):
        if len(run) > 1:
            way = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            drawn.append(f'<polyline class="line {css_class}" points="{way}"/>')
        if len(run) == 1 or len(points) <= MAX_EPOCHS_WITH_DOTS:
            drawn += [f'<circle class="dot {css_class}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in run]
    return drawn


def draw_reliability_diagram(bins):
    """Return the SVG of a Reliability: for each bin how often the answers were right, beside how sure they were."""
    left, top, each = 46, 8, RELIABILITY_SIZE / len(bins.count)
    drawn = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y, x = top + (1 - share) * RELIABILITY_SIZE, left + share * RELIABILITY_SIZE
        drawn.append(f'<line class="grid" x1="{left}" x2="{left + RELIABILITY_SIZE}" y1="{y:.1f}" y2="{y:.1f}"/>'
                     f'<text class="end" x="{left - 6}" y="{y + 4:.1f}">{100 * share:.0f} %</text>'
                     f'<text class="middle" x="{x:.1f}" y="{top + RELIABILITY_SIZE + 16}">{100 * share:.0f} %</text>')
    most = max(int(bins.count.max()), 1)
    for place, (count, sure, right) in enumerate(zip(*bins, strict=True)):
        if not count:
            continue
        x, low, high = left + place * each, min(sure, right), max(sure, right)
        told = (f"{count:,} pictures: {100 * sure:.1f} % sure on average, {100 * right:.1f} % right")
        drawn.append(f'<g class="bin"><title>{told}</title>'
                     f'<rect class="right" x="{x + 1:.1f}" y="{top + (1 - right) * RELIABILITY_SIZE:.1f}" width="{each - 2:.1f}" '
                     f'height="{right * RELIABILITY_SIZE:.1f}"/>'
                     f'<rect class="gap {"over" if sure > right else "under"}" x="{x + 1:.1f}" '
                     f'y="{top + (1 - high) * RELIABILITY_SIZE:.1f}" width="{each - 2:.1f}" height="{(high - low) * RELIABILITY_SIZE:.1f}"/>'
                     f'<rect class="count" x="{x + 1:.1f}" y="{top + RELIABILITY_SIZE + 72 - 30 * count / most:.1f}" '
                     f'width="{each - 2:.1f}" height="{30 * count / most:.1f}"/></g>')
    drawn.append(f'<line class="diagonal" x1="{left}" x2="{left + RELIABILITY_SIZE}" y1="{top + RELIABILITY_SIZE}" y2="{top}"/>'
                 f'<text class="middle" x="{left + RELIABILITY_SIZE / 2}" y="{top + RELIABILITY_SIZE + 34}">how sure the network was</text>')
    return Markup(f'<svg class="reliability" viewBox="0 -4 {left + RELIABILITY_SIZE + 24} {top + RELIABILITY_SIZE + 78}" role="img" '
                  f'aria-label="Reliability diagram">{"".join(drawn)}</svg>')
