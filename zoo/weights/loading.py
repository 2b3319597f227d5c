"""The weights of a file into a model: all that the model has, or nothing."""

import re
from dataclasses import dataclass

import numpy as np

from zoo import registry
from zoo.errors import UserError
from zoo.weights import files, layer_names, torchvision

MAX_LAYERS_SHOWN = 4  # layers in a message; the rest is counted


@dataclass(frozen=True)
class LoadReport:
    """What was done with a file; names of layers are ours, but those that were left, which are the file's.

    matched: how many layers of ours have their weights from it; left: what it has more; missing: what it does not have;
    reshaped: (layer, shapes in the file, shapes in the model) of what has another shape.
    """

    path: str
    kind: str
    num_matched: int
    unexpected: tuple
    missing: tuple
    mismatched: tuple

    @property
    def is_complete(self):
        return not self.missing and not self.mismatched

    def __str__(self):
        parts = [f"{self.path}, {self.kind}: {self.num_matched} layers match"]
        for words, layers in (("left over", self.unexpected), ("not in the file", self.missing)):
            parts += [f"{len(layers)} {words} ({format_list(layers)})"] if layers else []
        if self.mismatched:
            said = [f"{layer} is {format_shapes(theirs)}, here {format_shapes(ours)}"
                    for layer, theirs, ours in self.mismatched]
            parts.append(f"{len(said)} {'has' if len(said) == 1 else 'have'} another shape ({format_list(said, '; ')})")
        return ", ".join(parts)


def load_weights(model, model_name, path, optional_layers=(), include_top=True):
    """Give `model`, of the catalogue's `network`, the weights of the file at `path`, and return the Report.

    spare: names of layers of ours that the file may have though the model does not: those of a top that was left out.
    include_top: False for a backbone, of which the file may have any head.
    UserError, with the report, and a model as it was, unless every weight of the model has its array, of its shape, and
    all else in the file is spare.
    """
    with files.open_weights_file(path) as contents:
        found, report = match_weights(model, model_name, path, contents, optional_layers)
        if not report.is_complete:
            raise UserError(f"these are not weights of this {model_name}: {report}{suggest_fix(report, model)}")
        heads = () if include_top else find_head_layers(report, model_name, contents)
        strangers = [name for name in report.unexpected
                     if name not in heads and not is_optional_layer(name, model_name, contents, optional_layers)]
        if strangers:
            raise UserError(f"these are weights of another network than {model_name}: {path} has layers that it does not "
                            f"have: {format_list(strangers)}{suggest_batch_norm(strangers, model_name, contents)}")
        values = [(variable, check_finite(np.asarray(stored.read(), np.float32), path))
                  for layer, row in found.items() for variable, stored in zip(layer.weights, row, strict=True)]
        for variable, array in values:
            variable.assign(array)
    return report


def match_weights(model, model_name, path, weights_file, optional_layers):
    """Return ({layer: its Stored arrays}, Report) of a file beside a model; nothing is changed."""
    pairs = pair_layers(model, model_name, weights_file)
    theirs = {ours: name for name, ours in pairs.items()}
    found, missing, reshaped = {}, [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        row = get_layer_arrays(weights_file, theirs.get(layer.name), layer, model)
        shapes = [tuple(variable.shape) for variable in layer.weights]
        if row is None:
            missing.append(layer.name)
        elif [stored.shape for stored in row] != shapes:
            reshaped.append((layer.name, tuple(stored.shape for stored in row), tuple(shapes)))
        else:
            found[layer] = row
    used = {theirs[layer.name] for layer in model.layers if layer.weights and layer.name in theirs}
    left = [name for name, row in weights_file.layers.items() if row and name not in used]
    return found, LoadReport(str(path), weights_file.kind, len(found), tuple(left), tuple(missing), tuple(reshaped))


def pair_layers(model, model_name, weights_file):
    """Return {their name: our name} of the layers of a file."""
    if weights_file.naming == "torch":
        return torchvision.pair_torch_modules(weights_file.layers, model_name)
    if weights_file.naming == "counted":
        return layer_names.pair_by_class(weights_file.layers,
                                         [(layer.name, type(layer).__name__) for layer in model.layers])
    if weights_file.naming == "paths":
        return {name: name for name in weights_file.layers}
    return layer_names.pair_keras_layers([name for name, row in weights_file.layers.items() if row], model, model_name)


def count_outputs(path, model_name, layers):
    """Return how many outputs the last of our layers has in a file, as many as its bias has numbers.

    None where it is not known.

    layers: pairs (name, class) of all layers of ours, in their order, up to that one.
    """
    with files.open_weights_file(path) as contents:
        if contents.naming == "torch":
            pairs = torchvision.pair_torch_modules(contents.layers, model_name)
        elif contents.naming == "counted":
            pairs = layer_names.pair_by_class(contents.layers, layers)
        else:
            pairs = {name: layer_names.translate_layer_name(name, model_name) for name in contents.layers}
        rows = [contents.layers[name] for name, ours in pairs.items() if ours == layers[-1][0]]
        biases = {stored.shape[0] for row in rows for stored in list_arrays(row) if len(stored.shape) == 1}
        return biases.pop() if len(biases) == 1 else None


def get_layer_arrays(weights_file, name, layer, model):
    """Return the arrays that the file has for a layer of ours, in the order of its weights; None without any."""
    row = weights_file.layers.get(name)
    if not row:
        return None
    if weights_file.naming == "paths":
        wanted = [variable.path.partition("/")[2] for variable in layer.weights]
        return [row[each] for each in wanted] if {*wanted} <= {*row} else [*row.values()]
    if weights_file.naming == "torch":
        return torchvision.convert_to_keras_layout(row, get_flattened_shape(layer, model))
    return row


def get_flattened_shape(layer, model):
    """Return the (height, width, channels) that a dense layer reads as a row; None where none is flattened for it."""
    flattened = next((each for each in model.layers if type(each).__name__ == "Flatten"), None)
    if flattened is None or tuple(layer.input.shape) != tuple(flattened.output.shape):
        return None
    return tuple(flattened.input.shape[1:])


def is_optional_layer(name, model_name, weights_file, optional_layers):
    """Return whether a layer of a file belongs to a top: one of `spare`, or a head that zoo finetune has put on."""
    ours = torchvision.pair_torch_modules([*weights_file.layers],
                                          model_name)[name] if weights_file.naming == "torch" else name
    ours = layer_names.translate_layer_name(ours, model_name)
    return ours in optional_layers or ours.startswith("head") or (weights_file.naming == "counted"
                                                                  and ours.startswith("dense"))


def find_head_layers(report, model_name, weights_file):
    """Return the names of the layers, of those left over, that can be of a head which somebody has put on a backbone.

    A head has no convolutions, its layers are not called like the backbone's, and of normalization it has no more than
    dense layers: otherwise it is another network.
    """
    shapes = {name: [stored.shape for stored in list_arrays(weights_file.layers[name])] for name in report.unexpected}
    matched = {name for name, row in weights_file.layers.items() if row} - {*report.unexpected}
    dense = {name for name, found in shapes.items() if any(len(shape) == 2 for shape in found)}
    others = {name for name in shapes if name not in dense
              and not is_backbone_part(name, matched, model_name, weights_file)}
    heads = dense | (others if len(others) <= len(dense) else set())
    return {name for name in heads if all(len(shape) <= 3 for shape in shapes[name])}


def is_backbone_part(name, matching_names, model_name, weights_file):
    """Return whether a layer is called like a part of the backbone, of which the layers `matched` are."""
    if weights_file.naming == "torch":  # features.1 beside features.0
        return name.partition(".")[0] in {other.partition(".")[0] for other in matching_names}
    return layer_names.is_backbone_name(name,
                                        model_name) or any(name.startswith(f"{other}_") for other in matching_names)


def list_arrays(row):
    """Return the Stored of a layer of a file."""
    return [*row.values()] if isinstance(row, dict) else row


def suggest_batch_norm(unknown_layers, model_name, weights_file):
    """Return words for what to do where the file is of the network with batch normalization."""
    found = translate_names(unknown_layers, model_name, weights_file)
    is_option = "batch_norm" in registry.get_model_info(model_name).options
    return "; give --option batch_norm=true" if is_option and all(each.endswith("_bn") for each in found) else ""


def translate_names(source_names, model_name, weights_file):
    """Return our names of layers of a file, as far as they have one of their own."""
    pairs = torchvision.pair_torch_modules([*weights_file.layers], model_name) if weights_file.naming == "torch" else {}
    return [layer_names.translate_layer_name(pairs.get(name, name), model_name) for name in source_names]


def infer_options(weights_file, model_name):
    """Return {option: value} of the network that a file is of, as far as its normalization layers tell."""
    options, found = registry.get_model_info(model_name).options, {}
    rows = dict(zip(translate_names(weights_file.layers, model_name, weights_file), weights_file.layers.values(),
                    strict=True))
    if "batch_norm" in options and any(re.fullmatch(r"conv\d_\d_bn", name) and row for name, row in rows.items()):
        found["batch_norm"] = True
    if "scale" in options:
        counts = {len(row) for name, row in rows.items() if row
                  and all(len(each.shape) == 1 for each in list_arrays(row))}
        if counts & {3, 4}:
            found["scale"] = 3 not in counts  # gamma beside beta, mean and variance, which a head's may have anyway
    return found


def suggest_fix(report, model):
    """Return words for what to do where an option, the number of classes or the side of the images differs."""
    counts = {(len(theirs), len(ours)) for _, theirs, ours in report.mismatched}
    if counts and counts <= {(3, 4), (4, 3)} and len(counts) == 1:
        return f"; give --option scale={'true' if (4, 3) in counts else 'false'}"
    if report.missing and not report.mismatched and all(name.endswith("_bn") for name in report.missing):
        return "; give --option batch_norm=false"
    if len(report.mismatched) == 1 and not report.missing and len(report.mismatched[0][1][-1]) <= 1:
        layer, theirs, ours = report.mismatched[0]
        if theirs[-1] != ours[-1]:
            return f"; give classes={theirs[-1][0]}, or include_top=False"
        return f"; give input_shape as it was for these weights ({layer} reads the whole grid), or include_top=False"
    return ""


def check_finite(array, path):
    if not np.isfinite(array).all():
        raise UserError(f"{path} holds numbers that are not finite; fetch the file again")
    return array


def format_list(items, separator=", "):
    """Return the first few, and how many more there are."""
    items = [str(word) for word in items]
    return separator.join(items[:MAX_LAYERS_SHOWN]) + (f" and {len(items) - MAX_LAYERS_SHOWN} more"
                                                       if len(items) > MAX_LAYERS_SHOWN else "")


def format_shapes(shapes):
    return " and ".join("x".join(map(str, shape)) or "a number" for shape in shapes)
