"""The top-k classes of each image, and the files of predictions."""

import contextlib
import csv
import json

from zoo.errors import UserError
from zoo.utils.io import atomic_write, check_writable, expand_user

PREDICTION_COLUMNS = ("file", "rank", "class", "probability")


def rank_classes(probabilities, class_names, top_k):
    """Return the `top_k` (class name, probability) pairs of each row of probabilities (n, classes), highest first.

    Ties are in class order. class_names: list of str, or None for "class 0", "class 1", ...
    """
    ranked_indices = (-probabilities).argsort(axis=1, kind="stable")[:, :top_k]
    return [[(class_names[index] if class_names else f"class {index}", float(class_probabilities[index]))
             for index in indices]
            for class_probabilities, indices in zip(probabilities, ranked_indices, strict=True)]


@contextlib.contextmanager
def open_csv_predictions(file):
    """Yield write(path, ranked), which appends an image's rows to an open CSV file; `ranked`: see `rank_classes`."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(PREDICTION_COLUMNS)

    def write(path, ranked):
        writer.writerows((path, rank, name, probability) for rank, (name, probability) in enumerate(ranked, start=1))

    yield write


@contextlib.contextmanager
def open_json_predictions(file):
    """Yield write(path, ranked), which appends an image to an open JSON file: a list with an object for each image."""
    separator = "[\n"

    def write(path, ranked):
        nonlocal separator
        classes = [{"rank": rank, "class": name, "probability": probability}
                   for rank, (name, probability) in enumerate(ranked, start=1)]
        file.write(separator + json.dumps({"file": str(path), "predictions": classes}))
        separator = ",\n"

    yield write
    file.write("[]\n" if separator == "[\n" else "\n]\n")


PREDICTION_FORMATS = {".csv": open_csv_predictions, ".json": open_json_predictions}


def check_prediction_file(path):
    """Return the Path of a predictions file; UserError if it cannot be written, before anything is computed."""
    if expand_user(path).suffix.lower() not in PREDICTION_FORMATS:
        raise UserError(f"the file for predictions must end in {' or '.join(PREDICTION_FORMATS)}; got {str(path)!r}")
    return check_writable(path)


@contextlib.contextmanager
def open_prediction_file(path):
    """Yield write(path, ranked) for a file that is created only if the block succeeds."""
    with (atomic_write(path) as scratch,
          open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,  # file names are bytes
          PREDICTION_FORMATS[path.suffix.lower()](file) as write):
        yield write
