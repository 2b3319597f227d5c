"""Recompute batch statistics: the means and variances that batch normalization uses at inference.

Keras's moving averages (momentum 0.99) are far from the model's true statistics for hundreds of steps, and never match
averaged weights. So after each epoch they are recomputed from training images with the current weights, as in
PreciseBN (Wu and Johnson 2021, 'Rethinking "Batch" in BatchNorm', arXiv:2105.07576, section 3): the mean over batches
of each batch's mean, and the variance of all their pixels together. Dropout is off and images are not augmented, as
where the statistics are used.
"""

import keras
import numpy as np

from zoo.analysis.graph import is_nested_model
from zoo.training import cpu_kernels
from zoo.training.batches import TrainingBatches

TRAIN_FRACTION = 0.07  # fraction of the training images, forward pass only
MIN_IMAGES, MAX_IMAGES = 512, 4096  # fewer are noisy, more make no difference


class BatchStatistics:
    """Measure the batch statistics of `model`, a functional model, and assign them to its layers.

    split: the training split. classes: the number of classes. distribution: the
    zoo.training.distribution.data_parallel.DataParallel in whose scope the model was built. Layers whose statistics
    training does not update, see `find_updated_norms`, keep them.
    """

    def __init__(self, model, split, classes, batch_size, seed, distribution):
        self.model, self.distribution = model, distribution
        self.layers = find_updated_norms(model)
        self.batches = distribution.shard_batches(TrainingBatches(split, classes, batch_size, seed))
        images = min(len(split), max(MIN_IMAGES, int(TRAIN_FRACTION * len(split))), MAX_IMAGES)
        self.num_batches = max(1, images // batch_size)  # whole batches, or all images in one
        self.measuring_model = self.twins = None

    def measure(self, epoch):
        """Measure and assign the statistics, on the first images of `epoch`; return them as {path: array}.

        A function of the weights, the seed and the epoch alone, so that a resumed run gets the same. A batch takes
        about a third of a training step.
        """
        if not self.layers:
            return {}
        self.build_measuring_model()
        for layer, twin in zip(self.layers, self.twins, strict=True):
            for source, target in zip(get_affine_variables(layer), get_affine_variables(twin), strict=True):
                target.assign(np.array(keras.ops.convert_to_numpy(source)))  # a copy: JAX donates a model's buffers
        first = epoch * self.batches.steps_per_epoch
        statistics = []
        batches = self.batches.slice_steps(first, first + self.num_batches)
        for index in range(self.num_batches):
            self.measuring_model.predict_on_batch(batches[index][0])
            statistics.append([[to_float64(twin.moving_mean), to_float64(twin.moving_variance)] for twin in self.twins])
        arrays = {}
        for layer, batch_statistics in zip(self.layers, zip(*statistics, strict=True), strict=True):
            means, variances = (np.stack(values) for values in zip(*batch_statistics, strict=True))
            mean = means.mean(0)
            variance = (variances + means ** 2).mean(0) - mean ** 2
            for variable, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
                arrays[variable.path] = value.astype(np.float32)
                variable.assign(arrays[variable.path])
        return arrays

    def build_measuring_model(self):
        """Build the measuring model: the model's own layers, with a twin for each batch normalization.

        A twin normalizes by its batch, as in training, and keeps the statistics of the last batch only.
        """
        if self.measuring_model:
            return
        twins = {id(layer): type(layer).from_config({**layer.get_config(), "momentum": 0.0}) for layer in self.layers}
        model = self.model
        self.measuring_model = keras.models.clone_model(
            keras.Model(model.input, model.output),  # a compiled model's configuration would be cloned too
            input_tensors=keras.Input(model.input_shape[1:], dtype=model.input.dtype),
            clone_function=lambda layer: twins.get(id(layer), layer),
            call_function=lambda layer, *args, **kwargs: layer(*args, **kwargs), recursive=True)
        self.twins = [twins[id(layer)] for layer in self.layers]
        cpu_kernels.use_fast_kernels(self.measuring_model, self.distribution)
        for twin in self.twins:
            twin.call = force_training_mode(twin.call)


def find_updated_norms(model):
    """Return the batch normalizations, those of nested models included, whose statistics training updates.

    Not those that are frozen, or that are called, or are in a nested model that is called, with training=False.
    """
    config = keras.Model(model.input, model.output).get_config()  # a subclass or Sequential has another one
    inference_only = {entry["name"] for entry in config["layers"] if entry["inbound_nodes"]
                      and all(node["kwargs"].get("training") is False for node in entry["inbound_nodes"])}
    norms = []
    for layer in model.layers:
        if layer.name in inference_only:
            continue
        if is_nested_model(layer):
            norms += find_updated_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            norms.append(layer)
    return [*{id(norm): norm for norm in norms}.values()]  # nested models can share one


def get_affine_variables(layer):
    """Return the affine variables of a batch normalization: gamma and beta, those that exist."""
    return [*([layer.gamma] if layer.scale else []), *([layer.beta] if layer.center else [])]


def force_training_mode(call):
    """Wrap a layer's `call` so that it always runs in training mode."""
    def call_in_training(inputs, training=None, mask=None):
        return call(inputs, training=True, mask=mask)

    return call_in_training


def to_float64(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
