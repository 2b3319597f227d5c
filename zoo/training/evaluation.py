"""What a model is worth on a split; the test split is touched once, at the end."""

import numpy as np

from zoo.analysis import summary
from zoo.analysis.classification_metrics import compute_classification_metrics
from zoo.training import calibration, cpu_kernels, prefetch, run_files
from zoo.training.batches import EvaluationBatches
from zoo.training.distribution import data_parallel
from zoo.training.model_loading import load_checkpoint_weights, rebuild_run_model
from zoo.training.confusion_examples import select_confusion_examples

NUM_TRAIN_SAMPLES = 64  # training pictures kept for the plots
MAX_MISTAKES = 100
MIN_CLASSES_TOP5 = 100  # from so many classes on, the label among the five most probable is counted as well
MAX_MULTIPLY_ADDS, MAX_BATCHES = 10 ** 9, 16  # of one call of `predict`, where batches are put together


def load_logits_model(run, config, checkpoint):
    """Return the model of a run, from raw pixels to the logits of its main output, with the weights of a checkpoint.

    run: Path; facts: what its run.json says; checkpoint: "best" or "last". UserError for what is damaged.
    """
    model = rebuild_run_model(run, config, None)
    load_checkpoint_weights(model, run / "checkpoints" / f"{checkpoint}.npz")
    return model


def predict_logits(model, split, batch_size, distribution=data_parallel.SINGLE_DEVICE):
    """Return what `model`, which gives logits of its main output alone, says of a split: float32 (n, classes).

    batch_size: at least so many images at a time; see inference_batch_size.
    sharing: a zoo.training.distribution.data_parallel.Sharing, in whose scope the model was built.
    """
    cpu_kernels.use_fast_kernels(model, distribution)
    batches = prefetch.prefetch_batches(distribution.shard_batches(EvaluationBatches(split, compute_inference_batch_size(model, batch_size))))
    return np.asarray(model.predict(batches, verbose=0)[:len(split)], np.float32)  # the last batch may come twice over


def compute_inference_batch_size(model, batch_size):
    """Return how many images `model` predicts at a time: a multiple of `batch_size`, 1 of it for large models.

    A small model computes a batch in less time than the call around it takes. The size depends on the model and
    the batch size alone, not on what was measured, so that the same images give the same bits in each run, also after
    a resume.
    """
    together = MAX_MULTIPLY_ADDS // max(1, summary.summarize_model(model).multiply_adds * batch_size)
    return batch_size * max(1, min(MAX_BATCHES, together))


def softmax(logits):
    """Return the probabilities float32 (n, classes) of logits (n, classes), computed in float64."""
    logits = logits.astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def predict_probabilities(model, split, batch_size, distribution=data_parallel.SINGLE_DEVICE):
    """Return the class probabilities (n, classes) float32 that `model`, which gives logits, has for a split."""
    return softmax(predict_logits(model, split, batch_size, distribution))


def compute_accuracy(probabilities, labels):
    """Return the share of pictures whose most probable class is their label."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def compute_top_k_accuracy(probabilities, labels, k=5):
    """Return the share of pictures whose label is among the `count` most probable classes; equal ones in order."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((order == labels[:, None]).any(axis=1).mean())


def compute_cross_entropy(probabilities, labels):
    """Return the mean of minus the logarithm of the label's probability, in float64.

    A probability under the least normal float32, 1.2e-38, counts as that, so that one picture costs at most 87.3.
    """
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean())


def compute_loss_and_accuracy(probabilities, labels):
    """Return {"loss": mean cross-entropy, "accuracy": share} of probabilities float (n, classes), labels int (n,)."""
    return {"loss": compute_cross_entropy(probabilities, labels), "accuracy": compute_accuracy(probabilities, labels)}


def compute_metrics(probabilities, labels, class_names=None):
    """Return all that is measured of probabilities float (n, classes) and labels int (n,), a dict of plain numbers.

    loss, accuracy; right, of: how many of how many; ece: the expected calibration error of 15 bins; per_class and
    per_class_of: lists of how many images of a class were recognised, of how many; macro_precision, macro_recall,
    macro_f1 and per_class_metrics: see `classification_metrics`, where classes without `class_names` have their
    numbers; where there are 100 classes and more, top5.
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    of = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[predicted == labels], minlength=classes)
    found = {**compute_loss_and_accuracy(probabilities, labels), "right": int(right.sum()), "of": len(labels),
             "ece": calibration.compute_calibration_error(probabilities, labels), "per_class": right.tolist(),
             "per_class_of": of.tolist(),
             **compute_classification_metrics(predicted, labels, class_names or range(classes))}
    return found | ({"top5": compute_top_k_accuracy(probabilities, labels)} if classes >= MIN_CLASSES_TOP5 else {})


def evaluate_test_split(model, dataset, batch_size, run, distribution=data_parallel.SINGLE_DEVICE):
    """Test the last epoch's weights and the best's, write predictions.npz and samples.npz; return what was found.

    test_accuracy_last, test_accuracy_best: shares; test_top5_last, test_top5_best: shares whose label is among the
    five most probable classes, where there are 100 classes and more; of the best epoch, per_class: {name: share
    recognised, None without a picture}, ece, and what `classification_metrics` returns.
    The model, which gives logits, keeps the best weights.
    """
    split, accuracies, top5 = dataset.test, {}, {}
    for checkpoint in ("last", "best"):
        load_checkpoint_weights(model, run / "checkpoints" / f"{checkpoint}.npz")
        probable = predict_probabilities(model, split, batch_size, distribution)
        found = compute_metrics(probable, split.labels, dataset.info.class_names)
        accuracies[f"test_accuracy_{checkpoint}"] = found["accuracy"]
        top5 |= {f"test_top5_{checkpoint}": found["top5"]} if "top5" in found else {}
    if distribution.host == 0:
        write_report_samples(dataset, probable, run)
    classes = zip(dataset.info.class_names, found["per_class"], found["per_class_of"], strict=True)
    metrics = {name: found[name] for name in ("macro_precision", "macro_recall", "macro_f1", "per_class_metrics")}
    return {**accuracies, **top5, "per_class": {name: right / of if of else None for name, right, of in classes},
            "ece": found["ece"], **metrics}


def write_report_samples(dataset, probabilities, run):
    """Write predictions.npz and samples.npz: what the pictures and the report are drawn from."""
    split = dataset.test
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != split.labels)[:MAX_MISTAKES]
    images, labels = dataset.train.batch(np.arange(min(NUM_TRAIN_SAMPLES, len(dataset.train))))
    shown = select_confusion_examples(probabilities, split.labels, int(images[0].nbytes))
    run_files.write_predictions(run, split.labels, probabilities)
    run_files.write_samples(run, (images, labels), (split.batch(wrong)[0], wrong), (split.batch(shown)[0], shown))
