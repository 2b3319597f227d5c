"""The rows of a benchmark's CSV file, as dicts of text, and the columns on the machine."""

import csv


def describe_machine(*backends):
    """Return the columns {"cpu", "versions"}: the processor, and the packages that measurements on `backends` use."""
    from zoo.training import provenance

    versions = {}
    for backend in backends:
        versions |= provenance.get_package_versions(backend)
    return {"cpu": provenance.get_cpu_name(),
            "versions": " ".join(f"{package} {version}" for package, version in versions.items())}


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
