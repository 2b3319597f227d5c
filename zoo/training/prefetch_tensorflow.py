"""Prefetching for TensorFlow: a tf.data.Dataset, because Keras has no option to disable autotuning."""

import keras
import tensorflow as tf


def make_prefetch_dataset(batches, num_prefetch):
    """Return a tf.data.Dataset of the items of a PyDataset, which depend on the index alone; read in a thread.

    Autotuning is off: there is nothing to tune, and its thread sleeps, for twice as long each time, up to a minute, and
    the iterator can be released only after it wakes up (TensorFlow 2.21).
    """
    first_item = batches[0]
    arrays = keras.tree.flatten(first_item)
    dtypes = [array.dtype for array in arrays]

    def get_item(index):
        return keras.tree.flatten(batches[int(index)])

    def read(index):
        tensors = tf.numpy_function(get_item, [index], dtypes)
        for tensor, array in zip(tensors, arrays, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        return keras.tree.pack_sequence_as(first_item, tensors)

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(len(batches)).map(read).prefetch(num_prefetch).with_options(options)
