"""TensorFlow on several devices of one host, for which Keras has no API of its own."""

import tensorflow as tf

from zoo.training import precision


def create_mirrored_strategy():
    """Return a tf.distribute.MirroredStrategy over all GPUs that TensorFlow sees, or over all logical CPUs."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def all_reduce_before_clipping(optimizer, devices):
    """Average the gradients over the devices before the optimizer clips them or scales the loss.

    Keras clips on each device the gradient of that device's part of the mean loss, and then sums over the devices. The
    mean of these gradients is the whole gradient divided by `devices`; clipped to the norm divided by `devices`, the
    sum is the clipped gradient. A gradient that is not finite on one device is not finite in the mean: all skip the
    step.
    """
    inner_optimizer = precision.get_inner_optimizer(optimizer)
    if not inner_optimizer.global_clipnorm and inner_optimizer is optimizer:
        return
    if inner_optimizer.global_clipnorm:
        inner_optimizer.global_clipnorm /= devices
    apply = optimizer.apply

    def apply_averaged(grads, trainable_variables=None):
        context = tf.distribute.get_replica_context()
        return apply(context.all_reduce(tf.distribute.ReduceOp.MEAN, grads), trainable_variables)

    optimizer.apply = apply_averaged
