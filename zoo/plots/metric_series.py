"""The columns of history.csv as lines of panels: losses together, accuracies together, whatever outputs there are."""

from collections import namedtuple

# output: "" for the main one, else its name, such as aux1; values: float (epochs,), NaN where there is none
MetricLine = namedtuple("MetricLine", "output is_validation values")
Panel = namedtuple("Panel", "title is_fraction lines")  # share: whether the values are shares of 1

METRIC_KINDS = {"loss": ("Loss", False), "accuracy": ("Accuracy", True)}


def build_panels(history):
    """Return the Panels of a history, {column: float (epochs,)}: loss, accuracy, one for each other measure.

    `val_` before a name is the validation split, `aux1_` the side classifier aux1. Epoch and learning_rate
    are left out.
    """
    lines = {kind: [] for kind in METRIC_KINDS}
    for column, values in history.items():
        if column in ("epoch", "learning_rate"):
            continue
        name = column.removeprefix("val_")
        kind = next((kind for kind in METRIC_KINDS if name == kind or name.endswith(f"_{kind}")), name)
        output = name.removesuffix(kind).removesuffix("_")
        lines.setdefault(kind, []).append(MetricLine(output, column != name, values))
    return [Panel(*METRIC_KINDS.get(kind, (kind.replace("_", " "), False)), each) for kind, each in lines.items()
            if each]


def format_line_label(line):
    """Return what a line is, in words: 'train', 'validation', 'train aux1'."""
    return " ".join(filter(None, ("validation" if line.is_validation else "train", line.output)))
