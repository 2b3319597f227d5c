"""The paper all pictures are drawn on: a figure measured in points from its upper left corner, and its headline.

One point is two pixels, so that a picture enlarged a whole number of times falls on whole pixels.
"""

import io
import warnings
from collections import namedtuple

from matplotlib.figure import Figure
from PIL import Image

from zoo.plots import fonts, text_layout
from zoo.plots.font_metrics import printable

DPI, NOTEBOOK_DPI = 144, 108
MARGIN = 20  # points, on all sides

# Okabe and Ito's colours, which stay apart for colour-blind eyes; greys for what is not data.
BLUE, VERMILLION = "#0072B2", "#D55E00"
INK, MUTED = "#222222", "#666666"

Headline = namedtuple("Headline", "title size lines height")
TITLE, SUBTITLE = 14, 9  # font sizes, points


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


def blank(width, height):
    """Return a white Figure of `width` x `height` points."""
    return NotebookFigure(figsize=(width / 72, height / 72), dpi=DPI, facecolor="white")


def axes_at(figure, left, top, width, height):
    """Return new Axes of `width` x `height` points whose upper left corner is at (left, top) points."""
    across, down = figure.get_size_inches() * 72
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def ruled(figure):
    """Return Axes that cover the whole figure, without frame, whose units are points, y downwards."""
    across, down = figure.get_size_inches() * 72
    axes = axes_at(figure, 0, 0, across, down)
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
    axes.tick_params(labelsize=8, labelcolor=MUTED, color="#AAAAAA", labelfontfamily=text_layout.FONT)


def write(axes, x, y, text, size, *, color=INK, ha="left", va="top", **more):
    """Write `text` in our font, letters that it lacks in one that has them.

    Names of people's classes are never read as formulas, whatever `$` they hold; halves of letters are made visible.
    """
    text = "\n".join(map(printable, text.split("\n")))
    spacing = text_layout.LINE if "\n" in text else 1  # the box of a single line is then as high as its letters
    return axes.text(x, y, text, size=size, color=color, ha=ha, va=va, family=fonts.families(text),
                     linespacing=spacing, parse_math=False, **more)


def headline(title, subtitle, width):
    """Return the Headline that puts a bold title and a grey subtitle (at most three lines) into `width` points."""
    size = text_layout.common_size([title], width, 1, TITLE, 9, "bold")
    title = text_layout.shortened(title, size, width, "bold")
    lines = text_layout.cut(subtitle, SUBTITLE, width, 3)
    return Headline(title, size, lines, TITLE * 1.6 + len(lines) * SUBTITLE * text_layout.LINE + 10)


def write_headline(axes, head):
    """Write `head` into the upper left corner of a sheet's ruled axes."""
    write(axes, MARGIN, MARGIN - 2, head.title, head.size, weight="bold")
    write(axes, MARGIN, MARGIN + TITLE * 1.6, "\n".join(head.lines), SUBTITLE, color=MUTED)
