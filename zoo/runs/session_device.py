"""The device of a Python session, selected before Keras is imported. No backend is loaded."""

import sys

from zoo import devices, env
from zoo.errors import UserError
from zoo.training.run_config import check_devices


def set_device(gpu=None, backend=None):
    """Select the GPUs and the backend of this process, before Keras is imported.

    Args:
        gpu: as for `zoo.fit`: an index or a UUID, a list of them, "all", "auto" or "none" (the CPU).
        backend: "tensorflow", "jax" or "torch".

    Raises:
        zoo.errors.UserError: Keras was already imported with another selection, or the GPU or backend is not found.

    Example:

    >>> zoo.set_device(gpu=1, backend="jax")
    """
    prepare_device(gpu, env.select_backend(backend), False)


def prepare_run_device(gpu, run_config):
    """Return the prepared Device for `gpu` and a RunConfig; see `prepare_device`."""
    device = prepare_device(gpu, run_config.backend, run_config.deterministic)
    check_devices(run_config, len(device.gpus))
    return device


def prepare_device(gpu, backend, deterministic):
    """Return the prepared Device for `gpu`; UserError if Keras is already loaded with another one."""
    requested = None if gpu is None else ",".join(map(str, gpu)) if isinstance(gpu, (list, tuple)) else str(gpu)
    installed = devices.list_gpus()
    device = devices.select_gpus(requested, installed, devices.get_cuda_visible_devices())
    if "keras" not in sys.modules:
        devices.set_device_environment(device, deterministic)
        return device
    import keras

    if keras.backend.backend() != backend:
        raise UserError(f"Keras is loaded with {keras.backend.backend()}, but {backend} is requested: select it with "
                        "zoo.set_device(backend=...) before Keras is imported, or in a new process")
    if gpu is not None and (device.gpus or installed) and not devices.is_device_environment_set(device):
        raise UserError(f"Keras is already loaded with other devices than gpu={gpu!r}: select them with "
                        "zoo.set_device(gpu) before Keras is imported, or in a new process")
    return device
