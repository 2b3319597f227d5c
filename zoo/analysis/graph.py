"""The calls that a functional model consists of: which layer, what it reads, and the shapes, as plain data."""

from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class LayerCall:
    """One use of a layer. Shapes are without the number of pictures; None in one: not fixed."""

    class_name: str  # the layer's class
    layer: object  # the keras.layers.Layer; None: an operation such as keras.ops.relu
    input_calls: tuple  # (layer's name, number of its call) of what it reads, in the order of the arguments
    input_shapes: tuple  # their shapes
    shape: tuple  # of its output; of several the first
    dtype: str  # of its output


def get_layer_calls(model):
    """Return {(layer's name, number of its call): Call} of a functional keras.Model, each after what it reads.

    In the order of the flow, the first output's branch by branch. From the configuration, the public place where it is
    said which call reads which; a layer's own `input` and `output` are those of its first call, which another model may
    have made.
    """
    config = model.get_config()
    kinds = {entry["name"]: entry["class_name"] for entry in config["layers"]}
    known = {layer.name: layer for layer in model.layers}
    ends = dict(zip(_iter_leaves(config["output_layers"], _is_reference), _iter_leaves(model.output, _is_tensor),
                    strict=True))
    read = {(entry["name"], number): [*_iter_tensor_arguments(node)]
            for entry in config["layers"] for number, node in enumerate(entry["inbound_nodes"] or [None])}
    tensors = {reference: (tuple(tensor.shape), tensor.dtype) for reference, tensor in ends.items()}
    tensors |= {reference: tensor for arguments in read.values() for reference, tensor in arguments}
    first = {}
    for reference in sorted(tensors, reverse=True):
        first[reference[:2]] = tensors[reference]

    made = {}
    for node in _sort_topologically(read, [reference[:2] for reference in ends]):
        shape, dtype = first[node]
        made[node] = LayerCall(kinds[node[0]], known.get(node[0]), tuple(reference[:2] for reference, _ in read[node]),
                               tuple(tuple(shape[1:]) for _, (shape, _) in read[node]), tuple(shape[1:]), dtype)
    return made


def group_by_layer(calls):
    """Return {layer's name: the keys of its calls}, each layer after what its last call reads."""
    found = {}
    for node in calls:
        found[node[0]] = [*found.pop(node[0], []), node]
    return found


def _sort_topologically(inputs, outputs):
    """Return the calls that `ends` need in an order in which they can be made."""
    done, waiting = {}, [*reversed(outputs)]
    while waiting:
        missing = [source[:2] for source, _ in inputs[waiting[-1]] if source[:2] not in done]
        if missing:
            waiting.append(missing[0])
        else:
            done[waiting.pop()] = True
    return [*done]


def _iter_tensor_arguments(node):
    """Yield (reference, (shape, type)) for each tensor among the arguments of a call."""
    def is_tensor(value):
        return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"

    for tensor in _iter_leaves(node, is_tensor):
        config = tensor["config"]
        yield tuple(config["keras_history"]), (config["shape"], config["dtype"])


def _is_tensor(value):
    return isinstance(value, keras.KerasTensor)


def _is_reference(value):
    """Whether it is (layer, number of its call, number of that call's output)."""
    return isinstance(value, (tuple, list)) and [type(each) for each in value] == [str, int, int]


def _iter_leaves(structure, is_leaf):
    if is_leaf(structure):
        yield tuple(structure) if isinstance(structure, list) else structure
    elif isinstance(structure, dict):
        for value in structure.values():
            yield from _iter_leaves(value, is_leaf)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            yield from _iter_leaves(value, is_leaf)
