"""A separate process that reloads the models saved by the self-test.

The training process has a ReloadWorker; `python -m zoo.training.reload_worker` is the process that reads, one line of
JSON in and one out for each model. It checks one model while the next is being trained.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

from zoo import registry
from zoo.training import model_loading
from zoo.training.npz_file import read_arrays

KERAS_FILE, WEIGHTS_FILE = "model.keras", "model.weights.h5"  # the files under test
ARRAYS_FILE = "arrays.npz"  # the reference: pixels, logits and weights, written by NumPy
# Relative to the largest logit: the order of summation, and so the last digits, can depend on threading
LOGITS_TOLERANCE = 1e-5


def save_for_reload(folder, model, pixels):
    """Save `model` in both formats, with its logits for `pixels`, in a new folder."""
    folder.mkdir()
    model.save(folder / KERAS_FILE)
    model.save_weights(folder / WEIGHTS_FILE)
    np.savez(folder / ARRAYS_FILE, *model.get_weights(), pixels=pixels, logits=compute_logits(model, pixels))


def compute_logits(model, pixels):
    """Return the logits (n, classes) float32 of `model` for raw pixels, in inference."""
    return keras.ops.convert_to_numpy(model(pixels, training=False))  # compiling it would take longer


class ReloadWorker:
    """The process that reads, which runs for the duration of a `with` block."""

    def __init__(self, scratch):
        self.log_path = scratch / "reader.log"  # its stderr

    def __enter__(self):
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "zoo.training.reload_worker"], cwd=Path(__file__).parents[2], text=True,
                encoding="utf-8", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()

    def submit(self, folder, model_config, mean, std):
        """Queue a check of the model in `folder`; `mean`, `std`: of its pixels on the scale 0..1."""
        with contextlib.suppress(BrokenPipeError):  # `get_result` reports that the process ended
            print(json.dumps([str(folder), registry.serialize_model_config(model_config), mean, std]),
                  file=self.process.stdin, flush=True)

    def get_result(self):
        """Wait for the oldest pending result: that of `check_reload`."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        last_lines = self.log_path.read_text(errors="replace").strip().splitlines()[-1:]
        return {"the reload process": ": ".join([f"ended with status {self.process.wait()}", *last_lines])}


def check_reload(folder, model_config, mean, std):
    """Return {file: difference} between the logits of the reloaded models in `folder` and those of the saved model.

    The difference is relative to the largest logit; a message where a file cannot be read or has other weights. The
    logits alone are not enough: after a few steps of batch normalization they hardly depend on the image.
    """
    def load_weights_file():
        model = model_loading.build_with_preprocessing(registry.resolve_model_config(**model_config), mean, std, None)
        model.load_weights(folder / WEIGHTS_FILE)
        return model

    arrays = read_arrays(folder / ARRAYS_FILE)
    pixels, logits, *weights = (arrays[name] for name in ("pixels", "logits", *(n for n in arrays if n[:4] == "arr_")))
    differences = {}
    for file, load in ((KERAS_FILE, lambda: model_loading.load_run_or_keras_file(folder / KERAS_FILE)),
                       (WEIGHTS_FILE, load_weights_file)):
        try:
            model = load()
            num_different = sum(not np.array_equal(*pair) for pair in zip(model.get_weights(), weights, strict=True))
            if num_different:
                differences[file] = f"has {num_different} other weights"
            else:
                differences[file] = compute_relative_difference(compute_logits(model, pixels), logits)
        except Exception as error:  # Keras raises whatever the damage led to
            differences[file] = format_error(error)
    return differences


def format_error(error):
    """Return the type of an exception and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def compute_relative_difference(actual, expected):
    """Return the maximum difference relative to the maximum of `expected`; infinity where a value is not finite."""
    if actual.shape != expected.shape or not np.isfinite(actual).all() or not np.isfinite(expected).all():
        return float("inf")
    return float(np.abs(actual - expected).max() / max(np.abs(expected).max(), np.finfo("float32").tiny))


def main():
    for line in sys.stdin:
        folder, *arguments = json.loads(line)
        print(json.dumps(check_reload(Path(folder), *arguments)), flush=True)


if __name__ == "__main__":
    main()
