"""Export the model of a run directory: written, read back by its own runtime, and compared. Loads the backend."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import UserError
from zoo.exporters import formats, writers
from zoo.training import model_loading, pretrained_backbone, run_files
from zoo.training.keras_file import LABELS_SUFFIX
from zoo.utils.io import write_text

PREPROCESSING_TEXT = "raw pixels of 0 to 255; their scaling is inside"
NUM_NOISE_IMAGES, NUM_TRAINING_IMAGES = 8, 24  # that are compared


@dataclass(frozen=True)
class ExportResult:
    """What `export_run` wrote.

    path: the file, or the folder of a SavedModel. labels: the file of class names beside it, or None where they are
    inside. preprocessing: what the pixels must be. images: how many were compared; difference: the largest one of a
    probability among them.
    """

    path: Path
    labels_path: Path | None
    preprocessing: str
    num_images: int
    max_difference: float


def export_run(run, config, format, path, checkpoint):
    """Export the model of the run directory `run` to `path` and return the ExportResult; `facts`: what run.json says.

    Nothing is written where the file would give other probabilities; UserError says by how much.
    """
    model = writers.convert_to_float32(model_loading.load_run_or_keras_file(run, checkpoint))
    names = [" ".join(str(name).split()) for name in config["dataset"]["class_names"]]
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{run / 'run.json'} is damaged: it names {len(names)} classes, and the network has "
                        f"{model.output_shape[-1]}")
    metadata = {"network": config["network"], "dataset": config["dataset"]["name"], "preprocessing": PREPROCESSING_TEXT}
    images = make_comparison_images(run, tuple(model.input_shape[1:]))
    difference = writers.export_and_verify(model, format, path, names, metadata, images)
    preprocessing = describe_weights_scaling(run, config) if format == "weights" else PREPROCESSING_TEXT
    labels = None
    if format in ("keras", "weights"):  # which have no place for them
        labels = path.with_name(path.name.removesuffix(formats.EXPORT_FORMATS[format].suffix) + f".{LABELS_SUFFIX}")
        write_text(labels, "\n".join(names) + "\n")
    return ExportResult(path, labels, preprocessing, len(images), difference)


def make_comparison_images(run, shape):
    """Return noise and what the run keeps of its training images, uint8 (n, *shape)."""
    noise = np.random.default_rng(0).integers(0, 256, (NUM_NOISE_IMAGES, *shape), np.uint8)
    samples = run_files.read_samples(run, sys.maxsize)
    if samples is None or samples[0].shape[1:] != shape:
        return noise
    return np.concatenate([noise, samples[0][:NUM_TRAINING_IMAGES]])


def describe_weights_scaling(run, config):
    """Return words for the scaling of pixels that a run's weights expect, which no weights file has inside."""
    scaling = pretrained_backbone.find_backbone_weights(config["network"], str(run)).scaling
    factors, offsets = ("(" + ", ".join(f"{value:.6g}" for value in values) + ")"
                        for values in (scaling.scale, scaling.offset))
    return f"weights alone: of raw pixels, {scaling.channel_order}, they expect x * {factors} + {offsets}"
