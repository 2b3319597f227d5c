"""Classifying images with the model of a run. No backend is loaded on import."""

import itertools
import os

import numpy as np
from PIL import Image

from zoo.analysis.predictions import rank_classes
from zoo.data import image_files, image_io
from zoo.data.model_input import prepare_image_arrays, prepare_pil_images
from zoo.errors import UserError


def predict_images(run, images, top_k, checkpoint):
    """Classify images with the model of a `Run`; see `Run.predict`."""
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 1):
        raise UserError(f"top_k must be None or an integer of 1 or more; got {top_k!r}")
    batches = prepare_batches(images, tuple(run.config["dataset"]["shape"]),
                              run.config["dataset"].get("white_levels"))
    first = next(batches)  # unreadable images are rejected before a backend is loaded
    model = run.load_model(checkpoint)
    probabilities = np.concatenate([np.asarray(model.predict(batch, verbose=0), np.float32)
                                    for batch in itertools.chain([first], batches)])
    return probabilities if top_k is None else rank_classes(probabilities, run.class_names, top_k)


def prepare_batches(images, shape, white_levels):
    """Return an iterator of batches uint8 (n, *shape) of what `Run.predict` takes."""
    if isinstance(images, (str, os.PathLike, Image.Image)):
        images = [images]
    if isinstance(images, (list, tuple)) and images and isinstance(images[0], (str, os.PathLike)):
        return prepare_file_batches(images, shape, white_levels)
    if isinstance(images, (list, tuple)) and images and all(isinstance(image, Image.Image) for image in images):
        return iter([prepare_pil_images(images, shape, white_levels)])
    return iter([prepare_image_arrays(images, shape)])


def prepare_file_batches(paths, shape, white_levels):
    """Yield batches uint8 (n, *shape) of image files, sized to fit memory; UserError for an invalid file."""
    files, _ = image_files.find_image_files([os.fspath(path) for path in paths])
    for chunk in image_io.prepare_image_files(files, shape, white_levels):
        for _, image in chunk:
            if isinstance(image, UserError):
                raise image
        yield np.stack([image.pixels for _, image in chunk])
