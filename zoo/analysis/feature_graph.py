"""A functional Keras model laid open: the output of each of its layers, and its scores before the softmax."""

import difflib
from dataclasses import dataclass

import keras
from keras import layers

from zoo.analysis import graph
from zoo.analysis.modules import build_module_graph
from zoo.analysis.stages import group_stages
from zoo.errors import UserError

LAYER_KEYWORDS = ("every", "stages")  # words that stand for layers


@dataclass(frozen=True)
class FeatureGraph:
    """A model's graph over an input of float pixels; the layers and their weights are the model's own.

    Only what the main output needs is in it: `model.output["main"]` is that of a model with several outputs.
    """

    image: object  # symbolic (n, height, width, channels) float32
    perturbation: object  # symbolic, added to the output of one layer; None: there is none
    tensors: dict  # {layer's name: its output, of the last call, of several the first}, in the order of the flow
    scores: object  # the output; of a softmax what goes into it


def select_main_output(model):
    """Return a model of the same layers from its only input to its main output. UserError if it takes no pictures."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UserError(f"{model.name!r} is not built yet: call it on a picture, or give it a keras.Input first")
    if not isinstance(model, (keras.Function, keras.Sequential)):
        raise UserError(f"{getattr(model, 'name', model)!r} is no functional keras.Model: only those say what their "
                        "layers read")
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise UserError(f"{model.name!r} does not take pictures, (number, height, width, channels)")
    named = model.output if isinstance(model, keras.Function) and isinstance(model.output, dict) else {}
    return keras.Model(model.inputs[0], named.get("main", model.outputs[0]), name=model.name)


def build_feature_graph(model, shape, perturbation=None):
    """Return what `select_main_output` returned as FeatureGraph, for pictures of `shape` (height, width, channels).

    nudge: (layer's name, its tensor in a FeatureGraph of the same shape), to have something added to its output.
    """
    nudged, like = perturbation or (None, None)
    (last, *_), = _get_output_references(model.get_config()["output_layers"])
    order = graph.group_by_layer(graph.get_layer_calls(model))
    inputs = [layers.Input(shape, dtype="float32"), *([_make_input_like(like)] if perturbation else [])]
    tensors, twins, scores = {}, {}, None

    def call(operation, *arguments, **keywords):
        nonlocal scores
        made = operation(*arguments, **keywords)
        if operation.name == last and _is_softmax(operation):
            scores = arguments[0]
        if operation.name == nudged:
            made = made + inputs[1]
        tensors[operation.name] = keras.tree.flatten(made)[0]
        return made

    def own(operation):
        """The operation itself; for a layer that ends in a softmax of its own, one with its weights and without."""
        if operation.name != last or _is_softmax(operation) or not _ends_in_softmax(operation):
            return operation
        twins[operation] = type(operation).from_config({**operation.get_config(), "activation": "linear"})
        return twins[operation]

    unused = [_make_input_like(like)] if perturbation else []  # the copy must have as many inputs as what is copied
    copied = keras.models.clone_model(keras.Model([model.inputs[0], *unused], model.outputs[0]), input_tensors=inputs,
                                      clone_function=own, call_function=call)
    for original, twin in twins.items():
        twin.set_weights(original.get_weights())
    return FeatureGraph(inputs[0], inputs[1] if perturbation else None,
                        {name: tensors[name] for name in order if name in tensors},
                        copied.outputs[0] if scores is None else scores)


def _make_input_like(tensor):
    return layers.Input(tensor.shape[1:], dtype=tensor.dtype)


def _get_output_references(structure):
    """Return the (layer, call, output) references of a configuration's outputs, of which there is one."""
    return [structure] if isinstance(structure[0], str) else [structure[0]]


def _is_softmax(operation):
    """Whether it is a softmax and nothing else."""
    return type(operation).__name__ == "Softmax" or (
        isinstance(operation, layers.Activation) and operation.activation is keras.activations.softmax)


def _ends_in_softmax(operation):
    return getattr(operation, "activation", None) is keras.activations.softmax


# ------------------------------------------------------------------------------------------------ layers by their names

def list_stage_layers(summary):
    """Return for each stage of an ModelSummary's diagram the name of its last layer with a grid; if none has, its
    last.
    """
    modules = build_module_graph(summary).unfolded_modules
    names = []
    for stage in group_stages(modules):
        made = [layer for module in stage.modules for unit in module.fused_layers for layer in unit.layers]
        grids = [layer for layer in made if is_feature_map(layer.shape)]
        if stage.parameters or names:  # not the input, nor what scales its pixels
            names.append((grids or made)[-1].name)
    return names


def is_feature_map(shape):
    """Whether a shape without the number of pictures, (rows, columns, maps), has more than one place."""
    return len(shape) == 3 and (None in shape[:2] or shape[0] * shape[1] > 1)


def select_layers(summary, feature_graph, layer_names):
    """Return the names that `words` stand for: "every", "stages", or a list of names, each once.

    found: the model's ModelSummary; opened: its FeatureGraph. Layers whose output the main output does not need are not
    among
    them. UserError for a name that is not there.
    """
    if layer_names == "every":
        return list(feature_graph.tensors)
    if layer_names == "stages":
        return [name for name in list_stage_layers(summary) if name in feature_graph.tensors]
    for word in layer_names:
        if word not in feature_graph.tensors:
            raise UserError(_format_unknown_layer(word, summary, feature_graph))
    return list(dict.fromkeys(layer_names))


def _format_unknown_layer(layer_name, summary, feature_graph):
    known = {name.lower(): name for name in feature_graph.tensors}
    close = difflib.get_close_matches(str(layer_name).lower(), known, n=1, cutoff=0.5)
    near = f"did you mean {known[close[0]]!r}? " if close else ""
    return (f"no layer is called {layer_name!r}; {near}(stages end with {', '.join(list_stage_layers(summary))}; every takes all)")
