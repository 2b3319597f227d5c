"""The columns of history.csv as lines of panels: one panel for all losses, one for all accuracies, of any outputs."""

from collections import namedtuple

# output: "" for the main output, else its name, such as aux1; values: float (epochs,), NaN if missing
MetricLine = namedtuple("MetricLine", "output is_validation values")
Panel = namedtuple("Panel", "title is_fraction lines")  # is_fraction: whether the values are in 0..1


def build_panels(history):
    """Return two Panels of a history, {column: float (epochs,)}: one of the losses, one of the accuracies.

    The prefix `val_` is the validation split, `aux1_` the auxiliary classifier aux1.
    """
    panels = {"loss": Panel("Loss", False, []), "accuracy": Panel("Accuracy", True, [])}
    for column, values in history.items():
        name = column.removeprefix("val_")
        output, _, metric = name.rpartition("_")
        if metric in panels:
            panels[metric].lines.append(MetricLine(output, column != name, values))
    return [*panels.values()]


def format_line_label(line):
    """Return the label of a line: 'train', 'validation', 'train aux1'."""
    return " ".join(filter(None, ("validation" if line.is_validation else "train", line.output)))
