"""Batch statistics measured anew: the means and variances that batch normalization uses outside training.

Keras's moving averages (momentum 0.99) are far from the network's own for hundreds of steps, and they never belong to
an average of the weights. So after each epoch they are computed from training images with the weights as they are, as
Wu and Johnson 2021 ('Rethinking "Batch" in BatchNorm', arXiv:2105.07576, section 3) have it in PreciseBN: the mean over
batches of each batch's mean, and the variance of all their pixels together. Dropout is off and images are not
augmented, because so they are where the statistics are used.
"""

import keras
import numpy as np

from zoo.training import cpu_kernels
from zoo.training.batches import TrainingBatches

TRAIN_FRACTION = 0.07  # of the training images, in a forward pass alone
MIN_IMAGES, MAX_IMAGES = 512, 4096  # fewer are noisy, more change nothing


class BatchStatistics:
    """What measures the batch statistics of `network`, a functional model, and assigns them to its layers.

    split: the training split, of so many classes. sharing: a distribution.parallel.Sharing, in whose scope the network
    was built. Frozen layers keep the statistics that they have.
    """

    def __init__(self, model, split, classes, batch_size, seed, distribution):
        self.model, self.distribution = model, distribution
        self.layers = [layer for layer in model.layers
                       if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]
        self.batches = distribution.shard_batches(TrainingBatches(split, classes, batch_size, seed))
        images = min(len(split), max(MIN_IMAGES, int(TRAIN_FRACTION * len(split))), MAX_IMAGES)
        self.num_batches = max(1, images // batch_size)  # whole batches, or all images in one
        self.measuring_model = self.twins = None

    def measure(self, epoch):
        """Measure and assign the statistics, on the images that come first in `epoch`; return {path: array} of them.

        A function of the weights, the seed and the epoch alone, so that a resumed run has the same. Takes about a third
        of as many training steps as it reads batches.
        """
        if not self.layers:
            return {}
        self.build_measuring_model()
        for layer, twin in zip(self.layers, self.twins, strict=True):
            for mine, its in zip(get_affine_variables(layer), get_affine_variables(twin), strict=True):
                its.assign(np.array(keras.ops.convert_to_numpy(mine)))  # a copy: JAX donates what a model holds
        first = epoch * self.batches.steps_per_epoch
        measured = []
        batches = self.batches.slice_steps(first, first + self.num_batches)
        for index in range(self.num_batches):
            self.measuring_model.predict_on_batch(batches[index][0])
            measured.append([[to_float64(twin.moving_mean), to_float64(twin.moving_variance)] for twin in self.twins])
        arrays = {}
        for layer, of_batches in zip(self.layers, zip(*measured, strict=True), strict=True):
            means, variances = (np.stack(each) for each in zip(*of_batches, strict=True))
            mean = means.mean(0)
            variance = (variances + means ** 2).mean(0) - mean ** 2
            for variable, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
                arrays[variable.path] = value.astype(np.float32)
                variable.assign(arrays[variable.path])
        return arrays

    def build_measuring_model(self):
        """Build the model that is asked: the network's own layers, but for a twin of each normalization.

        A twin normalizes by its batch, as in training, and keeps the statistics of that batch alone.
        """
        if self.measuring_model:
            return
        twins = {layer.name: type(layer).from_config({**layer.get_config(), "momentum": 0.0}) for layer in self.layers}
        network = self.model
        self.measuring_model = keras.models.clone_model(
            keras.Model(network.input, network.output),  # the network may be compiled, which would be copied too
            input_tensors=keras.Input(network.input_shape[1:], dtype=network.input.dtype),
            clone_function=lambda layer: twins.get(layer.name, layer),
            call_function=lambda layer, *arguments, **keywords: layer(*arguments, **keywords))
        self.twins = [twins[layer.name] for layer in self.layers]
        cpu_kernels.use_fast_kernels(self.measuring_model, self.distribution)
        for twin in self.twins:
            twin.call = force_training_mode(twin.call)


def get_affine_variables(layer):
    """Return the variables of batch normalization that are not statistics: gamma and beta, as far as it has them."""
    return [*([layer.gamma] if layer.scale else []), *([layer.beta] if layer.center else [])]


def force_training_mode(call):
    """Return a layer's `call` that behaves as in training, whatever it is told."""
    def call_in_training(inputs, training=None, mask=None):
        return call(inputs, training=True, mask=mask)

    return call_in_training


def to_float64(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
