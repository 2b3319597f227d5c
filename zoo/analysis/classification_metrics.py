"""Precision, recall and F1 of each class, their macro averages, and the most frequent confusions. NumPy alone."""

import numpy as np

from zoo.utils.table import format_table

MAX_ABSENT_CLASSES_SHOWN = 10  # names listed of classes without images
METRIC_NAMES = ("precision", "recall", "f1")


def softmax(logits):
    """Return the probabilities float32 (n, classes) of logits (n, classes), computed in float64."""
    logits = logits.astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)


def compute_classification_metrics(predictions, labels, class_names, plural="images"):
    """Return the metrics of each class and their macro averages, as plain numbers for JSON.

    A quotient with denominator 0 is 0, as with scikit-learn's `zero_division=0`: the precision of a class that is never
    predicted, the recall of a class without images. The macro averages are unweighted means over the classes that have
    images.

    Args:
        predictions: int array (n,), the predicted class of each image.
        labels: int array (n,), the true class of each image.
        class_names: list of str, the name of each class.
        plural: what was classified, "images" or "texts".

    Returns:
        A dict with "macro_precision", "macro_recall", "macro_f1", and "per_class_metrics", a list with a dict for each
        class, in class order: "class" (name), `plural` (number of images, or texts, with this label), "precision",
        "recall", "f1".
    """
    classes = len(class_names)
    label_counts, predicted_counts = (np.bincount(values, minlength=classes) for values in (labels, predictions))
    correct_counts = np.bincount(labels[predictions == labels], minlength=classes)
    values = {"precision": correct_counts / np.maximum(predicted_counts, 1),
              "recall": correct_counts / np.maximum(label_counts, 1),
              "f1": 2 * correct_counts / np.maximum(label_counts + predicted_counts, 1)}
    has_samples = label_counts > 0
    macro_averages = {f"macro_{metric}": float(values[metric][has_samples].mean()) for metric in METRIC_NAMES}
    per_class_metrics = [{"class": str(name), plural: int(label_counts[index]),
                          **{metric: float(values[metric][index]) for metric in METRIC_NAMES}}
                         for index, name in enumerate(class_names)]
    return {**macro_averages, "per_class_metrics": per_class_metrics}


def rank_confusions(predictions, labels):
    """Return [[label, predicted class, number of images]] of the misclassified images, the most frequent pairs first.

    predictions, labels: int arrays (n,). Pairs of equal frequency are in class order.
    """
    is_incorrect = labels != predictions
    pairs, counts = np.unique(np.stack([labels[is_incorrect], predictions[is_incorrect]]), axis=1, return_counts=True)
    return np.column_stack([*pairs, counts])[np.argsort(-counts, kind="stable")].tolist()


def format_metrics(metrics, plural="images"):
    """Return the result of `compute_classification_metrics` as the lines of a table: the classes, then the averages.

    A last line lists the classes without images, which the averages exclude, if there are any. plural: as for
    `compute_classification_metrics`.
    """
    rows = metrics["per_class_metrics"]
    macro_label = f"macro ({sum(row[plural] > 0 for row in rows)} classes)"

    def make_row(name, count, values):
        return [name, f"{count:,}", *(f"{value:.2%}" for value in values)]

    lines = format_table([["class", plural, "precision", "recall", "F1"],
                          *(make_row(row["class"], row[plural], [row[metric] for metric in METRIC_NAMES])
                            for row in rows),
                          make_row(macro_label, sum(row[plural] for row in rows),
                                   [metrics[f"macro_{metric}"] for metric in METRIC_NAMES])], right=range(1, 5))
    absent_classes = [row["class"] for row in rows if not row[plural]]
    if absent_classes:
        num_hidden = len(absent_classes) - MAX_ABSENT_CLASSES_SHOWN
        remainder = f" and {num_hidden:,} more" if num_hidden > 0 else ""
        lines.append(f"no {plural}, excluded from the macro averages: "
                     f"{', '.join(absent_classes[:MAX_ABSENT_CLASSES_SHOWN])}{remainder}")
    return lines
