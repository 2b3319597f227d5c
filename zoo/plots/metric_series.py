"""The columns of history.csv as lines of panels: one panel for all losses, one for all accuracies, of any outputs."""

from collections import namedtuple

# output: "" for the main output, else its name, such as aux1; values: float (epochs,), NaN if missing
MetricLine = namedtuple("MetricLine", "output is_validation values")
Panel = namedtuple("Panel", "title is_fraction lines")  # is_fraction: whether the values are in 0..1

METRIC_KINDS = {"loss": ("Loss", False), "accuracy": ("Accuracy", True)}


def build_panels(history):
    """Return the Panels of a history, {column: float (epochs,)}: loss, accuracy, and one for each other metric.

    The prefix `val_` is the validation split, `aux1_` the auxiliary classifier aux1. The columns epoch and
    learning_rate are excluded.
    """
    lines = {kind: [] for kind in METRIC_KINDS}
    for column, values in history.items():
        if column in ("epoch", "learning_rate"):
            continue
        name = column.removeprefix("val_")
        kind = next((kind for kind in METRIC_KINDS if name == kind or name.endswith(f"_{kind}")), name)
        output = name.removesuffix(kind).removesuffix("_")
        lines.setdefault(kind, []).append(MetricLine(output, column != name, values))
    return [Panel(*METRIC_KINDS.get(kind, (kind.replace("_", " "), False)), lines_of_kind)
            for kind, lines_of_kind in lines.items() if lines_of_kind]


def format_line_label(line):
    """Return the label of a line: 'train', 'validation', 'train aux1'."""
    return " ".join(filter(None, ("validation" if line.is_validation else "train", line.output)))
