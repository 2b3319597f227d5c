"""The layer calls of a functional model, as plain data: the layer, its inputs and the shapes."""

from dataclasses import dataclass

import keras

from zoo.errors import UserError


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer. Shapes exclude the batch axis; None in a shape: not fixed."""

    class_name: str  # the layer's class
    layer: object  # the keras.layers.Layer; None for an operation such as keras.ops.relu
    input_calls: tuple  # (layer name, call index) of the calls whose outputs it takes, in argument order
    input_shapes: tuple  # the shapes of these outputs
    shape: tuple  # of the output; the first of several
    dtype: str  # of the output


def defines_call(model):
    """Return whether a model's own class, and not Keras, defines what it computes, so that its graph may not tell."""
    defining_class = next(base for base in type(model).__mro__ if "call" in vars(base))
    return defining_class.__module__.partition(".")[0] != "keras"


def check_has_input(model):
    """Raise UserError for a keras.Sequential that does not know the shape of its input yet."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UserError(f"the model {model.name} has no input: begin with an input layer, such as "
                        "keras.Input((28, 28, 1))")


def iter_layers(model):
    """Yield the layers of a model, each nested model followed by its own layers."""
    for layer in model.layers:
        yield layer
        if is_nested_model(layer):
            yield from iter_layers(layer)


def is_nested_model(layer):
    """Return whether a layer is a functional or Sequential model."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "inputs", None))


def get_layer_calls(model):
    """Return {(layer name, call index): LayerCall} of a functional keras.Model, each after its inputs.

    They are in topological order, branch by branch of the first output. They are read from the model config, the public
    API that has the connections between calls; a layer's own `input` and `output` are those of its first call, which
    may belong to another model.
    """
    config = model.get_config()
    if "layers" not in config:  # that of a subclass has the arguments of its __init__
        config = keras.Model(model.input, model.output).get_config()
    class_names = {entry["name"]: entry["class_name"] for entry in config["layers"]}
    layers = {layer.name: layer for layer in model.layers}
    output_references = [_correct_reference(reference, layers)
                         for reference in _iter_leaves(config["output_layers"], _is_reference)]
    output_tensors = dict(zip(output_references, _iter_leaves(model.output, _is_tensor), strict=True))
    arguments_by_call = {(entry["name"], call_index): [*_iter_tensor_arguments(node)] for entry in config["layers"]
                         for call_index, node in enumerate(entry["inbound_nodes"] or [None])}
    tensors = {reference: (tuple(tensor.shape), tensor.dtype) for reference, tensor in output_tensors.items()}
    tensors |= {reference: tensor for call_arguments in arguments_by_call.values()
                for reference, tensor in call_arguments}
    first_outputs = {}
    for reference in sorted(tensors, reverse=True):
        first_outputs[reference[:2]] = tensors[reference]

    calls = {}
    for key in _sort_topologically(arguments_by_call, [reference[:2] for reference in output_tensors]):
        shape, dtype = first_outputs[key]
        calls[key] = LayerCall(class_names[key[0]], layers.get(key[0]),
                               tuple(reference[:2] for reference, _ in arguments_by_call[key]),
                               tuple(tuple(shape[1:]) for _, (shape, _) in arguments_by_call[key]), tuple(shape[1:]),
                               dtype)
    return calls


def group_by_layer(calls):
    """Return {layer name: the keys of its calls}, each layer after the inputs of its last call."""
    keys_by_layer = {}
    for key in calls:
        keys_by_layer[key[0]] = [*keys_by_layer.pop(key[0], []), key]
    return keys_by_layer


def _sort_topologically(inputs, outputs):
    """Return the calls that `outputs` depend on in topological order."""
    visited, stack = {}, [*reversed(outputs)]
    while stack:
        unvisited = [source[:2] for source, _ in inputs[stack[-1]] if source[:2] not in visited]
        if unvisited:
            stack.append(unvisited[0])
        else:
            visited[stack.pop()] = True
    return [*visited]


def _iter_tensor_arguments(node):
    """Yield (reference, (shape, dtype)) for each tensor in the arguments of a call."""
    def is_tensor(value):
        return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"

    for tensor in _iter_leaves(node, is_tensor):
        config = tensor["config"]
        yield tuple(config["keras_history"]), (config["shape"], config["dtype"])


def _correct_reference(reference, layers):
    """Return the reference of a model's output, with the calls of its layer counted from 0, as everywhere else.

    Keras counts those of a nested functional model from 1 in `output_layers`, and only there.
    """
    name, call_index, output_index = reference
    return name, call_index - isinstance(layers.get(name), keras.Function), output_index


def _is_tensor(value):
    return isinstance(value, keras.KerasTensor)


def _is_reference(value):
    """Return whether a value is (layer name, call index, output index)."""
    return isinstance(value, (tuple, list)) and [type(item) for item in value] == [str, int, int]


def _iter_leaves(structure, is_leaf):
    if is_leaf(structure):
        yield tuple(structure) if isinstance(structure, list) else structure
    elif isinstance(structure, dict):
        for value in structure.values():
            yield from _iter_leaves(value, is_leaf)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            yield from _iter_leaves(value, is_leaf)
