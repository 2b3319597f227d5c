"""The device of a Python session, selected before Keras is imported. No backend is loaded."""

import sys

from zoo import devices, env
from zoo.errors import UserError
from zoo.training.run_config import check_devices

_last_selection = None, None  # the last `gpu` that was not None, as text, and its Device


def set_device(gpu=None, backend=None):
    """Select the GPUs and the backend of this process, before Keras is imported.

    Args:
        gpu: as for `zoo.fit`: an index or a UUID, a list of them, "all", "auto" or "none" (the CPU); None selects only
            the backend.
        backend: "tensorflow", "jax" or "torch"; None: KERAS_BACKEND, or that of keras.json,
            or tensorflow.

    Raises:
        zoo.errors.UserError: Keras was already imported with another selection, or the GPU or backend is not found.

    Example:

    >>> zoo.set_device(gpu=1, backend="jax")
    """
    backend = env.select_backend(backend)
    if gpu is None:
        check_loaded_backend(backend)
    else:
        prepare_device(gpu, backend, False)
    env.export_backend(backend)


def prepare_run_device(gpu, run_config):
    """Return the prepared Device for `gpu` and a RunConfig; see `prepare_device`."""
    device = prepare_device(gpu, run_config.backend, run_config.deterministic)
    check_devices(run_config, len(device.gpus))
    if device.gpus:
        check_loaded_determinism(run_config)
    return device


def check_loaded_determinism(run_config):
    """Raise UserError if Keras is already loaded with another choice of deterministic GPU operations."""
    setting = devices.DETERMINISTIC_SETTINGS.get(run_config.backend)
    if "keras" not in sys.modules or setting is None or devices.is_deterministic(
            run_config.backend) == run_config.deterministic:
        return
    if run_config.deterministic:
        raise UserError("Keras is already loaded without deterministic GPU operations; set "
                        f"{setting} in the environment of a new process, or leave out deterministic=True")
    raise UserError("Keras is already loaded with deterministic GPU operations; give deterministic=True, or train in a "
                    "new process")


def prepare_device(gpu, backend, deterministic):
    """Return the prepared Device for `gpu`; UserError if Keras is already loaded with another one.

    With None it is the device that was selected before in this process, if there is one.
    """
    global _last_selection
    check_loaded_backend(backend)
    request = None if gpu is None else ",".join(map(str, gpu)) if isinstance(gpu, (list, tuple)) else str(gpu)
    device = get_selected_device(request)
    if device is None:
        installed = devices.list_gpus()
        device = devices.select_gpus(request, installed, devices.get_cuda_visible_devices())
        if ("keras" in sys.modules and request is not None and (device.gpus or installed)
                and not devices.is_device_environment_set(device)):
            raise UserError(f"Keras is already loaded with other devices than gpu={gpu!r}: select them with "
                            "zoo.set_device(gpu) before Keras is imported, or in a new process")
    if "keras" not in sys.modules:
        devices.set_device_environment(device, deterministic)
    if request is not None:
        _last_selection = request, device
    return device


def get_selected_device(request):
    """Return the Device that was selected before by `request`, or for None by any; None if there is none.

    The same request can mean another device now: "auto" is the GPU with the most free memory. A device is selected no
    longer if its environment was changed.
    """
    last_request, device = _last_selection
    is_selected = device is not None and request in (None, last_request) and devices.is_device_environment_set(device)
    return device if is_selected else None


def check_loaded_backend(backend):
    """Raise UserError if Keras is already loaded with another backend."""
    if "keras" not in sys.modules:
        return
    import keras

    if keras.backend.backend() != backend:
        raise UserError(f"Keras is loaded with {keras.backend.backend()}, but {backend} is requested: select it with "
                        "zoo.set_device(backend=...) before Keras is imported, or in a new process")
