"""The most probable classes of each image, and the files that they are written to."""

import contextlib
import csv
import json

from zoo.errors import UserError
from zoo.utils.io import expand_user, check_writable, atomic_write

PREDICTION_COLUMNS = ("file", "rank", "class", "probability")


def rank_classes(probabilities, class_names, top_k):
    """Return for each row of probabilities (n, classes) a list of (class name, probability), the most probable first.

    Equal ones stay in the order of the classes. class_names: list of str, or None: "class 0", "class 1", ...
    """
    order = (-probabilities).argsort(axis=1, kind="stable")[:, :top_k]
    return [[(class_names[index] if class_names else f"class {index}", float(row[index])) for index in best]
            for row, best in zip(probabilities, order, strict=True)]


@contextlib.contextmanager
def open_csv_predictions(file):
    """Yield write(path, ranked), which adds the rows of an image to an open CSV file; ranked: see `rank_classes`."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(PREDICTION_COLUMNS)

    def write(path, ranked):
        table.writerows((path, rank, name, probability) for rank, (name, probability) in enumerate(ranked, start=1))

    yield write


@contextlib.contextmanager
def open_json_predictions(file):
    """Yield write(path, ranked), which adds an image to an open JSON file: a list with an object for each image."""
    between = "[\n"

    def write(path, ranked):
        nonlocal between
        classes = [{"rank": rank, "class": name, "probability": probability}
                   for rank, (name, probability) in enumerate(ranked, start=1)]
        file.write(between + json.dumps({"file": str(path), "predictions": classes}))
        between = ",\n"

    yield write
    file.write("[]\n" if between == "[\n" else "\n]\n")


PREDICTION_FORMATS = {".csv": open_csv_predictions, ".json": open_json_predictions}


def check_prediction_file(path):
    """Return the Path of a file of predictions; UserError, before anything is computed, where it cannot be written."""
    if expand_user(path).suffix.lower() not in PREDICTION_FORMATS:
        raise UserError(f"predictions are written to a file that ends in {' or '.join(PREDICTION_FORMATS)}; given {str(path)!r}")
    return check_writable(path)


@contextlib.contextmanager
def open_prediction_file(path):
    """Yield write(path, ranked) for a file that is there when the block has ended well, and not before."""
    with (atomic_write(path) as scratch,
          open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,  # names are bytes
          PREDICTION_FORMATS[path.suffix.lower()](file) as write):
        yield write
