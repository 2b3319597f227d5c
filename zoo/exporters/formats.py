"""The formats that a trained model can be exported to, and what each needs. Standard library only."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user, check_writable


@dataclass(frozen=True)
class ExportFormat:
    """An export format.

    suffix: the end of the file's name. packages: what must be installed beyond zoo's own dependencies.
    needs_tensorflow: whether only the TensorFlow backend can write it.
    """

    suffix: str
    description: str
    packages: tuple = ()
    needs_tensorflow: bool = False


EXPORT_FORMATS = {
    "keras": ExportFormat(".keras", "the model in Keras's own format, for zoo.load and zoo predict"),
    "weights": ExportFormat(".weights.h5", "the weights alone, without the scaling of pixels, for zoo.build"),
    "onnx": ExportFormat(".onnx", "an ONNX model, for ONNX Runtime and others", ("tf2onnx", "onnx", "onnxruntime"),
                         True),
    "saved_model": ExportFormat("-saved_model", "a TensorFlow SavedModel, a folder, for TensorFlow Serving", (), True),
    "litert": ExportFormat(".tflite", "a LiteRT (TensorFlow Lite) model, for phones and embedded devices", (), True)}


def get_export_format(name):
    """Return the ExportFormat called `name`; UserError for an unknown one, or where a package that it needs is
    missing.
    """
    if name not in EXPORT_FORMATS:
        raise unknown_name_error("format", name, EXPORT_FORMATS)
    missing = [package for package in EXPORT_FORMATS[name].packages if not find_spec(package)]
    if missing:
        raise UserError(f"the format {name} needs {', '.join(missing)}: pip install {' '.join(missing)}")
    return EXPORT_FORMATS[name]


def check_export_backend(name, backend):
    """Raise UserError where `backend` cannot write the format."""
    if EXPORT_FORMATS[name].needs_tensorflow and backend != "tensorflow":
        raise UserError(f"the format {name} is written by TensorFlow, whatever trained the run; choose --backend "
                        "tensorflow, in Python zoo.set_device(backend='tensorflow')")


def resolve_export_path(output, run, name):
    """Return the Path to export a run directory to; UserError where it cannot be written, or is a folder already.

    output: str, path, or None for the run's name with the format's suffix, in the working directory.
    """
    suffix = EXPORT_FORMATS[name].suffix
    path = expand_user(output) if output else Path(run.resolve().name + suffix)
    if name != "saved_model" and not path.name.endswith(suffix):
        raise UserError(f"a file of the format {name} ends in {suffix}; given {str(path)!r}")
    if path.is_dir() or (name == "saved_model" and path.exists()):
        raise UserError(f"{path} exists already; give another name with -o")
    return check_writable(path)
