"""Load Keras with its backend; nothing else in zoo does so."""

import contextlib
import logging
import sys

from zoo import devices, env
from zoo.errors import OutOfMemory, UserError
from zoo.training import failures
from zoo.utils import process_memory


def import_keras():
    """Import Keras with its backend unless already imported, without TensorFlow's startup messages."""
    if "keras" not in sys.modules:
        with devices.suppress_stderr(), convert_memory_errors(current_backend()):
            import keras  # noqa: F401
        silence_warnings()


@contextlib.contextmanager
def convert_memory_errors(backend):
    """Convert what loading a backend raises when it runs out of memory, which can be any error, to OutOfMemory."""
    handled = sys.exc_info()[1]
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        shortage = process_memory.describe_shortage()
        if not (shortage or failures.is_out_of_memory(error, handled)):
            raise
        raise OutOfMemory(f"out of memory while loading {backend}{shortage and f': {shortage}'}; free memory, or raise "
                          "the limit if there is one (ulimit -v)") from error


def silence_warnings():
    """Silence TensorFlow's warnings about function retracing, which occurs for each model in a notebook."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def current_backend():
    """Return the name of the backend that Keras uses, or will use once loaded."""
    return sys.modules["keras"].backend.backend() if "keras" in sys.modules else env.select_backend()


def announce_loading(backend):
    """Print on a terminal that a backend is being loaded, which takes seconds; the next line overwrites it."""
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)


def load_backend(backend, device, initialize=None):
    """Load Keras with its backend, which sees the devices that `devices.set_device_environment` made visible.

    Args:
        backend: name of the backend.
        device: the `devices.Device`.
        initialize: function called once Keras is loaded and before any device is used.

    Returns:
        The description of the device for the header.

    Raises:
        UserError: if the backend cannot use a GPU that was requested.
    """
    env.export_backend(backend)
    with devices.suppress_stderr(), convert_memory_errors(backend):
        import keras

        if initialize:
            initialize()
        silence_warnings()
        actual_device = str(keras.ops.zeros(1).device)
    return devices.describe_device(device, actual_device, backend)
