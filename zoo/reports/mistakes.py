"""The part of a report that the test split fills: confusion matrix, worst mistakes, calibration, classes."""

import numpy as np

from zoo.plots.text_layout import counted, plain
from zoo.reports import charts, embedding
from zoo.training import calibration

WORST = 24  # mistakes shown
OFTEN = 8  # pairs of classes named
FEW = 20  # classes, one below the other
LIKELY = 3  # classes told of each picture


def matrix_data(names, labels, probabilities):
    """Return the classes' names and the cells of the confusion matrix that are not empty: [true, predicted, count]."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    cells = [list(cell) for cell in zip(*pairs.tolist(), counts.tolist(), strict=True)]
    return {"names": [plain(name) for name in names], "cells": cells}


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
            "classes": classes(labels, probabilities, names), "many_classes": len(names) > FEW}


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


def classes(labels, probabilities, names):
    """Return (name, right answers, pictures) of each class."""
    of = np.bincount(labels, minlength=len(names))
    right = np.bincount(labels[probabilities.argmax(axis=1) == labels], minlength=len(names))
    return [*zip(map(plain, names), right.tolist(), of.tolist(), strict=True)]
