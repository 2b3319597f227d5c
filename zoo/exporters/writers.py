"""Write a model in the export formats, and verify that each file returns the same probabilities."""

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
from zoo.utils.io import atomic_write, make_scratch_path, write_text

PROBABILITY_TOLERANCE = 1e-4  # absolute; other runtimes sum in a different order


def convert_to_float32(model):
    """Return `model`, or a copy with its weights that computes in float32 if any layer does not."""
    if {layer.compute_dtype for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)} == {"float32"}:
        return model

    def clone_operation(operation):
        config = operation.get_config()
        return type(operation).from_config({**config, "dtype": "float32"} if isinstance(operation, keras.layers.Layer)
                                           else config)

    float32_model = keras.models.clone_model(model, clone_function=clone_operation)
    float32_model.set_weights(model.get_weights())
    return float32_model


def ungroup_convolutions(model):
    """Return `model`, or an equivalent model without grouped convolutions, which only Keras's TensorFlow can compute,
    through XLA. The kernels are padded with zeros for the channels of other groups.
    """
    grouped = {layer.name: layer for layer in model.layers if getattr(layer, "groups", 1) > 1
               and isinstance(layer, keras.layers.Conv2D)}
    if not grouped:
        return model

    def clone_operation(operation):
        if operation.name not in grouped:
            return operation
        return type(operation).from_config({**operation.get_config(), "groups": 1})

    ungrouped_model = keras.models.clone_model(model, clone_function=clone_operation)
    for name, layer in grouped.items():
        kernel, *bias = layer.get_weights()
        height, width, channels, filters = kernel.shape  # channels of one group
        ungrouped = np.zeros((height, width, channels * layer.groups, filters), kernel.dtype)
        group_filters = filters // layer.groups
        for group in range(layer.groups):
            outputs = slice(group * group_filters, (group + 1) * group_filters)
            ungrouped[:, :, group * channels : (group + 1) * channels, outputs] = kernel[..., outputs]
        ungrouped_model.get_layer(name).set_weights([ungrouped, *bias])
    return ungrouped_model


# ----------------------------------------------------------------------------------------- formats: write and read back

def write_keras(model, path, class_names, metadata):
    model.save(path)


def write_weights(model, path, class_names, metadata):
    model.save_weights(path)


def write_onnx(model, path, class_names, metadata):
    import onnx

    zeros = np.zeros((1, *model.input_shape[1:]), model.input.dtype)
    model(zeros, training=False)  # Keras requires a call before export
    model.export(path, format="onnx", verbose=False)
    onnx_model = onnx.load(path)
    for tensor in (*onnx_model.graph.input, *onnx_model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "number"
    onnx.helper.set_model_props(onnx_model, {"labels": json.dumps(class_names), **metadata})
    onnx.save(onnx_model, path)


def write_saved_model(model, path, class_names, metadata):
    model.export(path, format="tf_saved_model", verbose=False)
    assets = path / "assets.extra"  # TensorFlow's folder for user assets
    assets.mkdir()
    write_text(assets / LABELS_SUFFIX, "\n".join(class_names) + "\n")
    write_text(assets / "about.json", json.dumps(metadata, indent=1) + "\n")


def write_litert(model, path, class_names, metadata):
    model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # appended to the model, as LiteRT metadata does
        archive.writestr(LABELS_SUFFIX, "\n".join(class_names) + "\n")
        archive.writestr("about.json", json.dumps(metadata, indent=1) + "\n")


def load_keras_predictor(path, model):
    loaded = load_run_or_keras_file(path)
    return lambda images: loaded.predict(images, verbose=0)


def load_weights_predictor(path, model):
    loaded = keras.models.clone_model(model)
    loaded.load_weights(path)
    return lambda images: loaded.predict(images, verbose=0)


def load_onnx_predictor(path, model):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {session.get_inputs()[0].name: images})[0]


def load_saved_model_predictor(path, model):
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    return lambda images: keras.ops.convert_to_numpy(layer(images))


def load_litert_predictor(path, model):
    interpreter = sys.modules["tensorflow"].lite.Interpreter(str(path))  # already imported: it wrote the file

    def predict(images):
        input_index = interpreter.get_input_details()[0]["index"]
        output_index = interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(input_index, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(input_index, images)
        interpreter.invoke()
        return interpreter.get_tensor(output_index)

    return predict


EXPORTERS = {"keras": (write_keras, load_keras_predictor), "weights": (write_weights, load_weights_predictor),
             "onnx": (write_onnx, load_onnx_predictor), "saved_model": (write_saved_model, load_saved_model_predictor),
             "litert": (write_litert, load_litert_predictor)}


def compute_max_difference(predict, expected, images):
    """Return the largest absolute difference from the expected probabilities, in a single batch and, for the last two
    images, one by one. It is infinite for outputs of another shape or with NaN or infinite values.
    """
    batched = np.asarray(predict(images))
    single = np.concatenate([predict(image[None]) for image in images[-2:]])
    if batched.shape != expected.shape or not all(np.isfinite(outputs).all() for outputs in (batched, single)):
        return np.inf
    return float(max(np.abs(batched - expected).max(), np.abs(single - expected[-2:]).max()))


def export_and_verify(model, name, path, class_names, metadata, images):
    """Write `model` to `path` atomically, or not at all if the file returns different probabilities.

    Return the largest absolute difference of a probability between model and file, over `images`, a batch of the
    model's input.
    """
    write_format, load_predictor = EXPORTERS[name]
    expected = keras.ops.convert_to_numpy(model(images, training=False))

    def write_and_compare(scratch):
        try:
            with devices.suppress_stderr(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # from the converters: NumPy and future renames
                write_format(ungroup_convolutions(model) if EXPORT_FORMATS[name].needs_tensorflow else model, scratch,
                             class_names, metadata)
                difference = compute_max_difference(load_predictor(scratch, model), expected, images)
        except (UserError, OSError):
            raise
        except Exception as error:  # converters and runtimes can raise anything
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise UserError(f"this model cannot be exported as {name}: {reason}") from error
        if not difference <= PROBABILITY_TOLERANCE:
            raise UserError(f"the {name} file returns different probabilities from the run (maximum absolute "
                            f"difference {difference:.2g}); nothing was written")
        return difference

    if name != "saved_model":
        with atomic_write(path) as scratch:
            return write_and_compare(scratch)
    scratch = make_scratch_path(path)
    try:
        difference = write_and_compare(scratch)
        os.replace(scratch, path)
        return difference
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
