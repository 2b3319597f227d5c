"""The part of a report that the test split fills: confusion matrix, worst mistakes, calibration, classes."""

import numpy as np

from zoo.analysis.classification_metrics import compute_classification_metrics
from zoo.plots.font_metrics import escape_unprintable
from zoo.plots.text_layout import pluralize, wrap_and_truncate, format_class_name, estimate_text_width
from zoo.reports import charts, embedding
from zoo.training import calibration

NUM_WORST = 24  # mistakes shown
NUM_TOP_CONFUSIONS = 8  # pairs of classes named
MAX_CLASSES_WITH_NAMES = 20  # classes, whose names stand beside the confusion matrix
NAME_FONT_SIZE, MAX_NAME_WIDTH, MAX_NAME_LINES = 11, 110, 2  # of a name there, in the units of the matrix
TOP_K = 3  # classes told of each picture


def get_matrix_data(class_names, labels, probabilities):
    """Return what the script draws the confusion matrix from; see the end of run.js."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    cells = [list(cell) for cell in zip(*pairs.tolist(), counts.tolist(), strict=True)]
    class_names = [escape_unprintable(format_class_name(name)) for name in class_names]
    lines = [wrap_and_truncate(name, NAME_FONT_SIZE, MAX_NAME_WIDTH, MAX_NAME_LINES)
             for name in class_names] if len(class_names) <= MAX_CLASSES_WITH_NAMES else []
    room = max((estimate_text_width(line, NAME_FONT_SIZE) for name in lines for line in name), default=0.0)
    return {"names": class_names, "cells": cells, "labels": lines, "room": round(room, 1)}


def get_image_data(images, indices, labels, probabilities):
    """Return the pictures in one sheet, and of each [true, place in the test split, [[class, probability], ...]]."""
    address, columns = embedding.make_sprite_sheet(images)
    each = []
    for index in indices:
        row = probabilities[index].astype(np.float64)
        likely = np.argsort(-row, kind="stable")[:TOP_K]
        each.append([int(labels[index]), int(index), [[int(place), round(float(row[place]), 4)] for place in likely]])
    return {"sheet": address, "columns": columns, "height": images.shape[1], "width": images.shape[2], "each": each}


def get_evaluation_data(class_names, labels, probabilities, confusion_examples):
    """Return what run_test.html shows; `cells`: (images, indices) of some pictures of the test split, or None."""
    return {"matrix": summarize_confusions(labels, probabilities,
                                           class_names), "trust": summarize_calibration(labels, probabilities),
            "worst": select_worst_misclassified(labels, probabilities,
                                                confusion_examples[1]) if confusion_examples else None,
            "classes": compute_classification_metrics(probabilities.argmax(axis=1), labels,
                                                      [format_class_name(name) for name in class_names]),
            "many_classes": len(class_names) > MAX_CLASSES_WITH_NAMES}


def summarize_confusions(labels, probabilities, class_names):
    """Return how many answers were right, and the pairs of classes that were mistaken most often."""
    predicted = probabilities.argmax(axis=1)
    wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]]), axis=1, return_counts=True)
    often = [(*pairs[:, i], *(format_class_name(class_names[place]) for place in pairs[:, i]), f"{counts[i]:,}")
             for i in np.argsort(-counts, kind="stable")[:NUM_TOP_CONFUSIONS]]
    return {"right": f"{int((~wrong).sum()):,}", "count": pluralize(len(labels), "test picture"), "often": often}


def select_worst_misclassified(labels, probabilities, indices):
    """Return which of the pictures at `indices` are the mistakes that the network was surest of, surest first."""
    predicted = probabilities[indices].argmax(axis=1)
    sure = probabilities[indices].max(axis=1)
    wrong = np.flatnonzero(predicted != labels[indices])
    return wrong[np.argsort(-sure[wrong], kind="stable")][:NUM_WORST].tolist()


def summarize_calibration(labels, probabilities):
    """Return how sure the network was and how often right, with the diagram of both."""
    bins = calibration.compute_reliability(probabilities, labels)
    return {"sure": probabilities.max(axis=1).mean(), "right": (probabilities.argmax(axis=1) == labels).mean(),
            "error": calibration.compute_calibration_error(probabilities, labels), "bins": len(bins.count),
            "diagram": charts.draw_reliability_diagram(bins)}
