"""The confusion matrix: what was right in quiet blue, what was mistaken in loud orange, recall at the right."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from zoo.plots import figure, text_layout

# Two scales, because on one the diagonal is all that can be seen.
RIGHT = LinearSegmentedColormap.from_list("right", ["#EDF2F7", "#A9C3DB"])
MISTAKEN = LinearSegmentedColormap.from_list("mistaken", ["#FDEBDC", "#F4A261", "#D55E00", "#7A2A00"])
COUNTED = 20  # up to so many classes the cells hold numbers
LONGEST_NAME = 150  # points
BARS = 56  # length of a recall of 100 %, points


def confusion(labels, predicted, names, *, title, subtitle=""):
    """Return the Figure of the confusion matrix: a row per true class, a column per predicted one.

    labels, predicted: int (n,) into names, the class names. A cell's colour is its share of its row; up to 20
    classes it also holds its count. A class without test pictures has an empty row and no recall.
    """
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    worst = float((shares * ~np.eye(len(names), dtype=bool)).max())
    plan = _Plan([text_layout.plain(name) for name in names], title, subtitle)
    colours = _colours(shares, worst)
    axes = figure.ruled(plan.figure)
    figure.write_headline(axes, plan.head)
    _draw_cells(axes, plan, colours)
    if len(names) <= COUNTED:
        _write_counts(axes, plan, counts, colours)
    _write_names(axes, plan)
    _draw_recall(axes, plan, counts)
    _draw_key(axes, plan, worst)
    return plan.figure


def most_mistaken(labels, predicted, names, most=3):
    """Return the most frequent mistakes in words, such as 'cat as dog (12)'; '' when there are none.

    labels, predicted: int (n,) into names.
    """
    wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    plain = [text_layout.plain(name) for name in names]
    return ", ".join(f"{plain[pairs[0, i]]} as {plain[pairs[1, i]]}\N{NO-BREAK SPACE}({counts[i]})" for i in order)


class _Plan:
    """Where things stand on the sheet: all numbers in points from its upper left corner."""

    def __init__(self, names, title, subtitle):
        self.classes = len(names)
        self.cell = _cell(self.classes)
        self.size = 9 if self.classes <= COUNTED else 7
        # More classes than lines of text fit: a name for every second, third, ... of them.
        self.named = range(0, self.classes, math.ceil(self.size * 1.2 / self.cell))
        self.names = [text_layout.shortened(name, self.size, LONGEST_NAME) for name in names]
        widest = max(text_layout.width_of(name, self.size) for name in self.names)
        self.upright = widest > self.cell - 4
        self.side = self.cell * self.classes
        self.left = math.ceil(figure.MARGIN + 18 + widest + 6)
        width = max(self.left + self.side + 12 + BARS + (46 if self.classes <= COUNTED else 0) + figure.MARGIN, 480)
        self.head = figure.headline(title, subtitle, width - 2 * figure.MARGIN)
        above = widest if self.upright else self.size * text_layout.LINE
        self.top = math.ceil(figure.MARGIN + self.head.height + 18 + above + 6)
        self.figure = figure.blank(width, self.top + self.side + 50 + figure.MARGIN)

    def middle(self, place):
        """Return how far the middle of row or column `place` is from the matrix's edge."""
        return (place + 0.5) * self.cell


def _cell(classes):
    """Return the side of a cell in points: room for a number, else for a name, and else for neither."""
    if classes <= COUNTED:
        return 40 if classes <= 10 else 33
    return 10 if classes <= 160 else 1600 / classes


def _colours(shares, worst):
    """Return float (classes, classes, 3): white where nothing is, the diagonal by RIGHT, the rest by MISTAKEN."""
    colours = MISTAKEN(shares / (worst or 1))[..., :3]
    diagonal = np.arange(len(shares))
    colours[diagonal, diagonal] = RIGHT(shares[diagonal, diagonal])[:, :3]
    colours[shares == 0] = 1
    return colours


def _draw_cells(axes, plan, colours):
    right, bottom = plan.left + plan.side, plan.top + plan.side
    axes.imshow(colours, extent=(plan.left, right, bottom, plan.top), aspect="auto", interpolation="nearest")
    # Every line in a small matrix; every fifth leads the eye through a large one.
    step = 1 if plan.classes <= COUNTED else 5
    at = np.arange(0, plan.classes + 1, step) * plan.cell
    axes.hlines(plan.top + at, plan.left, right, color="#E3E3E3", linewidth=0.6)
    axes.vlines(plan.left + at, plan.top, bottom, color="#E3E3E3", linewidth=0.6)
    axes.plot([plan.left, right, right, plan.left, plan.left], [plan.top, plan.top, bottom, bottom, plan.top],
              color="#AAAAAA", linewidth=0.8)


def _write_counts(axes, plan, counts, colours):
    size = text_layout.common_size([str(counts.max())], plan.cell - 6, 1, 10, 4)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = colours[row, column] @ (0.299, 0.587, 0.114) < 0.55
        figure.write(axes, plan.left + plan.middle(column), plan.top + plan.middle(row), str(counts[row, column]), size,
                     color="white" if dark else figure.INK, ha="center", va="center")


def _write_names(axes, plan):
    for place in plan.named:
        figure.write(axes, plan.left - 6, plan.top + plan.middle(place), plan.names[place], plan.size,
                     ha="right", va="center")
        figure.write(axes, plan.left + plan.middle(place), plan.top - 5, plan.names[place], plan.size,
                     ha="center", va="bottom", rotation=90 if plan.upright else 0)
    figure.write(axes, figure.MARGIN, plan.top + plan.side / 2, "true class", 9, color=figure.MUTED,
                 va="center", rotation=90)
    figure.write(axes, plan.left + plan.side / 2, figure.MARGIN + plan.head.height, "predicted class", 9,
                 color=figure.MUTED, ha="center")


def _draw_recall(axes, plan, counts):
    """Draw each class's recall, the share of its pictures that were recognised, as a bar; up to 20 also in numbers."""
    left, of = plan.left + plan.side + 12, counts.sum(axis=1)
    places = np.flatnonzero(of)
    recall = np.diag(counts)[places] / of[places]
    middles, thick = plan.top + plan.middle(places), min(10, plan.cell * 0.7)
    axes.barh(middles, BARS, thick, left, color="#EEEEEE")
    axes.barh(middles, BARS * recall, thick, left, color=figure.BLUE)
    figure.write(axes, left, plan.top - 5, "recall", 9, color=figure.MUTED, va="bottom")
    if plan.classes <= COUNTED:
        for y, share in zip(middles, recall, strict=True):
            figure.write(axes, left + BARS + 5, y, f"{share:.1%}".replace("%", " %"), 8.5, va="center")


def _draw_key(axes, plan, worst):
    """Draw the two colour scales beneath the matrix."""
    y, ramp = plan.top + plan.side + 22, np.linspace(0, 1, 64)[None]
    scales = [(RIGHT, "right", 1)] + ([(MISTAKEN, "mistaken", worst)] if worst else [])
    x = plan.left
    for colours, word, most in scales:
        axes.imshow(colours(ramp), extent=(x, x + 70, y + 8, y), aspect="auto")
        figure.write(axes, x, y + 19, f"{word}: 0 to {100 * most:.3g} % of a row", 8,
                     color=figure.MUTED, va="baseline")
        x += 150
