"""Which pictures a step sees, and how they are changed: a function of (seed, epoch, step) and of nothing else."""

import functools

import keras
import numpy as np

from zoo.training import augment
from zoo.training.augmentation import NOTHING


@functools.lru_cache(maxsize=2)  # prefetching reads at most the end of one epoch and the start of the next
def order(size, seed, epoch):
    """Return the order of the training pictures in an epoch: a permutation (size,), the same on every machine.

    Raw draws and a sort, so that no release of NumPy can change it.
    """
    return np.argsort(np.random.Generator(np.random.Philox(key=[seed, epoch])).random(size), kind="stable")


class TrainingBatches(keras.utils.PyDataset):
    """The steps from number `first` to before number `end` in one row: step i is step i % steps of epoch i // steps.

    Keras prefetches across the end of an epoch and calls `on_epoch_end` before the first batch, so the epoch
    comes from the index alone. The last batch of an epoch holds what is left, so that every picture is seen.

    A batch is what a trainee (zoo.training.trainee) takes: pictures uint8 (n, height, width, channels), with the
    numbers of their changes where there are any, and targets float32 (n, classes) for each of `outputs`, names or None.
    """

    def __init__(self, split, classes, batch_size, seed, augmentation=NOTHING, outputs=None):
        super().__init__()
        self.split, self.classes, self.batch_size, self.seed = split, classes, batch_size, seed
        self.augmentation, self.outputs = augmentation, outputs
        self.steps = -(-len(split) // batch_size)
        self.first, self.end = 0, self.steps

    def between(self, first, end):
        """Return these batches, but of the steps from number `first` to before number `end`."""
        other = TrainingBatches(self.split, self.classes, self.batch_size, self.seed, self.augmentation, self.outputs)
        other.first, other.end = first, end
        return other

    def __len__(self):
        return self.end - self.first

    def size(self, index):
        """Return how many pictures batch `index` has."""
        return min(self.batch_size, len(self.split) - (self.first + index) % self.steps * self.batch_size)

    def __getitem__(self, index):
        return self.part(index, np.arange(self.size(index)))

    def part(self, index, places):
        """Return what batch `index` has at `places`, ints (n,), and read no other pictures than those it is made of."""
        epoch, step = divmod(self.first + index, self.steps)
        start = step * self.batch_size
        rows = order(len(self.split), self.seed, epoch)[start:start + self.batch_size]
        targets = one_hot(self.split.labels[rows], self.classes)
        if self.augmentation.mixes:  # a picture may be partner of another: each is read once
            read, where = np.unique(np.stack([places, (places + 1) % len(rows)]), return_inverse=True)
            images, *partners = self.split.batch(rows[read])[0][where.reshape(2, -1)]
        else:
            (images, _), partners = self.split.batch(rows[places]), []
        inputs = images
        if self.augmentation != NOTHING:
            numbers = augment.numbers(self.augmentation, images.shape[1:], self.seed, epoch, step, len(rows))
            targets = augment.mixed_labels(self.augmentation, numbers, targets)
            inputs = (images, numbers[places], *partners)
        targets = targets[places]
        return inputs, targets if self.outputs is None else dict.fromkeys(self.outputs, targets)


class EvaluationBatches(keras.utils.PyDataset):
    """A split once through, in its own order, every picture of it."""

    def __init__(self, split, batch_size):
        super().__init__()
        self.split, self.batch_size = split, batch_size

    def __len__(self):
        return -(-len(self.split) // self.batch_size)

    def size(self, index):
        """Return how many pictures batch `index` has."""
        return min(self.batch_size, len(self.split) - index * self.batch_size)

    def __getitem__(self, index):
        return self.part(index, np.arange(self.size(index)))

    def part(self, index, places):
        """Return what batch `index` has at `places`, ints (n,), and read no other pictures."""
        return self.split.batch(index * self.batch_size + places)


def one_hot(labels, classes):
    """Return targets float32 (n, classes) of labels (n,): 1 for the label's class, else 0."""
    return np.eye(classes, dtype=np.float32)[labels]
