"""The confusion matrix: correct predictions in muted blue, errors in bright orange, per-class recall on the right."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from zoo.plots import figures, text_layout

# Two colormaps, because with one only the diagonal would be visible.
CORRECT_COLORMAP = LinearSegmentedColormap.from_list("correct", ["#EDF2F7", "#A9C3DB"])
ERROR_COLORMAP = LinearSegmentedColormap.from_list("incorrect", ["#FDEBDC", "#F4A261", "#D55E00", "#7A2A00"])
MAX_CLASSES_WITH_COUNTS = 20  # the cells show counts up to this number of classes
MAX_NAME_WIDTH = 150  # points
RECALL_BAR_LENGTH = 56  # bar length of 100 % recall, points


def plot_confusion_matrix(labels, predicted, class_names, *, title, subtitle=""):
    """Return the Figure of the confusion matrix: a row per true class, a column per predicted class.

    labels, predicted: int (n,), indices into class_names. The color of a cell is its fraction of the row; up to 20
    classes it also shows the count. A class without test images has an empty row and no recall.
    """
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    row_fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    max_error_fraction = float((row_fractions * ~np.eye(len(class_names), dtype=bool)).max())
    layout = _Layout([text_layout.format_class_name(name) for name in class_names], title, subtitle)
    colors = _compute_cell_colors(row_fractions, max_error_fraction)
    axes = figures.add_full_axes(layout.figure)
    figures.add_headline(axes, layout.headline)
    _draw_cells(axes, layout, colors)
    if len(class_names) <= MAX_CLASSES_WITH_COUNTS:
        _draw_counts(axes, layout, counts, colors)
    _draw_class_names(axes, layout)
    _draw_recall(axes, layout, counts)
    _draw_color_scales(axes, layout, max_error_fraction)
    return layout.figure


def format_top_confusions(labels, predicted, class_names, max_pairs=3):
    """Return the most frequent confusions as text, such as 'cat as dog (12)'; '' if there are none.

    labels, predicted: int (n,), indices into class_names.
    """
    is_incorrect = labels != predicted
    pairs, counts = np.unique(np.stack([labels[is_incorrect], predicted[is_incorrect]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:max_pairs]
    display_names = [text_layout.format_class_name(name) for name in class_names]
    return ", ".join(f"{display_names[pairs[0, i]]} as {display_names[pairs[1, i]]}\N{NO-BREAK SPACE}({counts[i]})"
                     for i in order)


class _Layout:
    """The layout of the figure, in points from its upper left corner."""

    def __init__(self, class_names, title, subtitle):
        self.num_classes = len(class_names)
        self.cell_size = _choose_cell_size(self.num_classes)
        self.font_size = 9 if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 7
        # If there is no room for all class names, label every second, third, ... class.
        self.labeled_indices = range(0, self.num_classes, math.ceil(self.font_size * 1.2 / self.cell_size))
        self.class_names = [text_layout.truncate_text(name, self.font_size, MAX_NAME_WIDTH) for name in class_names]
        max_name_width = max(text_layout.estimate_text_width(name, self.font_size) for name in self.class_names)
        self.is_rotated = max_name_width > self.cell_size - 4
        self.matrix_size = self.cell_size * self.num_classes
        self.left = math.ceil(figures.MARGIN + 18 + max_name_width + 6)
        width = max(self.left + self.matrix_size + 12 + RECALL_BAR_LENGTH
                    + (46 if self.num_classes <= MAX_CLASSES_WITH_COUNTS else 0) + figures.MARGIN, 480)
        self.headline = figures.layout_headline(title, subtitle, width - 2 * figures.MARGIN)
        label_height = max_name_width if self.is_rotated else self.font_size * text_layout.LINE_SPACING
        self.top = math.ceil(figures.MARGIN + self.headline.height + 18 + label_height + 6)
        self.figure = figures.create_figure(width, self.top + self.matrix_size + 50 + figures.MARGIN)

    def get_cell_center(self, index):
        """Return the distance of the center of row or column `index` from the edge of the matrix."""
        return (index + 0.5) * self.cell_size


def _choose_cell_size(num_classes):
    """Return the size of a cell in points: with room for a count, else for a class name, else for neither."""
    if num_classes <= MAX_CLASSES_WITH_COUNTS:
        return 40 if num_classes <= 10 else 33
    return 10 if num_classes <= 160 else 1600 / num_classes


def _compute_cell_colors(fractions, max_error_fraction):
    """Return RGB float (classes, classes, 3): empty cells white, others by CORRECT_COLORMAP or ERROR_COLORMAP."""
    colors = ERROR_COLORMAP(fractions / (max_error_fraction or 1))[..., :3]
    diagonal = np.arange(len(fractions))
    colors[diagonal, diagonal] = CORRECT_COLORMAP(fractions[diagonal, diagonal])[:, :3]
    colors[fractions == 0] = 1
    return colors


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
        is_dark = colors[row, column] @ (0.299, 0.587, 0.114) < 0.55
        figures.add_text(axes, layout.left + layout.get_cell_center(column), layout.top + layout.get_cell_center(row),
                         str(counts[row, column]), size, color="white" if is_dark else figures.TEXT_COLOR, ha="center",
                         va="center")


def _draw_class_names(axes, layout):
    for index in layout.labeled_indices:
        figures.add_text(axes, layout.left - 6, layout.top + layout.get_cell_center(index), layout.class_names[index],
                         layout.font_size, ha="right", va="center")
        figures.add_text(axes, layout.left + layout.get_cell_center(index), layout.top - 5, layout.class_names[index],
                         layout.font_size, ha="center", va="bottom", rotation=90 if layout.is_rotated else 0)
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
            figures.add_text(axes, left + RECALL_BAR_LENGTH + 5, y, f"{fraction:.1%}".replace("%", " %"), 8.5,
                             va="center")


def _draw_color_scales(axes, layout, max_error_fraction):
    """Draw the two color scales below the matrix."""
    y, ramp = layout.top + layout.matrix_size + 22, np.linspace(0, 1, 64)[None]
    scales = [(CORRECT_COLORMAP, "correct", 1),
              *([(ERROR_COLORMAP, "incorrect", max_error_fraction)] if max_error_fraction else [])]
    x = layout.left
    for colormap, label, max_fraction in scales:
        axes.imshow(colormap(ramp), extent=(x, x + 70, y + 8, y), aspect="auto")
        figures.add_text(axes, x, y + 19, f"{label}: 0 to {100 * max_fraction:.3g} % of a row", 8,
                         color=figures.MUTED_COLOR, va="baseline")
        x += 150
