"""Reading ahead on TensorFlow: a dataset of its own, for Keras has no name for one without autotuning."""

import keras
import tensorflow as tf


def make_prefetch_dataset(batches, num_prefetch):
    """Return a tf.data.Dataset of the items of a PyDataset, which depend on the index alone; read in a thread.

    Autotuning is off: there is nothing to tune, and its thread, which sleeps twice as long each time, up to a minute,
    at times sleeps to the end before the iterator can go (TensorFlow 2.21).
    """
    first = batches[0]
    arrays = keras.tree.flatten(first)
    types = [array.dtype for array in arrays]

    def item(index):
        return keras.tree.flatten(batches[int(index)])

    def read(index):
        found = tf.numpy_function(item, [index], types)
        for tensor, array in zip(found, arrays, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        return keras.tree.pack_sequence_as(first, found)

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(len(batches)).map(read).prefetch(num_prefetch).with_options(options)
