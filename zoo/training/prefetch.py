"""Prefetching: batches are read, in order, while the device computes, in the way that is fastest for the backend."""

from concurrent.futures import ThreadPoolExecutor

import keras

PREFETCH_BATCHES = 2  # batches that are read before they are requested


def prefetch_batches(batches):
    """Return a prefetching input for `fit` and `predict`; `batches`: a PyDataset whose items depend on the index alone.

    With TensorFlow, Keras's own prefetching costs more than creating a small batch, and can block at the end: see
    prefetch_tensorflow.
    """
    if keras.backend.backend() == "tensorflow":
        from zoo.training import prefetch_tensorflow

        return prefetch_tensorflow.make_prefetch_dataset(batches, PREFETCH_BATCHES)
    return PrefetchDataset(batches)


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
