"""Plots and the report of a run directory: missing files are left out, damaged ones are refused in one line."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from helpers import check_text

from zoo.errors import UserError
from zoo.reports import run_outputs
from zoo.reports.run_outputs import draw_run

ALL = {"curves", "samples", "misclassified", "confusion", "report"}


def read_png_size(path):
    """Return (width, height) in pixels from the header of a PNG."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def test_a_finished_run_has_four_plots_and_a_report(make_run):
    run = make_run()
    paths = draw_run(str(run))
    assert {path.stem for path in paths} == ALL
    assert sorted(paths) == sorted([*(run / "plots").iterdir(), run / "report.html"])
    assert not [*run.glob(".*")]  # no scratch file is left
    for path in (run / "plots").iterdir():
        width, height = read_png_size(path)
        assert 800 < width < 2600 and 600 < height < 2800


def test_an_unfinished_run_has_only_its_curves(make_run):
    run = make_run(epochs=2)
    for name in ("result.json", "predictions.npz", "samples.npz"):
        (run / name).unlink()
    assert [path.name for path in draw_run(run)] == ["curves.png", "report.html"]
    assert [path.name for path in (run / "plots").iterdir()] == ["curves.png"]


@pytest.mark.parametrize(("missing", "left_out"), [
    ("history.csv", {"curves"}),
    ("samples.npz", {"samples", "misclassified"}),
    ("predictions.npz", {"confusion", "misclassified"}),
])
def test_plots_without_data_are_left_out(make_run, missing, left_out):
    run = make_run()
    (run / missing).unlink()
    assert {path.stem for path in draw_run(run)} == ALL - left_out


def test_a_run_before_its_first_epoch_has_only_a_report(make_run):
    run = make_run(epochs=0)
    for name in ("result.json", "predictions.npz", "samples.npz"):
        (run / name).unlink()
    assert draw_run(run) == [run / "report.html"]
    (run / "history.csv").unlink()
    assert draw_run(run) == [run / "report.html"]
    assert 'class="chart"' not in (run / "report.html").read_text()


def test_redrawing_overwrites_and_gives_the_same_files(make_run):
    run = make_run(num_errors=3)
    first = {path: path.read_bytes() for path in draw_run(run)}
    for path in first:
        path.write_bytes(b"old")
    assert {path: path.read_bytes() for path in draw_run(run)} == first


def test_a_plot_that_cannot_be_written_leaves_the_old_one(make_run, monkeypatch):
    run = make_run()
    old = {path: path.read_bytes() for path in draw_run(run)}

    def fill_the_disk(self, path, **_):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", fill_the_disk)
    with pytest.raises(OSError, match="no space"):
        draw_run(run)
    assert {path: path.read_bytes() for path in old} == old
    assert len([*(run / "plots").iterdir()]) == 4


def test_a_run_without_errors(make_run):
    run = make_run(num_errors=0)
    assert {path.stem for path in draw_run(run)} == ALL
    assert read_png_size(run / "plots" / "misclassified.png")[1] < 300


def capture_curve_arguments(run, monkeypatch):
    """Return the keywords with which the curves of a run are drawn, without drawing its other plots."""
    for name in ("predictions.npz", "samples.npz"):
        (run / name).unlink()
    calls = []
    curves = run_outputs.plot_learning_curves
    monkeypatch.setattr(run_outputs, "plot_learning_curves", lambda *args, **keywords: calls.append(keywords)
                        or curves(*args, **keywords))
    draw_run(run)
    return calls[0]


def test_the_curves_show_the_test_accuracy_and_mark_the_epoch_that_was_tested(make_run, monkeypatch):
    keywords = capture_curve_arguments(make_run(), monkeypatch)
    assert keywords["best_epoch"] == 5
    check_text(keywords["title"], "lenet5", "digits")
    check_text(keywords["subtitle"], "94.80%", "5", "94.00%", "61,706", "6")


def test_the_curves_of_an_unfinished_run(make_run, monkeypatch):
    run = make_run()
    (run / "result.json").unlink()
    keywords = capture_curve_arguments(run, monkeypatch)
    assert "61,706" in keywords["subtitle"] and "%" not in keywords["subtitle"]
    assert keywords["best_epoch"] == 6


def refusal_message(run):
    """Return the one-line error of draw_run, which must have written nothing."""
    with pytest.raises(UserError) as error:
        draw_run(run)
    assert "\n" not in str(error.value)
    assert not (run / "plots").exists() and not (run / "report.html").exists()
    return str(error.value)


def test_a_path_that_is_not_a_run_directory_is_refused(tmp_path):
    assert str(tmp_path / "nowhere") in refusal_message(tmp_path / "nowhere")
    check_text(refusal_message(tmp_path), str(tmp_path), "run.json")


@pytest.mark.parametrize("name", ["run.json", "history.csv", "predictions.npz", "samples.npz", "result.json"])
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"",
                                    lambda content: b"\xff\xfe\x00" * 50], ids=["half", "empty", "garbage"])
def test_a_damaged_file_is_named(make_run, name, damage):
    run = make_run()
    (run / name).write_bytes(damage((run / name).read_bytes()))
    assert name in refusal_message(run)


def rewrite(path, **changes):
    with np.load(path) as file:
        arrays = {**file, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(("name", "changes"), [
    ("predictions.npz", {"labels": np.full(500, 10)}),
    ("predictions.npz", {"labels": np.full(500, -1)}),
    ("predictions.npz", {"labels": np.zeros(499, int)}),
    ("predictions.npz", {"labels": np.zeros(500)}),
    ("predictions.npz", {"labels": None}),
    ("predictions.npz", {"labels": np.array([{}] * 500)}),
    ("predictions.npz", {"probabilities": np.zeros((500, 9), np.float32)}),
    ("predictions.npz", {"probabilities": np.full((500, 10), np.nan, np.float32)}),
    ("predictions.npz", {"labels": np.zeros(0, int), "probabilities": np.zeros((0, 10))}),
    ("samples.npz", {"train_images": np.zeros((64, 28, 28), np.uint8)}),
    ("samples.npz", {"train_images": np.zeros((64, 28, 28, 1), np.float32)}),
    ("samples.npz", {"train_images": np.zeros((64, 28, 28, 2), np.uint8)}),
    ("samples.npz", {"train_labels": np.full(64, 10)}),
    ("samples.npz", {"misclassified_indices": np.arange(26)}),
    ("samples.npz", {"misclassified_indices": np.zeros(0, int)}),
    ("samples.npz", {"confusion_indices": np.arange(31)[::-1]}),
    ("samples.npz", {"confusion_indices": np.arange(470, 501)}),
    ("samples.npz", {"confusion_indices": np.arange(30)}),
    ("samples.npz", {"confusion_images": np.zeros((31, 28, 28), np.uint8)}),
    ("samples.npz", {"misclassified_images": np.zeros((0, 28, 28, 1), np.uint8),
                     "misclassified_indices": np.zeros(0, int)}),
])
def test_invalid_arrays_are_refused(make_run, name, changes):
    run = make_run()
    rewrite(run / name, **changes)
    assert name in refusal_message(run)


@pytest.mark.parametrize("text", [
    "epoch,loss\n1,2\n",
    "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy\n2,.1,1,.5,1,.5\n",
    "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy\n1,.1,1,.5,1\n",
    "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy\n1,.1,1,.5,1,many\n",
    "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy\n1,nan,1,.5,1,.5\n",
])
def test_an_invalid_history_is_refused(make_run, text):
    run = make_run()
    (run / "history.csv").write_text(text)
    assert "history.csv" in refusal_message(run)


@pytest.mark.parametrize(("name", "content"), [
    ("run.json", []),
    ("run.json", {"model": "lenet5"}),
    ("run.json", {"model": "lenet5", "dataset": {"name": "digits"}}),
    ("run.json", {"model": "lenet5", "dataset": {"name": "digits", "class_names": []}}),
    ("run.json", {"dataset": {"name": "digits", "class_names": ["0"]}}),
    ("result.json", {"test_accuracy_last": 0.9, "test_accuracy_best": 0.9}),
    ("result.json", {"test_accuracy_last": 0.9, "test_accuracy_best": 0.9, "best_epoch": 7}),
    ("result.json", {"test_accuracy_last": 0.9, "test_accuracy_best": None, "best_epoch": 6}),
])
def test_invalid_json_is_refused(make_run, name, content):
    run = make_run()
    (run / name).write_text(json.dumps(content))
    assert name in refusal_message(run)


def test_drawing_loads_neither_pyplot_nor_a_backend_and_leaves_the_settings_alone(make_run):
    code = ("import sys, matplotlib; before = dict(matplotlib.rcParams.copy())\n"
            "from zoo.reports.run_outputs import draw_run\n"
            f"assert len(draw_run({str(make_run())!r})) == 5\n"
            "assert dict(matplotlib.rcParams.copy()) == before\n"
            "print({'matplotlib.pyplot', 'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))")
    process = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (process.stdout.strip(), process.stderr) == ("set()", "")
