"""Classic image-classification networks, written from scratch in Keras 3.

    zoo.build("resnet34", input_shape=(32, 32, 3), classes=10)
    zoo.load("runs/resnet34-cifar10-20261122-011000")
    zoo.list_models()

Importing zoo loads no backend: each function imports what it needs when it is called.
"""

# `import zoo.list` puts a module under the name of a builtin here: this file uses neither `list` nor `type`.

__version__ = "0.1.0"


def build(name, input_shape=None, classes=None, *, include_top=True, pooling=None, weights=None,
          classifier_activation="softmax", width=1.0, stem="auto", aux=False, **options):
    """Return the network `name` as a functional keras.Model; no arguments: as in its paper.

    Arguments, those of keras.applications first, with the same meaning:
        name: one of `zoo.list_models()`.
        input_shape: (height, width, channels), pixels; default: the paper's.
        classes: how many; default: the paper's.
        include_top: False leaves out the head; the output is then the features, (n, height, width, channels).
        pooling: without a top, None, "avg" or "max" over the features: (n, channels).
        weights: None, random ones; others cannot be loaded yet.
        classifier_activation: "softmax" gives probabilities (n, classes) float32; None gives logits.
        width: every hidden width w becomes max(1, int(w * width)); the classes stay.
        stem: "paper", "small" (for pictures of about 32x32), or "auto": small where the paper's stem would leave
            the last grid under 4 pixels.
        aux: True gives a dict of outputs with the side classifiers, where a network has them.
        **options: the network's own, see `python -m zoo.list --json`.

    The model takes pixels that are already scaled, as keras.applications' models do.
    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be built.
    """
    from zoo import catalog
    from zoo.errors import UserError

    blueprint = catalog.blueprint(name, input_shape, classes, width, stem, options)
    if weights is not None:
        raise UserError(f"zoo has no weights {weights!r} for {name}; use weights=None, or zoo.load of a run")
    if aux:
        raise UserError(f"{name} has no side classifiers; use aux=False")

    from zoo.models.assembly import build as assembled

    return assembled(blueprint, include_top=include_top, pooling=pooling, classifier_activation=classifier_activation)


def load(path, checkpoint="best"):
    """Return the trained keras.Model of a run directory, or of a `.keras` file.

    A run's model takes raw pixels, (n, height, width, channels) uint8 of 0 to 255, and gives probabilities
    (n, classes) float32. `checkpoint` is "best", by validation accuracy, or "last".
    Raises zoo.errors.UserError, a ValueError, when `path` is neither.
    """
    from zoo.training.saved import load as loaded

    return loaded(path, checkpoint)


def list_models():
    """Return the names of all networks, in the order of the catalogue."""
    from zoo.catalog import SPECS

    return [*SPECS]
