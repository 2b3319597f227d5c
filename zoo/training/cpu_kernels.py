"""Faster kernels for TensorFlow on CPUs: equal results up to rounding, in fewer passes over memory.

Keras computes batch normalization with several operations, in training with a dozen, each of which reads the whole
tensor; TensorFlow's fused kernel needs one; see docs/speed.md. XLA, which Keras uses on GPUs, fuses them itself.
TensorFlow's grouped convolution has no oneDNN kernel on CPUs: one convolution per group is many times as fast.
"""

import keras
from keras import ops


def use_fast_kernels(model, distribution):
    """Use fast CPU kernels for the batch normalization of feature maps and the grouped convolutions of `model`.

    distribution: the zoo.training.distribution.data_parallel.DataParallel in whose scope the model was built. Does
    nothing except with TensorFlow on one CPU.
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
    """Return a `call` for batch normalization that uses the fused kernel."""

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
        # the kernel returns the sample variance, over count - 1; Keras's is the batch variance
        count = ops.cast(ops.size(inputs) / ops.shape(inputs)[-1], "float32")
        variance = variance * (count - 1) / count
        for variable, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            variable.assign(layer.momentum * variable + (1 - layer.momentum) * value)
        return outputs

    return call


def make_grouped_conv(layer):
    """Return a `call` for a grouped convolution that convolves each group separately."""

    def call(inputs):
        outputs = ops.concatenate([
            ops.conv(group, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
            for group, kernel in zip(ops.split(inputs, layer.groups, axis=-1),
                                    ops.split(layer.kernel, layer.groups, axis=-1), strict=True)], axis=-1)
        return layer.activation(outputs + layer.bias if layer.use_bias else outputs)

    return call
