"""Figures in points from the upper left corner, with a headline: the base of all plots.

One point is two pixels, so that an image enlarged by an integer factor is aligned with whole pixels.
"""

import io
import warnings
from collections import namedtuple

from matplotlib.figure import Figure
from PIL import Image

from zoo.plots import fonts, text_layout
from zoo.utils.io import atomic_write
from zoo.utils.text import flatten_whitespace

DPI, NOTEBOOK_DPI = 144, 108
MARGIN = 20  # points, on each side

# The color-blind safe palette of Okabe and Ito; grays for everything but data.
BLUE, VERMILLION = "#0072B2", "#D55E00"
TEXT_COLOR, MUTED_COLOR = "#222222", "#666666"

Headline = namedtuple("Headline", "title title_size subtitle_lines height")
TITLE_SIZE, SUBTITLE_SIZE = 14, 9  # font sizes, points


class NotebookFigure(Figure):
    """A Figure that a notebook displays, whether or not pyplot is imported."""

    def _repr_png_(self):
        """Return (bytes of a PNG, {"width": pixels}): a point is one pixel of the page and more than one of the PNG.

        The PNG has 256 colors, which makes it a third as large, since a notebook embeds each figure.
        """
        file = io.BytesIO()
        save_figure(self, file, format="png", dpi=NOTEBOOK_DPI)
        quantized_file = io.BytesIO()
        image = Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        image.save(quantized_file, "png", optimize=True)
        return quantized_file.getvalue(), {"width": round(self.get_size_inches()[0] * 72)}


def save_figure(figure, file, **options):
    """Write the Figure to `file`, a path or a file object open for writing; options: those of `Figure.savefig`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a missing glyph is drawn as an empty box
        figure.savefig(file, **options)


def write_png(figure, path):
    """Write the Figure to `path` as PNG, atomically."""
    with atomic_write(path) as scratch:
        save_figure(figure, scratch, format="png")


def create_figure(width, height):
    """Return a white Figure of `width` x `height` points."""
    return NotebookFigure(figsize=(width / 72, height / 72), dpi=DPI, facecolor="white")


def add_axes(figure, left, top, width, height):
    """Return new Axes of `width` x `height` points whose upper left corner is at (left, top) points."""
    figure_width, figure_height = figure.get_size_inches() * 72
    return figure.add_axes((left / figure_width, 1 - (top + height) / figure_height, width / figure_width,
                            height / figure_height))


def add_full_axes(figure):
    """Return frameless Axes that cover the entire figure, in points, with y pointing down."""
    width, height = figure.get_size_inches() * 72
    axes = add_axes(figure, 0, 0, width, height)
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


def frame_axes(axes):
    """Give the axes a left and a bottom spine only, and muted tick labels."""
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#AAAAAA")
    axes.tick_params(labelsize=8, labelcolor=MUTED_COLOR, color="#AAAAAA", labelfontfamily=text_layout.FONT)


def add_text(axes, x, y, text, size, *, color=TEXT_COLOR, ha="left", va="top", **text_options):
    """Add `text` in the default font, with fallback fonts for missing glyphs.

    Class names are never parsed as formulas, whatever `$` they contain; unprintable characters are escaped.
    """
    text = "\n".join(map(flatten_whitespace, text.split("\n")))
    spacing = text_layout.LINE_SPACING if "\n" in text else 1  # 1: the box of one line is as high as its glyphs
    return axes.text(x, y, text, size=size, color=color, ha=ha, va=va, family=fonts.choose_font_families(text),
                     linespacing=spacing, parse_math=False, **text_options)


def layout_headline(title, subtitle, width):
    """Return the Headline that fits a bold title and a gray subtitle (at most three lines) into `width` points."""
    size = text_layout.fit_font_size([title], width, 1, TITLE_SIZE, 9, "bold")
    title = text_layout.truncate_text(title, size, width, "bold")
    lines = text_layout.wrap_and_truncate(subtitle, SUBTITLE_SIZE, width, 3)
    return Headline(title, size, lines, TITLE_SIZE * 1.6 + len(lines) * SUBTITLE_SIZE * text_layout.LINE_SPACING + 10)


def add_headline(axes, headline):
    """Add the headline to the upper left corner of axes from `add_full_axes`."""
    add_text(axes, MARGIN, MARGIN - 2, headline.title, headline.title_size, weight="bold")
    add_text(axes, MARGIN, MARGIN + TITLE_SIZE * 1.6, "\n".join(headline.subtitle_lines), SUBTITLE_SIZE,
             color=MUTED_COLOR)
