"""Calibration: how far the probability that a model gives to its answer is from how often that answer is right.

Guo et al. 2017 (arXiv:1706.04599), section 2. NumPy alone, so that the pictures can be drawn without a backend.
"""

from collections import namedtuple

import numpy as np

NUM_BINS = 15  # as many as the paper's tables take

# One entry per bin, of the probabilities (m / bins, (m + 1) / bins]: how many pictures fall in, the mean of the
# probabilities that were given to the answers, and the share of right answers; both 0 where there is no picture.
Reliability = namedtuple("Reliability", "count confidence accuracy")  # int64, float64, float64; (bins,) each


def compute_reliability(probabilities, labels, num_bins=NUM_BINS):
    """Return the Reliability of answers: probabilities float (n, classes), the largest of which is the answer's.

    labels: int (n,).
    """
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(sure * num_bins).astype(int) - 1, 0, num_bins - 1)
    count = np.bincount(place, minlength=num_bins)
    confidence, accuracy = (np.bincount(place, weights=values, minlength=num_bins) / np.maximum(count, 1)
                            for values in (sure, right))
    return Reliability(count, confidence, accuracy)


def compute_calibration_error(probabilities, labels, num_bins=NUM_BINS):
    """Return the expected calibration error, 0 to 1: the mean over pictures of |accuracy - confidence| of their bin."""
    count, confidence, accuracy = compute_reliability(probabilities, labels, num_bins)
    return float((count * np.abs(accuracy - confidence)).sum() / count.sum())
