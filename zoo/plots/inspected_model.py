"""What is looked into: a network with its weights, from raw pixels to scores, and what is known of its classes."""

from dataclasses import dataclass, replace

import keras

from zoo.analysis.feature_graph import single
from zoo.errors import UserError
from zoo.layers import PixelScaling
from zoo.models import builder
from zoo.training import class_names, evaluation, keras_file
from zoo.training.saved import load, on_pixels
from zoo.weights import pretrained

MIDDLE, SPREAD = 0.5, 0.5  # without weights: pixels from -1 to 1


@dataclass(frozen=True)
class Subject:
    model: keras.Model  # from raw pixels (n, height, width, channels) to the main output
    names: tuple | None  # of the classes; None: their numbers alone are known
    title: str
    note: str  # whose weights these are


def of_run(path, facts, checkpoint):
    """Return the Subject of a run directory whose run.json says `facts`."""
    model = evaluation.reopened(path, facts, checkpoint)
    names = tuple(str(name) for name in facts["dataset"]["label_names"])
    if len(names) != model.output_shape[-1]:
        raise UserError(f"{path / 'run.json'} is damaged: it names {len(names)} classes, and the network has "
                        f"{model.output_shape[-1]}")
    epoch = "best by validation" if checkpoint == "best" else "last epoch"
    return Subject(model, names, facts["network"], f"trained on {facts['dataset']['name']}, {epoch}")


def of_file(path):
    """Return the Subject of a `.keras` file, which takes raw pixels."""
    model = single(load(path))
    return Subject(model, keras_file.class_names(path, model.output_shape[-1]), model.name, f"weights of {path.name}")


def untrained(blueprint):
    """Return the Subject of a network of the catalogue that has learnt nothing."""
    channels = blueprint.input_shape[2]
    model = on_pixels(replace(blueprint, aux=False), [MIDDLE] * channels, [SPREAD] * channels, None)
    return Subject(model, None, blueprint.spec.name, "RANDOM WEIGHTS: it has learnt nothing")


def of_weights(blueprint, source):
    """Return the Subject of a network of the catalogue with the weights of a Source that says what pixels it takes."""
    blueprint = replace(blueprint, aux=False)
    image = keras.Input(blueprint.input_shape, dtype="uint8", name="image")
    scaling = source.scaling
    pixels = PixelScaling(scaling.scale, scaling.offset, scaling.order, name="normalise")(image)
    model = keras.Model(image, builder.classifier(blueprint, pixels, None), name=blueprint.spec.name)
    bare = keras.Model(pixels, model.output, name=model.name)  # of the same layers
    source.fill(bare, blueprint, include_top=True)
    names = class_names.of_weights(source, blueprint.classes)
    return Subject(model, names, blueprint.spec.name,
                   f"weights {source.said}, pixels {pretrained.describe_scaling(scaling)}")


def sides(subject, given=None):
    """Return (height, width, channels) of the pictures that a subject takes; `given` where it takes any sides."""
    *found, channels = subject.model.inputs[0].shape[1:]
    if channels not in (1, 3):
        raise UserError(f"{subject.title} takes pictures of {channels} channels, not grey or colour ones")
    if None in found and given is None:
        raise UserError(f"{subject.title} takes pictures of any size: say which with --size")
    if given is not None and any(side not in (None, wanted) for side, wanted in zip(found, given, strict=True)):
        raise UserError(f"{subject.title} takes pictures of {found[0]}x{found[1]}; leave out --size")
    return (*(given or found), channels)
