"""The batch of each step and its augmentation: a function of (seed, epoch, step) alone."""

import functools

import keras
import numpy as np

from zoo.training import augmentation_layer
from zoo.training.augmentation import NO_AUGMENTATION


@functools.lru_cache(maxsize=2)  # prefetching spans at most the end of one epoch and the start of the next
def permute_indices(num_images, seed, epoch):
    """Return the order of the training images in an epoch: a permutation (num_images,), the same on every machine.

    Computed by sorting raw draws, so that no NumPy release can change it.
    """
    return np.argsort(np.random.Generator(np.random.Philox(key=[seed, epoch])).random(num_images), kind="stable")


class TrainingBatches(keras.utils.PyDataset):
    """Consecutive training batches from step `first_step` to before `end_step`, one epoch unless sliced.

    Step i is step i % steps_per_epoch of epoch i // steps_per_epoch. Keras prefetches across the end of an epoch and
    calls `on_epoch_end` before the first batch, so the epoch comes from the index alone. The last batch of an epoch
    may be smaller, so that every image is seen.

    A batch is the input of a training model (zoo.training.model_building): images uint8 (n, height, width, channels),
    with their augmentation parameters if there are any, and targets float32 (n, classes) for each of `output_names`,
    or the targets alone for None.
    """

    def __init__(self, split, classes, batch_size, seed, augmentation=NO_AUGMENTATION, output_names=None):
        super().__init__()
        self.split, self.classes, self.batch_size, self.seed = split, classes, batch_size, seed
        self.augmentation, self.output_names = augmentation, output_names
        self.steps_per_epoch = -(-len(split) // batch_size)
        self.first_step, self.end_step = 0, self.steps_per_epoch

    def slice_steps(self, first, end):
        """Return a copy with the batches of the steps from `first` to before `end`."""
        batches = TrainingBatches(self.split, self.classes, self.batch_size, self.seed, self.augmentation,
                                  self.output_names)
        batches.first_step, batches.end_step = first, end
        return batches

    def __len__(self):
        return self.end_step - self.first_step

    def get_batch_size(self, index):
        """Return the number of images in batch `index`."""
        return min(self.batch_size,
                   len(self.split) - (self.first_step + index) % self.steps_per_epoch * self.batch_size)

    def __getitem__(self, index):
        return self.take(index, np.arange(self.get_batch_size(index)))

    def take(self, index, indices):
        """Return the samples at `indices`, ints (n,), of batch `index`; read only the images that they are made of."""
        epoch, step = divmod(self.first_step + index, self.steps_per_epoch)
        start = step * self.batch_size
        batch_indices = permute_indices(len(self.split), self.seed, epoch)[start:start + self.batch_size]
        targets = one_hot(self.split.labels[batch_indices], self.classes)
        if self.augmentation.has_mixing:  # an image may be another's partner: each is read once
            unique, inverse = np.unique(np.stack([indices, (indices + 1) % len(batch_indices)]), return_inverse=True)
            images, *partners = self.split.batch(batch_indices[unique])[0][inverse.reshape(2, -1)]
        else:
            (images, _), partners = self.split.batch(batch_indices[indices]), []
        inputs = images
        if self.augmentation != NO_AUGMENTATION:
            parameters = augmentation_layer.draw_augmentation_parameters(self.augmentation, images.shape[1:], self.seed,
                                                                         epoch, step, len(batch_indices))
            targets = augmentation_layer.mix_labels(self.augmentation, parameters, targets)
            inputs = (images, parameters[indices], *partners)
        targets = targets[indices]
        return inputs, targets if self.output_names is None else dict.fromkeys(self.output_names, targets)


class EvaluationBatches(keras.utils.PyDataset):
    """One pass over all images of a split, in order."""

    def __init__(self, split, batch_size):
        super().__init__()
        self.split, self.batch_size = split, batch_size

    def __len__(self):
        return -(-len(self.split) // self.batch_size)

    def get_batch_size(self, index):
        """Return the number of images in batch `index`."""
        return min(self.batch_size, len(self.split) - index * self.batch_size)

    def __getitem__(self, index):
        return self.take(index, np.arange(self.get_batch_size(index)))

    def take(self, index, indices):
        """Return the samples at `indices`, ints (n,), of batch `index`; read no other images."""
        return self.split.batch(index * self.batch_size + indices)


def one_hot(labels, classes):
    """Return targets float32 (n, classes) of labels (n,): 1 for the label's class, otherwise 0."""
    targets = np.zeros((len(labels), classes), np.float32)
    targets[np.arange(len(labels)), labels] = 1
    return targets
