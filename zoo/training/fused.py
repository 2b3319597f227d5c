"""Batch normalisation by TensorFlow's fused kernel, on CPUs: the same numbers to rounding, in fewer passes over them.

Keras computes it in training from a dozen operations, each of which goes through the whole tensor; see docs/speed.md.
XLA, which Keras takes on GPUs, fuses those by itself.
"""

import keras
import tensorflow as tf


def normalise(network):
    """Let the batch normalisations of `network`, those that learn and see pictures, train by the fused kernel."""
    if tf.config.list_logical_devices("GPU"):
        return
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.axis in (-1, 3) and layer.input_spec.ndim == 4:
            layer.call = in_one(layer, type(layer).call.__get__(layer))


def in_one(layer, plain):
    """Return a `call` for the layer: in training the fused kernel's, else `plain`, its own."""

    def call(inputs, training=None, mask=None):
        if not training or not layer.trainable:
            return plain(inputs, training=training, mask=mask)
        one = keras.ops.ones_like(layer.moving_mean)
        gamma = keras.ops.cast(layer.gamma, "float32") if layer.scale else one
        beta = keras.ops.cast(layer.beta, "float32") if layer.center else 0 * one
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(x=inputs, scale=gamma, offset=beta, mean=[],
                                                                  variance=[], epsilon=layer.epsilon)
        # the kernel's variance is that of a sample, over count - 1; Keras keeps that of the batch
        count = keras.ops.cast(keras.ops.size(inputs) / keras.ops.shape(inputs)[-1], "float32")
        variance = variance * (count - 1) / count
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(layer.momentum * moving + (1 - layer.momentum) * now)
        return outputs

    return call
