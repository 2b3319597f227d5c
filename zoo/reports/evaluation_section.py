"""The test results in a report: confusion matrix, worst mistakes, calibration, per-class metrics."""

import numpy as np

from zoo.analysis.classification_metrics import compute_classification_metrics
from zoo.plots.font_metrics import escape_unprintable
from zoo.plots.text_layout import estimate_text_width, format_class_name, pluralize, wrap_and_truncate
from zoo.reports import charts, embedding
from zoo.training import calibration

NUM_WORST = 24  # misclassified images shown
NUM_TOP_CONFUSIONS = 8  # most confused pairs of classes listed
MAX_CLASSES_WITH_NAMES = 20  # up to this number, class names are shown beside the confusion matrix
NAME_FONT_SIZE, MAX_NAME_WIDTH, MAX_NAME_LINES = 11, 110, 2  # of these names, in the units of the matrix
TOP_K = 3  # most probable classes listed for each image


def get_matrix_data(class_names, labels, probabilities):
    """Return the data from which the script draws the confusion matrix; see the end of run.js."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    cells = [list(cell) for cell in zip(*pairs.tolist(), counts.tolist(), strict=True)]
    class_names = [escape_unprintable(format_class_name(name)) for name in class_names]
    lines = [wrap_and_truncate(name, NAME_FONT_SIZE, MAX_NAME_WIDTH, MAX_NAME_LINES)
             for name in class_names] if len(class_names) <= MAX_CLASSES_WITH_NAMES else []
    max_width = max((estimate_text_width(line, NAME_FONT_SIZE) for name in lines for line in name), default=0.0)
    return {"names": class_names, "cells": cells, "labels": lines, "room": round(max_width, 1)}


def get_image_data(images, indices, labels, probabilities):
    """Return the images as a sprite sheet, and of each [label, test split index, [[class, probability], ...]]."""
    sheet, columns = embedding.make_sprite_sheet(images)
    entries = []
    for index in indices:
        row = probabilities[index].astype(np.float64)
        top_classes = np.argsort(-row, kind="stable")[:TOP_K]
        predictions = [[int(label), round(float(row[label]), 4)] for label in top_classes]
        entries.append([int(labels[index]), int(index), predictions])
    return {"sheet": sheet, "columns": columns, "height": images.shape[1], "width": images.shape[2], "each": entries}


def get_evaluation_data(class_names, labels, probabilities, confusion_examples):
    """Return the data for run_test.html.

    confusion_examples: (images, indices) of some images of the test split, or None.
    """
    names = [format_class_name(name) for name in class_names]
    worst = select_worst_misclassified(labels, probabilities, confusion_examples[1]) if confusion_examples else None
    return {"matrix": summarize_confusions(labels, probabilities, class_names),
            "trust": summarize_calibration(labels, probabilities), "worst": worst,
            "classes": compute_classification_metrics(probabilities.argmax(axis=1), labels, names),
            "many_classes": len(class_names) > MAX_CLASSES_WITH_NAMES}


def summarize_confusions(labels, probabilities, class_names):
    """Return the number of correct predictions, and the most confused pairs of classes."""
    predicted = probabilities.argmax(axis=1)
    is_wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[is_wrong], predicted[is_wrong]]), axis=1, return_counts=True)
    top_confusions = [(*pairs[:, i], *(format_class_name(class_names[label]) for label in pairs[:, i]),
                       f"{counts[i]:,}") for i in np.argsort(-counts, kind="stable")[:NUM_TOP_CONFUSIONS]]
    return {"right": f"{int((~is_wrong).sum()):,}", "count": pluralize(len(labels), "test image"),
            "often": top_confusions}


def select_worst_misclassified(labels, probabilities, indices):
    """Return positions in `indices` of the misclassified images, the most confident predictions first."""
    predicted = probabilities[indices].argmax(axis=1)
    confidence = probabilities[indices].max(axis=1)
    misclassified = np.flatnonzero(predicted != labels[indices])
    return misclassified[np.argsort(-confidence[misclassified], kind="stable")][:NUM_WORST].tolist()


def summarize_calibration(labels, probabilities):
    """Return the mean confidence, the accuracy and the calibration error, with the reliability diagram."""
    bins = calibration.compute_reliability(probabilities, labels)
    return {"sure": probabilities.max(axis=1).mean(), "right": (probabilities.argmax(axis=1) == labels).mean(),
            "error": calibration.compute_calibration_error(probabilities, labels), "bins": len(bins.count),
            "diagram": charts.draw_reliability_diagram(bins)}
