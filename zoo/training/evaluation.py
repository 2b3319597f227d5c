"""Evaluate a model on a split; the test split is used only once, at the end of training."""

import numpy as np

from zoo.analysis import summary
from zoo.analysis.classification_metrics import compute_classification_metrics, softmax
from zoo.training import calibration, cpu_kernels, prefetch, run_samples
from zoo.training.batches import EvaluationBatches
from zoo.training.distribution import data_parallel
from zoo.training.model_loading import load_checkpoint_weights, rebuild_run_model
from zoo.training.confusion_examples import rank_misclassified, select_confusion_examples
from zoo.utils.tracing import silence_retracing_warning

NUM_TRAIN_SAMPLES = 64  # training images kept for the plots
MAX_MISCLASSIFIED = 100
MIN_CLASSES_TOP5 = 100  # top-5 accuracy is reported from this many classes on
MAX_MULTIPLY_ADDS, MAX_BATCHES = 10 ** 9, 16  # per call of the backend


def load_logits_model(run, config, checkpoint):
    """Return the model of a run, from raw pixels to the logits of its main output, with the weights of a checkpoint.

    run: Path of the run directory. config: dict, its run.json. checkpoint: "best" or "last". Raise UserError if the run
    is damaged.
    """
    model = rebuild_run_model(run, config, None)
    load_checkpoint_weights(model, run / "checkpoints" / f"{checkpoint}.npz")
    return model


def predict_logits(model, split, batch_size, distribution=data_parallel.SINGLE_DEVICE):
    """Return the logits of a split, float32 (n, classes), from `model`, which outputs only its main logits.

    batch_size: the minimum batch size; see compute_inference_batch_size.
    distribution: the zoo.training.distribution.data_parallel.DataParallel in whose scope the model was built.
    """
    cpu_kernels.use_fast_kernels(model, distribution)
    batches = EvaluationBatches(split, compute_inference_batch_size(model, batch_size))
    batches = prefetch.prefetch_batches(distribution.shard_batches(batches))
    with silence_retracing_warning():
        logits = model.predict(batches, verbose=0)
    return np.asarray(logits[:len(split)], np.float32)  # the last batch may be repeated to divide over the devices


def compute_inference_batch_size(model, batch_size):
    """Return the batch size at inference of `model`: a multiple of `batch_size`, and 1 times it for large models.

    A small model computes a batch in less time than the call overhead. The result depends on the model and `batch_size`
    alone, not on measurements, so that the same images give bit-identical outputs in each run, also after resuming.
    """
    return batch_size * max(1, compute_batches_per_call(model, batch_size))


def compute_batches_per_call(model, batch_size):
    """Return how many batches the backend processes in one call; 0 if even one exceeds MAX_MULTIPLY_ADDS."""
    return min(MAX_BATCHES, MAX_MULTIPLY_ADDS // max(1, summary.summarize_model(model).multiply_adds * batch_size))


def predict_probabilities(model, split, batch_size, distribution=data_parallel.SINGLE_DEVICE):
    """Return the class probabilities of a split, float32 (n, classes), from `model`, which outputs logits."""
    return softmax(predict_logits(model, split, batch_size, distribution))


def compute_accuracy(probabilities, labels):
    """Return the fraction of images whose most probable class is their label."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def compute_top_k_accuracy(probabilities, labels, k=5):
    """Return the fraction of images whose label is among the `k` most probable classes; ties in class order."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((order == labels[:, None]).any(axis=1).mean())


def compute_cross_entropy(probabilities, labels):
    """Return the mean negative log probability of the labels, in float64.

    Probabilities are clipped to the smallest normal float32, 1.2e-38, so that one image contributes at most 87.3.
    """
    label_probabilities = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(label_probabilities, np.finfo(np.float32).tiny)).mean())


def compute_metrics(probabilities, labels, class_names=None, plural="images"):
    """Return all metrics of probabilities float (n, classes) and labels int (n,), a dict of plain numbers.

    loss, accuracy; correct, total: the numbers of correct predictions and of images; ece: the expected calibration
    error with 15 bins; per_class_correct, per_class_total: lists of the same two numbers for each class;
    macro_precision, macro_recall, macro_f1, per_class_metrics: see `compute_classification_metrics`, where classes
    without `class_names` are called by their indices; top5: with 100 classes or more. plural: what was classified,
    "images" or "texts".
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    total = np.bincount(labels, minlength=classes)
    correct = np.bincount(labels[predicted == labels], minlength=classes)
    metrics = {"loss": compute_cross_entropy(probabilities, labels),
               "accuracy": compute_accuracy(probabilities, labels), "correct": int(correct.sum()), "total": len(labels),
               "ece": calibration.compute_calibration_error(probabilities, labels),
               "per_class_correct": correct.tolist(), "per_class_total": total.tolist(),
               **compute_classification_metrics(predicted, labels, class_names or range(classes), plural)}
    return metrics | ({"top5": compute_top_k_accuracy(probabilities, labels)} if classes >= MIN_CLASSES_TOP5 else {})


def evaluate_test_split(model, dataset, batch_size, run, distribution=data_parallel.SINGLE_DEVICE):
    """Evaluate the last and best weights on the test split, write predictions.npz and samples.npz; return metrics.

    test_accuracy_last, test_accuracy_best: accuracies; test_top5_last, test_top5_best: top-5 accuracies, with 100
    classes or more; of the best epoch, per_class: {name: recall, or None for a class without images}, ece, and the
    values of `compute_classification_metrics`. The model, which outputs logits, is left with the best weights.
    """
    split, accuracies, top5 = dataset.test, {}, {}
    for checkpoint in ("last", "best"):
        load_checkpoint_weights(model, run / "checkpoints" / f"{checkpoint}.npz")
        probabilities = predict_probabilities(model, split, batch_size, distribution)
        metrics = compute_metrics(probabilities, split.labels, dataset.info.class_names, dataset.info.modality.plural)
        accuracies[f"test_accuracy_{checkpoint}"] = metrics["accuracy"]
        top5 |= {f"test_top5_{checkpoint}": metrics["top5"]} if "top5" in metrics else {}
    if distribution.host == 0:
        write_report_samples(dataset, probabilities, run)
    classes = zip(dataset.info.class_names, metrics["per_class_correct"], metrics["per_class_total"], strict=True)
    per_class = {name: correct / total if total else None for name, correct, total in classes}
    return {**accuracies, **top5, "per_class": per_class, "ece": metrics["ece"],
            **{name: metrics[name] for name in ("macro_precision", "macro_recall", "macro_f1", "per_class_metrics")}}


def write_report_samples(dataset, probabilities, run):
    """Write predictions.npz and samples.npz, the data of the plots and the report."""
    split = dataset.test
    misclassified = rank_misclassified(probabilities, split.labels)[:MAX_MISCLASSIFIED]
    images, labels = dataset.train.batch(np.arange(min(NUM_TRAIN_SAMPLES, len(dataset.train))))
    examples = select_confusion_examples(probabilities, split.labels, int(images[0].nbytes))
    run_samples.write_predictions(run, split.labels, probabilities)
    run_samples.write_samples(run, (images, labels), (split.batch(misclassified)[0], misclassified),
                            (split.batch(examples)[0], examples))
