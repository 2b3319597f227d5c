"""The activation that a classifier ends with, possibly in a nested model, and the classifier without its softmax."""

import keras
from keras import layers

from zoo.analysis.graph import get_layer_calls

ACTIVATED_LAYERS = (layers.Activation, layers.Dense, layers.EinsumDense, layers.Conv1D, layers.Conv2D, layers.Conv3D,
                    layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)  # apply `activation` last
ORDER_KEEPING_LAYERS = (layers.Flatten, layers.Identity, layers.Reshape)
ORDER_KEEPING_OPERATIONS = ("Cast", "Identity", "Reshape", "Squeeze")  # of keras.ops
# Neither logits nor softmax, without underscores; relu and the like are unbounded above and can be logits
NON_LOGIT_ACTIVATIONS = ("exponential", "hardsigmoid", "hardtanh", "logsigmoid", "sigmoid", "softsign", "sparsemax",
                         "sparsesigmoid", "tanh")


def find_output_activation(model):
    """Return (layer name, activation name or "", whether the layer is called more than once) of a model's output."""
    name, call, is_shared = find_last_call(make_functional(model))
    if is_inner_model(call.layer):
        name, activation, is_shared_inside = find_output_activation(call.layer)
        return name, activation, is_shared or is_shared_inside
    return name, get_activation_name(call), is_shared


def remove_softmax(model, make_linear):
    """Return a functional model that outputs logits: without the final softmax, possibly inside a nested model.

    It shares the layers of `model`, except the last if it applies a softmax: that becomes `make_linear(layer)`, where
    make_linear is `drop_activation` or `copy_as_linear`.
    """
    model = make_functional(model)
    if find_output_activation(model)[1] != "softmax":
        return model
    name, last, _ = find_last_call(model)
    compute_logits = make_logits_function(last, make_linear)

    def call_layer(layer, *inputs, **kwargs):
        return (compute_logits if layer.name == name else layer)(*inputs, **kwargs)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call_layer)


def make_logits_function(call, make_linear):
    """Return what computes the output of a call that ends in a softmax, but without it; see `remove_softmax`."""
    if is_inner_model(call.layer):
        return remove_softmax(call.layer, make_linear)
    if isinstance(call.layer, ACTIVATED_LAYERS):
        return make_linear(call.layer)
    return lambda logits, **kwargs: logits  # a Softmax


def drop_activation(layer):
    """Return a layer after removing its activation."""
    layer.activation = keras.activations.linear
    return layer


def copy_as_linear(layer):
    """Return a copy of a layer, with its weights and without its activation."""
    copy = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    if layer.weights:
        copy.build_from_config(layer.get_build_config())
        copy.set_weights(layer.get_weights())
    return copy


def find_last_call(model):
    """Return (layer name, LayerCall, whether the layer has other calls) of the last call of a functional model that
    changes more than the shape or dtype.
    """
    calls = get_layer_calls(model)
    node = [*calls][-1]
    while keeps_values(calls[node]):
        node = calls[node].input_calls[0]
    return node[0], calls[node], sum(name == node[0] for name, _ in calls) > 1


def keeps_values(call):
    if call.layer is None:
        return call.class_name in ORDER_KEEPING_OPERATIONS
    return isinstance(call.layer, ORDER_KEEPING_LAYERS) or (isinstance(call.layer, layers.Activation)
                                                            and get_activation_name(call) == "linear")


def get_activation_name(call):
    """Return the name of the activation that a call applies last, lower case without underscores; "" if unknown."""
    if call.layer is None:
        name = call.class_name  # keras.ops.softmax is an operation Softmax
    elif isinstance(call.layer, layers.Softmax):
        name = "softmax"
    elif isinstance(call.layer, ACTIVATED_LAYERS):
        name = getattr(call.layer.activation, "__name__", type(call.layer.activation).__name__)
    else:
        return ""
    return name.lower().replace("_", "")


def is_inner_model(layer):
    """Return whether a layer is a functional or Sequential model with one input and one output."""
    return (isinstance(layer, keras.Model) and len(getattr(layer, "inputs", None) or ()) == 1
            and len(layer.outputs) == 1)


def make_functional(model):
    """Return a functional model of the layers of a functional or Sequential model."""
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
