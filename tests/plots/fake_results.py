"""Made-up results of a training: histories, predictions, images."""

import numpy as np


def history_of(epochs):
    """Return the columns of a plausible training: losses fall, accuracies rise, the validation lags."""
    t = np.arange(1, epochs + 1)
    rise = 1 - np.exp(-3.0 * t / max(epochs, 5))
    return {"epoch": t.astype(float), "learning_rate": np.full(epochs, 0.01), "loss": 2.3 * (1 - rise) + 0.02,
            "accuracy": 0.95 * rise, "val_loss": 2.3 * (1 - rise) + 0.1, "val_accuracy": 0.9 * rise}


def predictions_of(classes, count, num_errors):
    """Return (labels int64 (count,), probabilities float32 (count, classes)) of which num_errors are incorrect."""
    labels = np.arange(count) % classes
    predicted = labels.copy()
    errors = np.linspace(0, count - 1, num_errors).astype(int)
    predicted[errors] = (labels[errors] + 1 + errors % (classes - 1)) % classes
    probabilities = np.full((count, classes), 0.3 / (classes - 1), np.float32)
    probabilities[np.arange(count), predicted] = 0.7
    return labels, probabilities


def images_of(count, shape=(28, 28, 1)):
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)
