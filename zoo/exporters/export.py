"""Export the model of a run directory and verify the file with the format's own runtime. Imports the backend."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import UserError
from zoo.exporters import formats, writers
from zoo.modality import get_modality
from zoo.training import model_loading, pretrained_backbone, run_config, run_samples
from zoo.training.custom_model import NUM_PIXEL_VALUES
from zoo.training.keras_file import LABELS_SUFFIX
from zoo.utils.io import write_text
from zoo.weights import pretrained

DEEP_IMAGES = {"integer": "images of more than 8 bits", "float": "images of floats"}  # by the kind of their white level
NUM_NOISE_SAMPLES, NUM_TRAINING_SAMPLES = 8, 24  # images or texts for the verification


@dataclass(frozen=True)
class ExportResult:
    """Result of `export_run`.

    Attributes:
        path: Path of the file, or the folder of a SavedModel.
        labels_path: Path of the file of class names beside it; None if they are stored inside.
        preprocessing: Description of the input that the model expects.
        num_samples: Number of images or texts that the file was verified on.
        max_difference: Largest absolute difference of a probability on these.
    """

    path: Path
    labels_path: Path | None
    preprocessing: str
    num_samples: int
    max_difference: float


def export_run(run, config, format, path, checkpoint):
    """Export the model of the run directory `run` to `path` and return the ExportResult; `config`: its run.json.

    If the exported model returns different probabilities, nothing is written and a UserError gives the difference.
    """
    model = writers.convert_to_float32(model_loading.load_run_or_keras_file(run, checkpoint))
    names = [" ".join(str(name).split()) for name in config["dataset"]["class_names"]]
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{run / 'run.json'} is damaged: it has {len(names)} class names, but the model has "
                        f"{model.output_shape[-1]} outputs")
    modality = get_modality(model.input_shape[1:])
    preprocessing = describe_input(modality, config["dataset"])
    metadata = {"model": config["model"], "dataset": config["dataset"]["name"], "preprocessing": preprocessing}
    if format == "weights" and modality.is_scaled:
        preprocessing = describe_weights_scaling(run, config)
    samples = make_comparison_samples(run, model, config)
    max_difference = writers.export_and_verify(model, format, path, names, metadata, samples)
    labels_path = None
    if format in ("keras", "weights"):  # these formats cannot store class names
        stem = path.name.removesuffix(formats.EXPORT_FORMATS[format].suffix)
        labels_path = path.with_name(f"{stem}.{LABELS_SUFFIX}")
        write_text(labels_path, "\n".join(names) + "\n")
    return ExportResult(path, labels_path, preprocessing, len(samples), max_difference)


def describe_input(modality, dataset):
    """Return a description of the input of a run's model; dataset: that of its run.json."""
    levels = (dataset.get("white_levels") or {}).items()
    return "; ".join((modality.input_description, *(f"{DEEP_IMAGES[kind]}: 0..{white} to 0..255"
                                                    for kind, white in levels if white != 255)))


def make_comparison_samples(run, model, config):
    """Return noise and the training samples saved with the run, of the shape and dtype of the model's input."""
    shape, num_values = tuple(model.input_shape[1:]), config["dataset"].get("vocabulary", NUM_PIXEL_VALUES)
    dtype = get_modality(shape).sample_dtype
    noise = np.random.default_rng(0).integers(0, num_values, (NUM_NOISE_SAMPLES, *shape), dtype)
    samples = run_samples.read_samples(run, sys.maxsize)
    if samples is None or samples[0].shape[1:] != shape:
        return noise
    return np.concatenate([noise, samples[0][:NUM_TRAINING_SAMPLES]])


def describe_weights_scaling(run, config):
    """Return a description of what a weights file does not contain: the model's stem, and how pixels are scaled."""
    model_config, dataset, stem = run_config.get_model_config(config), config["dataset"], ""
    if not isinstance(model_config, run_config.CustomModelConfig):
        scaling = pretrained_backbone.find_backbone_weights(config["model"], run).scaling
        stem = f"; build the model with stem={model_config.stem!r}" if model_config.model_info.small_stem_below else ""
    elif model_config.rescale:
        scaling = pretrained.make_standard_scaling(dataset["mean"], dataset["std"])
    else:
        return "weights only: the model scales raw pixels itself"
    factors, offsets = ("(" + ", ".join(f"{value:.6g}" for value in values) + ")"
                        for values in (scaling.scale, scaling.offset))
    return f"weights only: they expect raw pixels x as x * {factors} + {offsets}, {scaling.channel_order}{stem}"
