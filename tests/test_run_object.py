"""Methods of zoo.Run: plots, inspection, exports, comparisons, and its display and training in a notebook."""

import json
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from helpers import check_message, check_text
from PIL import Image

import zoo
from zoo.errors import UserError
from zoo.runs.progress_display import is_notebook

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return zoo.fit("lenet5", "digits", limit=100, epochs=2, output_dir=tmp_path_factory.mktemp("runs"), name="a<b>")


@pytest.fixture(scope="module")
def image():
    return zoo.load_data("digits", limit=10).test.images[0]


def get_texts(figure):
    """Return the texts of a Figure."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("kind, pins", [
    ("curves", ("lenet5", "digits")), ("confusion", ("lenet5", "digits")), ("misclassified", ("100",)),
    ("samples", ())])
def test_each_plot_is_a_figure_that_a_notebook_shows(run, kind, pins):
    figure = run.plot(kind)
    assert isinstance(figure, Figure)
    if kind != "samples":
        check_text(get_texts(figure)[0], *pins)
    content, size = figure._repr_png_()
    assert content.startswith(PNG) and size["width"] == round(figure.get_size_inches()[0] * 72)


def test_a_plot_that_does_not_exist_or_has_no_data(run, tmp_path):
    with pytest.raises(UserError, match="'confusion'"):
        run.plot("confusoin")
    (tmp_path / "run.json").write_text((run.path / "run.json").read_text())
    early = zoo.Run(tmp_path)
    with pytest.raises(UserError, match="'curves'"):
        early.plot()
    with pytest.raises(UserError, match="'confusion'"):
        early.plot("confusion")
    html = early._repr_html_()
    assert early.status == "new" and "new" in html and "<img" not in html


def test_a_run_that_was_deleted(run, tmp_path):
    (tmp_path / "run.json").write_text((run.path / "run.json").read_text())
    deleted = zoo.Run(tmp_path)
    (tmp_path / "run.json").unlink()
    for read in (lambda: deleted.status, lambda: deleted.history, lambda: deleted.result, deleted.load_model,
                 deleted.evaluate):
        with pytest.raises(UserError) as error:
            read()
        check_message(error.value, tmp_path, "run.json")
    assert str(tmp_path) in repr(deleted) and deleted._repr_html_() is None


def test_the_html_of_a_run_has_its_curves_and_a_link(run, monkeypatch):
    monkeypatch.chdir(run.path.parent)
    html = zoo.Run("a<b>")._repr_html_()
    assert "a&lt;b&gt;" in html and "<b>" in html and "a<b>" not in html
    assert 'href="a%3Cb%3E/report.html"' in html and "data:image/png;base64," in html
    assert run.status in html and f"{run.result['test_accuracy_best']:.2%}" in html
    monkeypatch.chdir(ROOT)
    assert "href" not in run._repr_html_()  # no link, since a page in this folder could not resolve it


def test_inspect_gives_every_figure(run, image):
    inspection = run.inspect(image)
    figures = [inspection.prediction(), inspection.features(), inspection.features("C1", channels=2),
               inspection.filters(),
               inspection.hypercolumn(["C1", "C3"]), inspection.gradcam(), inspection.gradcam("C3"),
               inspection.saliency(), inspection.occlusion()]
    assert all(isinstance(figure, Figure) for figure in figures)
    # the indices of two feature maps
    assert {"0", "1"} <= set(get_texts(figures[2])) and "2" not in get_texts(figures[2])
    assert inspection._repr_png_()[0].startswith(PNG)


def test_inspect_takes_files_pillow_images_and_arrays(run, image, tmp_path):
    file = tmp_path / "digit.png"
    Image.fromarray(image[..., 0]).save(file)
    large = Image.fromarray(image[..., 0]).resize((56, 56), Image.Resampling.NEAREST)
    for source in (file, str(file), Image.open(file), image, image[..., 0]):
        assert np.array_equal(run.inspect(source).image, image)
    assert run.inspect(large).image.shape == (28, 28, 1)
    page = run.inspect(image).report(tmp_path / "look.html")
    assert page == tmp_path / "look.html" and "C3" in page.read_text()


def test_predict_gives_a_row_for_each_path(run, image, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, pixels in (("a.png", image[..., 0]), ("b.png", image[::-1, :, 0]), ("c.png", image[:, ::-1, 0])):
        Image.fromarray(pixels).save(tmp_path / name)
    a, b, c = run.predict([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"])
    assert np.array_equal(run.predict([f"~/{name}.png" for name in "abac"]), [a, b, a, c])


def test_files_and_pillow_images_are_turned_alike(run, image, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: rotated
    Image.fromarray(image[..., 0]).save(tmp_path / "rotated.png", exif=exif)
    with Image.open(tmp_path / "rotated.png") as rotated:
        assert np.array_equal(run.inspect(rotated).image, run.inspect(tmp_path / "rotated.png").image)
        assert np.array_equal(run.inspect(rotated).image, np.rot90(image, -1))


def test_sixteen_bits_that_pillow_does_not_decode_are_refused(run, tmp_path):
    write_ppm(tmp_path / "deep.ppm", np.full((28, 28, 3), 4095, np.uint16))
    for call in (run.inspect, run.predict):
        with Image.open(tmp_path / "deep.ppm") as deep, pytest.raises(UserError, match="16 bits.*path"):
            call(deep)


def write_ppm(path, pixels):
    height, width, _ = pixels.shape
    path.write_bytes(b"P6 %d %d 65535\n" % (width, height) + pixels.astype(">u2").tobytes())


@pytest.mark.parametrize("call, part", [
    (lambda run, image: run.predict(["a.png", Image.fromarray(image[..., 0])]), "kinds"),
    (lambda run, image: run.inspect("nowhere.png"), "nowhere.png"),
    (lambda run, image: run.inspect(image / 255.0), "float64"),
    (lambda run, image: run.inspect(image[None]), "(1, 28, 28, 1)"),
    (lambda run, image: run.inspect(image, checkpoint="bets"), "'best'"),
    (lambda run, image: run.inspect(image).features("C7"), "'C5'"),
    (lambda run, image: run.inspect(image).features(channels=0), "0"),
    (lambda run, image: run.inspect(image).features([]), "layers"),
    (lambda run, image: run.inspect(image).saliency([]), "target_classes"),
    (lambda run, image: run.inspect(image).gradcam(target_classes="11"), "11"),
    (lambda run, image: run.inspect(image).gradcam("all"), "'all'"),
    (lambda run, image: run.inspect(image).report("look.pdf"), "'look.pdf'"),
    (lambda run, image: run.export("onxn"), "'onnx'"),
    (lambda run, image: run.export("keras", "model.h5"), "'model.h5'"),
    (lambda run, image: run.export("keras", checkpoint="first"), "'first'"),
    (lambda run, image: zoo.compare_runs([run]), "runs"),
    (lambda run, image: zoo.compare_runs(run), "list"),
    (lambda run, image: zoo.compare_runs(str(run.path)), "list"),
    (lambda run, image: zoo.compare_runs([run, run]), "run"),
    (lambda run, image: zoo.compare_runs([run, "nowhere"], "c.png"), "nowhere"),
    (lambda run, image: zoo.compare_runs([run, run], "c.gif"), "'c.gif'"),
])
def test_an_error_is_one_line_and_writes_nothing(run, image, call, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        call(run, image)
    assert part in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_export_gives_the_same_probabilities(run, image, tmp_path):
    path = run.export("keras", tmp_path / "model.keras", checkpoint="last")
    assert path == tmp_path / "model.keras"
    assert np.allclose(zoo.load(path).predict(image[None], verbose=0), run.predict(image[None], checkpoint="last"))


def test_export_is_named_after_the_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run.export("weights") == Path("a<b>.weights.h5") and Path("a<b>.weights.h5").is_file()


def test_compare_runs(run, tmp_path):
    other = zoo.fit("lenet5", "digits", limit=100, epochs=2, seed=1, output_dir=tmp_path, name="other", verbose=False)
    comparison = zoo.compare_runs([run, other.path], tmp_path / "both.html")
    assert [row[0] for row in comparison.rows] == ["a<b>", "other"] and "seed" in comparison.columns
    best = np.array([compared.result["test_accuracy_best"] for compared in (run, other)]) * 100
    assert f"{best.mean():.2f} ± {best.std(ddof=1):.2f}%" in str(comparison)
    assert isinstance(comparison.plot(), Figure)
    for html in (comparison._repr_html_(), (tmp_path / "both.html").read_text()):
        assert "a&lt;b&gt;" in html and "a<b>" not in html
    assert comparison.save(tmp_path / "both.png").read_bytes().startswith(PNG)
    config = json.loads((other.path / "run.json").read_text())
    config["dataset"]["fingerprint"] = "of other images"
    (other.path / "run.json").write_text(json.dumps(config))
    assert "±" not in str(zoo.compare_runs([run, other.path]))  # these do not differ in the seed alone


def test_a_run_from_scratch_and_one_from_pretrained_weights_differ_by_their_settings(run, tmp_path):
    tuned = zoo.fit("lenet5", "digits", limit=100, epochs=1, weights=run, freeze="none", two_stage=True, head_epochs=1,
                    output_dir=tmp_path, name="tuned", verbose=False)
    comparison = zoo.compare_runs([run, tuned])
    cells = dict(zip(comparison.columns, zip(*comparison.rows, strict=True), strict=True))
    assert cells["weights"] == ("none", str(run.path)) and cells["stages"] == ("1", "2")
    assert cells["optimizer"] == ("nesterov", "adam") and cells["pooling"] == ("-", "avg")
    assert "version" not in str(comparison) and "head_optimizer" not in cells


def test_a_run_json_without_a_setting_is_of_another_version(run, tmp_path):
    for name, missing in (("a", ()), ("b", ("deterministic",))):
        (tmp_path / name).mkdir()
        config = {key: value for key, value in run.config.items() if key not in missing}
        (tmp_path / name / "run.json").write_text(json.dumps(config))
    text = str(zoo.compare_runs([tmp_path / "a", tmp_path / "b"]))
    assert "version" in text and "deterministic" in text and "weights" not in text
    (tmp_path / "own").mkdir()  # a custom model has neither width nor stem, in any version
    custom_config = {"custom": True, "name": "own", "input_shape": [28, 28, 1], "classes": 10, "rescale": True,
                     "digest": "0"}
    (tmp_path / "own" / "run.json").write_text(json.dumps({**run.config, "model": "own",
                                                           "model_config": custom_config}))
    assert "version" not in str(zoo.compare_runs([tmp_path / "a", tmp_path / "own"]))


# --------------------------------------------------------------------------------------------------- training in a
# notebook

@pytest.fixture
def notebook(monkeypatch):
    """Make this process look like a notebook; return what it displays, [("display" or "update", object)]."""
    displayed = []

    class Handle:
        def update(self, content, **options):
            displayed.append(("update", content))

    def display(content, display_id=None, **options):
        displayed.append(("display", content))
        return Handle()

    ipython, display_module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display_module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display_module)
    return displayed


def test_in_a_notebook_the_curves_are_updated_in_one_output(notebook, tmp_path, capfd):
    run = zoo.fit("lenet5", "digits", limit=100, epochs=2, output_dir=tmp_path, name="run")
    kinds = [kind for kind, _ in notebook]
    assert kinds == ["display", "update", "update", "update"]  # the header, two epochs, the test
    figures = [content for _, content in notebook[1:]]
    subtitles = [get_texts(figure)[1] for figure in figures]
    check_text(subtitles[0], "1", "2")
    assert len(re.findall(r"\b2\b", subtitles[1])) == 2
    assert f"{run.result['test_accuracy_best']:.2%}"[:-1] in subtitles[2]
    assert capfd.readouterr() == ("", "")


def test_quiet(notebook, tmp_path, capfd):
    run = zoo.fit("lenet5", "digits", limit=100, epochs=1, lr_schedule="constant", warmup_epochs=0.0, name="run",
                  output_dir=tmp_path, verbose=False)
    assert run.resume(epochs=2, verbose=False).history["epoch"] == [1, 2]
    assert notebook == [] and capfd.readouterr() == ("", "")


def test_is_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not is_notebook()
    for shell, expected in ((None, False), (types.SimpleNamespace(), False), (types.SimpleNamespace(kernel=1), True)):
        ipython = types.ModuleType("IPython")
        ipython.get_ipython = lambda shell=shell: shell
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        assert is_notebook() is expected


def test_outside_a_notebook_lines_are_printed(tmp_path, capsys):
    zoo.fit("lenet5", "digits", limit=100, epochs=1, data_dir=tmp_path, output_dir=tmp_path, name="run")
    lines = capsys.readouterr().out.splitlines()
    assert "lenet5" in lines[0] and any("1/1" in line for line in lines)
    [note] = [line for line in lines if "digits:" in line and line.startswith("note ")]
    check_text(note, "data_dir=...", "dataset='FOLDER'")  # not the flags of the command line


def test_the_closing_line(tmp_path, capsys):
    """Once, as on the command line: the result, or how to resume a run that stopped."""
    arguments = {"limit": 100, "epochs": 1, "output_dir": tmp_path, "name": "run"}
    stopped = zoo.fit("lenet5", "digits", **arguments, max_seconds=1e-9)
    assert (stopped.status, stopped.reason) == ("stopped", "out of time")
    line = capsys.readouterr().out.splitlines()[-1]
    check_text(line, "out of time", "0", f"zoo.Run({str(stopped.path)!r}).resume()")
    run = stopped.resume()
    accuracy = f"test accuracy {run.result['test_accuracy_best']:.2%}"
    lines = [line for line in capsys.readouterr().out.splitlines() if accuracy in line]
    assert len(lines) == 1 and str(run.path) in lines[0]
    assert zoo.fit("lenet5", "digits", **arguments).reason is None  # finished already
    check_text(capsys.readouterr().out.splitlines()[-1], accuracy, str(run.path))
    run.resume(verbose=False)
    assert capsys.readouterr().out == ""
    test = zoo.load_data("digits", limit=100).test
    zoo.fit("lenet5", (test.images, test.labels), epochs=1, output_dir=tmp_path, name="arrays", max_seconds=1e-9)
    assert capsys.readouterr().out.splitlines()[-1].endswith("resume(dataset=...)")


# ---------------------------------------------------------------------------------------------------- what is not
# loaded

def test_analysis_works_without_matplotlib():
    code = ("import sys\nsys.modules['matplotlib'] = None\nimport importlib, pkgutil, numpy, zoo\n"
            "model = zoo.build('lenet5')\n"
            "import zoo.analysis\n"
            "for module in pkgutil.iter_modules(zoo.analysis.__path__):\n"
            "    importlib.import_module(f'zoo.analysis.{module.name}')\n"
            "features = zoo.features(model, numpy.zeros((2, 28, 28, 1)), ['C1', 'S2'])\n"
            "print({name: maps.shape for name, maps in features.items()}, zoo.describe('lenet5')['parameters'])")
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert process.stdout == "{'C1': (2, 28, 28, 6), 'S2': (2, 14, 14, 6)} 61706\n", process.stderr
    assert process.stderr == ""  # no startup messages of TensorFlow either
