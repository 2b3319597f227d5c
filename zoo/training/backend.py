"""Loading Keras with its backend: the one place where that happens."""

import sys

from zoo import devices


def load_backend(backend, chosen, start=None):
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
    with devices.quiet():
        import keras

        if start:
            start()
        used = str(keras.ops.zeros(1).device)
    return devices.describe(chosen, used, backend)
