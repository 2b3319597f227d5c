"""How much room words take, in the DejaVu Sans that comes with matplotlib: the same on every machine."""

import functools
import re
import unicodedata
import warnings
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.textpath import text_to_path

FONT = "DejaVu Sans"  # comes with matplotlib, which measures it
REFERENCE_SIZE = 100  # the size that letters are measured at, points; others are in proportion
ASCENT, DESCENT = 0.76, 0.236  # how far "d" rises above the baseline and "g" hangs below it, in font sizes
BASELINE_SHIFT = 0.365  # from the middle of a line to its baseline, in font sizes: half a capital's or a digit's height
# No line holds them, nor does XML: controls, halves of surrogates; and marks that turn the direction of writing.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def get_font_properties(size, bold=False):
    """Return the FontProperties of our letters at `size` points: the very file, whatever else is installed."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FontProperties(fname=Path(matplotlib.get_data_path(), "fonts", "ttf", name), size=size)


@functools.cache
def _get_charset():
    return frozenset(get_font(get_font_properties(REFERENCE_SIZE).get_file()).get_charmap())


def has_glyph(character):
    """Return whether our font has a letter."""
    return ord(character) in _get_charset()


def escape_unprintable(text):
    """Return `words` with a space for each tab or line end; what else has no letter is made visible: \\x1b, \\u202e."""
    return UNPRINTABLE.sub(_escape_character, text)


def _escape_character(match):
    code = ord(match[0])
    return " " if match[0] in "\t\n\v\f\r\x85" else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


@functools.lru_cache(maxsize=65536)
def measure_text_width(text, size, bold=False):
    """Return how far one line of `words` reaches at the font size `size`, points.

    The font moves some pairs of letters together ("AV"). A diagram has thousands of different labels but few
    different pairs, so pairs are what is measured.
    """
    text = escape_unprintable(text)
    if not text:
        return 0.0
    letters = [_measure_at_reference_size(letter, bold) for letter in text]
    pairs = [_measure_at_reference_size(text[i : i + 2], bold) - letters[i] - letters[i + 1]
             for i in range(len(text) - 1)]
    return (sum(letters) + sum(pairs)) * size / REFERENCE_SIZE


@functools.lru_cache(maxsize=16384)
def _measure_at_reference_size(characters, bold):
    wide = [letter for letter in characters if unicodedata.east_asian_width(letter) in "WF" and not has_glyph(letter)]
    if wide:  # written in another font, where they are as wide as high
        return len(wide) * REFERENCE_SIZE + sum(_measure_at_reference_size(letter, bold) for letter in characters
                                                if letter not in wide)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks has the width of the empty box drawn for it
        return text_to_path.get_text_width_height_descent(characters, get_font_properties(REFERENCE_SIZE, bold),
                                                          ismath=False)[0]


def measure_text_box(text):
    """Return (left, top, right, bottom) in points of the room that a scene.Text takes."""
    length = measure_text_width(text.text, text.size, text.bold)
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * length
    above, below = (ASCENT - BASELINE_SHIFT) * text.size, (DESCENT + BASELINE_SHIFT) * text.size
    if text.rotated:  # to the left: what was above is on the left, the words begin at the bottom
        return text.x - above, text.y + before - length, text.x + below, text.y + before
    return text.x - before, text.y - above, text.x - before + length, text.y + below
