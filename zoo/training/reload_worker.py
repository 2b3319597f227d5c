"""A process that has trained nothing reads the models that another one has saved.

The one that trained holds a Reader; `python -m zoo.training.reload_worker` is the process that reads, a line of JSON in
and
one out for each model. It reads one while the next is being trained.
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

KERAS_FILE, WEIGHTS_FILE = "model.keras", "model.weights.h5"  # what is tested
ARRAYS_FILE = "arrays.npz"  # what it is compared with: pixels, logits and weights, as NumPy writes them
# Of the largest logit: sums that other threads share out otherwise may end in other last digits
LOGITS_TOLERANCE = 1e-5


def save_for_reload(folder, model, pixels):
    """Save `model` in both formats, with what it makes of `pixels`, in a new folder."""
    folder.mkdir()
    model.save(folder / KERAS_FILE)
    model.save_weights(folder / WEIGHTS_FILE)
    np.savez(folder / ARRAYS_FILE, *model.get_weights(), pixels=pixels, logits=compute_logits(model, pixels))


def compute_logits(model, pixels):
    """Return the logits (n, classes) float32 of `model` for raw pixels, in inference."""
    return keras.ops.convert_to_numpy(model(pixels, training=False))  # to compile it would take longer


class ReloadWorker:
    """The process that reads, from the beginning to the end of a `with` block."""

    def __init__(self, scratch):
        self.log_path = scratch / "reader.log"  # what its backend says on stderr

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
        """Have the model in `folder` read; `plan` is its ModelConfig, `mean` and `std` those of its pixels."""
        with contextlib.suppress(BrokenPipeError):  # `answer` will find it ended
            print(json.dumps([str(folder), registry.serialize_model_config(model_config), mean, std]),
                  file=self.process.stdin, flush=True)

    def get_result(self):
        """Wait for the oldest answer that is due: what `check_reload` returned."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        said = self.log_path.read_text(errors="replace").strip().splitlines()[-1:]
        return {"the process that reads": ": ".join([f"ended with status {self.process.wait()}", *said])}


def check_reload(folder, model_config, mean, std):
    """Return {file: difference} of what the models in `folder` predict from what the one that was saved did.

    The difference is relative to the largest logit; words where a file cannot be read or has other weights. The
    predictions alone would not tell: after a few steps of batch normalisation they hardly depend on the picture.
    """
    def built():
        model = model_loading.build_with_preprocessing(registry.resolve_model_config(**model_config), mean, std, None)
        model.load_weights(folder / WEIGHTS_FILE)
        return model

    arrays = read_arrays(folder / ARRAYS_FILE)
    pixels, logits, *weights = (arrays[name] for name in ("pixels", "logits", *(n for n in arrays if n[:4] == "arr_")))
    found = {}
    for file, load in ((KERAS_FILE, lambda: model_loading.load_run_or_keras_file(folder / KERAS_FILE)),
                       (WEIGHTS_FILE, built)):
        try:
            model = load()
            others = sum(not np.array_equal(*pair) for pair in zip(model.get_weights(), weights, strict=True))
            found[file] = f"has {others} other weights" if others else compute_relative_difference(compute_logits(model, pixels), logits)
        except Exception as error:  # Keras raises whatever the damage led to
            found[file] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return found


def compute_relative_difference(actual, expected):
    """Return the largest difference relative to the largest number expected; infinity where one is not finite."""
    if actual.shape != expected.shape or not np.isfinite(actual).all() or not np.isfinite(expected).all():
        return float("inf")
    return float(np.abs(actual - expected).max() / max(np.abs(expected).max(), np.finfo("float32").tiny))


def main():
    for line in sys.stdin:
        folder, *how = json.loads(line)
        print(json.dumps(check_reload(Path(folder), *how)), flush=True)


if __name__ == "__main__":
    main()
