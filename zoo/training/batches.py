"""Which pictures a step sees, and how they are changed: a function of (seed, epoch, step) and of nothing else."""

import functools

import keras
import numpy as np

from zoo.training import augmentation_layer
from zoo.training.augmentation import NO_AUGMENTATION


@functools.lru_cache(maxsize=2)  # prefetching reads at most the end of one epoch and the start of the next
def permute_indices(num_images, seed, epoch):
    """Return the order of the training pictures in an epoch: a permutation (size,), the same on every machine.

    Raw draws and a sort, so that no release of NumPy can change it.
    """
    return np.argsort(np.random.Generator(np.random.Philox(key=[seed, epoch])).random(num_images), kind="stable")


class TrainingBatches(keras.utils.PyDataset):
    """The steps from number `first` to before number `end` in one row: step i is step i % steps of epoch i // steps.

    Keras prefetches across the end of an epoch and calls `on_epoch_end` before the first batch, so the epoch
    comes from the index alone. The last batch of an epoch holds what is left, so that every picture is seen.

    A batch is what a trainee (zoo.training.model_building) takes: pictures uint8 (n, height, width, channels), with the
    numbers of their changes where there are any, and targets float32 (n, classes) for each of `outputs`, names or None.
    """

    def __init__(self, split, classes, batch_size, seed, augmentation=NO_AUGMENTATION, output_names=None):
        super().__init__()
        self.split, self.classes, self.batch_size, self.seed = split, classes, batch_size, seed
        self.augmentation, self.output_names = augmentation, output_names
        self.steps_per_epoch = -(-len(split) // batch_size)
        self.first_step, self.end_step = 0, self.steps_per_epoch

    def slice_steps(self, first, end):
        """Return these batches, but of the steps from number `first` to before number `end`."""
        other = TrainingBatches(self.split, self.classes, self.batch_size, self.seed, self.augmentation,
                                self.output_names)
        other.first_step, other.end_step = first, end
        return other

    def __len__(self):
        return self.end_step - self.first_step

    def get_batch_size(self, index):
        """Return how many pictures batch `index` has."""
        return min(self.batch_size,
                   len(self.split) - (self.first_step + index) % self.steps_per_epoch * self.batch_size)

    def __getitem__(self, index):
        return self.take(index, np.arange(self.get_batch_size(index)))

    def take(self, index, indices):
        """Return what batch `index` has at `places`, ints (n,), and read no other pictures than those it is made of."""
        epoch, step = divmod(self.first_step + index, self.steps_per_epoch)
        start = step * self.batch_size
        rows = permute_indices(len(self.split), self.seed, epoch)[start:start + self.batch_size]
        targets = one_hot(self.split.labels[rows], self.classes)
        if self.augmentation.has_mixing:  # a picture may be partner of another: each is read once
            read, where = np.unique(np.stack([indices, (indices + 1) % len(rows)]), return_inverse=True)
            images, *partners = self.split.batch(rows[read])[0][where.reshape(2, -1)]
        else:
            (images, _), partners = self.split.batch(rows[indices]), []
        inputs = images
        if self.augmentation != NO_AUGMENTATION:
            numbers = augmentation_layer.draw_augmentation_parameters(self.augmentation, images.shape[1:], self.seed,
                                                                      epoch, step, len(rows))
            targets = augmentation_layer.mix_labels(self.augmentation, numbers, targets)
            inputs = (images, numbers[indices], *partners)
        targets = targets[indices]
        return inputs, targets if self.output_names is None else dict.fromkeys(self.output_names, targets)


class EvaluationBatches(keras.utils.PyDataset):
    """A split once through, in its own order, every picture of it."""

    def __init__(self, split, batch_size):
        super().__init__()
        self.split, self.batch_size = split, batch_size

    def __len__(self):
        return -(-len(self.split) // self.batch_size)

    def get_batch_size(self, index):
        """Return how many pictures batch `index` has."""
        return min(self.batch_size, len(self.split) - index * self.batch_size)

    def __getitem__(self, index):
        return self.take(index, np.arange(self.get_batch_size(index)))

    def take(self, index, indices):
        """Return what batch `index` has at `places`, ints (n,), and read no other pictures."""
        return self.split.batch(index * self.batch_size + indices)


def one_hot(labels, classes):
    """Return targets float32 (n, classes) of labels (n,): 1 for the label's class, else 0."""
    return np.eye(classes, dtype=np.float32)[labels]
