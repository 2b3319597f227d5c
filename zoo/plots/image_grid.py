"""Grids of pictures with words beneath each: training samples, and the mistakes on the test split."""

import math

import numpy as np

from zoo.plots import figures as sheet, text_layout

IMAGE_SIZE = 64  # points: about as large as a picture is drawn
MAX_COLUMN_WIDTH, COLUMN_GAP = 92, 10  # widest column and the room between two columns, points
MAX_FONT_SIZE, MIN_FONT_SIZE = 8.5, 6.5  # font sizes of the words, points
MIN_WIDTH = 420  # points: a headline needs it, however few the pictures


def plot_samples(images, labels, class_names, *, title, subtitle=""):
    """Return the Figure of a grid of pictures, each with its class name beneath.

    images: uint8 (m, h, w, c), c 1 (grey) or 3 (RGB); labels: int (m,) into names, the class names.
    """
    captions = [[text_layout.format_class_name(class_names[label])] for label in labels]
    return _plot_grid(images, captions, [], title, subtitle)


def plot_misclassified(images, indices, labels, probabilities, class_names, *, subtitle=""):
    """Return the Figure of mistakes: 'true → predicted' beneath each picture, and the predicted class's probability.

    images: uint8 (k, h, w, c), pictures of the test split at indices, int (k,); labels: int (n,) and
    probabilities: float (n, classes), of the whole test split; names: the class names.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = int((predicted != labels).sum())
    tested = text_layout.pluralize(len(labels), "test picture")
    if not wrong:
        return _plot_grid(images[:0], [], [], f"No mistakes on {tested}", subtitle)
    title = f"{text_layout.pluralize(wrong, 'mistake')} on {tested}"
    shown = [f"the first {len(indices)} in test order"] if len(indices) < wrong else []
    said = [subtitle, *shown, "true class → predicted class, and the probability given to it"]
    pairs = [(text_layout.format_class_name(class_names[labels[i]]),
              f"→ {text_layout.format_class_name(class_names[predicted[i]])}") for i in indices]
    sure = [f"{100 * probabilities[i, predicted[i]]:.0f} %" for i in indices]
    return _plot_grid(images, _join_captions(pairs), sure, title, " · ".join(filter(None, said)))


def _join_captions(pairs):
    """Return the captions as lists of paragraphs: 'a → b' in one line when that does for all, else two."""
    joined = [f"{true} {predicted}" for true, predicted in pairs]
    if all(text_layout.estimate_text_width(line, MAX_FONT_SIZE) <= MAX_COLUMN_WIDTH for line in joined):
        return [[line] for line in joined]
    return [list(pair) for pair in pairs]


def _plot_grid(images, captions, notes, title, subtitle):
    """Return the Figure of `images` in rows; beneath each the paragraphs of its caption, then its note if any.

    All stand flush left, as the headline does, so that the eye runs down straight edges.
    """
    size, captions = _wrap_captions(captions)
    line = size * text_layout.LINE_SPACING
    height, width = (side * _choose_scale(images) for side in images.shape[1:3])
    words = [text_layout.estimate_text_width(text, size) for caption in captions for text in caption]
    column = math.ceil(max([width, *words])) + COLUMN_GAP
    row = math.ceil(height + 4 + line * (max(map(len, captions), default=0) + bool(notes)) + 9)
    columns = max(math.ceil(math.sqrt(len(images))), min(len(images), (MIN_WIDTH + COLUMN_GAP) // column), 1)
    wide = max(MIN_WIDTH, columns * column - COLUMN_GAP)
    head = sheet.layout_headline(title, subtitle, wide)
    top = math.ceil(sheet.MARGIN + head.height)
    figure = sheet.create_figure(wide + 2 * sheet.MARGIN, top + math.ceil(len(images) / columns) * row
                                 + sheet.MARGIN - 9)
    axes = sheet.add_full_axes(figure)
    sheet.add_headline(axes, head)
    for place, image in enumerate(images):
        x, y = sheet.MARGIN + place % columns * column, top + place // columns * row
        _draw_image(axes, image, (x, x + width, y + height, y))
        said = [(text, sheet.TEXT_COLOR) for text in captions[place]]
        said += [(note, sheet.VERMILLION) for note in notes[place : place + 1]]
        # Line by line on baselines: the tops of letters differ, and words beside each other would dance.
        for down, (text, color) in enumerate(said):
            sheet.add_text(axes, x, y + height + 4 + (down + 0.8) * line, text, size, color=color, va="baseline")
    return figure


def _wrap_captions(captions):
    """Return the common font size and, for each caption, its lines: paragraphs wrapped to the width of a column."""
    size = text_layout.fit_font_size([part for caption in captions for part in caption], MAX_COLUMN_WIDTH, 2,
                                     MAX_FONT_SIZE, MIN_FONT_SIZE)
    return size, [[line for part in caption for line in text_layout.wrap_and_truncate(part, size, MAX_COLUMN_WIDTH, 2)]
                  for caption in captions]


def _choose_scale(images):
    """Return how many points a pixel takes: half points (whole pixels of the sheet) for all but large pictures."""
    half_points = 2 * IMAGE_SIZE / max(images.shape[1:3])
    return round(half_points) / 2 if half_points >= 1 else half_points / 2


def _draw_image(axes, image, extent):
    """Draw one uint8 picture (h, w, 1 or 3) at extent (left, right, bottom, top): sharp squares when enlarged."""
    enlarged = extent[1] - extent[0] >= image.shape[1] / 2
    axes.imshow(np.broadcast_to(image, (*image.shape[:2], 3)), extent=extent, aspect="auto",
                interpolation="nearest" if enlarged else "antialiased")
