"""What a model is worth on a split; the test split is touched once, at the end."""

import numpy as np

from zoo.analysis import summary
from zoo.analysis.classification_metrics import classification_metrics
from zoo.training import calibration, fused, reading, run_files
from zoo.training.batches import EvaluationBatches
from zoo.training.distribution import parallel
from zoo.training.saved import of_run, restore_weights
from zoo.training.specimens import specimens

SHOWN = 64  # training pictures kept for the plots
MISTAKES = 100
MANY = 100  # from so many classes on, the label among the five most probable is counted as well
MAX_MULTIPLY_ADDS, MAX_BATCHES = 10 ** 9, 16  # of one call of `predict`, where batches are put together


def reopened(run, facts, checkpoint):
    """Return the model of a run, from raw pixels to the logits of its main output, with the weights of a checkpoint.

    run: Path; facts: what its run.json says; checkpoint: "best" or "last". UserError for what is damaged.
    """
    model = of_run(run, facts, None)
    restore_weights(model, run / "checkpoints" / f"{checkpoint}.npz")
    return model


def logits(model, split, batch_size, sharing=parallel.ALONE):
    """Return what `model`, which gives logits of its main output alone, says of a split: float32 (n, classes).

    batch_size: at least so many images at a time; see inference_batch_size.
    sharing: a zoo.training.distribution.parallel.Sharing, in whose scope the model was built.
    """
    fused.use_fast_kernels(model, sharing)
    batches = reading.ahead(sharing.batches(EvaluationBatches(split, inference_batch_size(model, batch_size))))
    return np.asarray(model.predict(batches, verbose=0)[:len(split)], np.float32)  # the last batch may come twice over


def inference_batch_size(model, batch_size):
    """Return how many images `model` predicts at a time: a multiple of `batch_size`, 1 of it for large models.

    A small model computes a batch in less time than the call around it takes. The size depends on the model and
    the batch size alone, not on what was measured, so that the same images give the same bits in each run, also after
    a resume.
    """
    together = MAX_MULTIPLY_ADDS // max(1, summary.read(model).multiply_adds * batch_size)
    return batch_size * max(1, min(MAX_BATCHES, together))


def softmax(scores):
    """Return the probabilities float32 (n, classes) of logits (n, classes), computed in float64."""
    scores = scores.astype(np.float64)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def probabilities(model, split, batch_size, sharing=parallel.ALONE):
    """Return the class probabilities (n, classes) float32 that `model`, which gives logits, has for a split."""
    return softmax(logits(model, split, batch_size, sharing))


def accuracy(probable, labels):
    """Return the share of pictures whose most probable class is their label."""
    return float((probable.argmax(axis=1) == labels).mean())


def top(probable, labels, count=5):
    """Return the share of pictures whose label is among the `count` most probable classes; equal ones in order."""
    order = np.argsort(-probable, axis=1, kind="stable")[:, :count]
    return float((order == labels[:, None]).any(axis=1).mean())


def cross_entropy(probable, labels):
    """Return the mean of minus the logarithm of the label's probability, in float64.

    A probability under the least normal float32, 1.2e-38, counts as that, so that one picture costs at most 87.3.
    """
    of_label = probable[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean())


def measured(probable, labels):
    """Return {"loss": mean cross-entropy, "accuracy": share} of probabilities float (n, classes), labels int (n,)."""
    return {"loss": cross_entropy(probable, labels), "accuracy": accuracy(probable, labels)}


def scores(probable, labels, class_names=None):
    """Return all that is measured of probabilities float (n, classes) and labels int (n,), a dict of plain numbers.

    loss, accuracy; right, of: how many of how many; ece: the expected calibration error of 15 bins; per_class and
    per_class_of: lists of how many images of a class were recognised, of how many; macro_precision, macro_recall,
    macro_f1 and per_class_metrics: see `classification_metrics`, where classes without `class_names` have their
    numbers; where there are 100 classes and more, top5.
    """
    classes = probable.shape[1]
    predicted = probable.argmax(axis=1)
    of = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[predicted == labels], minlength=classes)
    found = {**measured(probable, labels), "right": int(right.sum()), "of": len(labels),
             "ece": calibration.expected_error(probable, labels), "per_class": right.tolist(),
             "per_class_of": of.tolist(), **classification_metrics(predicted, labels, class_names or range(classes))}
    return found | ({"top5": top(probable, labels)} if classes >= MANY else {})


def test(model, dataset, batch_size, run, sharing=parallel.ALONE):
    """Test the last epoch's weights and the best's, write predictions.npz and samples.npz; return what was found.

    test_accuracy_last, test_accuracy_best: shares; test_top5_last, test_top5_best: shares whose label is among the
    five most probable classes, where there are 100 classes and more; of the best epoch, per_class: {name: share
    recognised, None without a picture}, ece, and what `classification_metrics` returns.
    The model, which gives logits, keeps the best weights.
    """
    split, accuracies, top5 = dataset.test, {}, {}
    for checkpoint in ("last", "best"):
        restore_weights(model, run / "checkpoints" / f"{checkpoint}.npz")
        probable = probabilities(model, split, batch_size, sharing)
        found = scores(probable, split.labels, dataset.facts.label_names)
        accuracies[f"test_accuracy_{checkpoint}"] = found["accuracy"]
        top5 |= {f"test_top5_{checkpoint}": found["top5"]} if "top5" in found else {}
    if sharing.host == 0:
        write_shown(dataset, probable, run)
    classes = zip(dataset.facts.label_names, found["per_class"], found["per_class_of"], strict=True)
    metrics = {name: found[name] for name in ("macro_precision", "macro_recall", "macro_f1", "per_class_metrics")}
    return {**accuracies, **top5, "per_class": {name: right / of if of else None for name, right, of in classes},
            "ece": found["ece"], **metrics}


def write_shown(dataset, probable, run):
    """Write predictions.npz and samples.npz: what the pictures and the report are drawn from."""
    split = dataset.test
    wrong = np.flatnonzero(probable.argmax(axis=1) != split.labels)[:MISTAKES]
    images, labels = dataset.train.batch(np.arange(min(SHOWN, len(dataset.train))))
    shown = specimens(probable, split.labels, int(images[0].nbytes))
    run_files.write_predictions(run, split.labels, probable)
    run_files.write_samples(run, (images, labels), (split.batch(wrong)[0], wrong), (split.batch(shown)[0], shown))
