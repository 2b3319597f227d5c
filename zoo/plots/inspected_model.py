"""What is looked into: a network with its weights, from raw pixels to scores, and what is known of its classes."""

from dataclasses import dataclass, replace

import keras

from zoo.analysis.feature_graph import select_main_output
from zoo.errors import UserError
from zoo.layers import PixelScaling
from zoo.models import builder
from zoo.training import class_names, evaluation, keras_file
from zoo.training.model_loading import build_with_preprocessing, load_run_or_keras_file
from zoo.weights import pretrained

DEFAULT_MEAN, DEFAULT_STD = 0.5, 0.5  # without weights: pixels from -1 to 1


@dataclass(frozen=True)
class InspectedModel:
    model: keras.Model  # from raw pixels (n, height, width, channels) to the main output
    class_names: tuple | None  # of the classes; None: their numbers alone are known
    title: str
    note: str  # whose weights these are


def load_inspected_run(path, config, checkpoint):
    """Return the Subject of a run directory whose run.json says `facts`."""
    model = evaluation.load_logits_model(path, config, checkpoint)
    names = tuple(str(name) for name in config["dataset"]["class_names"])
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{path / 'run.json'} is damaged: it names {len(names)} classes, and the network has "
                        f"{model.output_shape[-1]}")
    epoch = "best by validation" if checkpoint == "best" else "last epoch"
    return InspectedModel(model, names, config["network"], f"trained on {config['dataset']['name']}, {epoch}")


def load_inspected_file(path):
    """Return the Subject of a `.keras` file, which takes raw pixels."""
    model = select_main_output(load_run_or_keras_file(path))
    return InspectedModel(model, keras_file.read_class_names(path, model.output_shape[-1]), model.name,
                          f"weights of {path.name}")


def build_inspected_untrained(model_config):
    """Return the Subject of a network of the catalogue that has learnt nothing."""
    channels = model_config.input_shape[2]
    model = build_with_preprocessing(replace(model_config, aux=False), [DEFAULT_MEAN] * channels,
                                     [DEFAULT_STD] * channels, None)
    return InspectedModel(model, None, model_config.model_info.name, "RANDOM WEIGHTS: it has learnt nothing")


def build_inspected_pretrained(model_config, source):
    """Return the Subject of a network of the catalogue with the weights of a Source that says what pixels it takes."""
    model_config = replace(model_config, aux=False)
    image = keras.Input(model_config.input_shape, dtype="uint8", name="image")
    scaling = source.scaling
    pixels = PixelScaling(scaling.scale, scaling.offset, scaling.channel_order, name="normalise")(image)
    model = keras.Model(image, builder.build_classifier(model_config, pixels, None), name=model_config.model_info.name)
    bare = keras.Model(pixels, model.output, name=model.name)  # of the same layers
    source.load_into(bare, model_config, include_top=True)
    names = class_names.get_weights_class_names(source, model_config.classes)
    return InspectedModel(model, names, model_config.model_info.name,
                          f"weights {source.name}, pixels {pretrained.describe_scaling(scaling)}")


def resolve_input_shape(inspected_model, image_size=None):
    """Return (height, width, channels) of the pictures that a subject takes; `given` where it takes any sides."""
    *found, channels = inspected_model.model.inputs[0].shape[1:]
    if channels not in (1, 3):
        raise UserError(f"{inspected_model.title} takes pictures of {channels} channels, not grey or colour ones")
    if None in found and image_size is None:
        raise UserError(f"{inspected_model.title} takes pictures of any size: say which with --size")
    if image_size is not None and any(side not in (None, wanted) for side,
                                      wanted in zip(found, image_size, strict=True)):
        raise UserError(f"{inspected_model.title} takes pictures of {found[0]}x{found[1]}; leave out --size")
    return (*(image_size or found), channels)
