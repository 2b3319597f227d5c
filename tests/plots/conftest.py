"""Run directories without training, the texts of a figure, and a browser."""

import json

import numpy as np
import pytest
from chromium import Chromium, find_browser
from fake_results import history_of, images_of, predictions_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

HEADER = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy"


@pytest.fixture
def make_run(tmp_path):
    """Return a function that writes a finished run directory and returns its path."""

    def write(names=tuple("0123456789"), epochs=6, count=500, num_errors=26, shape=(28, 28, 1)):
        run = tmp_path / "run"
        run.mkdir()
        labels, probabilities = predictions_of(len(names), count, num_errors)
        errors = np.flatnonzero(probabilities.argmax(axis=1) != labels)[:100]
        dataset = {"name": "digits", "title": "Some digits", "class_names": list(names), "shape": shape}
        config = {"model": "lenet5", "dataset": dataset, "parameters": 61706, "recipe": {"epochs": epochs}}
        (run / "run.json").write_text(json.dumps(config))
        rows = zip(*history_of(epochs).values(), strict=True)
        lines = [f"{int(row[0])},{','.join(map(str, row[1:]))}" for row in rows]
        (run / "history.csv").write_text("\n".join([HEADER, *lines]) + "\n")
        np.savez(run / "predictions.npz", labels=labels, probabilities=probabilities)
        examples = np.sort(np.concatenate([errors, np.setdiff1d(np.arange(count), errors)[:5]]))
        np.savez(run / "samples.npz", train_images=images_of(64, shape), train_labels=np.arange(64) % len(names),
                 misclassified_images=images_of(len(errors), shape), misclassified_indices=errors,
                 confusion_images=images_of(len(examples), shape), confusion_indices=examples)
        result = {"test_accuracy_last": 0.94, "test_accuracy_best": 0.948, "best_epoch": max(1, epochs - 1)}
        (run / "result.json").write_text(json.dumps(result))
        return run

    return write


@pytest.fixture
def draw_figure(monkeypatch):
    """Return a function that draws a Figure and returns its texts: a list of (text, box in pixels)."""
    drawn_texts = []
    draw = Text.draw

    def watch(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            drawn_texts.append(self)
        return draw(self, renderer, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", watch)

    def draw_texts(figure):
        drawn_texts.clear()
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in drawn_texts]

    return draw_texts


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Start a Chromium for the tests of a file; without one they are skipped."""
    if not find_browser():
        pytest.skip("no Chromium is installed; Debian and Ubuntu: apt-get install chromium")
    chromium = Chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()
