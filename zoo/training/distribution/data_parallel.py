"""Data-parallel training: each device processes a shard of every batch, and all take the same step.

The result is that of one device up to the order of summation: the batch size is global, batch normalization uses the
moments of the whole batch, and a last batch that is not divisible by the number of devices is replicated and
reweighted, so that all of its images have the same weight.
"""

import contextlib
import math
from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis.graph import iter_layers
from zoo.errors import UserError


@dataclass(frozen=True)
class DataParallel:
    """The devices that train together.

    devices: their number on all hosts. backend_distribution: an object of the backend with a scope(), None for one
    device. host, hosts: index of this process, number of processes. host_group: a
    zoo.training.distribution.multihost.HostGroup, None for one host.
    """

    devices: int = 1
    backend_distribution: object = None
    host: int = 0
    hosts: int = 1
    host_group: object = None

    def broadcast(self, function):
        """Return the result of `function` on host 0; it must be JSON-serializable."""
        return self.host_group.broadcast(function) if self.host_group else function()

    def gather_outputs(self, model):
        """Return `model` with outputs that every host can read: those of all hosts' images, in order."""
        if self.hosts == 1:
            return model
        return keras.Model(model.input, AllGather(self.backend_distribution.device_mesh)(model.output), name=model.name)

    def scope(self):
        """Return the context in which the model must be built, trained and called."""
        return self.backend_distribution.scope() if self.backend_distribution else contextlib.nullcontext()

    def shard_batches(self, batches):
        """Return a PyDataset of this host's shard of each of `batches`; `batches` itself for one device."""
        return ShardedBatches(batches, self) if self.devices > 1 else batches

    def sync_batch_norm(self, model):
        """Synchronize the moments of batch normalization over the devices, where the backend does not by itself."""
        if self.devices > 1 and keras.backend.backend() == "tensorflow":
            for layer in iter_layers(model):
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True

    def wrap_optimizer(self, optimizer):
        """Return `optimizer` such that clipping and loss scaling see the gradient of the whole batch."""
        if self.devices > 1 and keras.backend.backend() == "tensorflow":
            from zoo.training.distribution import tensorflow_strategy

            tensorflow_strategy.all_reduce_before_clipping(optimizer, self.devices)
        return optimizer


SINGLE_DEVICE = DataParallel()


class AllGather(keras.layers.Layer):
    """Gather the outputs of all devices on every device."""

    def __init__(self, mesh):
        super().__init__(dtype="float32", name="gathered")
        self.mesh = mesh

    def call(self, x):
        return keras.distribution.distribute_tensor(x, keras.distribution.TensorLayout([None, None], self.mesh))

    def get_config(self):
        return super().get_config()  # a mesh is not serializable; this model is called, never saved


def distribute_over_hosts(host_group):
    """Return the DataParallel over all devices of the hosts of a HostGroup; requires HostGroup.initialize_jax."""
    device_names = keras.distribution.list_devices()
    distribution = keras.distribution.DataParallel(devices=device_names, auto_shard_dataset=False)
    return DataParallel(len(device_names), distribution, host_group.index, len(host_group.addresses), host_group)


def distribute_over_devices(backend, gpus):
    """Return the DataParallel over the `gpus` GPUs that are visible to this process; 0 is the CPU.

    JAX's CPU can be split by XLA_FLAGS=--xla_force_host_platform_device_count=N: then over these devices.
    UserError when the backend sees another number of GPUs.
    """
    if backend == "torch" or gpus == 1:
        return SINGLE_DEVICE
    device_names = keras.distribution.list_devices()
    if gpus == 0 and not (backend == "jax" and device_names[0].startswith("cpu")):
        return SINGLE_DEVICE
    if gpus and len(device_names) != gpus:
        raise UserError(f"{backend} sees {len(device_names)} of the {gpus} GPUs; select those that it can use with "
                        "gpu=...")
    if len(device_names) == 1:
        return SINGLE_DEVICE
    if backend == "tensorflow":
        from zoo.training.distribution import tensorflow_strategy

        return DataParallel(len(device_names), tensorflow_strategy.create_mirrored_strategy())
    return DataParallel(len(device_names),
                        keras.distribution.DataParallel(devices=device_names, auto_shard_dataset=False))


class ShardedBatches(keras.utils.PyDataset):
    """One host's shard of each of `batches`: (inputs, targets, sample weights). No other images are read.

    batches: TrainingBatches or EvaluationBatches.

    A batch that is not divisible by the number of devices is repeated until it is, with sample weights of 1 / copies:
    the mean over the batch, and its gradient, do not change.
    """

    def __init__(self, batches, distribution):
        super().__init__()
        self.batches, self.distribution = batches, distribution

    @property
    def steps_per_epoch(self):
        return self.batches.steps_per_epoch

    def slice_steps(self, first, end):
        """Return the shards of the steps from `first` (inclusive) to `end` (exclusive)."""
        return ShardedBatches(self.batches.slice_steps(first, end), self.distribution)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        count = self.batches.get_batch_size(index)
        copies = self.distribution.devices // math.gcd(count, self.distribution.devices)
        size = count * copies // self.distribution.hosts
        shard = slice(self.distribution.host * size, (self.distribution.host + 1) * size)
        inputs, targets = self.batches.take(index, np.tile(np.arange(count), copies)[shard])
        return inputs, targets, np.full(size, 1 / copies, np.float32)
