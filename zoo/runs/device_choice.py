"""The device of a session in Python, chosen before Keras is imported. No backend is loaded."""

import sys

from zoo import devices, env
from zoo.errors import UserError
from zoo.training import run_config as plans


def set_device(gpu=None, backend=None):
    """Choose the GPUs and the backend of this process, before Keras is imported.

    Args:
        gpu: as for `zoo.fit`: an index, several in a list, "all", "auto" or "none" (the CPU).
        backend: "tensorflow", "jax" or "torch".

    Raises:
        zoo.errors.UserError: Keras is imported already with another choice, or there is no such GPU or backend.

    Example:

    >>> zoo.set_device(gpu=1, backend="jax")
    """
    if backend is not None and "keras" in sys.modules:
        check_loaded_backend(backend)  # before the environment says otherwise
    prepare_device(gpu, env.select_backend(backend), False)


def prepare_run_device(gpu, run_config):
    """Return the Device for `gpu` and a Plan, prepared; see `prepare_device`."""
    chosen = prepare_device(gpu, run_config.backend, run_config.deterministic)
    plans.check_devices(run_config, len(chosen.gpus))
    return chosen


def check_loaded_backend(backend):
    """Raise UserError where Keras is loaded with another backend."""
    import keras

    if keras.backend.backend() != backend:
        raise UserError(f"Keras is loaded with {keras.backend.backend()}, and {backend} is asked for: choose with "
                        "zoo.set_device(backend=...) before Keras is imported, or in a new process")


def prepare_device(gpu, backend, deterministic):
    """Return the Device for `gpu`, prepared; UserError where Keras is loaded already with another one."""
    requested = None if gpu is None else ",".join(map(str, gpu)) if isinstance(gpu, (list, tuple)) else str(gpu)
    installed = devices.list_gpus()
    chosen = devices.select_gpus(requested, installed, devices.get_cuda_visible_devices())
    if "keras" not in sys.modules:
        devices.set_device_environment(chosen, deterministic)
        return chosen
    check_loaded_backend(backend)
    if gpu is not None and (chosen.gpus or installed) and not devices.is_device_environment_set(chosen):
        raise UserError(f"Keras is loaded already, and sees other devices than gpu={gpu!r}: choose with "
                        "zoo.set_device(gpu) before Keras is imported, or in a new process")
    return chosen
