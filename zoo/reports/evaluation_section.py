"""The test results in a report: confusion matrix, most confident errors, calibration, per-class metrics."""

import numpy as np

from zoo.analysis.classification_metrics import compute_classification_metrics, rank_confusions
from zoo.modality import IMAGE
from zoo.plots.confusion_matrix import compute_color_strength
from zoo.plots.text_layout import estimate_text_width, wrap_and_truncate
from zoo.reports import charts, embedding
from zoo.training import calibration
from zoo.training.confusion_examples import rank_misclassified
from zoo.utils.text import format_class_name, pluralize

NUM_MISCLASSIFIED = 24  # misclassified images shown
NUM_TOP_CONFUSIONS = 8  # most confused pairs of classes listed
MAX_CLASSES_WITH_NAMES = 20  # up to this number, class names are shown beside the confusion matrix
NAME_FONT_SIZE, MAX_NAME_WIDTH, MAX_NAME_LINES = 11, 110, 2  # of these names, in the units of the matrix
MIN_OPACITY, MAX_OPACITY = 0.1, 0.6  # of the cells of the confusion matrix
TOP_K = 3  # most probable classes listed for each image


def get_matrix_data(class_names, labels, probabilities):
    """Return the data from which the script draws the confusion matrix; see the end of run.js."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    cells = [list(cell) for cell in zip(*pairs.tolist(), counts.tolist(), compute_opacity(counts, counts.max()),
                                        strict=True)]
    class_names = [format_class_name(name) for name in class_names]
    lines = [wrap_and_truncate(name, NAME_FONT_SIZE, MAX_NAME_WIDTH, MAX_NAME_LINES)
             for name in class_names] if len(class_names) <= MAX_CLASSES_WITH_NAMES else []
    max_width = max((estimate_text_width(line, NAME_FONT_SIZE) for name in lines for line in name), default=0.0)
    return {"class_names": class_names, "cells": cells, "name_lines": lines, "name_width": round(max_width, 1)}


def compute_opacity(counts, max_count):
    """Return the opacity of cells with `counts` images as a list: one scale, for correct and incorrect predictions."""
    strength = compute_color_strength(np.asarray(counts), max_count)
    return np.round(MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * strength, 4).tolist()


def get_image_data(images, indices, labels, probabilities):
    """Return the images as a sprite sheet, and of each [label, test split index, [[class, probability], ...]]."""
    sheet, columns = embedding.make_sprite_sheet(images)
    items = []
    for index in indices:
        row = probabilities[index].astype(np.float64)
        top_classes = np.argsort(-row, kind="stable")[:TOP_K]
        predictions = [[int(label), round(float(row[label]), 4)] for label in top_classes]
        items.append([int(labels[index]), int(index), predictions])
    return {"sheet": sheet, "columns": columns, "height": images.shape[1], "width": images.shape[2], "items": items}


def make_image_examples(run, files):
    """Return the arguments of `run.render_run_page` that show images of a run; files: its _RunFiles."""
    return {"confusion_examples": files.confusion_examples}


def get_evaluation_data(class_names, labels, probabilities, confusion_examples, modality=IMAGE):
    """Return the data for run_test.html.

    confusion_examples: (images, indices) of some images of the test split, or None. modality: of what was
    classified.
    """
    names = [format_class_name(name) for name in class_names]
    errors = None  # positions in confusion_examples
    if confusion_examples:
        _, indices = confusion_examples
        errors = rank_misclassified(probabilities[indices], labels[indices])[:NUM_MISCLASSIFIED].tolist()
    return {"matrix": summarize_confusions(labels, probabilities, class_names, modality.name),
            "calibration": summarize_calibration(labels, probabilities, modality.plural),
            "most_confident_errors": errors,
            "classes": compute_classification_metrics(probabilities.argmax(axis=1), labels, names, modality.plural),
            "many_classes": len(class_names) > MAX_CLASSES_WITH_NAMES}


def summarize_confusions(labels, probabilities, class_names, noun="image"):
    """Return the number of correct predictions, the most confused pairs of classes, and the color scale."""
    predicted = probabilities.argmax(axis=1)
    top_confusions = [(*pair, *(format_class_name(class_names[label]) for label in pair), f"{count:,}")
                      for *pair, count in rank_confusions(predicted, labels)[:NUM_TOP_CONFUSIONS]]
    max_count = int(np.unique(np.stack([labels, predicted]), axis=1, return_counts=True)[1].max())
    return {"correct": f"{int((labels == predicted).sum()):,}", "total": pluralize(len(labels), f"test {noun}"),
            "top_confusions": top_confusions, "max_count": f"{max_count:,}",
            "scale": compute_opacity(np.linspace(0, 1, 7) ** 2, 1)}


def summarize_calibration(labels, probabilities, plural="images"):
    """Return the mean confidence, the accuracy and the calibration error, with the reliability diagram."""
    bins = calibration.compute_reliability(probabilities, labels)
    return {"confidence": probabilities.max(axis=1).mean(),
            "accuracy": (probabilities.argmax(axis=1) == labels).mean(),
            "error": calibration.compute_calibration_error(probabilities, labels), "bins": len(bins.count),
            "diagram": charts.draw_reliability_diagram(bins, plural)}
