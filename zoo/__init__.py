"""Classic image-classification networks, written from scratch in Keras 3.

    zoo.build("resnet34", input_shape=(32, 32, 3), classes=10)
    zoo.describe("resnet34")["multiply_adds"]
    run = zoo.fit("lenet5", "digits", epochs=5)
    zoo.load("runs/resnet34-cifar10-20261122-011000")
    zoo.list_models()

Importing zoo loads no backend: each function imports what it needs when it is called.
"""

import importlib
from typing import TYPE_CHECKING

from zoo import env

if TYPE_CHECKING:  # for editors and type checkers, which do not see __getattr__
    from zoo.data.datasets import Dataset
    from zoo.data.loading import load_data
    from zoo.runs.comparison import compare_runs
    from zoo.runs.device_choice import set_device
    from zoo.runs.fitting import fit
    from zoo.runs.learning_rate import find_learning_rate
    from zoo.runs.run import Run

__version__ = "0.1.0"

env.enable_onednn()  # TensorFlow reads the environment once, when it is imported: here nothing precedes it


def build(name, input_shape=None, classes=None, *, include_top=True, pooling=None, weights=None,
          classifier_activation="softmax", width=None, stem="auto", aux=False, **options):
    """Return the network `name` as a functional keras.Model; no arguments: as in its paper.

    Arguments, those of keras.applications first, with the same meaning:
        name: one of `zoo.list_models()`.
        input_shape: (height, width, channels), pixels; default: the paper's.
        classes: how many; default: the paper's.
        include_top: False leaves out the head; the output is then the features, (n, height, width, channels).
        pooling: without a top, None, "avg" or "max" over the features: (n, channels).
        weights: None, random ones; "imagenet", what Keras's authors publish for vgg16, vgg19, inception_v3,
            inception_resnet_v2 and xception; "cifar10" or "mnist", the bundled weights of the network's small preset
            (`python -m zoo list` says which network has which); or the path of a run or of a file (docs/weights.md),
            all of which must fit. Pixels must be scaled as the weights expect. With bundled weights, whichever of
            input_shape, classes, width and options is not given is that of the preset: 32x32x3 or, for MNIST, 28x28x1,
            10 classes. Another width, other options, channels, or auxiliary classifiers are refused; another image
            size or number of classes needs include_top=False.
        classifier_activation: "softmax" gives probabilities (n, classes) float32; None gives logits.
        width: every hidden width w becomes max(1, int(w * width)); the classes stay. Default: 1, or as bundled
            weights have it.
        stem: "paper", "small" (for pictures of about 32x32), or "auto": small where the paper's stem would leave
            the last grid under 4 pixels; weights of others are always of the paper's, bundled ones of the stem that
            they were trained with.
        aux: True gives a dict of outputs, main, aux1, ..., where a network has side classifiers.
        **options: the network's own, see `python -m zoo list --json`.

    The model takes pixels that are already scaled, as keras.applications' models do.
    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be built.
    """
    from zoo import registry
    from zoo.errors import UserError

    blueprint = registry.resolve_model_config(name, input_shape, classes, width, stem, options, aux)
    if aux and not include_top:
        raise UserError("side classifiers belong to the top; use aux=False with include_top=False")
    if weights is not None:
        from zoo.weights import sources

        source = sources.resolve_weights_source(weights, name)
        blueprint = source.resolve_model_config(input_shape, classes, width, stem, options, aux)
        source.check(blueprint, include_top)
        source = source.ensure_local(include_top)

    from zoo.training.backend import import_keras

    import_keras()

    from zoo.models.builder import build_model

    model = build_model(blueprint, include_top=include_top, pooling=pooling,
                        classifier_activation=classifier_activation)
    if weights is not None:
        source.load_into(model, blueprint, include_top)
    return model


def describe(name, input_shape=None, classes=None, *, width=1.0, stem="auto", aux=False, batch=128, memory=8,
             **options):
    """Return what there is to say of the network `name` as a dict, ready for JSON; the arguments are those of `build`,
    and for estimates of memory a batch, pictures, and a limit, GiB.

    parameters, trainable_parameters, multiply_adds: whole numbers, of the network that is asked for. A multiply-add is
        one multiplication with its addition, for one picture; biases, activations, normalisation and pools count none.
    stages: a list of dicts in the order of the flow: name, shape of the output without the number of pictures, the
        same three numbers, and the layers with theirs. receptive_field: how many pixels of the picture an output sees,
        [rows, columns], or "all"; output_stride: how many lie between neighbouring outputs, or None without a grid.
    memory: bytes, estimates: picture, what the activations of one picture take, of which kept is what the forward pass
        keeps for the backward one; training, by optimizer, and inference, with `batch` pictures, each with the largest
        batch for `memory` GiB, 0 if there is none. zoo/analysis/memory.py says what is assumed.
    uncounted: names of layers whose multiply-adds are not known, and not in the sums.
    input_shape, classes, width, stem, aux, options: as they were decided.
    paper, summary, departures, elsewhere: texts; the last two say where ours differs from the paper's, and where other
        people's differ from ours. Paragraphs are lines, with an empty one between two.
    The rest is what `python -m zoo list --json` has, such as side_classifiers with the weights of their losses.

    Loads the backend, but needs no memory for the network's weights.
    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be built.
    """
    from zoo import registry
    from zoo.utils.validation import check_batch_and_memory

    blueprint = registry.resolve_model_config(name, input_shape, classes, width, stem, options, aux)
    batch, memory = check_batch_and_memory(batch, memory)

    from zoo.training.backend import import_keras

    import_keras()

    from zoo.analysis.description import describe_model_config

    return describe_model_config(blueprint, batch, memory)


def diagram(source, to_file=None, detail="blocks", *, theme="light", direction=None, style="boxes", input_shape=None,
            classes=None, width=1.0, stem="auto", aux=False, **options):
    """Return the architecture diagram of a network, which a notebook shows; write it to `to_file` if that is given.

    source: a name of `zoo.list_models()`, built with the arguments after `style`, those of `build`; or any functional
        keras.Model, which takes none of them. Modules are found by the names of the layers; where these tell nothing,
        what lies between two layers that all must pass is a module.
    to_file: its ending says the format, .svg, .png or .pdf among others.
    detail: "stages", one row that fits a slide; "blocks", a box for each module, with what is in it beside; "layers".
    theme: "light" or "dark".
    direction: of the flow, "down" or "right"; default: right for stages, else down.
    style: "boxes", or "volumes", a block for each grid of features, for chains such as lenet5, alexnet and vgg16.

    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be drawn or written.
    """
    from zoo.diagrams import diagram as drawn

    drawn.check_diagram_options(detail=detail, theme=theme, direction=direction, style=style)
    if to_file is not None:
        drawn.check_diagram_path(to_file, style, direction)
    if not isinstance(source, str):
        subject = drawn.make_source_from_model(source)
    else:
        from zoo import registry

        blueprint = registry.resolve_model_config(source, input_shape, classes, width, stem, options, aux)

        from zoo.training.backend import import_keras

        import_keras()
        subject = drawn.make_source_from_config(blueprint)
    return drawn.draw_diagram(subject, to_file, detail, theme, direction, style)


def load(path, checkpoint="best"):
    """Return the trained keras.Model of a run directory, or of a `.keras` file.

    A run's model takes raw pixels, (n, height, width, channels) uint8 of 0 to 255, and gives probabilities
    (n, classes) float32. `checkpoint` is "best", by validation accuracy, or "last".
    Raises zoo.errors.UserError, a ValueError, when `path` is neither.
    """
    from zoo.training.backend import import_keras

    import_keras()

    from zoo.training.model_loading import load_run_or_keras_file

    return load_run_or_keras_file(path, checkpoint)


def features(model, images, layers="stages"):
    """Return what layers make of images, as {layer's name: array float32 (n, ...)}, in inference.

    model: any functional keras.Model that takes pictures, such as those of `build` and `load`.
    images: (n, height, width, channels), as the model takes them: raw pixels where it has the scaling inside.
    layers: a list of names; one name; "stages", the last layer with a grid of each stage of its diagram; or "every".
        Of a layer that is used several times it is the last output; of several outputs the first. Layers that only a
        side output needs are not looked at.

    Raises zoo.errors.UserError, a ValueError, in one line, with the nearest name for one that is not there.
    """
    from zoo.analysis.features import compute_features

    return compute_features(model, images, layers)


def list_models():
    """Return the names of all networks, in the order of the catalogue."""
    from zoo.registry import MODELS

    return [*MODELS]


# Where the rest of the API is: imported when it is first used, so that `import zoo` loads no NumPy either.
_LAZY_IMPORTS = {"Dataset": "zoo.data.datasets", "Run": "zoo.runs.run", "compare_runs": "zoo.runs.comparison",
                 "find_learning_rate": "zoo.runs.learning_rate", "fit": "zoo.runs.fitting",
                 "load_data": "zoo.data.loading", "set_device": "zoo.runs.device_choice"}
__all__ = ["build", "describe", "diagram", "features", "list_models", "load", *_LAZY_IMPORTS]


def __getattr__(name):
    """Import a name of `_LAZY_IMPORTS`."""
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(_LAZY_IMPORTS[name]), name)
    return globals()[name]


def __dir__():
    return sorted({*globals(), *_LAZY_IMPORTS})
