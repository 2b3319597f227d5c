"""Several devices train one network: each computes its share of every batch, and all make the same step.

The result is that of one device, but for the order in which numbers are added: the batch size is that of all devices
together, batch normalisation takes the moments of the whole batch, and a last batch that does not divide over the
devices is dealt out several times over, so that each picture of it counts alike.
"""

import contextlib
import math
from dataclasses import dataclass

import keras
import numpy as np

from zoo.errors import UserError


@dataclass(frozen=True)
class DataParallel:
    """`devices` of all hosts together; this process is host number `host` of `hosts`; `engine` has a scope()."""

    devices: int = 1
    backend_distribution: object = None
    host: int = 0
    hosts: int = 1
    host_group: object = None  # a zoo.training.distribution.multihost.Link to the other hosts

    def broadcast(self, function):
        """Return what `function` returns on host 0; it must be plain JSON."""
        return self.host_group.broadcast(function) if self.host_group else function()

    def gather_outputs(self, model):
        """Return `model`, which every host can ask for the outputs of all hosts' pictures, in their order."""
        if self.hosts == 1:
            return model
        return keras.Model(model.input, AllGather(self.backend_distribution.device_mesh)(model.output), name=model.name)

    def scope(self):
        """Return the context in which the network is to be built, trained and asked."""
        return self.backend_distribution.scope() if self.backend_distribution else contextlib.nullcontext()

    def shard_batches(self, batches):
        """Return a PyDataset of this host's share of each of `batches`; those themselves where there is one device."""
        return ShardedBatches(batches, self) if self.devices > 1 else batches

    def sync_batch_norm(self, model):
        """Let the devices compute the moments of batch normalisation together, where they do not by themselves."""
        if self.devices > 1 and keras.backend.backend() == "tensorflow":
            for layer in model.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True

    def wrap_optimizer(self, optimizer):
        """Return `optimizer`, which looks at the whole batch's gradient where it looks at it before it steps."""
        if self.devices > 1 and keras.backend.backend() == "tensorflow":
            from zoo.training.distribution import mirrored

            mirrored.all_reduce_before_clipping(optimizer, self.devices)
        return optimizer


SINGLE_DEVICE = DataParallel()


class AllGather(keras.layers.Layer):
    """Hand every device what all have computed."""

    def __init__(self, mesh):
        super().__init__(dtype="float32", name="gathered")
        self.mesh = mesh

    def call(self, x):
        return keras.distribution.distribute_tensor(x, keras.distribution.TensorLayout([None, None], self.mesh))

    def get_config(self):
        return super().get_config()  # of what a mesh is there is no JSON; a model around it is read, never saved


def distribute_over_hosts(host_group, index, hosts):
    """Return the DataParallel over all devices of all hosts, to which keras.distribution.initialize has connected
    us.
    """
    names = keras.distribution.list_devices()
    distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    return DataParallel(len(names), distribution, index, hosts, host_group)


def distribute_over_devices(backend, gpus):
    """Return the DataParallel over the GPUs that this process was told to take, `gpus` of them; 0 is the CPU.

    JAX's CPU may have been divided, by XLA_FLAGS=--xla_force_host_platform_device_count=N: then over its parts.
    UserError when the backend sees fewer than it was told.
    """
    if backend == "torch" or gpus == 1:
        return SINGLE_DEVICE
    names = keras.distribution.list_devices()
    if gpus == 0 and not (backend == "jax" and names[0].startswith("cpu")):
        return SINGLE_DEVICE
    if gpus and len(names) != gpus:
        raise UserError(f"{backend} sees {len(names)} of the {gpus} GPUs; name those that it can use with --gpu")
    if len(names) == 1:
        return SINGLE_DEVICE
    if backend == "tensorflow":
        from zoo.training.distribution import mirrored

        return DataParallel(len(names), mirrored.create_mirrored_strategy())
    return DataParallel(len(names), keras.distribution.DataParallel(devices=names, auto_shard_dataset=False))


class ShardedBatches(keras.utils.PyDataset):
    """What one host's devices see of each of `batches`: (inputs, targets, weights). No other pictures are read.

    batches: TrainingBatches or EvaluationBatches.

    A batch of n pictures that does not divide over the devices is repeated until it does, each copy of a picture with
    the weight of its share: the mean over the batch, and its gradient, stay what they were.
    """

    def __init__(self, batches, distribution):
        super().__init__()
        self.batches, self.distribution = batches, distribution

    @property
    def steps_per_epoch(self):
        return self.batches.steps_per_epoch

    def slice_steps(self, first, end):
        """Return these shares, but of the steps from number `first` to before number `end`."""
        return ShardedBatches(self.batches.slice_steps(first, end), self.distribution)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        count = self.batches.get_batch_size(index)
        copies = self.distribution.devices // math.gcd(count, self.distribution.devices)
        size = count * copies // self.distribution.hosts
        mine = slice(self.distribution.host * size, (self.distribution.host + 1) * size)
        inputs, targets = self.batches.take(index, np.tile(np.arange(count), copies)[mine])
        return inputs, targets, np.full(size, 1 / copies, np.float32)
