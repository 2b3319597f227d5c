"""The part of a report that the test split fills: confusion matrix, worst mistakes, calibration, classes."""

import numpy as np

from zoo.analysis.classification_metrics import classification_metrics
from zoo.plots.font_metrics import printable
from zoo.plots.text_layout import counted, cut, plain, width_of
from zoo.reports import charts, embedding
from zoo.training import calibration

WORST = 24  # mistakes shown
OFTEN = 8  # pairs of classes named
FEW = 20  # classes, whose names stand beside the confusion matrix
NAME_SIZE, NAME_WIDTH, NAME_LINES = 11, 110, 2  # of a name there, in the units of the matrix
LIKELY = 3  # classes told of each picture


def matrix_data(names, labels, probabilities):
    """Return what the script draws the confusion matrix from; see the end of run.js."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    cells = [list(cell) for cell in zip(*pairs.tolist(), counts.tolist(), strict=True)]
    names = [printable(plain(name)) for name in names]
    lines = [cut(name, NAME_SIZE, NAME_WIDTH, NAME_LINES) for name in names] if len(names) <= FEW else []
    room = max((width_of(line, NAME_SIZE) for name in lines for line in name), default=0.0)
    return {"names": names, "cells": cells, "labels": lines, "room": round(room, 1)}


def pictures_data(images, indices, labels, probabilities):
    """Return the pictures in one sheet, and of each [true, place in the test split, [[class, probability], ...]]."""
    address, columns = embedding.sheet(images)
    each = []
    for index in indices:
        row = probabilities[index].astype(np.float64)
        likely = np.argsort(-row, kind="stable")[:LIKELY]
        each.append([int(labels[index]), int(index), [[int(place), round(float(row[place]), 4)] for place in likely]])
    return {"sheet": address, "columns": columns, "height": images.shape[1], "width": images.shape[2], "each": each}


def values(names, labels, probabilities, cells):
    """Return what run_test.html shows; `cells`: (images, indices) of some pictures of the test split, or None."""
    return {"matrix": matrix(labels, probabilities, names), "trust": trust(labels, probabilities),
            "worst": worst(labels, probabilities, cells[1]) if cells else None,
            "classes": classification_metrics(probabilities.argmax(axis=1), labels, [plain(name) for name in names]),
            "many_classes": len(names) > FEW}


def matrix(labels, probabilities, names):
    """Return how many answers were right, and the pairs of classes that were mistaken most often."""
    predicted = probabilities.argmax(axis=1)
    wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]]), axis=1, return_counts=True)
    often = [(*pairs[:, i], *(plain(names[place]) for place in pairs[:, i]), f"{counts[i]:,}")
             for i in np.argsort(-counts, kind="stable")[:OFTEN]]
    return {"right": f"{int((~wrong).sum()):,}", "count": counted(len(labels), "test picture"), "often": often}


def worst(labels, probabilities, indices):
    """Return which of the pictures at `indices` are the mistakes that the network was surest of, surest first."""
    predicted = probabilities[indices].argmax(axis=1)
    sure = probabilities[indices].max(axis=1)
    wrong = np.flatnonzero(predicted != labels[indices])
    return wrong[np.argsort(-sure[wrong], kind="stable")][:WORST].tolist()


def trust(labels, probabilities):
    """Return how sure the network was and how often right, with the diagram of both."""
    bins = calibration.reliability(probabilities, labels)
    return {"sure": probabilities.max(axis=1).mean(), "right": (probabilities.argmax(axis=1) == labels).mean(),
            "error": calibration.expected_error(probabilities, labels), "bins": len(bins.count),
            "diagram": charts.reliability(bins)}
