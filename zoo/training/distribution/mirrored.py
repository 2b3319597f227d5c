"""TensorFlow's engine for several devices of one host; the one thing that Keras has no name of its own for."""

import tensorflow as tf

from zoo.training import precision


def create_mirrored_strategy():
    """Return a tf.distribute.MirroredStrategy over all GPUs that TensorFlow sees, or over all logical CPUs."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def all_reduce_before_clipping(optimizer, devices):
    """Let an optimizer that clips gradients, or scales the loss, see their mean over the devices, not each its own.

    Keras clips what each device has found, the gradient of its share of the mean loss, and adds those up. The mean of
    these is the whole gradient over `devices`; clipped to the norm over `devices`, it adds up to the clipped gradient.
    What is not finite on one device is so in the mean: all leave out the step.
    """
    stepping = precision.get_inner_optimizer(optimizer)
    if not stepping.global_clipnorm and stepping is optimizer:
        return
    if stepping.global_clipnorm:
        stepping.global_clipnorm /= devices
    apply = optimizer.apply

    def averaged(grads, trainable_variables=None):
        context = tf.distribute.get_replica_context()
        return apply(context.all_reduce(tf.distribute.ReduceOp.MEAN, grads), trainable_variables)

    optimizer.apply = averaged
