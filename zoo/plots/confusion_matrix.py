"""The confusion matrix: what was right in quiet blue, what was mistaken in loud orange, recall at the right."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from zoo.plots import figures, text_layout

# Two scales, because on one the diagonal is all that can be seen.
CORRECT_COLORMAP = LinearSegmentedColormap.from_list("right", ["#EDF2F7", "#A9C3DB"])
ERROR_COLORMAP = LinearSegmentedColormap.from_list("mistaken", ["#FDEBDC", "#F4A261", "#D55E00", "#7A2A00"])
MAX_CLASSES_WITH_COUNTS = 20  # up to so many classes the cells hold numbers
MAX_NAME_WIDTH = 150  # points
RECALL_BAR_LENGTH = 56  # length of a recall of 100 %, points


def plot_confusion_matrix(labels, predicted, class_names, *, title, subtitle=""):
    """Return the Figure of the confusion matrix: a row per true class, a column per predicted one.

    labels, predicted: int (n,) into names, the class names. A cell's colour is its share of its row; up to 20
    classes it also holds its count. A class without test pictures has an empty row and no recall.
    """
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    worst = float((shares * ~np.eye(len(class_names), dtype=bool)).max())
    plan = _Layout([text_layout.format_class_name(name) for name in class_names], title, subtitle)
    colours = _compute_cell_colors(shares, worst)
    axes = figures.add_full_axes(plan.figure)
    figures.add_headline(axes, plan.headline)
    _draw_cells(axes, plan, colours)
    if len(class_names) <= MAX_CLASSES_WITH_COUNTS:
        _draw_counts(axes, plan, counts, colours)
    _draw_class_names(axes, plan)
    _draw_recall(axes, plan, counts)
    _draw_color_scales(axes, plan, worst)
    return plan.figure


def format_top_confusions(labels, predicted, class_names, max_pairs=3):
    """Return the most frequent mistakes in words, such as 'cat as dog (12)'; '' when there are none.

    labels, predicted: int (n,) into names.
    """
    wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:max_pairs]
    plain = [text_layout.format_class_name(name) for name in class_names]
    return ", ".join(f"{plain[pairs[0, i]]} as {plain[pairs[1, i]]}\N{NO-BREAK SPACE}({counts[i]})" for i in order)


class _Layout:
    """Where things stand on the sheet: all numbers in points from its upper left corner."""

    def __init__(self, class_names, title, subtitle):
        self.num_classes = len(class_names)
        self.cell_size = _choose_cell_size(self.num_classes)
        self.font_size = 9 if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 7
        # More classes than lines of text fit: a name for every second, third, ... of them.
        self.labeled_indices = range(0, self.num_classes, math.ceil(self.font_size * 1.2 / self.cell_size))
        self.class_names = [text_layout.truncate_text(name, self.font_size, MAX_NAME_WIDTH) for name in class_names]
        widest = max(text_layout.estimate_text_width(name, self.font_size) for name in self.class_names)
        self.is_rotated = widest > self.cell_size - 4
        self.matrix_size = self.cell_size * self.num_classes
        self.left = math.ceil(figures.MARGIN + 18 + widest + 6)
        width = max(self.left + self.matrix_size + 12 + RECALL_BAR_LENGTH
                    + (46 if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 0) + figures.MARGIN, 480)
        self.headline = figures.layout_headline(title, subtitle, width - 2 * figures.MARGIN)
        above = widest if self.is_rotated else self.font_size * text_layout.LINE_SPACING
        self.top = math.ceil(figures.MARGIN + self.headline.height + 18 + above + 6)
        self.figure = figures.create_figure(width, self.top + self.matrix_size + 50 + figures.MARGIN)

    def get_cell_center(self, index):
        """Return how far the middle of row or column `place` is from the matrix's edge."""
        return (index + 0.5) * self.cell_size


def _choose_cell_size(num_classes):
    """Return the side of a cell in points: room for a number, else for a name, and else for neither."""
    if num_classes <= MAX_CLASSES_WITH_COUNTS:
        return 40 if num_classes <= 10 else 33
    return 10 if num_classes <= 160 else 1600 / num_classes


def _compute_cell_colors(fractions, max_error_fraction):
    """Return float (classes, classes, 3): white where nothing is, the diagonal by RIGHT, the rest by MISTAKEN."""
    colours = ERROR_COLORMAP(fractions / (max_error_fraction or 1))[..., :3]
    diagonal = np.arange(len(fractions))
    colours[diagonal, diagonal] = CORRECT_COLORMAP(fractions[diagonal, diagonal])[:, :3]
    colours[fractions == 0] = 1
    return colours


def _draw_cells(axes, layout, colors):
    right, bottom = layout.left + layout.matrix_size, layout.top + layout.matrix_size
    axes.imshow(colors, extent=(layout.left, right, bottom, layout.top), aspect="auto", interpolation="nearest")
    # Every line in a small matrix; every fifth leads the eye through a large one.
    step = 1 if layout.num_classes <= MAX_CLASSES_WITH_COUNTS else 5
    at = np.arange(0, layout.num_classes + 1, step) * layout.cell_size
    axes.hlines(layout.top + at, layout.left, right, color="#E3E3E3", linewidth=0.6)
    axes.vlines(layout.left + at, layout.top, bottom, color="#E3E3E3", linewidth=0.6)
    axes.plot([layout.left, right, right, layout.left, layout.left],
              [layout.top, layout.top, bottom, bottom, layout.top], color="#AAAAAA", linewidth=0.8)


def _draw_counts(axes, layout, counts, colors):
    size = text_layout.fit_font_size([str(counts.max())], layout.cell_size - 6, 1, 10, 4)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = colors[row, column] @ (0.299, 0.587, 0.114) < 0.55
        figures.add_text(axes, layout.left + layout.get_cell_center(column), layout.top + layout.get_cell_center(row),
                         str(counts[row, column]), size, color="white" if dark else figures.TEXT_COLOR, ha="center",
                         va="center")


def _draw_class_names(axes, layout):
    for place in layout.labeled_indices:
        figures.add_text(axes, layout.left - 6, layout.top + layout.get_cell_center(place), layout.class_names[place],
                         layout.font_size, ha="right", va="center")
        figures.add_text(axes, layout.left + layout.get_cell_center(place), layout.top - 5, layout.class_names[place],
                         layout.font_size, ha="center", va="bottom", rotation=90 if layout.is_rotated else 0)
    figures.add_text(axes, figures.MARGIN, layout.top + layout.matrix_size / 2, "true class", 9,
                     color=figures.MUTED_COLOR, va="center", rotation=90)
    figures.add_text(axes, layout.left + layout.matrix_size / 2, figures.MARGIN + layout.headline.height,
                     "predicted class", 9, color=figures.MUTED_COLOR, ha="center")


def _draw_recall(axes, layout, counts):
    """Draw each class's recall, the share of its pictures that were recognised, as a bar; up to 20 also in numbers."""
    left, of = layout.left + layout.matrix_size + 12, counts.sum(axis=1)
    places = np.flatnonzero(of)
    recall = np.diag(counts)[places] / of[places]
    middles, thick = layout.top + layout.get_cell_center(places), min(10, layout.cell_size * 0.7)
    axes.barh(middles, RECALL_BAR_LENGTH, thick, left, color="#EEEEEE")
    axes.barh(middles, RECALL_BAR_LENGTH * recall, thick, left, color=figures.BLUE)
    figures.add_text(axes, left, layout.top - 5, "recall", 9, color=figures.MUTED_COLOR, va="bottom")
    if layout.num_classes <= MAX_CLASSES_WITH_COUNTS:
        for y, share in zip(middles, recall, strict=True):
            figures.add_text(axes, left + RECALL_BAR_LENGTH + 5, y, f"{share:.1%}".replace("%", " %"), 8.5, va="center")


def _draw_color_scales(axes, layout, max_error_fraction):
    """Draw the two colour scales beneath the matrix."""
    y, ramp = layout.top + layout.matrix_size + 22, np.linspace(0, 1, 64)[None]
    scales = [(CORRECT_COLORMAP, "right",
               1)] + ([(ERROR_COLORMAP, "mistaken", max_error_fraction)] if max_error_fraction else [])
    x = layout.left
    for colours, word, most in scales:
        axes.imshow(colours(ramp), extent=(x, x + 70, y + 8, y), aspect="auto")
        figures.add_text(axes, x, y + 19, f"{word}: 0 to {100 * most:.3g} % of a row", 8,
                         color=figures.MUTED_COLOR, va="baseline")
        x += 150
