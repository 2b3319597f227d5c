"""No text overlaps another or an image, leaves the figure or is crossed by a curve."""

import re

import numpy as np
import pytest
from fake_results import history_of, images_of, predictions_of

from zoo.plots.comparison_curves import plot_run_comparison
from zoo.plots.confusion_matrix import plot_confusion_matrix
from zoo.plots.image_grid import plot_misclassified, plot_samples
from zoo.plots.learning_curves import plot_learning_curves, spread_labels
from zoo.runs.comparison import group_seed_runs
from zoo.runs.comparison_table import RunSummary

DIGITS = list("0123456789")
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COARSE = ["aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables",
          "household_electrical_devices", "household_furniture", "insects", "large_carnivores",
          "large_man-made_outdoor_things", "large_natural_outdoor_scenes", "large_omnivores_and_herbivores",
          "medium_mammals", "non-insect_invertebrates", "people", "reptiles", "small_mammals", "trees", "vehicles_1",
          "vehicles_2"]
HUNDRED = [f"{name}_{number}" for number in range(5) for name in COARSE]
MONSTERS = ["$x^{$ and y_", "Donaudampfschifffahrtsgesellschaftskapitaensmuetzenhalterfabrik", "a " * 60, ""]
TITLE, SUBTITLE = "resnet34 on cifar100", "21,328,292 parameters · 60 epochs · " + "and more details to mention " * 4


def assert_no_overlap(texts, figure):
    """Assert that no two text boxes overlap by more than a pixel and that none leaves the figure."""
    assert texts
    boxes = np.array([box.extents for _, box in texts])
    width, height = figure.bbox.size
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2] > width) | (boxes[:, 3] > height)
    assert not [texts[i][0] for i in np.flatnonzero(outside)]
    overlap = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    touching = np.triu((overlap > 1).all(axis=2), 1)
    assert not [(texts[i][0], texts[j][0]) for i, j in zip(*np.nonzero(touching), strict=True)]


def assert_outside_images(texts, figure):
    images = np.array([image.get_window_extent().extents for image in figure.axes[0].images])
    for text, box in texts:
        overlap = np.minimum(images[:, 2:], box.extents[2:]) - np.maximum(images[:, :2], box.extents[:2])
        assert not (overlap > 1).all(axis=1).any(), text


@pytest.mark.parametrize("names", [DIGITS, CIFAR10, COARSE, HUNDRED, MONSTERS], ids=len)
def test_captions_of_samples_do_not_overlap(draw_figure, names):
    images, labels = images_of(64, (32, 32, 3)), np.arange(64) % len(names)
    figure = plot_samples(images, labels, names, title=TITLE, subtitle=SUBTITLE)
    texts = draw_figure(figure)
    assert_no_overlap(texts, figure)
    assert_outside_images(texts, figure)
    assert len(figure.axes[0].images) == 64


@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize("names", [DIGITS, COARSE, MONSTERS], ids=len)
def test_captions_of_misclassified_images_do_not_overlap(draw_figure, names, count):
    labels, probabilities = predictions_of(len(names), 600, count)
    indices = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    figure = plot_misclassified(images_of(count, (32, 32, 3)), indices, labels, probabilities, names, subtitle=SUBTITLE)
    texts = draw_figure(figure)
    assert_no_overlap(texts, figure)
    assert_outside_images(texts, figure)
    assert sum(text == "70%" for text, _ in texts) == count


@pytest.mark.parametrize("names", [["cat", "dog"], DIGITS, CIFAR10, COARSE, HUNDRED, MONSTERS], ids=len)
def test_texts_of_a_confusion_matrix_do_not_overlap(draw_figure, names):
    labels, probabilities = predictions_of(len(names), 2000, 600)
    figure = plot_confusion_matrix(labels, probabilities.argmax(axis=1), names, title=TITLE, subtitle=SUBTITLE)
    assert_no_overlap(draw_figure(figure), figure)


@pytest.mark.parametrize(("classes", "num_names"), [(160, 160), (161, 161), (200, 100), (1000, 167)])
def test_many_classes_are_named_as_far_as_there_is_room(classes, num_names):
    labels = np.arange(classes)
    axes = plot_confusion_matrix(labels, labels, ["class"] * classes, title=TITLE).axes[0]
    row_names = [text for text in axes.texts if text.get_text() == "class" and text.get_rotation() == 0]
    assert len(row_names) == num_names
    assert np.diff([text.get_position()[1] for text in row_names]).min() >= row_names[0].get_size()


def make_overfitted_history(epochs):
    """Return a history whose validation accuracy collapses after an early best epoch."""
    history = history_of(epochs)
    history["val_accuracy"] = 0.9 - 0.8 * np.abs(np.linspace(-0.2, 1, epochs))
    return history


def make_stepped_history(epochs):
    history = history_of(epochs)
    history["learning_rate"] = 0.1 * 0.1 ** (np.arange(epochs) // max(1, epochs // 4))
    return history


@pytest.mark.parametrize("epochs", [1, 2, 6, 60])
@pytest.mark.parametrize("make_history", [history_of, make_overfitted_history, make_stepped_history])
def test_texts_of_learning_curves_do_not_overlap(draw_figure, make_history, epochs):
    figure = plot_learning_curves(make_history(epochs), title=TITLE, subtitle=SUBTITLE)
    assert_no_overlap(draw_figure(figure), figure)


@pytest.mark.parametrize("best_epoch", [1, 2, 3, 7, 12])
def test_no_curve_crosses_the_label_of_the_best_epoch(draw_figure, best_epoch):
    figure = plot_learning_curves(history_of(12), title=TITLE, best_epoch=best_epoch)
    (box,) = [box for text, box in draw_figure(figure) if re.search(rf"\b{best_epoch}\n", text)]
    accuracy = next(axes for axes in figure.axes if any(text.get_text().lower() == "accuracy" for text in axes.texts))
    lines = [line for line in accuracy.lines if len(line.get_xdata()) == 12]
    assert len(lines) == 2
    for line in lines:
        x, y = accuracy.transData.transform(line.get_xydata()).T
        dense = np.linspace(x[0], x[-1], 2000)
        inside = (box.x0 <= dense) & (dense <= box.x1)
        heights = np.interp(dense[inside], x, y)
        assert not ((box.y0 <= heights) & (heights <= box.y1)).any()


def test_a_training_that_diverged_is_drawn_without_a_warning(draw_figure, recwarn):
    history = history_of(6)
    for name in ("loss", "val_loss"):
        history[name][3:] = np.nan, np.inf, np.nan
    figure = plot_learning_curves(history, title=TITLE)
    assert_no_overlap(draw_figure(figure), figure)
    assert not recwarn.list


@pytest.mark.parametrize("epochs", [1, 60])
def test_labels_of_auxiliary_classifiers_do_not_overlap(draw_figure, epochs):
    history = history_of(epochs)
    for name in ("aux1", "aux2"):
        history |= {f"{name}_loss": history["loss"] * 1.01, f"{name}_accuracy": history["accuracy"] * 0.99,
                    f"val_{name}_accuracy": history["val_accuracy"]}
    figure = plot_learning_curves(history, title=TITLE, subtitle=SUBTITLE)
    texts = draw_figure(figure)
    assert_no_overlap(texts, figure)
    for label, count in (("aux1 ", 3), ("aux2 ", 3), ("validation ", 2), ("train ", 2)):
        assert sum(text.startswith(label) for text, _ in texts) == count


@pytest.mark.parametrize("heights, expected", [
    ([0.2, 0.8], [0.2, 0.8]), ([0.5, 0.5], [0.45, 0.55]), ([0.0, 0.0, 0.9], [0.05, 0.15, 0.9]),
    ([0.5, 0.52, 0.56], [0.4267, 0.5267, 0.6267]), ([1.0, 1.0], [0.85, 0.95]), ([], [])])
def test_labels_are_moved_apart_by_as_little_as_possible(heights, expected):
    assert spread_labels(heights, 0.1) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("count", [2, 9])
def test_texts_of_compared_runs_do_not_overlap(draw_figure, count):
    config = {"model": "resnet34", "dataset": {"name": "cifar100", "class_names": COARSE}, "recipe": {}}
    result = {"test_accuracy_best": 0.71, "test_accuracy_last": 0.7}
    runs = [RunSummary(f"{MONSTERS[1]}-{seed}", config | {"seed": seed}, history_of(3 + seed), result)
            for seed in range(count)]
    figure = plot_run_comparison(runs, [group.summary for group in group_seed_runs(runs)])
    texts = draw_figure(figure)
    assert_no_overlap(texts, figure)
    assert sum(text.startswith(MONSTERS[1]) for text, _ in texts) == count
