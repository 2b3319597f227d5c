"""The weights of a file into a model: all that the model has, or nothing."""

import re
from dataclasses import dataclass

import numpy as np

from zoo import registry
from zoo.errors import UserError
from zoo.weights import files, names, torchvision

NAMED = 4  # layers in a message; the rest is counted


@dataclass(frozen=True)
class Report:
    """What was done with a file; names of layers are ours, but those that were left, which are the file's.

    matched: how many layers of ours have their weights from it; left: what it has more; missing: what it does not have;
    reshaped: (layer, shapes in the file, shapes in the model) of what has another shape.
    """

    path: str
    kind: str
    matched: int
    left: tuple
    missing: tuple
    reshaped: tuple

    @property
    def fits(self):
        return not self.missing and not self.reshaped

    def __str__(self):
        parts = [f"{self.path}, {self.kind}: {self.matched} layers match"]
        for words, layers in (("left over", self.left), ("not in the file", self.missing)):
            parts += [f"{len(layers)} {words} ({listed(layers)})"] if layers else []
        if self.reshaped:
            said = [f"{layer} is {said_shapes(theirs)}, here {said_shapes(ours)}"
                    for layer, theirs, ours in self.reshaped]
            parts.append(f"{len(said)} have another shape ({listed(said, '; ')})")
        return ", ".join(parts)


def load(model, network, path, spare=(), include_top=True):
    """Give `model`, of the catalogue's `network`, the weights of the file at `path`, and return the Report.

    spare: names of layers of ours that the file may have though the model does not: those of a top that was left out.
    include_top: False for a backbone, of which the file may have any head.
    UserError, with the report, and a model as it was, unless every weight of the model has its array, of its shape, and
    all else in the file is spare.
    """
    with files.opened(path) as contents:
        found, report = compared(model, network, path, contents, spare)
        if not report.fits:
            raise UserError(f"these are not weights of this {network}: {report}{advice(report, model)}")
        heads = () if include_top else heads_of(report, network, contents)
        strangers = [name for name in report.left
                     if name not in heads and not is_spare(name, network, contents, spare)]
        if strangers:
            raise UserError(f"these are weights of another network than {network}: {path} has layers that it does not "
                            f"have: {listed(strangers)}{batch_norm_advice(strangers, network, contents)}")
        values = [(variable, finite(np.asarray(stored.read(), np.float32), path))
                  for layer, row in found.items() for variable, stored in zip(layer.weights, row, strict=True)]
        for variable, array in values:
            variable.assign(array)
    return report


def compared(model, network, path, contents, spare):
    """Return ({layer: its Stored arrays}, Report) of a file beside a model; nothing is changed."""
    pairs = paired(model, network, contents)
    theirs = {ours: name for name, ours in pairs.items()}
    found, missing, reshaped = {}, [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        row = arrays_of(contents, theirs.get(layer.name), layer, model)
        shapes = [tuple(variable.shape) for variable in layer.weights]
        if row is None:
            missing.append(layer.name)
        elif [stored.shape for stored in row] != shapes:
            reshaped.append((layer.name, tuple(stored.shape for stored in row), tuple(shapes)))
        else:
            found[layer] = row
    used = {theirs[layer.name] for layer in model.layers if layer.weights and layer.name in theirs}
    left = [name for name, row in contents.layers.items() if row and name not in used]
    return found, Report(str(path), contents.kind, len(found), tuple(left), tuple(missing), tuple(reshaped))


def paired(model, network, contents):
    """Return {their name: our name} of the layers of a file."""
    if contents.naming == "torch":
        return torchvision.paired(contents.layers, network)
    if contents.naming == "counted":
        return names.counted(contents.layers, [(layer.name, type(layer).__name__) for layer in model.layers])
    if contents.naming == "paths":
        return {name: name for name in contents.layers}
    return names.paired([name for name, row in contents.layers.items() if row], model, network)


def count_outputs(path, network, layers):
    """Return how many outputs the last of our layers has in a file, as many as its bias has numbers.

    None where it is not known.

    layers: pairs (name, class) of all layers of ours, in their order, up to that one.
    """
    with files.opened(path) as contents:
        if contents.naming == "torch":
            pairs = torchvision.paired(contents.layers, network)
        elif contents.naming == "counted":
            pairs = names.counted(contents.layers, layers)
        else:
            pairs = {name: names.translated(name, network) for name in contents.layers}
        rows = [contents.layers[name] for name, ours in pairs.items() if ours == layers[-1][0]]
        biases = {stored.shape[0] for row in rows for stored in arrays(row) if len(stored.shape) == 1}
        return biases.pop() if len(biases) == 1 else None


def arrays_of(contents, name, layer, model):
    """Return the arrays that the file has for a layer of ours, in the order of its weights; None without any."""
    row = contents.layers.get(name)
    if not row:
        return None
    if contents.naming == "paths":
        wanted = [variable.path.partition("/")[2] for variable in layer.weights]
        return [row[each] for each in wanted] if {*wanted} <= {*row} else [*row.values()]
    if contents.naming == "torch":
        return torchvision.laid_out(row, before_flattening(layer, model))
    return row


def before_flattening(layer, model):
    """Return the (height, width, channels) that a dense layer reads as a row; None where none is flattened for it."""
    flattened = next((each for each in model.layers if type(each).__name__ == "Flatten"), None)
    if flattened is None or tuple(layer.input.shape) != tuple(flattened.output.shape):
        return None
    return tuple(flattened.input.shape[1:])


def is_spare(name, network, contents, spare):
    """Return whether a layer of a file belongs to a top: one of `spare`, or a head that zoo finetune has put on."""
    ours = torchvision.paired([*contents.layers], network)[name] if contents.naming == "torch" else name
    ours = names.translated(ours, network)
    return ours in spare or ours.startswith("head") or (contents.naming == "counted" and ours.startswith("dense"))


def heads_of(report, network, contents):
    """Return the names of the layers, of those left over, that can be of a head which somebody has put on a backbone.

    A head has no convolutions, its layers are not called like the backbone's, and of normalization it has no more than
    dense layers: otherwise it is another network.
    """
    shapes = {name: [stored.shape for stored in arrays(contents.layers[name])] for name in report.left}
    matched = {name for name, row in contents.layers.items() if row} - {*report.left}
    dense = {name for name, found in shapes.items() if any(len(shape) == 2 for shape in found)}
    others = {name for name in shapes if name not in dense and not is_part(name, matched, network, contents)}
    heads = dense | (others if len(others) <= len(dense) else set())
    return {name for name in heads if all(len(shape) <= 3 for shape in shapes[name])}


def is_part(name, matched, network, contents):
    """Return whether a layer is called like a part of the backbone, of which the layers `matched` are."""
    if contents.naming == "torch":  # features.1 beside features.0
        return name.partition(".")[0] in {other.partition(".")[0] for other in matched}
    return names.is_of_backbone(name, network) or any(name.startswith(f"{other}_") for other in matched)


def arrays(row):
    """Return the Stored of a layer of a file."""
    return [*row.values()] if isinstance(row, dict) else row


def batch_norm_advice(strangers, network, contents):
    """Return words for what to do where the file is of the network with batch normalization."""
    found = paired_names(strangers, network, contents)
    is_option = "batch_norm" in registry.find(network).options
    return "; give --option batch_norm=true" if is_option and all(each.endswith("_bn") for each in found) else ""


def paired_names(given, network, contents):
    """Return our names of layers of a file, as far as they have one of their own."""
    pairs = torchvision.paired([*contents.layers], network) if contents.naming == "torch" else {}
    return [names.translated(pairs.get(name, name), network) for name in given]


def implied_options(contents, network):
    """Return {option: value} of the network that a file is of, as far as its normalization layers tell."""
    options, found = registry.find(network).options, {}
    rows = dict(zip(paired_names(contents.layers, network, contents), contents.layers.values(), strict=True))
    if "batch_norm" in options and any(re.fullmatch(r"conv\d_\d_bn", name) and row for name, row in rows.items()):
        found["batch_norm"] = True
    if "scale" in options:
        counts = {len(row) for name, row in rows.items() if row and all(len(each.shape) == 1 for each in arrays(row))}
        if counts & {3, 4}:
            found["scale"] = 3 not in counts  # gamma beside beta, mean and variance, which a head's may have anyway
    return found


def advice(report, model):
    """Return words for what to do where an option, the number of classes or the side of the images differs."""
    counts = {(len(theirs), len(ours)) for _, theirs, ours in report.reshaped}
    if counts and counts <= {(3, 4), (4, 3)} and len(counts) == 1:
        return f"; give --option scale={'true' if (4, 3) in counts else 'false'}"
    if report.missing and not report.reshaped and all(name.endswith("_bn") for name in report.missing):
        return "; give --option batch_norm=false"
    if len(report.reshaped) == 1 and not report.missing and len(report.reshaped[0][1][-1]) <= 1:
        layer, theirs, ours = report.reshaped[0]
        if theirs[-1] != ours[-1]:
            return f"; give classes={theirs[-1][0]}, or include_top=False"
        return f"; give input_shape as it was for these weights ({layer} reads the whole grid), or include_top=False"
    return ""


def finite(array, path):
    if not np.isfinite(array).all():
        raise UserError(f"{path} holds numbers that are not finite; fetch the file again")
    return array


def listed(words, between=", "):
    """Return the first few, and how many more there are."""
    words = [str(word) for word in words]
    return between.join(words[:NAMED]) + (f" and {len(words) - NAMED} more" if len(words) > NAMED else "")


def said_shapes(shapes):
    return " and ".join("x".join(map(str, shape)) or "a number" for shape in shapes)
