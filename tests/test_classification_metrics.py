"""Metrics of predicted probabilities: against values computed by hand and by loops."""

import math

import numpy as np
import pytest

from zoo.analysis.classification_metrics import compute_classification_metrics, format_metrics
from zoo.training import calibration, evaluation
from zoo.training.confusion_examples import (MAX_BYTES, MAX_CORRECT_PER_CLASS, MAX_PER_CELL, rank_misclassified,
                                             select_confusion_examples)


def make_predictions(*pairs):
    """Return (probabilities (n, 2), labels) of predictions (confidence, is_correct), all of which are class 0."""
    probabilities = np.array([[confidence, 1 - confidence] for confidence, _ in pairs])
    return probabilities, np.array([0 if is_correct else 1 for _, is_correct in pairs])


def test_the_expected_calibration_error_by_hand():
    """Two bins of (0.5, 0.6], (0.8, 0.9] of ten: 3/5 * |2/3 - 0.55| + 2/5 * |1/2 - 0.85| = 0.07 + 0.14."""
    probabilities, labels = make_predictions((0.52, True), (0.55, False), (0.58, True), (0.84, True), (0.86, False))
    assert calibration.compute_calibration_error(probabilities, labels, num_bins=10) == pytest.approx(0.21)
    count, confidence, accuracy = calibration.compute_reliability(probabilities, labels, num_bins=10)
    assert count.tolist() == [0, 0, 0, 0, 0, 3, 0, 0, 2, 0]
    assert (confidence[5], accuracy[5]) == pytest.approx((0.55, 2 / 3))
    assert (confidence[8], accuracy[8]) == pytest.approx((0.85, 0.5))


def test_a_bin_has_its_upper_end_and_not_its_lower():
    probabilities, labels = make_predictions((0.75, True), (0.5, True), (1.0, True), (0.76, True))
    assert calibration.compute_reliability(probabilities, labels, num_bins=4).count.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("confidence, error", [(1.0, 0.0), (0.8, 0.2)])
def test_calibration_error_of_correct_predictions(confidence, error):
    assert calibration.compute_calibration_error(*make_predictions(*[(confidence, True)] * 7)) == pytest.approx(error)


def test_against_the_definition_in_loops():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.full(6, 0.5), 300).astype(np.float32)
    labels = rng.integers(0, 6, 300)
    error = 0.0
    for bin_index in range(15):
        inside = [i for i in range(300) if bin_index / 15 < float(probabilities[i].max()) <= (bin_index + 1) / 15]
        if inside:
            accuracy = sum(probabilities[i].argmax() == labels[i] for i in inside) / len(inside)
            error += len(inside) / 300 * abs(accuracy - sum(float(probabilities[i].max())
                                                            for i in inside) / len(inside))
    assert calibration.compute_calibration_error(probabilities, labels) == pytest.approx(error, abs=1e-12)


def test_loss_and_accuracy():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], np.float32)
    metrics = evaluation.compute_metrics(probabilities, np.array([0, 2]))
    assert metrics["loss"] == pytest.approx((math.log(2) + math.log(4)) / 2, abs=1e-15)
    assert metrics["accuracy"] == 0.5


def test_a_probability_of_zero_is_clipped_to_the_smallest_float():
    metrics = evaluation.compute_metrics(np.array([[1.0, 0.0]], np.float32), np.array([1]))
    assert metrics["loss"] == pytest.approx(126 * math.log(2))  # the smallest normal float32 is 2 ** -126


def test_the_softmax_of_large_logits():
    probabilities = evaluation.softmax(np.array([[1000.0, 1000.0, -1000.0], [0.0, math.log(3), 0.0]], np.float32))
    assert probabilities.dtype == np.float32
    assert probabilities.tolist() == [[0.5, 0.5, 0.0], pytest.approx([0.2, 0.6, 0.2], abs=1e-7)]


def test_the_label_among_the_five_most_probable():
    probabilities = np.tile(np.arange(100, dtype=np.float32)[::-1], (4, 1))  # class 0 is the most probable
    assert evaluation.compute_top_k_accuracy(probabilities, np.array([0, 4, 5, 99])) == 0.5
    assert evaluation.compute_metrics(probabilities, np.array([0, 4, 5, 99]))["top5"] == 0.5
    assert "top5" not in evaluation.compute_metrics(probabilities[:, :99], np.array([0, 4, 5, 98]))


def test_ties_do_not_count_twice_in_top_k():
    assert evaluation.compute_top_k_accuracy(np.full((2, 10), 0.1), np.array([4, 5])) == 0.5


def test_scores_by_class():
    probabilities = np.eye(3)[[0, 0, 1, 1, 1]]
    metrics = evaluation.compute_metrics(probabilities, np.array([0, 1, 1, 1, 0]))
    assert (metrics["per_class_correct"], metrics["per_class_total"]) == ([1, 2, 0], [2, 3, 0])
    assert (metrics["correct"], metrics["total"], metrics["accuracy"]) == (3, 5, 0.6)


def test_precision_recall_and_f1_by_hand():
    """Class a: 2 images, 1 correct, 2 predicted; b: 3, 2, 3; c: 1, 0, none; d: no image, 1 predicted."""
    labels, predicted = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 3])
    metrics = compute_classification_metrics(predicted, labels, ["a", "b", "c", "d"])
    assert metrics["per_class_metrics"] == [
        {"class": "a", "images": 2, "precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2},
        {"class": "b", "images": 3, "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3),
         "f1": pytest.approx(2 / 3)},
        {"class": "c", "images": 1, "precision": 0, "recall": 0, "f1": 0},
        {"class": "d", "images": 0, "precision": 0, "recall": 0, "f1": 0}]
    # d, which has no image, is not in the mean: (1/2 + 2/3 + 0) / 3
    assert [metrics[f"macro_{metric}"] for metric in ("precision", "recall", "f1")] == [pytest.approx(7 / 18)] * 3
    lines = format_metrics(metrics)
    assert lines[4].split() == "d 0 0.00% 0.00% 0.00%".split()
    assert lines[5].split()[-4:] == "6 38.89% 38.89% 38.89%".split() and "3" in lines[5].split("6")[0]
    assert lines[6].endswith(" d")


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    """Class a: 4 images, 1 correct, 2 predicted: precision 1/2, recall 1/4, F1 2 * 1/8 / (3/4) = 1/3; b is 6, 5, 8."""
    labels = np.array([0] * 4 + [1] * 6)
    predicted = np.array([0, 1, 1, 1] + [0] + [1] * 5)
    first, second = compute_classification_metrics(predicted, labels, "ab")["per_class_metrics"]
    assert (first["precision"], first["recall"], first["f1"]) == (0.5, 0.25, pytest.approx(1 / 3))
    assert (second["precision"], second["recall"], second["f1"]) == (5 / 8, pytest.approx(5 / 6), pytest.approx(5 / 7))


# The images that a report can show

def make_random_predictions(classes, count):
    rng = np.random.default_rng(2)
    return rng.dirichlet(np.full(classes, 0.3), count), rng.integers(0, classes, count)


def test_misclassified_images_are_ranked_by_confidence():
    probabilities = np.array([[0.4, 0.6], [0.9, 0.1], [0.05, 0.95], [0.2, 0.8], [0.4, 0.6]])
    assert rank_misclassified(probabilities, np.array([0, 0, 0, 0, 0])).tolist() == [2, 3, 0, 4]
    assert rank_misclassified(probabilities, np.array([1, 0, 1, 1, 1])).tolist() == []


def test_each_cell_keeps_its_most_confident_errors_and_least_confident_correct_predictions():
    probabilities, labels = make_random_predictions(4, 900)
    selected = set(select_confusion_examples(probabilities, labels, 784).tolist())
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for label in range(4):
        for prediction in range(4):
            cell = np.flatnonzero((labels == label) & (predicted == prediction))
            assert len(cell) > MAX_PER_CELL
            ranked = sorted(cell, key=lambda i: confidence[i], reverse=label != prediction)
            assert {i for i in cell
                    if i in selected} == set(ranked[: MAX_CORRECT_PER_CLASS if label == prediction else MAX_PER_CELL])


def test_with_a_size_limit_every_cell_gets_one_before_another_gets_two():
    probabilities, labels = make_random_predictions(4, 900)
    selected = select_confusion_examples(probabilities, labels, MAX_BYTES // 20)
    assert len(selected) == 20 and (np.diff(selected) > 0).all()
    cells = labels[selected] * 4 + probabilities[selected].argmax(axis=1)
    assert np.bincount(cells, minlength=16).tolist().count(1) == 12 and set(np.bincount(cells)) == {1, 2}


def test_an_image_larger_than_the_limit_is_still_kept():
    assert len(select_confusion_examples(*make_random_predictions(3, 50), 10**9)) == 1
