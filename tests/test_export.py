"""zoo export: each format is read by the program that it is for, with nothing of zoo, and gives the run's answers."""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import check_text
from test_parity import randomize

import zoo
from zoo import registry
from zoo.cli import export
from zoo.exporters import formats, writers
from zoo.training import model_loading

ROOT = Path(__file__).resolve().parents[1]
NAMES = [*"012345678", "a nine,\nor so"]


def run_of(folder, network, side, width=0.25):
    """Write a run directory as training leaves one, of a network with random weights; return its Path."""
    spec = registry.get_model_info(network)
    model_config = registry.resolve_model_config(network, (side, side, spec.input_shape[2]), 10, 1.0 if spec.fixed_width
                                         else width)
    channels = spec.input_shape[2]
    model = model_loading.build_with_preprocessing(model_config, [0.4] * channels, [0.3] * channels, "softmax")
    randomize(model)  # as it is at first the answers hardly depend on the picture
    (folder / "checkpoints").mkdir(parents=True)
    np.savez(folder / "checkpoints" / "best.npz",
             **{f"weights/{each.path}": keras.ops.convert_to_numpy(each) for each in model.weights})
    dataset = {"name": "made up", "shape": [side, side, channels], "class_names": NAMES, "mean": [0.4] * channels,
               "std": [0.3] * channels}
    (folder / "run.json").write_text(json.dumps(
        {"model": network, "dataset": dataset, "model_config": registry.serialize_model_config(model_config)}))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("runs") / "first", "lenet5_bn", 32)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(run, pictures):
    return zoo.load(run).predict(pictures, verbose=0)


def written(run, name, folder, capsys, *pixels):
    path = folder / f"out{formats.EXPORT_FORMATS[name].suffix}"
    assert export.main([str(run), "--format", name, "-o", str(path), "--gpu", "none"]) == 0
    out = capsys.readouterr().out
    check_text(out, str(path), "8", *(pixels or ("0", "255")))
    assert out.count("\n") == 1
    assert not [each for each in folder.iterdir() if each.name.startswith(".")]
    return path


def test_keras(run, pictures, expected, tmp_path, capsys):
    path = written(run, "keras", tmp_path, capsys)
    assert keras.saving.load_model(path).predict(pictures, verbose=0) == pytest.approx(expected, abs=1e-6)
    assert (tmp_path / "out.labels.txt").read_text().splitlines() == [*NAMES[:9], "a nine, or so"]


def test_weights(run, pictures, expected, tmp_path, capsys):
    path = written(run, "weights", tmp_path, capsys, "rgb",
                   "x * (0.0130719, 0.0130719, 0.0130719) + (-1.33333, -1.33333, -1.33333)")
    bare = zoo.build("lenet5_bn", (32, 32, 3), 10, width=0.25, weights=str(path))
    image = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling([1 / 0.3 / 255] * 3, [-0.4 / 0.3] * 3)(image)
    model = keras.Model(image, bare(scaled))
    assert model.predict(pictures, verbose=0) == pytest.approx(expected, abs=1e-5)


def test_onnx(run, pictures, expected, tmp_path, capsys):
    for package in formats.EXPORT_FORMATS["onnx"].packages:
        pytest.importorskip(package, reason=f"pip install '.[export]' for {package}")
    import onnxruntime

    session = onnxruntime.InferenceSession(written(run, "onnx", tmp_path, capsys))
    (put,), (taken,) = session.get_inputs(), session.get_outputs()
    assert (put.name, put.type, put.shape) == ("image", "tensor(uint8)", ["number", 32, 32, 3])
    assert taken.shape == ["number", 10]
    assert session.run(None, {"image": pictures})[0] == pytest.approx(expected, abs=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["labels"])[9] == "a nine, or so" and about["model"] == "lenet5_bn"


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow writes it")
def test_saved_model(run, pictures, expected, tmp_path, capsys):
    path = written(run, "saved_model", tmp_path, capsys)
    layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    assert np.asarray(next(iter(layer(pictures).values()))) == pytest.approx(expected, abs=1e-5)
    assert (path / "assets.extra" / "labels.txt").read_text().splitlines()[9] == "a nine, or so"


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow writes it")
@pytest.mark.filterwarnings("ignore")
def test_litert(run, pictures, expected, tmp_path, capsys):
    import tensorflow as tf

    path = written(run, "litert", tmp_path, capsys)
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    for image, row in zip(pictures, expected, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        assert interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0] == pytest.approx(row, abs=1e-5)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().splitlines()[0] == "0"


def test_groups_become_zeros(tmp_path, capsys):
    """AlexNet's convolutions of two groups, which other programs do not know as TensorFlow has them."""
    run = run_of(tmp_path / "run", "alexnet", 32)
    model = zoo.load(run)
    pictures = np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), np.uint8)
    expected = model.predict(pictures, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.01
    whole = writers.ungroup_convolutions(model)
    assert [layer.name for layer in model.layers if getattr(layer, "groups", 1) == 2] == ["conv2", "conv4", "conv5"]
    assert not [layer.name for layer in whole.layers if getattr(layer, "groups", 1) > 1]
    assert whole.predict(pictures, verbose=0) == pytest.approx(expected, abs=1e-5)
    assert writers.ungroup_convolutions(whole) is whole


def test_a_run_in_half_precision_is_written_in_float32(run, pictures, expected, tmp_path, capsys):
    mixed = shutil.copytree(run, tmp_path / "mixed")
    config = json.loads((mixed / "run.json").read_text())
    (mixed / "run.json").write_text(json.dumps({**config, "precision": "bfloat16"}))
    model = zoo.load(mixed)
    assert np.abs(model.predict(pictures, verbose=0) - expected).max() > 1e-5  # or nothing is tested
    exact = writers.convert_to_float32(model)
    assert {layer.compute_dtype for layer in exact.layers[1:]} == {"float32"}
    assert writers.convert_to_float32(exact) is exact
    path = written(mixed, "keras", tmp_path, capsys)
    assert keras.saving.load_model(path).predict(pictures, verbose=0) == pytest.approx(expected, abs=1e-6)


def test_other_answers_are_not_written(run, pictures, tmp_path):
    model = zoo.load(run)

    def others(path, model):
        return lambda pictures: np.full((len(pictures), 10), 0.1)

    right = writers.EXPORTERS["keras"]
    writers.EXPORTERS["keras"] = right[0], others
    try:
        with pytest.raises(zoo.errors.UserError, match="keras"):
            writers.export_and_verify(model, "keras", tmp_path / "out.keras", NAMES, {}, pictures)
    finally:
        writers.EXPORTERS["keras"] = right
    assert not list(tmp_path.iterdir())


def test_what_stood_there_stays_when_nothing_is_written(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "damaged")
    (tmp_path / "damaged" / "checkpoints" / "best.npz").write_bytes(b"PK")
    (tmp_path / "out.keras").write_text("mine")
    assert export.main([str(tmp_path / "damaged"), "--format", "keras", "-o", str(tmp_path / "out.keras"),
                        "--gpu", "none"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and (tmp_path / "out.keras").read_text() == "mine"


@pytest.mark.parametrize("arguments, pins", [
    (["--format", "onxx"], ("'onxx'", "'onnx'")), (["--format", "keras", "--checkpoint", "first"], ("'first'",)),
    (["--format", "keras", "-o", "out.h5"], ("keras", ".keras", "'out.h5'")),
    (["--format", "saved_model", "-o", "."], (".",)),
    (["--format", "keras", "-o", "no/where.keras"], ("no",)),
    (["--format", "keras", "--checkpoint", "last"], ("'last'",)),
    (["--format", "litert", "--backend", "jax"], ("TensorFlow",) if find_spec("jax") else ("jax",)),
    ([], ("--format",))])
def test_mistakes_are_told_before_a_backend_loads(run, arguments, pins, tmp_path):
    program = ("import sys\nfrom zoo.cli import export\nstatus = export.main(sys.argv[1:])\n"
               "print('keras' in sys.modules)\nsys.exit(status)")
    process = subprocess.run([sys.executable, "-c", program, run, *arguments], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert (process.returncode, process.stdout) == (2, "False\n"), process.stderr
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    check_text(process.stderr, *pins)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(run, monkeypatch, capsys):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "tf2onnx" else True)
    assert export.main([str(run), "--format", "onnx"]) == 2
    error = capsys.readouterr().err
    check_text(error, "onnx", "pip install tf2onnx")
    assert error.startswith("error: ") and error.count("\n") == 1


def test_what_is_no_run(tmp_path, capsys):
    assert export.main([str(tmp_path), "--format", "keras"]) == 2
    error = capsys.readouterr().err
    check_text(error, str(tmp_path), "run.json")
    assert error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.MODELS)
def test_every_network_in_every_format(name, tmp_path, capsys):
    side = min(64, registry.get_model_info(name).max_size or 64)
    made = run_of(tmp_path / "run", name, side, 0.125)
    for kind, each in formats.EXPORT_FORMATS.items():
        if all(map(formats.find_spec, each.packages)):
            written(made, kind, tmp_path, capsys)
