"""A model in the formats of other programs, written and asked whether it gives the same answers."""

import json
import os
import shutil
import sys
import warnings
import zipfile

import keras
import numpy as np

from zoo import devices
from zoo.errors import UserError
from zoo.training.keras_file import LABELS
from zoo.training.saved import load
from zoo.utils.io import write_text, written_whole

TOLERANCE = 1e-4  # of probabilities: other programs add in another order
BY_TENSORFLOW = ("onnx", "saved_model", "litert")


def in_float32(model):
    """Return `model`, or one with its weights that computes in float32 throughout where it does not."""
    if {layer.compute_dtype for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)} == {"float32"}:
        return model

    def copy(operation):
        config = operation.get_config()
        return type(operation).from_config({**config, "dtype": "float32"} if isinstance(operation, keras.layers.Layer)
                                           else config)

    exact = keras.models.clone_model(model, clone_function=copy)
    exact.set_weights(model.get_weights())
    return exact


def without_groups(model):
    """Return `model`, or one with the same answers whose convolutions have no groups: only Keras's TensorFlow can do
    them, through XLA. Weights of 0 stand where a filter does not look.
    """
    grouped = {layer.name: layer for layer in model.layers if getattr(layer, "groups", 1) > 1
               and isinstance(layer, keras.layers.Conv2D)}
    if not grouped:
        return model

    def copy(operation):
        if operation.name not in grouped:
            return operation
        return type(operation).from_config({**operation.get_config(), "groups": 1})

    copied = keras.models.clone_model(model, clone_function=copy)
    for name, layer in grouped.items():
        kernel, *bias = layer.get_weights()
        rows, columns, read, filters = kernel.shape
        whole = np.zeros((rows, columns, read * layer.groups, filters), kernel.dtype)
        each = filters // layer.groups
        for group in range(layer.groups):
            out = slice(group * each, (group + 1) * each)
            whole[:, :, group * read : (group + 1) * read, out] = kernel[..., out]
        copied.get_layer(name).set_weights([whole, *bias])
    return copied


# ---------------------------------------------------------------------------------------- formats: written, and asked

def write_keras(model, path, names, about):
    model.save(path)


def write_weights(model, path, names, about):
    model.save_weights(path)


def write_onnx(model, path, names, about):
    import onnx

    model(np.zeros((1, *model.input_shape[1:]), np.uint8), training=False)  # Keras wants it called once
    model.export(path, format="onnx", verbose=False)
    made = onnx.load(path)
    for each in (*made.graph.input, *made.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "number"
    onnx.helper.set_model_props(made, {"labels": json.dumps(names), **about})
    onnx.save(made, path)


def write_saved_model(model, path, names, about):
    model.export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"  # the place for what is not TensorFlow's
    extra.mkdir()
    write_text(extra / LABELS, "\n".join(names) + "\n")
    write_text(extra / "about.json", json.dumps(about, indent=1) + "\n")


def write_litert(model, path, names, about):
    model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # behind the model, where LiteRT's metadata has its files too
        archive.writestr(LABELS, "\n".join(names) + "\n")
        archive.writestr("about.json", json.dumps(about, indent=1) + "\n")


def ask_keras(path, model):
    again = load(path)
    return lambda pictures: again.predict(pictures, verbose=0)


def ask_weights(path, model):
    empty = keras.models.clone_model(model)
    empty.load_weights(path)
    return lambda pictures: empty.predict(pictures, verbose=0)


def ask_onnx(path, model):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda pictures: session.run(None, {session.get_inputs()[0].name: pictures})[0]


def ask_saved_model(path, model):
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    return lambda pictures: keras.ops.convert_to_numpy(layer(pictures))


def ask_litert(path, model):
    interpreter = sys.modules["tensorflow"].lite.Interpreter(str(path))  # which is loaded: it has written the file

    def answer(pictures):
        put, taken = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(put, pictures.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(put, pictures)
        interpreter.invoke()
        return interpreter.get_tensor(taken)

    return answer


WAYS = {"keras": (write_keras, ask_keras), "weights": (write_weights, ask_weights), "onnx": (write_onnx, ask_onnx),
        "saved_model": (write_saved_model, ask_saved_model), "litert": (write_litert, ask_litert)}


def apart(ask, expected, pictures):
    """Return how far a file's probabilities are from those expected at most, asked for all at once and one by one."""
    found = np.asarray(ask(pictures)), np.concatenate([ask(each[None]) for each in pictures[-2:]])
    if found[0].shape != expected.shape or not all(np.isfinite(each).all() for each in found):
        return np.inf
    return float(max(np.abs(found[0] - expected).max(), np.abs(found[1] - expected[-2:]).max()))


def written(model, name, path, names, about, pictures):
    """Write `model` to `path` whole, or not at all where it gives other answers; return how far they are apart."""
    write, ask = WAYS[name]
    expected = keras.ops.convert_to_numpy(model(pictures, training=False))

    def made(scratch):
        try:
            with devices.quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the converters' own, about NumPy and about names to come
                write(without_groups(model) if name in BY_TENSORFLOW else model, scratch, names, about)
                far = apart(ask(scratch, model), expected, pictures)
        except (UserError, OSError):
            raise
        except Exception as error:  # converters and runtimes raise what they like
            words = " ".join(str(error).split())[:300] or type(error).__name__
            raise UserError(f"this network cannot be written as {name}: {words}") from error
        if not far <= TOLERANCE:
            raise UserError(f"the {name} file gives other answers than the run, {far:.2g} apart; nothing was written")
        return far

    if name != "saved_model":
        with written_whole(path) as scratch:
            return made(scratch)
    scratch = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        far = made(scratch)
        os.replace(scratch, path)
        return far
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
