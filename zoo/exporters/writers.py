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
from zoo.exporters.formats import EXPORT_FORMATS
from zoo.training.keras_file import LABELS_SUFFIX
from zoo.training.model_loading import load_run_or_keras_file
from zoo.utils.io import write_text, atomic_write

PROBABILITY_TOLERANCE = 1e-4  # of probabilities: other programs add in another order


def convert_to_float32(model):
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


def ungroup_convolutions(model):
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


# ---------------------------------------------------------------------------------------- formats: write, and read back

def write_keras(model, path, class_names, metadata):
    model.save(path)


def write_weights(model, path, class_names, metadata):
    model.save_weights(path)


def write_onnx(model, path, class_names, metadata):
    import onnx

    model(np.zeros((1, *model.input_shape[1:]), np.uint8), training=False)  # Keras wants it called once
    model.export(path, format="onnx", verbose=False)
    made = onnx.load(path)
    for each in (*made.graph.input, *made.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "number"
    onnx.helper.set_model_props(made, {"labels": json.dumps(class_names), **metadata})
    onnx.save(made, path)


def write_saved_model(model, path, class_names, metadata):
    model.export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"  # the place for what is not TensorFlow's
    extra.mkdir()
    write_text(extra / LABELS_SUFFIX, "\n".join(class_names) + "\n")
    write_text(extra / "about.json", json.dumps(metadata, indent=1) + "\n")


def write_litert(model, path, class_names, metadata):
    model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # behind the model, where LiteRT's metadata has its files too
        archive.writestr(LABELS_SUFFIX, "\n".join(class_names) + "\n")
        archive.writestr("about.json", json.dumps(metadata, indent=1) + "\n")


def load_keras_predictor(path, model):
    again = load_run_or_keras_file(path)
    return lambda images: again.predict(images, verbose=0)


def load_weights_predictor(path, model):
    empty = keras.models.clone_model(model)
    empty.load_weights(path)
    return lambda images: empty.predict(images, verbose=0)


def load_onnx_predictor(path, model):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {session.get_inputs()[0].name: images})[0]


def load_saved_model_predictor(path, model):
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    return lambda images: keras.ops.convert_to_numpy(layer(images))


def load_litert_predictor(path, model):
    interpreter = sys.modules["tensorflow"].lite.Interpreter(str(path))  # which is loaded: it has written the file

    def predict(images):
        put, taken = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(put, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(put, images)
        interpreter.invoke()
        return interpreter.get_tensor(taken)

    return predict


EXPORTERS = {"keras": (write_keras, load_keras_predictor), "weights": (write_weights, load_weights_predictor),
             "onnx": (write_onnx, load_onnx_predictor), "saved_model": (write_saved_model, load_saved_model_predictor),
             "litert": (write_litert, load_litert_predictor)}


def compute_max_difference(predict, expected, images):
    """Return the largest difference from the expected probabilities, of all images at once and one by one."""
    found = np.asarray(predict(images)), np.concatenate([predict(image[None]) for image in images[-2:]])
    if found[0].shape != expected.shape or not all(np.isfinite(each).all() for each in found):
        return np.inf
    return float(max(np.abs(found[0] - expected).max(), np.abs(found[1] - expected[-2:]).max()))


def export_and_verify(model, name, path, class_names, metadata, images):
    """Write `model` to `path` whole, or not at all where the file gives other answers.

    Return the largest difference of a probability between model and file, over `images`, uint8 (n, height, width, c).
    """
    write_format, read_back = EXPORTERS[name]
    expected = keras.ops.convert_to_numpy(model(images, training=False))

    def write_and_compare(scratch):
        try:
            with devices.suppress_stderr(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the converters' own, about NumPy and about names to come
                write_format(ungroup_convolutions(model) if EXPORT_FORMATS[name].needs_tensorflow else model, scratch,
                             class_names, metadata)
                difference = compute_max_difference(read_back(scratch, model), expected, images)
        except (UserError, OSError):
            raise
        except Exception as error:  # converters and runtimes raise what they like
            words = " ".join(str(error).split())[:300] or type(error).__name__
            raise UserError(f"this network cannot be written as {name}: {words}") from error
        if not difference <= PROBABILITY_TOLERANCE:
            raise UserError(f"the {name} file gives other answers than the run, {difference:.2g} apart; nothing "
                            "was written")
        return difference

    if name != "saved_model":
        with atomic_write(path) as scratch:
            return write_and_compare(scratch)
    scratch = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        difference = write_and_compare(scratch)
        os.replace(scratch, path)
        return difference
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
