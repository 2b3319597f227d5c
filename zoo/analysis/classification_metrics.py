"""Precision, recall and F1 of each class, and their means over the classes. NumPy alone."""

import numpy as np

from zoo.utils.table import format_table

MAX_ABSENT_CLASSES_SHOWN = 10  # names of classes without images
METRIC_NAMES = ("precision", "recall", "f1")


def compute_classification_metrics(predictions, labels, class_names):
    """Return how well each class is recognized, and the macro averages, as plain numbers for JSON.

    A quotient without a denominator is 0, as with scikit-learn's `zero_division=0`: the precision of a class that is
    never predicted, the recall of a class without images. The macro averages are the unweighted means over the classes
    that have images; a class without any is left out of them.

    Args:
        predicted, labels: int (n,), the predicted and the true class of each image.
        class_names: list of str, a name for each class.

    Returns:
        A dict: "macro_precision", "macro_recall", "macro_f1", and "per_class_metrics", a list with a dict for each
        class, in their order: "class", its name; "images", how many are labelled so; "precision", "recall", "f1".
    """
    classes = len(class_names)
    images, answers = (np.bincount(values, minlength=classes) for values in (labels, predictions))
    correct = np.bincount(labels[predictions == labels], minlength=classes)
    values = {"precision": correct / np.maximum(answers, 1), "recall": correct / np.maximum(images, 1),
              "f1": 2 * correct / np.maximum(images + answers, 1)}
    present = images > 0
    macro = {f"macro_{metric}": float(values[metric][present].mean()) for metric in METRIC_NAMES}
    rows = [{"class": str(name), "images": int(images[index]),
             **{metric: float(values[metric][index])
                for metric in METRIC_NAMES}} for index, name in enumerate(class_names)]
    return {**macro, "per_class_metrics": rows}


def format_metrics(metrics):
    """Return the lines of a table of what `compute_classification_metrics` returned: a row for each class, and the
    means.

    A last line names the classes that are left out of the means, where any are.
    """
    rows = metrics["per_class_metrics"]
    macro = f"macro ({sum(row['images'] > 0 for row in rows)} classes)"

    def cells(name, images, values):
        return [name, f"{images:,}", *(f"{value:.2%}" for value in values)]

    lines = format_table([["class", "images", "precision", "recall", "F1"],
                          *(cells(row["class"], row["images"], [row[metric] for metric in METRIC_NAMES])
                            for row in rows),
                          cells(macro, sum(row["images"] for row in rows),
                                [metrics[f"macro_{metric}"] for metric in METRIC_NAMES])], right=range(1, 5))
    absent = [row["class"] for row in rows if not row["images"]]
    if absent:
        more = f" and {len(absent) - MAX_ABSENT_CLASSES_SHOWN:,} more" if len(absent) > MAX_ABSENT_CLASSES_SHOWN else ""
        lines.append(f"no images, so not in the macro averages: {', '.join(absent[:MAX_ABSENT_CLASSES_SHOWN])}{more}")
    return lines
