"""The part of a report that the test split fills: confusion matrix, worst mistakes, calibration, classes."""

import numpy as np

from zoo.plots.font_metrics import printable
from zoo.plots.text_layout import counted, plain
from zoo.reports import charts, embedding
from zoo.reports.html import percent, section, text
from zoo.training import calibration

WORST = 24  # mistakes shown
OFTEN = 8  # pairs of classes named
FEW = 20  # classes, one below the other
LIKELY = 3  # classes told of each picture


def matrix_data(names, labels, probabilities):
    """Return the classes' names and the cells of the confusion matrix that are not empty: [true, predicted, count]."""
    pairs, counts = np.unique(np.stack([labels, probabilities.argmax(axis=1)]), axis=1, return_counts=True)
    cells = [list(cell) for cell in zip(*pairs.tolist(), counts.tolist(), strict=True)]
    return {"names": [printable(plain(name)) for name in names], "cells": cells}


def pictures_data(images, indices, labels, probabilities):
    """Return the pictures in one sheet, and of each [true, place in the test split, [[class, probability], ...]]."""
    address, columns = embedding.sheet(images)
    each = []
    for index in indices:
        row = probabilities[index].astype(np.float64)
        likely = np.argsort(-row, kind="stable")[:LIKELY]
        each.append([int(labels[index]), int(index), [[int(place), round(float(row[place]), 4)] for place in likely]])
    return {"sheet": address, "columns": columns, "height": images.shape[1], "width": images.shape[2], "each": each}


def matrix(labels, probabilities, names):
    predicted = probabilities.argmax(axis=1)
    right = int((labels == predicted).sum())
    wrong = labels != predicted
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]]), axis=1, return_counts=True)
    often = "".join(
        f'<li><button data-cell="{pairs[0, i]},{pairs[1, i]}">{text(plain(names[pairs[0, i]]))} as '
        f'{text(plain(names[pairs[1, i]]))} <b>{counts[i]:,}</b></button></li>'
        for i in np.argsort(-counts, kind="stable")[:OFTEN])
    return section(
        "confusion", "Confusion matrix",
        f"<p>{right:,} of {counted(len(labels), 'test picture')} right. A row is a true class, a column what it was "
        "taken for. Choose a cell to see its pictures: with the mouse, or with the arrow keys and Enter.</p>",
        '<div class="beside"><div class="scroll"><svg id="matrix" tabindex="0" role="application" '
        'aria-label="Confusion matrix; arrow keys move, Enter shows the pictures" aria-describedby="told"></svg></div>'
        '<div id="cell"><p id="told" aria-live="polite"></p><div id="shown" class="tiles"></div></div></div>',
        f'<h3>Most often mistaken</h3><ul id="often">{often}</ul>' if often else "")


def worst(predictions, cells):
    """Return the section of the mistakes that the network was surest of, among the pictures that are kept."""
    if not cells:
        return ""
    (labels, probabilities), (_, indices) = predictions, cells
    predicted = probabilities[indices].argmax(axis=1)
    sure = probabilities[indices].max(axis=1)
    wrong = np.flatnonzero(predicted != labels[indices])
    if not len(wrong):
        return section("worst", "Worst mistakes", "<p>There are none.</p>")
    order = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    tiles = "".join(f'<div data-picture="{place}"></div>' for place in order)
    return section("worst", "Worst mistakes", "<p>Those that the network was surest of.</p>",
                   f'<div class="tiles">{tiles}</div>')


def trust(labels, probabilities):
    bins = calibration.reliability(probabilities, labels)
    error = calibration.expected_error(probabilities, labels)
    sure, right = probabilities.max(axis=1).mean(), (probabilities.argmax(axis=1) == labels).mean()
    return section(
        "calibration", "Calibration",
        f"<p>The network was {100 * sure:.2f} % sure of its answers on average, and {100 * right:.2f} % of them were "
        f"right. Expected calibration error: <b>{error:.4f}</b>, the mean distance of the bars from the diagonal over "
        f"{len(bins.count)} bins of equal width, weighted by their pictures (Guo et al. 2017, arXiv:1706.04599).</p>",
        '<div class="trust">', charts.reliability(bins),
        '<ul class="key"><li><i class="right"></i>share of right answers</li><li><i class="over"></i>surer than right'
        '</li><li><i class="under"></i>less sure than right</li><li><i class="count"></i>pictures of a bin</li></ul>'
        "</div>")


def classes(labels, probabilities, names):
    of = np.bincount(labels, minlength=len(names))
    right = np.bincount(labels[probabilities.argmax(axis=1) == labels], minlength=len(names))
    rows = "".join(
        f"<tr><th scope=row>{text(plain(name))}</th><td>"
        + (f'<meter min="0" max="{count}" value="{good}"></meter></td><td>{percent(good / count)}</td>' if count else
           "</td><td>none</td>") + f"<td>{good:,} of {count:,}</td></tr>"
        for name, good, count in zip(names, right, of, strict=True))
    return section("classes", "Classes", "<p>The share of a class's test pictures that were recognised.</p>",
                   f'<table class="classes{" many" if len(names) > FEW else ""}"><tbody>{rows}</tbody></table>')
