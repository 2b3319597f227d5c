"""zoo export: each format is read by its own runtime, without zoo, and gives the predictions of the run."""

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
from zoo.exporters.export import describe_input
from zoo.modality import IMAGE
from zoo.training import custom_model, model_loading, run_config

ROOT = Path(__file__).resolve().parents[1]
NAMES = [*"012345678", "a nine,\nor so"]


def write_run(folder, network, size, width=0.25):
    """Write a run directory, as after training, of a network with random weights; return its Path."""
    spec = registry.get_model_info(network)
    model_config = registry.resolve_model_config(network, (size, size, spec.input_shape[2]), 10, 1.0 if spec.fixed_width
                                                 else width)
    channels = spec.input_shape[2]
    model = model_loading.build_with_preprocessing(model_config, [0.4] * channels, [0.3] * channels, "softmax")
    randomize(model)  # with the initial weights, predictions hardly depend on the image
    (folder / "checkpoints").mkdir(parents=True)
    np.savez(folder / "checkpoints" / "best.npz",
             **{f"weights/{variable.path}": keras.ops.convert_to_numpy(variable) for variable in model.weights})
    dataset = {"name": "made up", "shape": [size, size, channels], "class_names": NAMES, "mean": [0.4] * channels,
               "std": [0.3] * channels}
    (folder / "run.json").write_text(json.dumps(
        {"model": network, "dataset": dataset, "model_config": registry.serialize_model_config(model_config)}))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "first", "lenet5_bn", 32)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def expected_probabilities(run, images):
    return zoo.load(run).predict(images, verbose=0)


@pytest.mark.parametrize("levels, parts", [
    (None, ()), ({"integer": 255}, ()), ({"integer": 4095}, ("0..4095", "0..255")),
    ({"float": 1, "integer": 65535}, ("0..1", "0..65535", "8 bits"))])
def test_the_description_of_the_input_has_the_white_levels(levels, parts):
    description = describe_input(IMAGE, {"white_levels": levels} if levels else {})
    assert ("0.." in description) == bool(parts)
    check_text(description, "0 to 255", *parts)


def export_run(run, name, folder, capsys, *pixels):
    path = folder / f"out{formats.EXPORT_FORMATS[name].suffix}"
    assert export.main([str(run), "--format", name, "-o", str(path), "--gpu", "none"]) == 0
    out = capsys.readouterr().out
    check_text(out, str(path), "8", *(pixels or ("0", "255")))
    assert out.count("\n") == 1
    assert not [entry for entry in folder.iterdir() if entry.name.startswith(".")]
    return path


def test_keras(run, images, expected_probabilities, tmp_path, capsys):
    path = export_run(run, "keras", tmp_path, capsys)
    assert keras.saving.load_model(path).predict(images, verbose=0) == pytest.approx(expected_probabilities, abs=1e-6)
    assert (tmp_path / "out.labels.txt").read_text().splitlines() == [*NAMES[:9], "a nine, or so"]


def test_weights(run, images, expected_probabilities, tmp_path, capsys):
    path = export_run(run, "weights", tmp_path, capsys, "rgb",
                      "x * (0.0130719, 0.0130719, 0.0130719) + (-1.33333, -1.33333, -1.33333)")
    bare = zoo.build("lenet5_bn", (32, 32, 3), 10, width=0.25, weights=str(path))
    image = keras.Input((32, 32, 3))
    normalized = keras.layers.Rescaling([1 / 0.3 / 255] * 3, [-0.4 / 0.3] * 3)(image)
    model = keras.Model(image, bare(normalized))
    assert model.predict(images, verbose=0) == pytest.approx(expected_probabilities, abs=1e-5)


def test_onnx(run, images, expected_probabilities, tmp_path, capsys):
    for package in formats.EXPORT_FORMATS["onnx"].packages:
        pytest.importorskip(package, reason=f"pip install '.[export]' for {package}")
    import onnxruntime

    session = onnxruntime.InferenceSession(export_run(run, "onnx", tmp_path, capsys))
    (model_input,), (model_output,) = session.get_inputs(), session.get_outputs()
    assert (model_input.name, model_input.type, model_input.shape) == ("image", "tensor(uint8)", ["number", 32, 32, 3])
    assert model_output.shape == ["number", 10]
    assert session.run(None, {"image": images})[0] == pytest.approx(expected_probabilities, abs=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"])[9] == "a nine, or so" and metadata["model"] == "lenet5_bn"


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow writes it")
def test_saved_model(run, images, expected_probabilities, tmp_path, capsys):
    path = export_run(run, "saved_model", tmp_path, capsys)
    layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    assert np.asarray(next(iter(layer(images).values()))) == pytest.approx(expected_probabilities, abs=1e-5)
    assert (path / "assets.extra" / "labels.txt").read_text().splitlines()[9] == "a nine, or so"


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow writes it")
@pytest.mark.filterwarnings("ignore")
def test_litert(run, images, expected_probabilities, tmp_path, capsys):
    import tensorflow as tf

    path = export_run(run, "litert", tmp_path, capsys)
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    for image, row in zip(images, expected_probabilities, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        assert interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0] == pytest.approx(row, abs=1e-5)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().splitlines()[0] == "0"


def test_grouped_convolutions_become_dense_kernels_with_zeros(tmp_path, capsys):
    """AlexNet's convolutions with two groups, which other runtimes do not support in TensorFlow's form."""
    run = write_run(tmp_path / "run", "alexnet", 32)
    model = zoo.load(run)
    images = np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), np.uint8)
    expected_probabilities = model.predict(images, verbose=0)
    assert np.ptp(expected_probabilities, axis=0).max() > 0.01
    ungrouped = writers.ungroup_convolutions(model)
    assert [layer.name for layer in model.layers if getattr(layer, "groups", 1) == 2] == ["conv2", "conv4", "conv5"]
    assert not [layer.name for layer in ungrouped.layers if getattr(layer, "groups", 1) > 1]
    assert ungrouped.predict(images, verbose=0) == pytest.approx(expected_probabilities, abs=1e-5)
    assert writers.ungroup_convolutions(ungrouped) is ungrouped


def test_a_run_in_half_precision_is_written_in_float32(run, images, expected_probabilities, tmp_path, capsys):
    mixed = shutil.copytree(run, tmp_path / "mixed")
    config = json.loads((mixed / "run.json").read_text())
    (mixed / "run.json").write_text(json.dumps({**config, "precision": "bfloat16"}))
    model = zoo.load(mixed)
    assert np.abs(model.predict(images, verbose=0) - expected_probabilities).max() > 1e-5  # otherwise nothing is tested
    exact = writers.convert_to_float32(model)
    assert {layer.compute_dtype for layer in exact.layers[1:]} == {"float32"}
    assert writers.convert_to_float32(exact) is exact
    path = export_run(mixed, "keras", tmp_path, capsys)
    assert keras.saving.load_model(path).predict(images, verbose=0) == pytest.approx(expected_probabilities, abs=1e-6)


def test_a_model_with_different_outputs_is_not_written(run, images, tmp_path):
    model = zoo.load(run)

    def write_wrong_model(path, model):
        return lambda images: np.full((len(images), 10), 0.1)

    exporter = writers.EXPORTERS["keras"]
    writers.EXPORTERS["keras"] = exporter[0], write_wrong_model
    try:
        with pytest.raises(zoo.errors.UserError, match="keras"):
            writers.export_and_verify(model, "keras", tmp_path / "out.keras", NAMES, {}, images)
    finally:
        writers.EXPORTERS["keras"] = exporter
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_unchanged_after_a_failure(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "damaged")
    (tmp_path / "damaged" / "checkpoints" / "best.npz").write_bytes(b"PK")
    (tmp_path / "out.keras").write_text("mine")
    assert export.main([str(tmp_path / "damaged"), "--format", "keras", "-o", str(tmp_path / "out.keras"),
                        "--gpu", "none"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and (tmp_path / "out.keras").read_text() == "mine"


@pytest.mark.parametrize("arguments, pins", [
    (["--format", "onxx"], ("'onxx'", "'onnx'")), (["--format", "keras", "--checkpoint", "first"], ("'first'",)),
    (["--format", "keras", "-o", "out.h5"], ("keras", ".keras", "'out.h5'")),
    (["--format", "saved_model", "-o", "."], (".", "--output")),
    (["--format", "keras", "-o", "no/where.keras"], ("no",)),
    (["--format", "keras", "--checkpoint", "last"], ("'last'",)),
    (["--format", "litert", "--backend", "jax"], ("TensorFlow",) if find_spec("jax") else ("jax",)),
    ([], ("--format",))])
def test_invalid_arguments_are_refused_before_a_backend_loads(run, arguments, pins, tmp_path):
    program = ("import sys\nfrom zoo.cli import export\nstatus = export.main(sys.argv[1:])\n"
               "print('keras' in sys.modules)\nsys.exit(status)")
    process = subprocess.run([sys.executable, "-c", program, run, *arguments], cwd=tmp_path, capture_output=True,
                             text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
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


def test_a_folder_that_is_not_a_run_is_refused(tmp_path, capsys):
    assert export.main([str(tmp_path), "--format", "keras"]) == 2
    error = capsys.readouterr().err
    check_text(error, str(tmp_path), "run.json")
    assert error.count("\n") == 1


@pytest.mark.parametrize("first, pins", [
    (keras.layers.Identity(), ("x * (0.00980392) + (-0.25)",)), (keras.layers.Rescaling(1 / 255), ())])
def test_the_weights_of_a_run_of_a_custom_model(first, pins, tmp_path, capsys):
    folder = tmp_path / "own"
    (folder / "checkpoints").mkdir(parents=True)
    model = keras.Sequential([keras.Input((8, 8, 1)), first, keras.layers.Flatten(), keras.layers.Dense(10)],
                             name="own")
    dataset = {"name": "made up", "shape": [8, 8, 1], "class_names": NAMES, "mean": [0.1], "std": [0.4]}
    info = zoo.load_data((np.zeros((40, 8, 8, 1), np.uint8), np.arange(40) % 10)).info
    model_config = custom_model.make_custom_model_config(model, info)
    (folder / "run.json").write_text(json.dumps({"model": "own", "dataset": dataset,
                                                 "model_config": run_config.serialize_run_model(model_config)}))
    custom_model.save_custom_model(model, folder / run_config.MODEL_FILE)
    run_model = model_loading.rebuild_run_model(folder, json.loads((folder / "run.json").read_text()), "softmax")
    np.savez(folder / "checkpoints" / "best.npz", **{f"weights/{variable.path}": keras.ops.convert_to_numpy(variable)
                                                     for variable in run_model.weights})
    path = export_run(folder, "weights", tmp_path, capsys, *(pins or ("itself",)))
    run_model.load_weights(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.select_models("image"))
def test_every_network_in_every_format(name, tmp_path, capsys):
    size = min(64, registry.get_model_info(name).max_size or 64)
    run = write_run(tmp_path / "run", name, size, 0.125)
    for kind, format_info in formats.EXPORT_FORMATS.items():
        if all(map(formats.find_spec, format_info.packages)):
            export_run(run, kind, tmp_path, capsys)
