"""Loading Keras with its backend: the one place where that happens."""

import logging
import sys

from zoo import devices, env


def import_keras():
    """Import Keras with its backend where it is not imported yet, without the messages of TensorFlow's start."""
    if "keras" not in sys.modules:
        with devices.suppress_stderr():
            import keras  # noqa: F401
        silence_warnings()


def silence_warnings():
    """Silence TensorFlow's warnings that a function was traced again, as it is for each model of a notebook."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def current_backend():
    """Return the name of the backend that Keras is loaded with, or would be."""
    return sys.modules["keras"].backend.backend() if "keras" in sys.modules else env.select_backend()


def load_backend(backend, device, initialize=None):
    """Load Keras with its backend, which sees the devices that `devices.prepare` left to see.

    Args:
        backend: its name, for messages.
        chosen: the `devices.Device`.
        start: a function to call when Keras is there and no device has been used yet.

    Returns:
        The header's description of the device.

    Raises:
        UserError: a GPU was asked for that the backend cannot use.
    """
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)  # seconds; the next line is written over it
    with devices.suppress_stderr():
        import keras

        if initialize:
            initialize()
        silence_warnings()
        used = str(keras.ops.zeros(1).device)
    return devices.describe_device(device, used, backend)
