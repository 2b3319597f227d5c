"""Batch normalisation by TensorFlow's fused kernel, on CPUs: the same numbers to rounding, in fewer passes over them.

Keras computes it from several operations, in training from a dozen, each of which goes through the whole tensor; see
docs/speed.md. XLA, which Keras takes on GPUs, fuses those by itself.
"""

import keras


def normalise(network, sharing):
    """Give the batch normalisations of `network` that see pictures to the fused kernel, on one CPU with TensorFlow.

    sharing: the zoo.training.parallel.Sharing that the network was built in.
    """
    if keras.backend.backend() != "tensorflow" or sharing.devices > 1:
        return
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return
    for layer in network.layers:
        if (isinstance(layer, keras.layers.BatchNormalization) and layer.axis in (-1, 3) and layer.input_spec.ndim == 4
                and "call" not in vars(layer)):
            layer.call = in_one(layer, tf.raw_ops.FusedBatchNormV3)


def in_one(layer, kernel):
    """Return a `call` for the layer that is the kernel's."""

    def call(inputs, training=None, mask=None):
        one = keras.ops.ones_like(layer.moving_mean)
        gamma = keras.ops.cast(layer.gamma, "float32") if layer.scale else one
        beta = keras.ops.cast(layer.beta, "float32") if layer.center else 0 * one
        if not training or not layer.trainable:
            outputs, *_ = kernel(x=inputs, scale=gamma, offset=beta, mean=layer.moving_mean,
                                 variance=layer.moving_variance, epsilon=layer.epsilon, is_training=False)
            return outputs
        outputs, mean, variance, *_ = kernel(x=inputs, scale=gamma, offset=beta, mean=[], variance=[],
                                             epsilon=layer.epsilon)
        # the kernel's variance is that of a sample, over count - 1; Keras keeps that of the batch
        count = keras.ops.cast(keras.ops.size(inputs) / keras.ops.shape(inputs)[-1], "float32")
        variance = variance * (count - 1) / count
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(layer.momentum * moving + (1 - layer.momentum) * now)
        return outputs

    return call
