"""Export the model of a run directory: written, read back by its own runtime, and compared. Loads the backend."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import UserError
from zoo.exporters import formats, writers
from zoo.training import origins, run_files, saved
from zoo.training.keras_file import LABELS
from zoo.utils.io import write_text

PREPROCESSING = "raw pixels of 0 to 255; their scaling is inside"
NOISE_IMAGES, TRAINING_IMAGES = 8, 24  # that are compared


@dataclass(frozen=True)
class Export:
    """What `export_run` wrote.

    path: the file, or the folder of a SavedModel. labels: the file of class names beside it, or None where they are
    inside. preprocessing: what the pixels must be. images: how many were compared; difference: the largest one of a
    probability among them.
    """

    path: Path
    labels: Path | None
    preprocessing: str
    images: int
    difference: float


def export_run(run, facts, format, path, checkpoint):
    """Export the model of the run directory `run` to `path` and return the Export; `facts`: what run.json says.

    Nothing is written where the file would give other probabilities; UserError says by how much.
    """
    model = writers.in_float32(saved.load(run, checkpoint))
    names = [" ".join(str(name).split()) for name in facts["dataset"]["label_names"]]
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{run / 'run.json'} is damaged: it names {len(names)} classes, and the network has "
                        f"{model.output_shape[-1]}")
    metadata = {"network": facts["network"], "dataset": facts["dataset"]["name"], "preprocessing": PREPROCESSING}
    images = comparison_images(run, tuple(model.input_shape[1:]))
    difference = writers.write(model, format, path, names, metadata, images)
    preprocessing = describe_scaling(run, facts) if format == "weights" else PREPROCESSING
    labels = None
    if format in ("keras", "weights"):  # which have no place for them
        labels = path.with_name(path.name.removesuffix(formats.FORMATS[format].suffix) + f".{LABELS}")
        write_text(labels, "\n".join(names) + "\n")
    return Export(path, labels, preprocessing, len(images), difference)


def comparison_images(run, shape):
    """Return noise and what the run keeps of its training images, uint8 (n, *shape)."""
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, *shape), np.uint8)
    samples = run_files.read_samples(run, sys.maxsize)
    if samples is None or samples[0].shape[1:] != shape:
        return noise
    return np.concatenate([noise, samples[0][:TRAINING_IMAGES]])


def describe_scaling(run, facts):
    """Return words for the scaling of pixels that a run's weights expect, which no weights file has inside."""
    scaling = origins.find(facts["network"], str(run)).scaling
    factors, offsets = ("(" + ", ".join(f"{value:.6g}" for value in values) + ")"
                        for values in (scaling.scale, scaling.offset))
    return f"weights alone: of raw pixels, {scaling.order}, they expect x * {factors} + {offsets}"
