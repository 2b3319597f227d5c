"""What is measured of probabilities: by hand, and against loops."""

import math

import numpy as np
import pytest

from zoo.analysis.classification_metrics import compute_classification_metrics, format_metrics
from zoo.training import calibration, evaluation
from zoo.training.confusion_examples import (MAX_BYTES, MAX_CORRECT_PER_CLASS, MAX_PER_CELL, rank_misclassified,
                                             select_confusion_examples)


def answers(*pairs):
    """Return (probabilities (n, 2), labels) of answers (how sure, whether right), all of which are class 0."""
    probabilities = np.array([[sure, 1 - sure] for sure, _ in pairs])
    return probabilities, np.array([0 if right else 1 for _, right in pairs])


def test_the_expected_calibration_error_by_hand():
    """Two bins of (0.5, 0.6], (0.8, 0.9] of ten: 3/5 * |2/3 - 0.55| + 2/5 * |1/2 - 0.85| = 0.07 + 0.14."""
    probabilities, labels = answers((0.52, True), (0.55, False), (0.58, True), (0.84, True), (0.86, False))
    assert calibration.compute_calibration_error(probabilities, labels, num_bins=10) == pytest.approx(0.21)
    count, confidence, accuracy = calibration.compute_reliability(probabilities, labels, num_bins=10)
    assert count.tolist() == [0, 0, 0, 0, 0, 3, 0, 0, 2, 0]
    assert (confidence[5], accuracy[5]) == pytest.approx((0.55, 2 / 3))
    assert (confidence[8], accuracy[8]) == pytest.approx((0.85, 0.5))


def test_a_bin_has_its_upper_end_and_not_its_lower():
    probabilities, labels = answers((0.75, True), (0.5, True), (1.0, True), (0.76, True))
    assert calibration.compute_reliability(probabilities, labels, num_bins=4).count.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("sure, error", [(1.0, 0.0), (0.8, 0.2)])
def test_answers_that_are_all_right(sure, error):
    assert calibration.compute_calibration_error(*answers(*[(sure, True)] * 7)) == pytest.approx(error)


def test_against_the_definition_in_loops():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.full(6, 0.5), 300).astype(np.float32)
    labels = rng.integers(0, 6, 300)
    error = 0.0
    for least in range(15):
        inside = [i for i in range(300) if least / 15 < float(probabilities[i].max()) <= (least + 1) / 15]
        if inside:
            right = sum(probabilities[i].argmax() == labels[i] for i in inside) / len(inside)
            error += len(inside) / 300 * abs(right - sum(float(probabilities[i].max()) for i in inside) / len(inside))
    assert calibration.compute_calibration_error(probabilities, labels) == pytest.approx(error, abs=1e-12)


def test_loss_and_accuracy():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], np.float32)
    found = evaluation.compute_loss_and_accuracy(probabilities, np.array([0, 2]))
    assert found == {"loss": pytest.approx((math.log(2) + math.log(4)) / 2, abs=1e-15), "accuracy": 0.5}


def test_a_probability_of_zero_costs_what_the_least_float_does():
    found = evaluation.compute_loss_and_accuracy(np.array([[1.0, 0.0]], np.float32), np.array([1]))
    assert found["loss"] == pytest.approx(126 * math.log(2))  # the least normal float32 is 2 ** -126


def test_the_softmax_of_large_logits():
    found = evaluation.softmax(np.array([[1000.0, 1000.0, -1000.0], [0.0, math.log(3), 0.0]], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [[0.5, 0.5, 0.0], pytest.approx([0.2, 0.6, 0.2], abs=1e-7)]


def test_the_label_among_the_five_most_probable():
    probabilities = np.tile(np.arange(100, dtype=np.float32)[::-1], (4, 1))  # class 0 is the most probable
    assert evaluation.compute_top_k_accuracy(probabilities, np.array([0, 4, 5, 99])) == 0.5
    assert evaluation.compute_metrics(probabilities, np.array([0, 4, 5, 99]))["top5"] == 0.5
    assert "top5" not in evaluation.compute_metrics(probabilities[:, :99], np.array([0, 4, 5, 98]))


def test_equal_probabilities_do_not_let_the_label_in_twice():
    assert evaluation.compute_top_k_accuracy(np.full((2, 10), 0.1), np.array([4, 5])) == 0.5


def test_scores_by_class():
    probabilities = np.eye(3)[[0, 0, 1, 1, 1]]
    found = evaluation.compute_metrics(probabilities, np.array([0, 1, 1, 1, 0]))
    assert (found["per_class_correct"], found["per_class_total"]) == ([1, 2, 0], [2, 3, 0])
    assert (found["correct"], found["total"], found["accuracy"]) == (3, 5, 0.6)


def test_precision_recall_and_f1_by_hand():
    """Of a: 2 images, 1 found, 2 answers; b: 3, 2, 3; c: 1, 0, none; d: no image, 1 answer."""
    labels, predicted = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 3])
    found = compute_classification_metrics(predicted, labels, ["a", "b", "c", "d"])
    assert found["per_class_metrics"] == [
        {"class": "a", "images": 2, "precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2},
        {"class": "b", "images": 3, "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3),
         "f1": pytest.approx(2 / 3)},
        {"class": "c", "images": 1, "precision": 0, "recall": 0, "f1": 0},
        {"class": "d", "images": 0, "precision": 0, "recall": 0, "f1": 0}]
    # d, which has no image, is not in the mean: (1/2 + 2/3 + 0) / 3
    assert [found[f"macro_{metric}"] for metric in ("precision", "recall", "f1")] == [pytest.approx(7 / 18)] * 3
    lines = format_metrics(found)
    assert lines[4].split() == "d 0 0.00% 0.00% 0.00%".split()
    assert lines[5].split()[-4:] == "6 38.89% 38.89% 38.89%".split() and "3" in lines[5].split("6")[0]
    assert lines[6].endswith(" d")


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    """Of a: 4 images, 1 found, 2 answers: precision 1/2, recall 1/4, F1 2 * 1/8 / (3/4) = 1/3; b is 6, 5, 8."""
    labels = np.array([0] * 4 + [1] * 6)
    predicted = np.array([0, 1, 1, 1] + [0] + [1] * 5)
    first, second = compute_classification_metrics(predicted, labels, "ab")["per_class_metrics"]
    assert (first["precision"], first["recall"], first["f1"]) == (0.5, 0.25, pytest.approx(1 / 3))
    assert (second["precision"], second["recall"], second["f1"]) == (5 / 8, pytest.approx(5 / 6), pytest.approx(5 / 7))


# The pictures that a report can show

def many(classes, count):
    rng = np.random.default_rng(2)
    return rng.dirichlet(np.full(classes, 0.3), count), rng.integers(0, classes, count)


def test_misclassified_images_are_ranked_by_confidence():
    probabilities = np.array([[0.4, 0.6], [0.9, 0.1], [0.05, 0.95], [0.2, 0.8], [0.4, 0.6]])
    assert rank_misclassified(probabilities, np.array([0, 0, 0, 0, 0])).tolist() == [2, 3, 0, 4]
    assert rank_misclassified(probabilities, np.array([1, 0, 1, 1, 1])).tolist() == []


def test_each_cell_keeps_its_most_confident_errors_and_least_confident_correct_predictions():
    probabilities, labels = many(4, 900)
    kept = set(select_confusion_examples(probabilities, labels, 784).tolist())
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for label in range(4):
        for answer in range(4):
            cell = np.flatnonzero((labels == label) & (predicted == answer))
            assert len(cell) > MAX_PER_CELL
            ranked = sorted(cell, key=lambda i: sure[i], reverse=label != answer)
            assert {i for i in cell
                    if i in kept} == set(ranked[: MAX_CORRECT_PER_CLASS if label == answer else MAX_PER_CELL])


def test_of_too_many_each_cell_keeps_one_before_another_has_two():
    probabilities, labels = many(4, 900)
    kept = select_confusion_examples(probabilities, labels, MAX_BYTES // 20)
    assert len(kept) == 20 and (np.diff(kept) > 0).all()
    cells = labels[kept] * 4 + probabilities[kept].argmax(axis=1)
    assert np.bincount(cells, minlength=16).tolist().count(1) == 12 and set(np.bincount(cells)) == {1, 2}


def test_a_picture_larger_than_the_bound_is_still_kept():
    assert len(select_confusion_examples(*many(3, 50), 10**9)) == 1
