"""Text that fits its available space: measured, wrapped, set smaller, and truncated only as a last resort."""

from zoo.plots.font_metrics import FONT, measure_text_width  # noqa: F401  FONT is re-exported for the plots

LINE_SPACING = 1.2  # height of a line, in font sizes
WIDTH_TOLERANCE = 1.04  # renderers round the width of each glyph, so a line can be wider than measured


def estimate_text_width(text, size, weight="normal"):
    """Return the width in points that one line of `text` needs at the font size `size` (points)."""
    return measure_text_width(text, size, weight == "bold") * WIDTH_TOLERANCE


def wrap_text(text, size, width):
    """Return `text` as a list of lines, wrapped at spaces but not at no-break spaces.

    A word wider than `width` points is a line of its own.
    """
    lines = []
    for word in filter(None, text.split(" ")):
        if lines and estimate_text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


def fit_font_size(texts, width, max_lines, max_size, min_size, weight="normal"):
    """Return the largest font size (points) at which every text fits `width` points in `max_lines` lines.

    All texts share one size, for a uniform grid. It is at least `min_size`: text that still does not fit is left to
    `wrap_and_truncate`.
    """
    size = max_size
    while size > min_size and not all(_has_room(text, size, width, max_lines, weight) for text in set(texts)):
        size -= 0.5
    return max(size, min_size)


def _has_room(text, size, width, max_lines, weight):
    lines = wrap_text(text, size, width)
    return len(lines) <= max_lines and all(estimate_text_width(line, size, weight) <= width for line in lines)


def truncate_text(line, size, width, weight="normal"):
    """Return `line`, with its end replaced by an ellipsis if it is wider than `width` points."""
    if estimate_text_width(line, size, weight) <= width:
        return line
    while line and estimate_text_width(f"{line}…", size, weight) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"


def wrap_and_truncate(text, size, width, max_lines):
    """Return `text` as at most `max_lines` lines within `width` points, with an ellipsis for omitted text."""
    lines = wrap_text(text, size, width)
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], " ".join(lines[max_lines - 1 :])]
    return [truncate_text(line, size, width) for line in lines]
