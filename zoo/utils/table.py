"""Tables in text."""


def format_table(rows, right=()):
    """Return the lines of a table: columns as wide as their longest cell, two spaces between them.

    Args:
        rows: sequences of str of one length, the head first.
        right: the indices of the columns that are aligned to the right, such as those of numbers.

    Example:

    >>> format_table([("name", "count"), ("a", "7"), ("bb", "12")], right=(1,))
    ['name  count', 'a         7', 'bb       12']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) if index in right else cell.ljust(width)
                      for index, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
