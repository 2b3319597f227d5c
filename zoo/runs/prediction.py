"""Classifying images or texts with the model of a run. No backend is loaded on import."""

import itertools
from collections.abc import Iterator

import numpy as np

from zoo.analysis.predictions import rank_classes
from zoo.errors import UserError
from zoo.runs.data import make_reader
from zoo.utils.tracing import silence_retracing_warning


def predict_images(run, images, top_k, checkpoint):
    """Classify images with the model of a `Run`; see `Run.predict`."""
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 1):
        raise UserError(f"top_k must be None or an integer of 1 or more; got {top_k!r}")
    if isinstance(images, Iterator):  # of paths, such as Path.glob returns
        images = [*images]
    batches = make_reader(run.path, run.config).prepare_batches(images)
    first = next(batches)  # unreadable files are rejected before a backend is loaded
    model = run.load_model(checkpoint)
    with silence_retracing_warning():
        probabilities = np.concatenate([np.asarray(model.predict(batch, verbose=0), np.float32)
                                        for batch in itertools.chain([first], batches)])
    return probabilities if top_k is None else rank_classes(probabilities, run.class_names, top_k)
