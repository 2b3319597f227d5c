"""The rows of a benchmark's CSV file, as dicts of text."""

import csv


def read_rows(path):
    """Return the rows of the file at `path`; [] if there is no such file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path, fields, rows):
    """Write the rows to the file at `path` atomically; `fields` are the columns."""
    from zoo.utils.io import atomic_write

    with atomic_write(path) as scratch, open(scratch, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def append_row(path, fields, row):
    """Append a row, after the header if the file is new; rows that another process appends meanwhile are kept."""
    is_new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)
