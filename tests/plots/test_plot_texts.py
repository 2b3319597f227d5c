"""Plots show the values of their arrays."""

import re

import numpy as np
import pytest
from fake_results import history_of, images_of, predictions_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import rgb_to_hsv
from helpers import check_text

from zoo.plots.confusion_matrix import plot_confusion_matrix, format_top_confusions
from zoo.plots.image_grid import plot_misclassified, plot_samples
from zoo.plots.learning_curves import find_best_epoch, plot_learning_curves

NAMES = ["cat", "pickup_truck", "dog"]


def get_texts(drawn_texts):
    return [text for text, _ in drawn_texts]


def render_pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (20, 40, 3)])
def test_each_pixel_of_a_sample_becomes_a_square_of_its_color(shape):
    images = images_of(5, shape)
    figure = plot_samples(images, np.zeros(5, int), NAMES, title="t")
    sheet = render_pixels(figure)
    for image, artist in zip(images, figure.axes[0].images, strict=True):
        box = artist.get_window_extent()
        x0, y0 = round(box.x0), round(len(sheet) - box.y1)
        scale = round(box.width) // shape[1]
        expected = np.broadcast_to(image, (*shape[:2], 3)).repeat(scale, axis=0).repeat(scale, axis=1)
        assert scale >= 2
        np.testing.assert_array_equal(sheet[y0 : y0 + len(expected), x0 : x0 + expected.shape[1]], expected)


def test_large_images_are_downsampled():
    figure = plot_samples(images_of(2, (224, 160, 3)), np.zeros(2, int), NAMES, title="t")
    box = figure.axes[0].images[0].get_window_extent()
    assert box.height < 140 and box.width / box.height == pytest.approx(160 / 224, rel=0.02)


def test_samples_have_their_class_names(draw_figure):
    figure = plot_samples(images_of(3), np.array([2, 1, 0]), NAMES, title="Pets", subtitle="three of them")
    assert sorted(get_texts(draw_figure(figure))) == sorted(["Pets", "three of them", "dog", "pickup truck", "cat"])


def test_captions_give_the_true_and_the_predicted_class_and_its_probability(draw_figure):
    labels = np.array([0, 1, 2, 0])
    probabilities = np.array([[0.9, 0.1, 0], [0.05, 0.2, 0.75], [0.1, 0.1, 0.8], [0.2, 0.45, 0.35]], np.float32)
    figure = plot_misclassified(images_of(1), np.array([1]), labels, probabilities, NAMES, subtitle="a net")
    texts = get_texts(draw_figure(figure))
    assert re.findall(r"\d+", texts[0]) == ["2", "4"]
    check_text(texts[1], "a net", "1")
    assert texts[2:] == ["pickup truck → dog", "75%"]


def test_a_long_prediction_is_a_line_of_its_own_in_the_caption(draw_figure):
    names = ["large_omnivores_and_herbivores", "household_electrical_devices"]
    probabilities = np.array([[0.2, 0.8]], np.float32)
    texts = get_texts(draw_figure(plot_misclassified(images_of(1), np.array([0]), np.array([0]), probabilities, names)))
    assert re.findall(r"\d+", texts[0]) == ["1", "1"]
    assert " ".join(texts[2:]) == "large omnivores and herbivores → household electrical devices 80%"
    assert any(text.startswith("→ household") for text in texts)


def test_a_figure_without_misclassified_images(draw_figure):
    labels, probabilities = predictions_of(10, 500, 0)
    figure = plot_misclassified(images_of(0), np.array([], int), labels, probabilities, list("0123456789"),
                                subtitle="a net")
    title, subtitle = get_texts(draw_figure(figure))
    check_text(title, "500")
    assert subtitle == "a net"


def test_confusion_shows_counts_and_recalls_and_no_zeros(draw_figure):
    labels = np.array([0] * 10 + [1] * 5)
    predicted = np.array([0] * 7 + [1] * 3 + [1] * 5)
    texts = get_texts(draw_figure(plot_confusion_matrix(labels, predicted, NAMES, title="t")))
    assert {"7", "3", "5", "70.0%", "100.0%"} <= set(texts)
    check_text(texts[-1], "7", "scale")  # the legend: the largest count
    assert {"correct", "incorrect"} <= set(texts)
    assert "0" not in texts and "0.0%" not in texts  # no zeros, and no recall for a class without images
    assert texts.count("pickup truck") == texts.count("dog") == 2


def test_confusion_draws_errors_in_another_hue_than_correct_predictions():
    labels = np.array([0] * 100 + [1] * 100)
    predicted = np.array([0] * 95 + [1] * 5 + [1] * 99 + [0])
    cells = np.asarray(plot_confusion_matrix(labels, predicted, NAMES, title="t").axes[0].images[0].get_array())
    hue, saturation = rgb_to_hsv(cells)[..., 0], rgb_to_hsv(cells)[..., 1]
    assert 0.5 < hue[0, 0] < 0.7 and 0.5 < hue[1, 1] < 0.7
    assert hue[0, 1] < 0.15 and hue[1, 0] < 0.15
    assert saturation[0, 0] > 2 * saturation[0, 1]  # 5% of errors are less prominent than 95% correct
    assert saturation[0, 1] > saturation[1, 0] > 0.1  # one in a hundred is still seen
    assert (cells[2] == 1).all()


def compute_luminance(colors):
    """Return the relative luminance of sRGB colors (..., 3), as WCAG 2 defines it."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_a_cell_of_the_confusion_matrix_is_the_darker_the_more_images_it_has():
    """Counts 1 to 60, each once on the diagonal and once beside it: no error is darker than as many correct ones."""
    counts = np.arange(1, 61)
    labels = np.concatenate([np.repeat(np.arange(60), counts)] * 2)
    predicted = np.concatenate([np.repeat(np.arange(60), counts), np.repeat((np.arange(60) + 1) % 60, counts)])
    figure = plot_confusion_matrix(labels, predicted, [str(i) for i in range(60)], title="t")
    luminance = compute_luminance(np.asarray(figure.axes[0].images[0].get_array(), float))
    correct, errors = luminance.diagonal(), luminance[np.arange(60), (np.arange(60) + 1) % 60]
    assert (np.diff(correct) < 0).all() and (np.diff(errors) < 0).all() and errors[0] < 0.95
    assert (errors > correct - 1e-9).all()


def test_confusion_wraps_long_names_of_20_classes(draw_figure):
    names = [f"class_number_{i:02}_of_twenty_with_a_long_descriptive_name" for i in range(20)]
    labels = np.arange(20)
    figure = plot_confusion_matrix(labels, labels, names, title="t")
    texts = [text.replace("\n", " ") for text in get_texts(draw_figure(figure))]
    assert all(texts.count(name.replace("_", " ")) == 2 for name in names)


def test_confusion_of_many_classes_has_names_but_no_numbers(draw_figure):
    names = [f"class {chr(97 + i)}" for i in range(21)]
    labels, probabilities = predictions_of(21, 400, 100)
    texts = get_texts(draw_figure(plot_confusion_matrix(labels, probabilities.argmax(axis=1), names, title="t")))
    assert not [text for text in texts if text.strip(" %.").isdigit()]
    assert all(texts.count(name) == 2 for name in names)


def test_the_most_frequent_confusion_comes_first():
    labels, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 0, 0, 2, 2])
    confusions = format_top_confusions(labels, predicted, NAMES).replace("\N{NO-BREAK SPACE}", " ")
    assert re.findall(r"cat|pickup truck|\d", confusions) == ["cat", "pickup truck", "2", "pickup truck", "cat", "1"]
    assert format_top_confusions(labels, labels, NAMES) == ""


def test_curves_show_the_last_values_and_the_best(draw_figure):
    history = history_of(3)
    history["accuracy"], history["val_accuracy"] = np.array([0.5, 0.7, 0.91]), np.array([0.5, 0.81, 0.8])
    texts = get_texts(draw_figure(plot_learning_curves(history, title="a net", subtitle="how it went")))
    assert {"a net", "how it went"} <= set(texts)
    assert any(re.fullmatch(r"train\w* 91\.0%", text) for text in texts)
    assert any(re.fullmatch(r"val\w* 80\.0%", text) for text in texts)
    assert any(re.search(r"\b2\n81\.0%$", text) for text in texts)
    assert [text.lower() for text in texts].count("epoch") == 2


@pytest.mark.parametrize("losses, best", [([0.9, 0.5, 0.1, 0.5], 2), ([0.9, 0.5, 0.1, 0.4], 4),
                                          ([0.9, np.nan, 0.1, 0.5], 4)])
def test_best_of_equal_accuracies_has_the_lower_loss_and_is_never_nan(losses, best):
    history = history_of(4) | {"val_accuracy": np.array([0.5, 0.8, np.nan, 0.8]), "val_loss": np.array(losses)}
    assert find_best_epoch(history) == best


@pytest.mark.parametrize(("epochs", "ticks"), [(1, "1"), (3, "1 2 3"), (60, "10 20 30 40 50 60")])
def test_epochs_are_integers(draw_figure, epochs, ticks):
    figure = plot_learning_curves(history_of(epochs), title="t")
    FigureCanvasAgg(figure).draw()
    strip = next(axes for axes in figure.axes if axes.get_xlabel().lower() == "epoch")
    low, high = strip.get_xlim()
    labels = [tick.get_text() for tick in strip.get_xticklabels() if low <= tick.get_position()[0] <= high]
    assert labels == ticks.split()


def test_a_single_epoch_is_drawn_as_points():
    sheet = render_pixels(plot_learning_curves(history_of(1), title="t"))
    blue = (np.abs(sheet.astype(int) - (0, 0x72, 0xB2)).sum(axis=2) < 12).sum()
    without_points = history_of(1)
    without_points["val_loss"] = without_points["val_accuracy"] = np.array([np.nan])
    fewer = render_pixels(plot_learning_curves(without_points, title="t"))
    assert blue > (np.abs(fewer.astype(int) - (0, 0x72, 0xB2)).sum(axis=2) < 12).sum() + 50


@pytest.mark.parametrize(("learning_rates", "scale"), [
    ([0.1, 0.01, 0.001], "log"), ([0.1, 0.1, 0.1], "linear"), ([0.1, 0.05, 0], "linear")])
def test_a_learning_rate_that_falls_in_steps_is_drawn_on_a_logarithmic_scale(learning_rates, scale):
    history = history_of(3)
    history["learning_rate"] = np.array(learning_rates)
    figure = plot_learning_curves(history, title="t")
    assert [axes.get_yscale() for axes in figure.axes if axes.get_xlabel().lower() == "epoch"] == [scale, scale]
