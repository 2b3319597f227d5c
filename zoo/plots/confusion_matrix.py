"""The confusion matrix: correct predictions in blue, errors in orange, on one scale; per-class recall on the right."""

import math

import numpy as np
from matplotlib.colors import to_rgb

from zoo.analysis.classification_metrics import rank_confusions
from zoo.plots import figures, text_layout
from zoo.utils.text import format_class_name

MIN_OPACITY, MAX_OPACITY = 0.1, 0.9  # of a cell with images, on white
MAX_CLASSES_WITH_COUNTS = 20  # the cells show counts up to this number of classes
MAX_NAME_WIDTH, MAX_NAME_LINES = 150, 2  # points; up to MAX_CLASSES_WITH_COUNTS classes, names are wrapped
RECALL_BAR_LENGTH = 56  # bar length of 100% recall, points
NUM_TOP_CONFUSIONS = 3  # most confused pairs of classes in the subtitle


def plot_confusion_matrix(labels, predicted, class_names, *, title, subtitle=""):
    """Return the Figure of the confusion matrix: a row per true class, a column per predicted class.

    labels, predicted: int (n,), indices into class_names. The more images in a cell, the darker it is; up to 20 classes
    it also shows their number. A class without test images has an empty row and no recall.
    """
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    layout = _Layout([format_class_name(name) for name in class_names], title, subtitle)
    colors = _compute_cell_colors(counts)
    axes = figures.add_full_axes(layout.figure)
    figures.add_headline(axes, layout.headline)
    _draw_cells(axes, layout, colors)
    if len(class_names) <= MAX_CLASSES_WITH_COUNTS:
        _draw_counts(axes, layout, counts, colors)
    _draw_class_names(axes, layout)
    _draw_recall(axes, layout, counts)
    _draw_color_scales(axes, layout, int(counts.max()))
    return layout.figure


def compute_color_strength(counts, max_count):
    """Return the strength, 0..1, of the color of cells with `counts` images, int or float (...).

    Correct predictions and errors are on one scale, so that a small error never looks larger than a large diagonal. It
    is the square root of the count, with which few errors are still visible beside many correct predictions.
    """
    return np.sqrt(counts / max_count)


def format_top_confusions(labels, predicted, class_names):
    """Return the most frequent confusions as text, such as 'cat as dog (12)'; '' if there are none.

    labels, predicted: int (n,), indices into class_names.
    """
    display_names = [format_class_name(name) for name in class_names]
    return ", ".join(f"{display_names[label]} as {display_names[predicted_class]}\N{NO-BREAK SPACE}({count})"
                     for label, predicted_class, count in rank_confusions(predicted, labels)[:NUM_TOP_CONFUSIONS])


class _Layout:
    """The layout of the figure, in points from its upper left corner."""

    def __init__(self, class_names, title, subtitle):
        self.num_classes = len(class_names)
        self.cell_size = _choose_cell_size(self.num_classes)
        self.font_size = 9 if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 7
        # If there is no room for all class names, label every second, third, ... class.
        self.labeled_indices = range(0, self.num_classes, math.ceil(self.font_size * 1.2 / self.cell_size))
        max_lines = MAX_NAME_LINES if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 1
        name_lines = [text_layout.wrap_and_truncate(name, self.font_size, MAX_NAME_WIDTH, max_lines)
                      for name in class_names]
        self.class_names = ["\n".join(lines) for lines in name_lines]
        max_name_width = max((text_layout.estimate_text_width(line, self.font_size) for lines in name_lines
                              for line in lines), default=0)
        # A name of two lines is rotated, since it is wider than any cell.
        self.is_rotated = max_name_width > self.cell_size - 4
        self.matrix_size = self.cell_size * self.num_classes
        self.left = math.ceil(figures.MARGIN + 18 + max_name_width + 6)
        width = max(self.left + self.matrix_size + 12 + RECALL_BAR_LENGTH
                    + (46 if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 0) + figures.MARGIN, 480)
        self.headline = figures.layout_headline(title, subtitle, width - 2 * figures.MARGIN)
        label_height = max_name_width if self.is_rotated else self.font_size * text_layout.LINE_SPACING
        self.top = math.ceil(figures.MARGIN + self.headline.height + 18 + label_height + 6)
        self.figure = figures.create_figure(width, self.top + self.matrix_size + 62 + figures.MARGIN)

    def get_cell_center(self, index):
        """Return the distance of the center of row or column `index` from the edge of the matrix."""
        return (index + 0.5) * self.cell_size


def _choose_cell_size(num_classes):
    """Return the size of a cell in points: with room for a count, else for a class name, else for neither."""
    if num_classes <= MAX_CLASSES_WITH_COUNTS:
        return 40 if num_classes <= 10 else 33
    return 10 if num_classes <= 160 else 1600 / num_classes


def _compute_cell_colors(counts):
    """Return RGB float (classes, classes, 3): empty cells white, the diagonal blue, errors orange."""
    strength = compute_color_strength(counts, max(int(counts.max()), 1))
    colors = _blend_with_white(figures.VERMILLION, strength)
    diagonal = np.arange(len(counts))
    colors[diagonal, diagonal] = _blend_with_white(figures.BLUE, strength[diagonal, diagonal])
    colors[counts == 0] = 1
    return colors


def _blend_with_white(color, strength):
    opacity = (MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * np.asarray(strength))[..., None]
    return 1 - opacity * (1 - np.asarray(to_rgb(color)))


def _draw_cells(axes, layout, colors):
    right, bottom = layout.left + layout.matrix_size, layout.top + layout.matrix_size
    axes.imshow(colors, extent=(layout.left, right, bottom, layout.top), aspect="auto", interpolation="nearest")
    # A line per cell in a small matrix; every fifth guides the eye through a large one.
    step = 1 if layout.num_classes <= MAX_CLASSES_WITH_COUNTS else 5
    offsets = np.arange(0, layout.num_classes + 1, step) * layout.cell_size
    axes.hlines(layout.top + offsets, layout.left, right, color="#E3E3E3", linewidth=0.6)
    axes.vlines(layout.left + offsets, layout.top, bottom, color="#E3E3E3", linewidth=0.6)
    axes.plot([layout.left, right, right, layout.left, layout.left],
              [layout.top, layout.top, bottom, bottom, layout.top], color="#AAAAAA", linewidth=0.8)


def _draw_counts(axes, layout, counts, colors):
    size = text_layout.fit_font_size([str(counts.max())], layout.cell_size - 6, 1, 10, 4)
    for row, column in zip(*np.nonzero(counts), strict=True):
        is_dark = colors[row, column] @ (0.299, 0.587, 0.114) < 0.5
        figures.add_text(axes, layout.left + layout.get_cell_center(column), layout.top + layout.get_cell_center(row),
                         str(counts[row, column]), size, color="white" if is_dark else figures.TEXT_COLOR, ha="center",
                         va="center")


def _draw_class_names(axes, layout):
    for index in layout.labeled_indices:
        figures.add_text(axes, layout.left - 6, layout.top + layout.get_cell_center(index), layout.class_names[index],
                         layout.font_size, ha="right", va="center", multialignment="right")
        gap, va, rotation = (5, "bottom", 90) if layout.is_rotated else (7, "baseline", 0)
        figures.add_text(axes, layout.left + layout.get_cell_center(index), layout.top - gap, layout.class_names[index],
                         layout.font_size, ha="center", va=va, rotation=rotation)
    figures.add_text(axes, figures.MARGIN, layout.top + layout.matrix_size / 2, "true class", 9,
                     color=figures.MUTED_COLOR, va="center", rotation=90)
    figures.add_text(axes, layout.left + layout.matrix_size / 2, figures.MARGIN + layout.headline.height,
                     "predicted class", 9, color=figures.MUTED_COLOR, ha="center")


def _draw_recall(axes, layout, counts):
    """Draw the recall of each class as a bar; up to 20 classes also as a number."""
    left, class_counts = layout.left + layout.matrix_size + 12, counts.sum(axis=1)
    indices = np.flatnonzero(class_counts)
    recall = np.diag(counts)[indices] / class_counts[indices]
    centers, bar_height = layout.top + layout.get_cell_center(indices), min(10, layout.cell_size * 0.7)
    axes.barh(centers, RECALL_BAR_LENGTH, bar_height, left, color="#EEEEEE")
    axes.barh(centers, RECALL_BAR_LENGTH * recall, bar_height, left, color=figures.BLUE)
    figures.add_text(axes, left, layout.top - 5, "recall", 9, color=figures.MUTED_COLOR, va="bottom")
    if layout.num_classes <= MAX_CLASSES_WITH_COUNTS:
        for y, fraction in zip(centers, recall, strict=True):
            figures.add_text(axes, left + RECALL_BAR_LENGTH + 5, y, f"{fraction:.1%}", 8.5,
                             va="center")


def _draw_color_scales(axes, layout, max_count):
    """Draw the two color ramps below the matrix, and the scale that they share."""
    x, y, ramp = layout.left, layout.top + layout.matrix_size + 22, np.linspace(0, 1, 64)[None]
    for color, label in ((figures.BLUE, "correct"), (figures.VERMILLION, "incorrect")):
        axes.imshow(_blend_with_white(color, ramp), extent=(x, x + 70, y + 8, y), aspect="auto")
        figures.add_text(axes, x, y + 19, label, 8, color=figures.MUTED_COLOR, va="baseline")
        x += 90
    scale = f"one scale for both: up to {max_count:,} images per cell (square root)"
    figures.add_text(axes, layout.left, y + 32, scale, 8, color=figures.MUTED_COLOR, va="baseline")
