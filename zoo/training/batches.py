"""Which pictures a step sees: a function of (seed, epoch, step) and of nothing else."""

import functools

import keras
import numpy as np


@functools.lru_cache(maxsize=2)  # prefetching reads at most the end of one epoch and the start of the next
def order(size, seed, epoch):
    """Return the order of the training pictures in an epoch: a permutation (size,), the same on every machine.

    Raw draws and a sort, so that no release of NumPy can change it.
    """
    return np.argsort(np.random.Generator(np.random.Philox(key=[seed, epoch])).random(size), kind="stable")


class TrainingBatches(keras.utils.PyDataset):
    """All steps of all epochs in one row: step i is step i % steps of epoch i // steps.

    Keras prefetches across the end of an epoch and calls `on_epoch_end` before the first batch, so the epoch
    comes from the index alone. The last batch of an epoch holds what is left, so that every picture is seen.
    """

    def __init__(self, split, batch_size, seed, epochs):
        super().__init__()
        self.split, self.batch_size, self.seed, self.epochs = split, batch_size, seed, epochs
        self.steps = -(-len(split) // batch_size)

    def __len__(self):
        return self.steps * self.epochs

    def __getitem__(self, index):
        epoch, step = divmod(index, self.steps)
        start = step * self.batch_size
        return self.split.batch(order(len(self.split), self.seed, epoch)[start:start + self.batch_size])


class EvaluationBatches(keras.utils.PyDataset):
    """A split once through, in its own order, every picture of it."""

    def __init__(self, split, batch_size):
        super().__init__()
        self.split, self.batch_size = split, batch_size

    def __len__(self):
        return -(-len(self.split) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        return self.split.batch(np.arange(start, min(start + self.batch_size, len(self.split))))
