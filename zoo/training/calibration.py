"""Calibration: the gap between a model's confidence in its predictions and their accuracy.

Guo et al. 2017 (arXiv:1706.04599), section 2. NumPy only, so that plots can be drawn without a backend.
"""

from collections import namedtuple

import numpy as np

NUM_BINS = 15  # as in the paper's tables

# One entry per bin of confidences (m / bins, (m + 1) / bins]: the number of images, their mean confidence and their
# accuracy, the last two 0 in an empty bin.
Reliability = namedtuple("Reliability", "count confidence accuracy")  # int64, float64, float64; (bins,) each


def compute_reliability(probabilities, labels, num_bins=NUM_BINS):
    """Return the Reliability of predictions: probabilities float (n, classes), labels int (n,)."""
    confidences = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidences * num_bins).astype(int) - 1, 0, num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    confidence, accuracy = (np.bincount(bins, weights=values, minlength=num_bins) / np.maximum(count, 1)
                            for values in (confidences, correct))
    return Reliability(count, confidence, accuracy)


def compute_calibration_error(probabilities, labels, num_bins=NUM_BINS):
    """Return the expected calibration error, 0 to 1: the mean over images of |accuracy - confidence| of their bin."""
    count, confidence, accuracy = compute_reliability(probabilities, labels, num_bins)
    return float((count * np.abs(accuracy - confidence)).sum() / count.sum())
