"""What the environment says about where things are: the only reader of such variables (GPUs: device.py)."""

import json
import os
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def data_dir():
    """Return the folder that ZOO_DATA names, or None."""
    folder = os.environ.get("ZOO_DATA")
    return Path(folder).expanduser() if folder else None


def keras_home():
    """Return Keras's own folder: KERAS_HOME, or ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def keras_datasets():
    """Return the folder in which Keras keeps the data sets it has downloaded."""
    return keras_home() / "datasets"


def backend():
    """Return the name of the backend that Keras will load: KERAS_BACKEND, else keras.json's, else tensorflow."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    try:
        return json.loads((keras_home() / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
