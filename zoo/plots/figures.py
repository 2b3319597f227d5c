"""The paper all pictures are drawn on: a figure measured in points from its upper left corner, and its headline.

One point is two pixels, so that a picture enlarged a whole number of times falls on whole pixels.
"""

import io
import warnings
from collections import namedtuple

from matplotlib.figure import Figure
from PIL import Image

from zoo.plots import fonts, text_layout
from zoo.plots.font_metrics import escape_unprintable

DPI, NOTEBOOK_DPI = 144, 108
MARGIN = 20  # points, on all sides

# Okabe and Ito's colours, which stay apart for colour-blind eyes; greys for what is not data.
BLUE, VERMILLION = "#0072B2", "#D55E00"
TEXT_COLOR, MUTED_COLOR = "#222222", "#666666"

Headline = namedtuple("Headline", "title title_size subtitle_lines height")
TITLE_SIZE, SUBTITLE_SIZE = 14, 9  # font sizes, points


class NotebookFigure(Figure):
    """A Figure that a notebook shows, whether or not pyplot is loaded."""

    def _repr_png_(self):
        """Return (bytes of a PNG, {"width": pixels}): a point is a pixel of the page, and more than one of the PNG.

        It has 256 colours, which makes it a third as large: a notebook keeps each figure inside.
        """
        file = io.BytesIO()
        save_png(self, file, NOTEBOOK_DPI)
        small = io.BytesIO()
        Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
        return small.getvalue(), {"width": round(self.get_size_inches()[0] * 72)}


def save_png(figure, file, dpi="figure"):
    """Write the Figure as PNG to `file`, a path or a file that is open for writing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a character that the font lacks is drawn as an empty box
        figure.savefig(file, format="png", dpi=dpi)


def create_figure(width, height):
    """Return a white Figure of `width` x `height` points."""
    return NotebookFigure(figsize=(width / 72, height / 72), dpi=DPI, facecolor="white")


def add_axes(figure, left, top, width, height):
    """Return new Axes of `width` x `height` points whose upper left corner is at (left, top) points."""
    across, down = figure.get_size_inches() * 72
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def add_full_axes(figure):
    """Return Axes that cover the whole figure, without frame, whose units are points, y downwards."""
    across, down = figure.get_size_inches() * 72
    axes = add_axes(figure, 0, 0, across, down)
    axes.set_axis_off()
    axes.set_xlim(0, across)
    axes.set_ylim(down, 0)
    return axes


def frame_axes(axes):
    """Give a chart's axes a frame to the left and below, and muted labels."""
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#AAAAAA")
    axes.tick_params(labelsize=8, labelcolor=MUTED_COLOR, color="#AAAAAA", labelfontfamily=text_layout.FONT)


def add_text(axes, x, y, text, size, *, color=TEXT_COLOR, ha="left", va="top", **text_options):
    """Write `text` in our font, letters that it lacks in one that has them.

    Names of people's classes are never read as formulas, whatever `$` they hold; halves of letters are made visible.
    """
    text = "\n".join(map(escape_unprintable, text.split("\n")))
    spacing = text_layout.LINE_SPACING if "\n" in text else 1  # the box of a single line is then as high as its letters
    return axes.text(x, y, text, size=size, color=color, ha=ha, va=va, family=fonts.choose_font_families(text),
                     linespacing=spacing, parse_math=False, **text_options)


def layout_headline(title, subtitle, width):
    """Return the Headline that puts a bold title and a grey subtitle (at most three lines) into `width` points."""
    size = text_layout.fit_font_size([title], width, 1, TITLE_SIZE, 9, "bold")
    title = text_layout.truncate_text(title, size, width, "bold")
    lines = text_layout.wrap_and_truncate(subtitle, SUBTITLE_SIZE, width, 3)
    return Headline(title, size, lines, TITLE_SIZE * 1.6 + len(lines) * SUBTITLE_SIZE * text_layout.LINE_SPACING + 10)


def add_headline(axes, headline):
    """Write `head` into the upper left corner of a sheet's ruled axes."""
    add_text(axes, MARGIN, MARGIN - 2, headline.title, headline.title_size, weight="bold")
    add_text(axes, MARGIN, MARGIN + TITLE_SIZE * 1.6, "\n".join(headline.subtitle_lines), SUBTITLE_SIZE,
             color=MUTED_COLOR)
