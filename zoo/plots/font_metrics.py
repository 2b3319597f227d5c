"""Text metrics in the DejaVu Sans that ships with matplotlib, so they are the same on every machine."""

import functools
import unicodedata
import warnings
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.textpath import text_to_path

from zoo.utils.text import flatten_whitespace

FONT = "DejaVu Sans"  # ships with matplotlib, which measures it
REFERENCE_SIZE = 100  # font size of the measurements, points; other sizes scale linearly
BASELINE_SHIFT = 0.365  # from a line's middle to its baseline, in font sizes: half the height of a capital or digit


def get_font_properties(size, bold=False):
    """Return the FontProperties of the default font at `size` points: this very file, whatever else is installed."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FontProperties(fname=Path(matplotlib.get_data_path(), "fonts", "ttf", name), size=size)


@functools.cache
def _get_charset():
    return frozenset(get_font(get_font_properties(REFERENCE_SIZE).get_file()).get_charmap())


def has_glyph(character):
    """Return whether the default font has a glyph for a character."""
    return ord(character) in _get_charset()


@functools.lru_cache(maxsize=65536)
def measure_text_width(text, size, bold=False):
    """Return the width of one line of `text` at the font size `size`, in points.

    The font kerns some pairs of characters ("AV"). A diagram has thousands of different labels but few different pairs,
    so the pairs are measured and cached.
    """
    text = flatten_whitespace(text)
    if not text:
        return 0.0
    widths = [_measure_at_reference_size(character, bold) for character in text]
    kerning = [_measure_at_reference_size(text[i : i + 2], bold) - widths[i] - widths[i + 1]
               for i in range(len(text) - 1)]
    return (sum(widths) + sum(kerning)) * size / REFERENCE_SIZE


@functools.lru_cache(maxsize=16384)
def _measure_at_reference_size(characters, bold):
    wide_characters = [character for character in characters if unicodedata.east_asian_width(character) in "WF"
                       and not has_glyph(character)]
    if wide_characters:  # drawn in a fallback font, where they are as wide as high
        return len(wide_characters) * REFERENCE_SIZE + sum(_measure_at_reference_size(character, bold)
                                                           for character in characters
                                                           if character not in wide_characters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing glyph has the width of the empty box drawn for it
        return text_to_path.get_text_width_height_descent(characters, get_font_properties(REFERENCE_SIZE, bold),
                                                          ismath=False)[0]
