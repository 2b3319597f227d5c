"""Faster kernels on CPUs with TensorFlow: the same numbers to rounding, in fewer passes over them.

Keras computes batch normalization from several operations, in training from a dozen, each of which goes through the
whole tensor: TensorFlow's fused kernel does it in one; see docs/speed.md. XLA, which Keras uses on GPUs, fuses those by
itself. TensorFlow's grouped convolution has no oneDNN kernel on CPUs: one convolution a group is many times as fast.
"""

import keras
from keras import ops


def use_fast_kernels(model, distribution):
    """Give batch normalization of feature maps, and grouped convolutions, of `network` kernels that CPUs are fast at.

    sharing: the zoo.training.distribution.data_parallel.Sharing that the network was built in. Nothing changes but on
    one CPU with TensorFlow.
    """
    if keras.backend.backend() != "tensorflow" or distribution.devices > 1:
        return
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return
    for layer in model.layers:
        if "call" in vars(layer):
            continue
        if (isinstance(layer, keras.layers.BatchNormalization) and layer.axis in (-1, 3)
                and layer.input_spec.ndim == 4):
            layer.call = make_fused_batch_norm(layer, tf.raw_ops.FusedBatchNormV3)
        elif type(layer) is keras.layers.Conv2D and layer.groups > 1 and layer.data_format == "channels_last":
            layer.call = make_grouped_conv(layer)


def make_fused_batch_norm(layer, kernel):
    """Return a `call` for batch normalization that is the kernel's."""

    def call(inputs, training=None, mask=None):
        one = ops.ones_like(layer.moving_mean)
        gamma = ops.cast(layer.gamma, "float32") if layer.scale else one
        beta = ops.cast(layer.beta, "float32") if layer.center else 0 * one
        if not training or not layer.trainable:
            outputs, *_ = kernel(x=inputs, scale=gamma, offset=beta, mean=layer.moving_mean,
                                 variance=layer.moving_variance, epsilon=layer.epsilon, is_training=False)
            return outputs
        outputs, mean, variance, *_ = kernel(x=inputs, scale=gamma, offset=beta, mean=[], variance=[],
                                             epsilon=layer.epsilon)
        # the kernel's variance is that of a sample, over count - 1; Keras keeps that of the batch
        count = ops.cast(ops.size(inputs) / ops.shape(inputs)[-1], "float32")
        variance = variance * (count - 1) / count
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(layer.momentum * moving + (1 - layer.momentum) * now)
        return outputs

    return call


def make_grouped_conv(layer):
    """Return a `call` for a grouped convolution that convolves each group by itself."""

    def call(inputs):
        outputs = ops.concatenate([
            ops.conv(part, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
            for part, kernel in zip(ops.split(inputs, layer.groups, axis=-1),
                                    ops.split(layer.kernel, layer.groups, axis=-1), strict=True)], axis=-1)
        return layer.activation(outputs + layer.bias if layer.use_bias else outputs)

    return call
