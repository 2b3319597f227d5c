"""Prefetching: batches are read, in order, while the device computes, in the way that is fastest for the backend."""

from concurrent.futures import ThreadPoolExecutor

import keras

PREFETCH_BATCHES = 2  # batches that are read before they are requested


def prefetch_batches(batches):
    """Return a prefetching input for `fit` and `predict`; `batches`: a PyDataset whose items depend on the index alone.

    With TensorFlow, Keras's own prefetching costs more than creating a small batch, and can block at the end: see
    `make_tensorflow_dataset`.
    """
    return make_tensorflow_dataset(batches) if keras.backend.backend() == "tensorflow" else PrefetchDataset(batches)


def make_tensorflow_dataset(batches):
    """Return a tf.data.Dataset of the items of a PyDataset, because Keras has no option to disable autotuning.

    There is nothing to tune, and the thread that tunes sleeps, for twice as long each time, up to a minute; the
    iterator can be released only after it wakes up (TensorFlow 2.21).
    """
    import tensorflow as tf

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
    return tf.data.Dataset.range(len(batches)).map(read).prefetch(PREFETCH_BATCHES).with_options(options)


class PrefetchDataset(keras.utils.PyDataset):
    """The items of another PyDataset, in order; a thread computes the next ones before they are requested."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.pending = batches, {}
        self.thread = ThreadPoolExecutor(1)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        for next_index in range(index, min(index + 1 + PREFETCH_BATCHES, len(self))):
            if next_index not in self.pending:
                self.pending[next_index] = self.thread.submit(self.batches.__getitem__, next_index)
        return self.pending.pop(index).result()
