"""Text tables."""

from zoo.utils.text import escape_unprintable


def format_table(rows, right=()):
    """Return the lines of a table: each column as wide as its longest cell, separated by two spaces.

    Unprintable characters in a cell, such as a line end in a class name, are made visible.

    Args:
        rows: sequences of str of equal length, the header first.
        right: indices of the right-aligned columns, such as those of numbers.

    Example:

    >>> format_table([("name", "count"), ("a", "7"), ("bb", "12")], right=(1,))
    ['name  count', 'a         7', 'bb       12']
    """
    rows = [[escape_unprintable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) if index in right else cell.ljust(width)
                      for index, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
