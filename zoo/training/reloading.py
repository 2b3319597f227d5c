"""A process that has trained nothing reads the models that another one has saved.

The one that trained holds a Reader; `python -m zoo.training.reloading` is the process that reads, a line of JSON in and
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
from zoo.training import saved
from zoo.training.npz_file import read_arrays

KERAS, H5 = "model.keras", "model.weights.h5"  # what is tested
ARRAYS = "arrays.npz"  # what it is compared with: pixels, logits and weights, as NumPy writes them
TOLERANCE = 1e-5  # of the largest logit: sums that other threads share out otherwise may end in other last digits


def write(folder, model, pixels):
    """Save `model` in both formats, with what it makes of `pixels`, in a new folder."""
    folder.mkdir()
    model.save(folder / KERAS)
    model.save_weights(folder / H5)
    np.savez(folder / ARRAYS, *model.get_weights(), pixels=pixels, logits=predict(model, pixels))


def predict(model, pixels):
    """Return the logits (n, classes) float32 of `model` for raw pixels, in inference."""
    return keras.ops.convert_to_numpy(model(pixels, training=False))  # to compile it would take longer


class Reader:
    """The process that reads, from the beginning to the end of a `with` block."""

    def __init__(self, scratch):
        self.log = scratch / "reader.log"  # what its backend says on stderr

    def __enter__(self):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "zoo.training.reloading"], cwd=Path(__file__).parents[2], text=True,
                encoding="utf-8", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()

    def ask(self, folder, plan, mean, std):
        """Have the model in `folder` read; `plan` is its Blueprint, `mean` and `std` those of its pixels."""
        with contextlib.suppress(BrokenPipeError):  # `answer` will find it ended
            print(json.dumps([str(folder), registry.as_json(plan), mean, std]), file=self.process.stdin, flush=True)

    def answer(self):
        """Wait for the oldest answer that is due: what `read` returned."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        said = self.log.read_text(errors="replace").strip().splitlines()[-1:]
        return {"the process that reads": ": ".join([f"ended with status {self.process.wait()}", *said])}


def read(folder, plan, mean, std):
    """Return {file: difference} of what the models in `folder` predict from what the one that was saved did.

    The difference is relative to the largest logit; words where a file cannot be read or has other weights. The
    predictions alone would not tell: after a few steps of batch normalisation they hardly depend on the picture.
    """
    def built():
        model = saved.on_pixels(registry.blueprint(**plan), mean, std, None)
        model.load_weights(folder / H5)
        return model

    arrays = read_arrays(folder / ARRAYS)
    pixels, logits, *weights = (arrays[name] for name in ("pixels", "logits", *(n for n in arrays if n[:4] == "arr_")))
    found = {}
    for file, load in ((KERAS, lambda: saved.load(folder / KERAS)), (H5, built)):
        try:
            model = load()
            others = sum(not np.array_equal(*pair) for pair in zip(model.get_weights(), weights, strict=True))
            found[file] = f"has {others} other weights" if others else difference(predict(model, pixels), logits)
        except Exception as error:  # Keras raises whatever the damage led to
            found[file] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return found


def difference(found, expected):
    """Return the largest difference relative to the largest number expected; infinity where one is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all() or not np.isfinite(expected).all():
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), np.finfo("float32").tiny))


def main():
    for line in sys.stdin:
        folder, *how = json.loads(line)
        print(json.dumps(read(Path(folder), *how)), flush=True)


if __name__ == "__main__":
    main()
