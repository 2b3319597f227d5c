"""Grids of images with captions: training samples, and the most confident errors on the test split."""

import math

import numpy as np

from zoo.plots import figures, text_layout
from zoo.utils.text import format_class_name, pluralize

IMAGE_SIZE = 64  # points: approximate size of an image in the grid
MAX_COLUMN_WIDTH, COLUMN_GAP = 92, 10  # maximum column width and the gap between columns, points
MAX_FONT_SIZE, MIN_FONT_SIZE = 8.5, 6.5  # font sizes of the captions, points
MIN_WIDTH = 420  # points: room for the headline, however few images there are


def plot_samples(images, labels, class_names, *, title, subtitle=""):
    """Return the Figure of a grid of images with their class names as captions.

    images: uint8 (m, h, w, c), c 1 (grayscale) or 3 (RGB); labels: int (m,), indices into class_names.
    """
    captions = [[format_class_name(class_names[label])] for label in labels]
    return _plot_grid(images, captions, [], title, subtitle)


def plot_misclassified(images, indices, labels, probabilities, class_names, *, subtitle=""):
    """Return the Figure of misclassified images, captioned 'true → predicted' and the predicted class's probability.

    images: uint8 (k, h, w, c), images of the test split at indices, int (k,), the highest confidence first; labels:
    int (n,) and probabilities: float (n, classes), of the entire test split; class_names: list of str.
    """
    predicted = probabilities.argmax(axis=1)
    num_incorrect = int((predicted != labels).sum())
    tested_images = pluralize(len(labels), "test image")
    if not num_incorrect:
        return _plot_grid(images[:0], [], [], f"No misclassified images among {tested_images}", subtitle)
    title = f"{pluralize(num_incorrect, 'misclassified image')} among {tested_images}"
    selection = [f"the {len(indices)} with the highest confidence"] if len(indices) < num_incorrect else []
    subtitle_parts = [subtitle, *selection, "true class → predicted class, with its probability"]
    pairs = [(format_class_name(class_names[labels[i]]),
              f"→ {format_class_name(class_names[predicted[i]])}") for i in indices]
    confidences = [f"{100 * probabilities[i, predicted[i]]:.0f}%" for i in indices]
    return _plot_grid(images, _join_captions(pairs), confidences, title, " · ".join(filter(None, subtitle_parts)))


def _join_captions(pairs):
    """Return the captions as lists of paragraphs: 'a → b' on one line if all of them fit, else on two."""
    joined = [f"{true} {predicted}" for true, predicted in pairs]
    if all(text_layout.estimate_text_width(line, MAX_FONT_SIZE) <= MAX_COLUMN_WIDTH for line in joined):
        return [[line] for line in joined]
    return [list(pair) for pair in pairs]


def _plot_grid(images, captions, notes, title, subtitle):
    """Return the Figure of a grid of images, each with the paragraphs of its caption and its note, if any, below.

    Captions are left-aligned, as the headline is, so that the columns have straight edges.
    """
    size, captions = _wrap_captions(captions)
    line_height = size * text_layout.LINE_SPACING
    height, width = (pixels * _choose_scale(images) for pixels in images.shape[1:3])
    text_widths = [text_layout.estimate_text_width(text, size) for caption in captions for text in caption]
    column_width = math.ceil(max([width, *text_widths])) + COLUMN_GAP
    row_height = math.ceil(height + 4 + line_height * (max(map(len, captions), default=0) + bool(notes)) + 9)
    columns = max(math.ceil(math.sqrt(len(images))), min(len(images), (MIN_WIDTH + COLUMN_GAP) // column_width), 1)
    grid_width = max(MIN_WIDTH, columns * column_width - COLUMN_GAP)
    headline = figures.layout_headline(title, subtitle, grid_width)
    top = math.ceil(figures.MARGIN + headline.height)
    figure = figures.create_figure(grid_width + 2 * figures.MARGIN, top + math.ceil(len(images) / columns) * row_height
                                   + figures.MARGIN - 9)
    axes = figures.add_full_axes(figure)
    figures.add_headline(axes, headline)
    for index, image in enumerate(images):
        x, y = figures.MARGIN + index % columns * column_width, top + index // columns * row_height
        _draw_image(axes, image, (x, x + width, y + height, y))
        caption_lines = [(text, figures.TEXT_COLOR) for text in captions[index]]
        caption_lines += [(note, figures.VERMILLION) for note in notes[index : index + 1]]
        # Align lines on baselines, because the heights of glyphs differ between neighboring captions.
        for line_index, (text, color) in enumerate(caption_lines):
            figures.add_text(axes, x, y + height + 4 + (line_index + 0.8) * line_height, text, size, color=color,
                             va="baseline")
    return figure


def _wrap_captions(captions):
    """Return the common font size and the lines of each caption, its paragraphs wrapped to the column width."""
    size = text_layout.fit_font_size([part for caption in captions for part in caption], MAX_COLUMN_WIDTH, 2,
                                     MAX_FONT_SIZE, MIN_FONT_SIZE)
    return size, [[line for part in caption for line in text_layout.wrap_and_truncate(part, size, MAX_COLUMN_WIDTH, 2)]
                  for caption in captions]


def _choose_scale(images):
    """Return the points per pixel: a multiple of a half (whole pixels of the figure) except for large images."""
    half_points = 2 * IMAGE_SIZE / max(images.shape[1:3])
    return round(half_points) / 2 if half_points >= 1 else half_points / 2


def _draw_image(axes, image, extent):
    """Draw one uint8 image (h, w, 1 or 3) at extent (left, right, bottom, top), with sharp pixels if enlarged."""
    is_enlarged = extent[1] - extent[0] >= image.shape[1] / 2
    axes.imshow(np.broadcast_to(image, (*image.shape[:2], 3)), extent=extent, aspect="auto",
                interpolation="nearest" if is_enlarged else "antialiased")
