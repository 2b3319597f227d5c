"""What the environment says about where things are: the only reader of such variables (GPUs: device.py)."""

import json
import os
from importlib.util import find_spec

from zoo.errors import UserError, unknown
from zoo.files import expanded

BACKENDS = ("tensorflow", "jax", "torch")


def data_dir():
    """Return the folder that ZOO_DATA names, or None."""
    folder = os.environ.get("ZOO_DATA")
    return expanded(folder) if folder else None


def keras_home():
    """Return Keras's own folder: KERAS_HOME, or ~/.keras."""
    return expanded(os.environ.get("KERAS_HOME") or "~/.keras")


def keras_datasets():
    """Return the folder in which Keras keeps the data sets it has downloaded."""
    return keras_home() / "datasets"


def backend(asked=None):
    """Return the name of the backend that Keras is to load: `asked`, of --backend, else what the environment says.

    Keras, and the processes that we start, are told. UserError when there is no such one or it is missing.
    """
    name = _backend_named() if asked is None else asked
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    if not find_spec(name):
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise UserError(f"the backend {name} is not installed; pip install 'cnn-zoo{extra}', or take --backend "
                        f"{' or '.join(installed()) or BACKENDS[0]}")
    if asked is not None:
        os.environ["KERAS_BACKEND"] = asked
    return name


def installed():
    """Return the names of the backends that are there."""
    return [name for name in BACKENDS if find_spec(name)]


def _backend_named():
    """KERAS_BACKEND, else keras.json's, else tensorflow: where Keras itself looks."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    try:
        return json.loads((keras_home() / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
