"""Words that fit the room they are given: measured, wrapped, made smaller, and only at last cut."""

from zoo.plots.font_metrics import FONT, text_width  # noqa: F401  all who write in a picture take FONT from here

LINE = 1.2  # height of a line, in font sizes
SLACK = 1.04  # a renderer rounds the width of each letter, so a measured line may come out a little wider


def plain(name):
    """Return a class name as people write it: 'pickup_truck' becomes 'pickup truck'."""
    return " ".join(str(name).replace("_", " ").split())


def counted(count, thing):
    """Return '1 epoch', '2 epochs', '10,000 epochs'."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def width_of(text, size, weight="normal"):
    """Return the room in points that one line of `text` needs at the font size `size` (points)."""
    return text_width(text, size, weight == "bold") * SLACK


def wrap(text, size, width):
    """Return `text` as a list of lines, broken at spaces but not at no-break spaces.

    A word wider than `width` points stands alone.
    """
    lines = []
    for word in filter(None, text.split(" ")):
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


def common_size(texts, width, most_lines, largest, smallest, weight="normal"):
    """Return the largest font size (points) at which every text fits `width` points in `most_lines` lines.

    One size for all of them, because a grid with many sizes is restless. Never under `smallest`: what still
    does not fit at that size is for `cut`.
    """
    size = largest
    while size > smallest and not all(_fits(text, size, width, most_lines, weight) for text in set(texts)):
        size -= 0.5
    return max(size, smallest)


def _fits(text, size, width, most_lines, weight):
    lines = wrap(text, size, width)
    return len(lines) <= most_lines and all(width_of(line, size, weight) <= width for line in lines)


def shortened(line, size, width, weight="normal"):
    """Return `line` with its end replaced by an ellipsis where it is wider than `width` points."""
    if width_of(line, size, weight) <= width:
        return line
    while line and width_of(f"{line}…", size, weight) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"


def cut(text, size, width, most_lines):
    """Return `text` as at most `most_lines` lines within `width` points, with an ellipsis where words were left out."""
    lines = wrap(text, size, width)
    if len(lines) > most_lines:
        lines = [*lines[: most_lines - 1], " ".join(lines[most_lines - 1 :])]
    return [shortened(line, size, width) for line in lines]
