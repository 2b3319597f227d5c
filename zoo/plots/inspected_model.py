"""The model to inspect: with weights, from raw pixels to scores, and the names of its classes."""

from dataclasses import dataclass, replace

import keras

from zoo.analysis.feature_graph import select_main_output
from zoo.errors import UserError
from zoo.training import class_names, evaluation, keras_file
from zoo.training.finetuned_model import build_pretrained_classifier
from zoo.training.model_loading import build_with_preprocessing, load_run_or_keras_file
from zoo.weights import pretrained

DEFAULT_MEAN, DEFAULT_STD = 0.5, 0.5  # for random weights: scales pixels to -1..1


@dataclass(frozen=True)
class InspectedModel:
    model: keras.Model  # from raw pixels (n, height, width, channels) to the main output
    class_names: tuple | None  # None: only the class indices are known
    title: str
    note: str  # origin of the weights
    is_random: bool = False  # whether the weights are random


def load_inspected_run(path, config, checkpoint):
    """Return the InspectedModel of a run directory whose run.json holds `config`."""
    model = evaluation.load_logits_model(path, config, checkpoint)
    names = tuple(str(name) for name in config["dataset"]["class_names"])
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{path / 'run.json'} is damaged: it names {len(names)} classes, but the model has "
                        f"{model.output_shape[-1]}")
    epoch = "best by validation" if checkpoint == "best" else "last epoch"
    return InspectedModel(model, names, config["model"], f"trained on {config['dataset']['name']}, {epoch}")


def load_inspected_file(path):
    """Return the InspectedModel of a `.keras` file that takes raw pixels."""
    model = select_main_output(load_run_or_keras_file(path))
    return InspectedModel(model, keras_file.read_class_names(path, model.output_shape[-1]), model.name,
                          f"weights of {path.name}")


def build_inspected_untrained(model_config):
    """Return the InspectedModel of a built-in model with random weights."""
    channels = model_config.input_shape[2]
    model = build_with_preprocessing(replace(model_config, aux=False), [DEFAULT_MEAN] * channels,
                                     [DEFAULT_STD] * channels, None)
    return InspectedModel(model, None, model_config.model_info.name, "RANDOM WEIGHTS: not trained", is_random=True)


def build_inspected_pretrained(model_config, source):
    """Return the InspectedModel of a built-in model with weights from a source that defines its preprocessing."""
    model = build_pretrained_classifier(replace(model_config, aux=False), source, None)
    names = class_names.get_weights_class_names(source, model_config.classes)
    return InspectedModel(model, names, model_config.model_info.name,
                          f"weights {source.name}, pixels {pretrained.describe_scaling(source.scaling)}")


def resolve_input_shape(inspected_model, image_size=None):
    """Return (height, width, channels) of the model's input; `image_size` if the model takes images of any size."""
    *model_size, channels = inspected_model.model.inputs[0].shape[1:]
    if channels not in (1, 3):
        raise UserError(f"{inspected_model.title} takes images with {channels} channels, not 1 (grayscale) or 3 (RGB)")
    if None in model_size and image_size is None:
        raise UserError(f"{inspected_model.title} takes images of any size; give image_size=...")
    if image_size is not None and any(
            expected not in (None, requested) for expected, requested in zip(model_size, image_size, strict=True)):
        raise UserError(f"{inspected_model.title} takes {model_size[0]}x{model_size[1]} images; omit image_size=...")
    return (*(image_size or model_size), channels)
