"""The feature graph of a functional Keras model: the output of each layer, and the scores before the softmax."""

import difflib
from collections import Counter
from dataclasses import dataclass

import keras
from keras import layers

from zoo.analysis.graph import get_layer_calls, group_by_layer
from zoo.analysis.modules import build_module_graph
from zoo.analysis.output_activation import (
    copy_as_linear,
    find_last_call,
    find_output_activation,
    make_logits_function,
)
from zoo.analysis.stages import group_stages
from zoo.errors import UserError

LAYER_KEYWORDS = ("all", "stages")  # keywords that select layers


@dataclass(frozen=True)
class FeatureGraph:
    """A model's graph over an input of float pixels; the layers and their weights are shared with the model.

    It contains only what the main output depends on: `model.output["main"]` of a model with several outputs.
    """

    image: object  # symbolic (n, height, width, channels) float32
    perturbation: object  # symbolic, added to the output of one layer, or None
    tensors: dict  # {layer name: the first output of its last call}, in topological order
    scores: object  # the output; without its softmax if it ends with one (logits)
    activation: str  # that the model ends with, lower case without underscores; "": none, or unknown


def select_main_output(model):
    """Return a model of the same layers from the only input to the main output; UserError if it takes no images."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UserError(f"{model.name!r} is not built yet; call it on an image, or add a keras.Input first")
    if not isinstance(model, (keras.Function, keras.Sequential)):
        raise UserError(f"{getattr(model, 'name', model)!r} is not a functional keras.Model, which is required to "
                        "read how its layers are connected")
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise UserError(f"{model.name!r} does not take images of shape (batch, height, width, channels)")
    named_outputs = model.output if isinstance(model, keras.Function) and isinstance(model.output, dict) else {}
    return keras.Model(model.inputs[0], named_outputs.get("main", model.outputs[0]), name=model.name)


def build_feature_graph(model, shape, perturbation=None):
    """Return the FeatureGraph of a model from `select_main_output`, for images of `shape` (height, width, channels).

    perturbation: (layer name, its tensor in a FeatureGraph of the same shape), to add an input to that layer's output,
        the last one of several.
    """
    perturbed_name, perturbed_tensor = perturbation or (None, None)
    inputs = [layers.Input(shape, dtype="float32"), *([_make_input_like(perturbed_tensor)] if perturbation else [])]
    keys_by_layer = group_by_layer(get_layer_calls(model))
    tensors, last_calls, num_calls = {}, {}, Counter()

    def call_layer(operation, *args, **kwargs):
        output = operation(*args, **kwargs)
        num_calls[operation.name] += 1
        if operation.name == perturbed_name and num_calls[perturbed_name] == len(keys_by_layer[perturbed_name]):
            output = output + inputs[1]
        last_calls[operation.name] = operation, args, kwargs
        tensors[operation.name] = keras.tree.flatten(output)[0]
        return output

    # The clone must have as many inputs as the original.
    unused_inputs = [_make_input_like(perturbed_tensor)] if perturbation else []
    clone = keras.models.clone_model(keras.Model([model.inputs[0], *unused_inputs], model.outputs[0]),
                                     input_tensors=inputs, clone_function=lambda layer: layer,
                                     call_function=call_layer)
    activation = find_output_activation(model)[1]
    scores = _compute_logits(model, [*keys_by_layer], last_calls) if activation == "softmax" else clone.outputs[0]
    return FeatureGraph(inputs[0], inputs[1] if perturbation else None,
                        {name: tensors[name] for name in keys_by_layer if name in tensors}, scores, activation)


def _compute_logits(model, layer_names, last_calls):
    """Return the output without its softmax; last_calls: {layer name: (layer, args, kwargs) of its last call}."""
    softmax_name, softmax_call, _ = find_last_call(model)
    _, args, kwargs = last_calls[softmax_name]
    logits = make_logits_function(softmax_call, copy_as_linear)(*args, **kwargs)
    for name in layer_names[layer_names.index(softmax_name) + 1:]:  # they flatten or cast the output
        layer, args, kwargs = last_calls[name]
        logits = layer(logits, *args[1:], **kwargs)
    return logits


def _make_input_like(tensor):
    return layers.Input(tensor.shape[1:], dtype=tensor.dtype)


# -------------------------------------------------------------------------------------------------- layer selection

def list_stage_layers(summary):
    """Return the name of the last layer with a feature map in each stage of a ModelSummary; without one, the last."""
    modules = build_module_graph(summary).unfolded_modules
    names = []
    for stage in group_stages(modules):
        stage_layers = [layer for module in stage.modules for layer in module.layers]
        spatial_layers = [layer for layer in stage_layers if is_feature_map(layer.shape)]
        if stage.parameters or names:  # excludes the input and the preprocessing
            names.append((spatial_layers or stage_layers)[-1].name)
    return names


def is_feature_map(shape):
    """Return whether a shape without the batch axis, (rows, columns, channels), has more than one position."""
    return len(shape) == 3 and (None in shape[:2] or shape[0] * shape[1] > 1)


def select_layers(summary, feature_graph, layer_names):
    """Return the layer names that `layer_names` selects: "all", "stages", or a list of names; without duplicates.

    `summary` is the model's ModelSummary, `feature_graph` its FeatureGraph. Layers that the main output does not depend
    on are excluded. UserError for an unknown name.
    """
    if layer_names == "all":
        return list(feature_graph.tensors)
    if layer_names == "stages":
        return [name for name in list_stage_layers(summary) if name in feature_graph.tensors]
    for name in layer_names:
        if name not in feature_graph.tensors:
            raise UserError(_format_unknown_layer(name, summary, feature_graph))
    return list(dict.fromkeys(layer_names))


def _format_unknown_layer(layer_name, summary, feature_graph):
    known_names = {name.lower(): name for name in feature_graph.tensors}
    close_names = difflib.get_close_matches(str(layer_name).lower(), known_names, n=1, cutoff=0.5)
    hint = f"did you mean {known_names[close_names[0]]!r}? " if close_names else ""
    return (f"no layer is called {layer_name!r}; {hint}(last layers of the stages: "
            f"{', '.join(list_stage_layers(summary))}; all selects all layers)")
