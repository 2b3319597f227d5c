"""The test split, touched once, at the end."""

import numpy as np

from zoo.training import run as runs
from zoo.training.batches import EvaluationBatches
from zoo.training.saved import restore_weights

SHOWN = 64  # training pictures kept for the plots
MISTAKES = 100


def probabilities(model, split, batch_size):
    """Return the class probabilities (n, classes) float32 that `model`, which gives logits, has for a split."""
    logits = model.predict(EvaluationBatches(split, batch_size), verbose=0).astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def accuracy(probable, labels):
    """Return the share of pictures whose most probable class is their label."""
    return float((probable.argmax(axis=1) == labels).mean())


def test(model, dataset, batch_size, run):
    """Test the last epoch's weights and the best's, write predictions.npz and samples.npz.

    Returns {"test_accuracy_last": share, "test_accuracy_best": share}; the model keeps the best weights.
    """
    split = dataset.test
    restore_weights(model, run / "checkpoints" / "last.npz")
    last = accuracy(probabilities(model, split, batch_size), split.labels)
    restore_weights(model, run / "checkpoints" / "best.npz")
    best = probabilities(model, split, batch_size)
    wrong = np.flatnonzero(best.argmax(axis=1) != split.labels)[:MISTAKES]
    images, labels = dataset.train.batch(np.arange(min(SHOWN, len(dataset.train))))
    runs.write_arrays(run / "predictions.npz", {"labels": split.labels.astype(np.int64), "probabilities": best})
    runs.write_arrays(run / "samples.npz", {"train_images": images, "train_labels": labels,
                                            "mistake_images": split.batch(wrong)[0], "mistake_indices": wrong})
    return {"test_accuracy_last": last, "test_accuracy_best": accuracy(best, split.labels)}
