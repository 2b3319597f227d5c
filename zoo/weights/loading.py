"""Load the weights of a file into a model, all or nothing."""

import itertools
import re
from dataclasses import dataclass

import numpy as np

from zoo import registry
from zoo.errors import UserError
from zoo.weights import files, layer_names, torchvision

MAX_LAYERS_SHOWN = 4  # layers named in a message; the rest are counted
MAX_NUMBERED_DENSE = 8  # dense layers without names in a head: networks with more have them in every block


@dataclass(frozen=True)
class LoadReport:
    """Result of matching a file's layers to a model's.

    Attributes:
        path: Path of the file.
        kind: Description of its format.
        num_matched: Number of the model's layers whose weights are in the file.
        unexpected: Names, in the file, of its layers that the model does not have.
        missing: Names of the model's layers that are not in the file.
        mismatched: (layer name, shapes in the file, shapes in the model) of the layers whose shapes differ.
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
        for label, layers in (("unexpected", self.unexpected), ("missing", self.missing)):
            parts += [f"{len(layers)} {label} ({format_list(layers)})"] if layers else []
        if self.mismatched:
            details = [f"{layer}: {format_shapes(file_shapes)} in the file, {format_shapes(model_shapes)} in the model"
                       for layer, file_shapes, model_shapes in self.mismatched]
            parts.append(f"{len(details)} of a different shape ({format_list(details, '; ')})")
        return ", ".join(parts)


def load_weights(model, model_name, path, optional_layers=(), include_top=True):
    """Load the weights of the file at `path` into `model`.

    Args:
        model: Model to load the weights into.
        model_name: Its name in the registry.
        path: Path of the weights file.
        optional_layers: Names of zoo's layers that the file can have although the model does not, such as those of a
            top that was left out.
        include_top: False for a backbone, in which case the file can have any head.

    Returns:
        The LoadReport.

    Raises:
        UserError: with the report, and with the model unchanged, unless the file has an array of the right shape for
            every weight of the model, and every other layer in the file is optional.
    """
    with files.open_weights_file(path) as weights_file:
        arrays_by_layer, report = match_weights(model, model_name, path, weights_file, optional_layers)
        if not report.is_complete:
            raise UserError(f"the weights do not match this {model_name}: {report}"
                            f"{suggest_fix(report, model_name, weights_file.naming)}")
        heads = () if include_top else find_head_layers(report, model_name, weights_file)
        unknown = [name for name in report.unexpected
                   if name not in heads and not is_optional_layer(name, model_name, weights_file, optional_layers)]
        if unknown:
            raise UserError(f"the weights are of a different network than {model_name}: {path} has layers that "
                            f"{model_name} does not have: {format_list(unknown)}"
                            f"{suggest_batch_norm(unknown, model_name, weights_file)}")
        values = [(variable, check_finite(np.asarray(array.read(), np.float32), path))
                  for layer, arrays in arrays_by_layer.items()
                  for variable, array in zip(layer.weights, arrays, strict=True)]
        for variable, value in values:
            variable.assign(value)
    return report


def match_weights(model, model_name, path, weights_file, optional_layers):
    """Return ({layer: its LazyArrays}, LoadReport) of a file's layers matched to the model's; nothing is changed."""
    pairs = pair_layers(list_classes(model), model_name, weights_file)
    file_names = {zoo_name: name for name, zoo_name in pairs.items()}
    matched, missing, mismatched = {}, [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        arrays = get_layer_arrays(weights_file, file_names.get(layer.name), layer, model)
        shapes = [tuple(variable.shape) for variable in layer.weights]
        if arrays is None:
            missing.append(layer.name)
        elif [array.shape for array in arrays] != shapes:
            mismatched.append((layer.name, tuple(array.shape for array in arrays), tuple(shapes)))
        else:
            matched[layer] = arrays
    used = {file_names[layer.name] for layer in model.layers if layer.weights and layer.name in file_names}
    unexpected = [name for name, arrays in weights_file.layers.items() if arrays and name not in used]
    return matched, LoadReport(str(path), weights_file.kind, len(matched), tuple(unexpected), tuple(missing),
                               tuple(mismatched))


def list_classes(model):
    """Return pairs (name, class) of a model's layers, in model order."""
    return [(layer.name, type(layer).__name__) for layer in model.layers]


def pair_layers(layers, model_name, weights_file):
    """Return {file name: zoo name} for the layers of a file.

    Args:
        layers: Pairs (name, class) of the model's layers, in model order.
    """
    if weights_file.naming == "torch":
        return torchvision.pair_torch_modules(weights_file.layers, model_name)
    if weights_file.naming == "counted":
        return layer_names.pair_by_class(weights_file.layers, layers)
    if weights_file.naming == "paths":
        return {name: name for name in weights_file.layers}
    return layer_names.pair_keras_layers([name for name, arrays in weights_file.layers.items() if arrays], layers,
                                         model_name)


def count_outputs(path, model_name, layers):
    """Return the number of outputs, in a file, of the last of `layers`: the length of its bias; None if not known.

    Args:
        layers: Pairs (name, class) of the model's layers, in model order, up to that one.
    """
    with files.open_weights_file(path) as weights_file:
        pairs = pair_layers(layers, model_name, weights_file)
        candidates = [weights_file.layers[name] for name, zoo_name in pairs.items() if zoo_name == layers[-1][0]]
        lengths = {array.shape[0] for arrays in candidates for array in list_arrays(arrays) if len(array.shape) == 1}
        return lengths.pop() if len(lengths) == 1 else None


def get_layer_arrays(weights_file, name, layer, model):
    """Return the file's arrays for a layer of the model, in the order of its weights; None if it has none."""
    arrays = weights_file.layers.get(name)
    if not arrays:
        return None
    if weights_file.naming == "paths":
        paths = [variable.path.partition("/")[2] for variable in layer.weights]
        if {*paths} == {*arrays}:
            return [arrays[path] for path in paths]
        # Of other variables only the shapes are reported, which must differ: their order would be a guess
        return None if len(paths) == len(arrays) else [*arrays.values()]
    if weights_file.naming == "torch":
        return torchvision.convert_to_keras_layout(arrays, len(layer.weights[0].shape),
                                                   get_flattened_shape(layer, model))
    return arrays


def get_flattened_shape(layer, model):
    """Return the (height, width, channels) of the feature map that is flattened for a dense layer, or None."""
    candidates = itertools.dropwhile(lambda layer: type(layer).__name__ != "Flatten", model.layers)
    flatten = next(candidates, None)
    first_dense = next((candidate for candidate in candidates if type(candidate).__name__ == "Dense"), None)
    return tuple(flatten.input.shape[1:]) if layer is first_dense and len(flatten.input.shape) == 4 else None


def is_optional_layer(name, model_name, weights_file, optional_layers):
    """Return whether a layer of a file belongs to a top: one of `optional_layers`, or a head added by zoo finetune.

    Also a vector outside the module that a PyTorch model is in, such as the class weights of a loss function.
    """
    if weights_file.naming == "torch":
        shapes = [array.shape for array in weights_file.layers[name]]
        is_loss_weight = name in weights_file.outside and len(shapes) == 1 and len(shapes[0]) <= 1
        pairs = torchvision.pair_torch_modules([*weights_file.layers], model_name)
        return pairs[name] in optional_layers or is_loss_weight
    zoo_name = layer_names.translate_layer_name(name, model_name)
    return zoo_name in optional_layers or zoo_name.startswith("head")


def find_head_layers(report, model_name, weights_file):
    """Return the names of the unexpected layers that can belong to a custom head on the backbone.

    A head has no convolutions, its layers are not named like the backbone's, and it has no more normalization layers
    than dense layers: otherwise it is a different network. In a PyTorch file, whatever is outside the module that the
    backbone is in can be a head, such as that of a detector.
    """
    outside = weights_file.outside & {*report.unexpected}
    shapes = {name: [array.shape for array in list_arrays(weights_file.layers[name])] for name in report.unexpected}
    matched = {name: arrays for name, arrays in weights_file.layers.items() if arrays and name not in shapes}
    num_kernel_axes = max(len(array.shape) for arrays in matched.values() for array in list_arrays(arrays))
    candidates = {name for name in {*shapes} - outside if all(len(shape) < num_kernel_axes for shape in shapes[name])
                  and not is_backbone_part(name, matched, model_name, weights_file)}
    dense = {name for name in candidates if any(len(shape) == 2 for shape in shapes[name])}
    numbered_dense = {name for name in dense if layer_names.strip_layer_number(name) == "dense"}
    if len(numbered_dense) > MAX_NUMBERED_DENSE:
        dense -= numbered_dense
    others = {name for name in candidates if all(len(shape) != 2 for shape in shapes[name])}
    return outside | dense | (others if len(others) <= len(dense) else set())


def is_backbone_part(name, matching_names, model_name, weights_file):
    """Return whether a layer is named like a part of the backbone, to which the layers `matching_names` belong."""
    if weights_file.naming == "torch":  # features.1 beside features.0
        return name.partition(".")[0] in {other.partition(".")[0] for other in matching_names}
    if weights_file.naming == "counted" or layer_names.get_automatic_class(name):
        return False  # numbers belong to no part
    stages = {layer_names.get_stage(other) for other in matching_names} - {None}
    return (layer_names.is_backbone_name(name, model_name) or layer_names.get_stage(name) in stages
            or any(name.startswith(f"{other}_") for other in matching_names))


def list_arrays(row):
    """Return the LazyArrays of a layer of a file as a list."""
    return [*row.values()] if isinstance(row, dict) else row


def suggest_batch_norm(unknown_layers, model_name, weights_file):
    """Return a hint for a file whose model has batch normalization, or an empty string."""
    names = translate_names(unknown_layers, model_name, weights_file)
    is_option = "batch_norm" in registry.get_model_info(model_name).options
    return "; give batch_norm=True" if is_option and all(name.endswith("_bn") for name in names) else ""


def translate_names(source_names, model_name, weights_file):
    """Return zoo's names for layers of a file; a name without a translation is returned unchanged."""
    pairs = torchvision.pair_torch_modules([*weights_file.layers], model_name) if weights_file.naming == "torch" else {}
    return [layer_names.translate_layer_name(pairs.get(name, name), model_name) for name in source_names]


def infer_options(weights_file, model_name):
    """Return {option: value} of the model that a file was saved from, as inferred from its arrays."""
    options, inferred = registry.get_model_info(model_name).options, {}
    layers = dict(zip(translate_names(weights_file.layers, model_name, weights_file), weights_file.layers.values(),
                      strict=True))
    if "batch_norm" in options and any(re.fullmatch(r"conv\d_\d_bn", name) and arrays
                                       for name, arrays in layers.items()):
        inferred["batch_norm"] = True
    if "scale" in options:
        counts = {len(arrays) for arrays in layers.values() if arrays
                  and all(len(array.shape) == 1 for array in list_arrays(arrays))}
        if counts & {3, 4}:
            inferred["scale"] = 3 not in counts  # 4: gamma, beta, mean, variance; a head can have gamma in any case
    if "v1_5" in options:
        counts = {len(arrays) for name, arrays in layers.items()
                  if arrays and re.match(r"conv\d", name.rpartition("/")[2])
                  and any(len(array.shape) == 4 for array in list_arrays(arrays))}
        if len(counts) == 1:
            inferred["v1_5"] = counts == {1}  # its convolutions have no biases
    return inferred


def suggest_fix(report, model_name, naming):
    """Return a hint if an option, the number of classes or the image size differs, or an empty string."""
    if naming == "torch" and model_name in torchvision.OTHER_MODELS:
        return f"; if they are of torchvision's {model_name}, build {torchvision.OTHER_MODELS[model_name]}"
    options = registry.get_model_info(model_name).options
    counts = {(len(file_shapes), len(model_shapes)) for _, file_shapes, model_shapes in report.mismatched}
    if counts and counts <= {(3, 4), (4, 3)} and len(counts) == 1:
        return f"; give scale={(4, 3) in counts}"
    if "v1_5" in options and counts in ({(1, 2)}, {(2, 1)}):  # kernels without or with a bias
        return f"; give v1_5={(1, 2) in counts}"
    if [(layer, shapes[0][:2]) for layer, shapes, _ in report.mismatched] == [("conv1", (3, 3))] and not report.missing:
        return "; give stem='small', if this network has no pooling after its first convolution"
    if report.missing and not report.mismatched and all(name.endswith("_bn") for name in report.missing):
        return "; give batch_norm=False"
    if report.num_matched and report.missing and not report.mismatched and not report.unexpected:
        return "; if the file has a backbone without a top, give include_top=False"
    if len(report.mismatched) == 1 and not report.missing and len(report.mismatched[0][1][-1]) <= 1:
        layer, file_shapes, model_shapes = report.mismatched[0]
        if file_shapes[-1] != model_shapes[-1]:
            return f"; give classes={file_shapes[-1][0]}, or include_top=False"
        return (f"; give the input_shape that these weights were trained with ({layer} reads the flattened feature "
                "map), or include_top=False")
    return ""


def check_finite(array, path):
    """Return `array`; raise UserError if it has NaN or infinite values."""
    if not np.isfinite(array).all():
        raise UserError(f"{path} has NaN or infinite values; give the weights of an earlier epoch, if it is of a "
                        "training that diverged, or download the file again")
    return array


def format_list(items, separator=", "):
    """Return the first few items, and how many more there are."""
    items = [str(item) for item in items]
    return separator.join(items[:MAX_LAYERS_SHOWN]) + (f" and {len(items) - MAX_LAYERS_SHOWN} more"
                                                       if len(items) > MAX_LAYERS_SHOWN else "")


def format_shapes(shapes):
    """Return the shapes as text; equal ones in succession are counted, as in "4 arrays of 64"."""
    groups = [("x".join(map(str, shape)) or "a scalar", len([*group])) for shape, group in itertools.groupby(shapes)]
    return " and ".join(text if count == 1 else f"{count} arrays of {text}" for text, count in groups)
