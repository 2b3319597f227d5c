"""Batches are read ahead while the device works, in their order; on each backend by what delays its steps least."""

from concurrent.futures import ThreadPoolExecutor

import keras

PREFETCH_BATCHES = 2  # batches that are read before they are asked for


def prefetch_batches(batches):
    """Return what `fit` and `predict` take in place of `batches`, a PyDataset whose items depend on the index alone.

    Keras's own way costs TensorFlow more than the making of a small batch, and may wait at the end: see tf_reading.
    """
    if keras.backend.backend() == "tensorflow":
        from zoo.training import prefetch_tensorflow

        return prefetch_tensorflow.make_prefetch_dataset(batches, PREFETCH_BATCHES)
    return PrefetchDataset(batches)


class PrefetchDataset(keras.utils.PyDataset):
    """The items of another PyDataset, in their order, of which a thread makes the next before they are asked for."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.pending = batches, {}
        self.thread = ThreadPoolExecutor(1)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        for place in range(index, min(index + 1 + PREFETCH_BATCHES, len(self))):
            if place not in self.pending:
                self.pending[place] = self.thread.submit(self.batches.__getitem__, place)
        return self.pending.pop(index).result()
