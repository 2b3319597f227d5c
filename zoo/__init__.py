"""Classic image-classification networks, written from scratch in Keras 3.

    zoo.build("resnet34", input_shape=(32, 32, 3), classes=10)
    zoo.describe("resnet34")["multiply_adds"]
    run = zoo.fit("lenet5", "digits", epochs=5)
    zoo.load("runs/resnet34-cifar10-20261122-011000")
    zoo.list_models()

`import zoo` loads no backend: each function imports what it needs when it is called.
"""

import importlib
from typing import TYPE_CHECKING

from zoo import env

if TYPE_CHECKING:  # for editors and type checkers, which do not see __getattr__
    from zoo.data.datasets import Dataset
    from zoo.data.loading import load_data
    from zoo.runs.comparison import compare_runs
    from zoo.runs.session_device import set_device
    from zoo.runs.fitting import fit
    from zoo.runs.learning_rate import find_learning_rate
    from zoo.runs.run import Run

__version__ = "0.1.0"

env.enable_onednn()  # TensorFlow reads the variable once, on import, so it is set before anything else is imported


def build(name, input_shape=None, classes=None, *, include_top=True, pooling=None, weights=None,
          classifier_activation="softmax", width=None, stem="auto", aux=False, **options):
    """Build the model `name` as a functional `keras.Model`; by default, the model of the paper.

    Like the models of `keras.applications`, the model expects pixels that are already scaled; the first seven
    arguments have the same meaning as there.

    Args:
        name: one of `zoo.list_models()`.
        input_shape: (height, width, channels) in pixels, or (length,) in tokens for the models that classify texts;
            default: the paper's.
        classes: number of classes; default: the paper's.
        include_top: if False, leave out the classification head and return the features,
            (n, height, width, channels), or of texts (n, length, channels).
        pooling: global pooling of the features, only with `include_top=False`: None, "avg" or "max"; the last two give
            (n, channels).
        weights: None for random weights; "imagenet" for the weights that Keras publishes (for the VGGs,
            inception_v3, inception_resnet_v2, xception, and ResNet-50, 101 and 152, v1 and v2); "cifar10" or "mnist"
            for the bundled weights of the model's small preset (`python -m zoo list` shows which models have which
            weights); or the path of a run or of a weights file (docs/weights.md), all of whose weights must fit.
            Pixels must be scaled as the weights expect. With bundled weights, `input_shape`, `classes`, `width` and
            options default to those of the preset: 32x32x3 or, for MNIST, 28x28x1, and 10 classes. Another width, other
            options, another number of channels and auxiliary classifiers are refused; another image size or number of
            classes requires `include_top=False`. With a run, these arguments default to those of its model, on images
            of the size that it was trained on. "none" is the same as None.
        classifier_activation: "softmax" gives probabilities, (n, classes) float32; None gives logits.
        width: width multiplier: every hidden width w becomes max(1, int(w * width)); the number of classes stays.
            Default: 1, or that of the bundled weights.
        stem: "paper", "small" (for images of about 32x32), or "auto": "small" if the paper's stem would reduce the
            last feature map to less than 4 pixels. For bundled weights and those of a run, "auto" is the stem that
            they were trained with, and the other one is refused: its weights can have the same shapes. For external
            weights "auto" is the paper's stem; "small" is only for a PyTorch file whose first convolution is 3x3.
            Other files do not record their stem: give the one that their model was built with.
        aux: if True, return a dict of outputs, "main", "aux1", ..., for models with auxiliary classifiers.
        **options: options of this model; see `python -m zoo list --json`.

    Returns:
        A functional `keras.Model`.

    Raises:
        zoo.errors.UserError: a ValueError with a one-line message, if the model cannot be built as requested.

    Example:

    >>> model = zoo.build("resnet34", input_shape=(32, 32, 3), classes=10)
    """
    from zoo import registry

    _check_options(build, name, options)
    weights = None if isinstance(weights, str) and weights == "none" else weights
    model_config = registry.resolve_model_config(name, input_shape, classes, width, stem, options, aux)
    registry.check_top(model_config.model_info, include_top, pooling, aux, options)
    if weights is not None:
        from zoo.weights import sources

        source = sources.resolve_weights_source(weights, name)
        model_config = source.resolve_model_config(input_shape, classes, width, stem, options, aux)
        source.check(model_config, include_top)
        source = source.ensure_local(include_top)

    from zoo.training.backend import import_keras

    import_keras()

    from zoo.models.builder import build_model

    model = build_model(model_config, include_top=include_top, pooling=pooling,
                        classifier_activation=classifier_activation)
    if weights is not None:
        source.load_into(model, model_config, include_top)
    return model


def describe(name, input_shape=None, classes=None, *, width=1.0, stem="auto", aux=False, batch_size=128,
             memory_limit_gib=8, **options):
    """Describe the model `name` as a dict that can be written as JSON.

    Loads the backend, but allocates no memory for the model's weights.

    Args:
        name, input_shape, classes, width, stem, aux, **options: as in `zoo.build`.
        batch_size: batch size for the memory estimates.
        memory_limit_gib: memory limit, in GiB, for the largest batch sizes.

    Returns:
        A dict with these keys, and those of `python -m zoo list --json`, such as aux_loss_weights: the loss weights
        of the auxiliary classifiers.

        parameters, trainable_parameters, multiply_adds: integers, for the model as requested. A multiply-add (MAC) is
            one multiplication and one addition, for one image; biases, activations, normalization and pooling count 0.
        stages: a list of dicts in execution order: name, output shape without the batch axis, the same three counts,
            and the layers with theirs. receptive_field: the pixels of the image that an output depends on,
            [rows, columns], or "all"; output_stride: the distance in pixels between neighboring outputs, or None
            without spatial axes.
        memory: estimates in bytes. image: the activations of one image, of which saved_activations is what the forward
            pass saves for the backward pass; training, by optimizer, and inference: for `batch_size` images, each
            with the largest batch size that fits in the limit (max_batch_size), 0 if none does. zoo/analysis/memory.py
            lists the assumptions.
        layers_without_macs: names of layers with unknown multiply-adds, which the sums leave out.
        input_shape, classes, width, stem, aux, options: the resolved values.
        paper, summary, paper_differences, implementation_differences: texts; the last two list the differences from the
            paper and those of other implementations. Each paragraph is one line, followed by an empty line.

    Raises:
        zoo.errors.UserError: a ValueError with a one-line message, if the model cannot be built as requested.

    Example:

    >>> zoo.describe("lenet5")["parameters"]
    61706
    """
    from zoo import registry
    from zoo.utils.validation import check_batch_and_memory

    _check_options(describe, name, options)
    model_config = registry.resolve_model_config(name, input_shape, classes, width, stem, options, aux)
    batch_size, memory_limit_gib = check_batch_and_memory(batch_size, memory_limit_gib)

    from zoo.training.backend import import_keras

    import_keras()

    from zoo.analysis.description import describe_model_config

    return describe_model_config(model_config, batch_size, memory_limit_gib)


def _check_options(function, name, options):
    """Raise UserError for a keyword that is neither an argument of the function nor an option of the model `name`."""
    import inspect

    from zoo import registry
    from zoo.errors import unknown_name_error
    from zoo.utils.keyword_hints import check_keywords
    from zoo.weights.pretrained import list_weights_names

    model_options = registry.get_model_info(name).options
    valid_names = [*[*inspect.signature(function).parameters][:-1], *model_options]
    unknown = {key: value for key, value in options.items() if key not in model_options}
    check_keywords(f"zoo.{function.__name__}", unknown, valid_names, list_weights_names(name))
    if unknown:
        raise unknown_name_error(f"argument of zoo.{function.__name__} for {name}", next(iter(unknown)), valid_names)


def diagram(source, to_file=None, detail="blocks", *, theme="light", rankdir=None, style="boxes", input_shape=None,
            classes=None, width=1.0, stem="auto", aux=False, **options):
    """Draw the architecture diagram of a model.

    Args:
        source: one of `zoo.list_models()`, built with the arguments after `style`, as in `zoo.build`; or any functional
            `keras.Model`, which takes none of these arguments. Layers are grouped into modules by their names or, if
            the names do not help, by the layers that every path passes through.
        to_file: path to write the diagram to; the suffix selects the format: .svg, .png, .pdf and others.
        detail: "stages", one row that fits on a slide; "blocks", a box for each module, with its contents beside it;
            or "layers".
        theme: "light" or "dark".
        rankdir: direction of the data flow, as in `keras.utils.plot_model`: "TB", top to bottom, or "LR", left to
            right; default: "LR" for stages, otherwise "TB". Volumes are always "LR", and .html pages "TB".
        style: "boxes", or "volumes": a 3-D block for each feature map, for chains such as lenet5, alexnet and vgg16.

    Returns:
        The diagram, which a notebook displays.

    Raises:
        zoo.errors.UserError: a ValueError with a one-line message, if the diagram cannot be drawn or written.

    Example:

    >>> zoo.diagram("resnet34", "resnet34.svg")
    """
    from zoo.diagrams.diagram import check_diagram_path, draw_diagram, make_source_from_config, make_source_from_model
    from zoo.diagrams.options import check_diagram_options, refuse_build_arguments

    check_diagram_options(detail=detail, theme=theme, rankdir=rankdir, style=style)
    if isinstance(source, str):
        _check_options(diagram, source, options)
    else:
        refuse_build_arguments(diagram, {"input_shape": input_shape, "classes": classes, "width": width, "stem": stem,
                                         "aux": aux}, options)
    if to_file is not None:
        check_diagram_path(to_file, style, rankdir)
    if not isinstance(source, str):
        diagram_source = make_source_from_model(source)
    else:
        from zoo import registry

        model_config = registry.resolve_model_config(source, input_shape, classes, width, stem, options, aux)

        from zoo.training.backend import import_keras

        import_keras()
        diagram_source = make_source_from_config(model_config)
    return draw_diagram(diagram_source, to_file, detail, theme, rankdir, style)


def load(path, checkpoint="best"):
    """Load the trained `keras.Model` of a run directory or of a `.keras` file.

    Args:
        path: a run directory or a `.keras` file.
        checkpoint: checkpoint of a run: "best", by validation accuracy, or "last".

    Returns:
        A `keras.Model`. The model of a run takes raw pixels, (n, height, width, channels) uint8 in [0, 255], or token
        ids, (n, length) int32, and returns probabilities, (n, classes) float32.

    Raises:
        zoo.errors.UserError: a ValueError, if `path` is neither a run directory nor a `.keras` file.

    Example:

    >>> model = zoo.load("runs/resnet34-cifar10-20261122-011000")
    """
    from zoo.training.backend import import_keras

    import_keras()

    from zoo.training.model_loading import load_run_or_keras_file

    return load_run_or_keras_file(path, checkpoint)


def features(model, images, layers="stages"):
    """Compute the outputs of layers for a batch of images, in inference mode.

    Args:
        model: any functional `keras.Model` that takes images, such as those of `zoo.build` and `zoo.load`.
        images: (n, height, width, channels), as the model expects them: raw pixels if it scales them itself.
        layers: a layer name; a list of names; "stages", the last layer with a feature map in each stage of the model's
            diagram; or "all". A layer that is called several times gives its last output, a layer with several
            outputs its first one. Layers that only an auxiliary output depends on are left out.

    Returns:
        A dict {layer name: float32 array (n, ...)}.

    Raises:
        zoo.errors.UserError: a ValueError with a one-line message, which suggests the closest name for an unknown
            layer.

    Example:

    >>> zoo.features(model, images, "conv1")["conv1"].shape
    """
    from zoo.analysis.features import compute_features
    from zoo.data.array_labels import convert_to_array

    return compute_features(model, convert_to_array(images, "images"), layers)


def list_models():
    """Return the names of all models, in the order of the registry.

    Returns:
        A list of str.

    Example:

    >>> zoo.list_models()[0]
    'lenet5'
    """
    from zoo.catalogue import MODELS

    return [*MODELS]


# The rest of the API is imported on first use, so that `import zoo` does not load NumPy either.
_LAZY_IMPORTS = {"Dataset": "zoo.data.datasets", "Run": "zoo.runs.run", "compare_runs": "zoo.runs.comparison",
                 "find_learning_rate": "zoo.runs.learning_rate", "fit": "zoo.runs.fitting",
                 "load_data": "zoo.data.loading", "set_device": "zoo.runs.session_device"}
__all__ = ["build", "describe", "diagram", "features", "list_models", "load", *_LAZY_IMPORTS]


def __getattr__(name):
    """Import a name of `_LAZY_IMPORTS` on first use."""
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(_LAZY_IMPORTS[name]), name)
    return globals()[name]


def __dir__():
    return sorted({*globals(), *_LAZY_IMPORTS})
