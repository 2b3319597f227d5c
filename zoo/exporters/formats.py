"""Export formats of trained models and their requirements. Standard library only."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user, check_writable


@dataclass(frozen=True)
class ExportFormat:
    """An export format.

    Attributes:
        suffix: End of the file name.
        description: Description for help texts.
        packages: Packages required in addition to zoo's own dependencies.
        needs_tensorflow: Whether it can only be written with the TensorFlow backend.
    """

    suffix: str
    description: str
    packages: tuple = ()
    needs_tensorflow: bool = False


EXPORT_FORMATS = {
    "keras": ExportFormat(".keras", "model in Keras format, for zoo.load and zoo predict"),
    "weights": ExportFormat(".weights.h5", "weights only, without the pixel scaling, for zoo.build"),
    "onnx": ExportFormat(".onnx", "ONNX model, for ONNX Runtime and others", ("tf2onnx", "onnx", "onnxruntime"),
                         True),
    "saved_model": ExportFormat("-saved_model", "TensorFlow SavedModel folder, for TensorFlow Serving", (), True),
    "litert": ExportFormat(".tflite", "LiteRT (TensorFlow Lite) model, for phones and embedded devices", (), True)}


def get_export_format(name):
    """Return the ExportFormat called `name`; raise UserError if it is unknown or needs a package that is missing."""
    if name not in EXPORT_FORMATS:
        raise unknown_name_error("format", name, EXPORT_FORMATS)
    missing = [package for package in EXPORT_FORMATS[name].packages if not find_spec(package)]
    if missing:
        raise UserError(f"the format {name} requires {', '.join(missing)}: pip install {' '.join(missing)}")
    return EXPORT_FORMATS[name]


def check_export_backend(name, backend):
    """Raise UserError if `backend` cannot write the format."""
    if EXPORT_FORMATS[name].needs_tensorflow and backend != "tensorflow":
        raise UserError(f"the format {name} requires the TensorFlow backend, whichever backend trained the run; choose "
                        "backend='tensorflow', in Python with zoo.set_device")


def resolve_export_path(output, run, name):
    """Return the Path to export a run directory to; raise UserError if it cannot be written, or is an existing folder.

    Args:
        output: str, path, or None for the run's name with the format's suffix, in the working directory.
        run: Path of the run directory.
        name: Name of the export format.
    """
    suffix = EXPORT_FORMATS[name].suffix
    path = expand_user(output) if output else Path(run.resolve().name + suffix)
    if name != "saved_model" and not path.name.endswith(suffix):
        raise UserError(f"a file of the format {name} must end in {suffix}; got {str(path)!r}")
    if path.is_dir() or (name == "saved_model" and path.exists()):
        raise UserError(f"{path} already exists; give another output=...")
    return check_writable(path)
