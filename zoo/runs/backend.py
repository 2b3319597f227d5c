"""The backend of a run, loaded on the devices of this host, and connected to the other hosts where there are some."""

from zoo.errors import UserError
from zoo.training.run_config import check_devices


def load_run_backend(run_config, device, host_group=None):
    """Load the backend and connect to the other hosts.

    Args:
        run_config: the RunConfig.
        device: the prepared `devices.Device`.
        host_group: the connection to the other hosts; None for a single host.

    Returns:
        (description of the devices, DataParallel).

    Raises:
        UserError: the run config does not fit the devices.
    """
    from zoo.training.backend import load_backend

    def connect():
        import keras

        keras.utils.set_random_seed(run_config.seed)
        host_group.initialize_jax()

    description = load_backend(run_config.backend, device, connect if host_group else None)
    if host_group:
        host_group.delay_backend_messages()
    check_device_precision(run_config, description)

    from zoo.training.distribution import data_parallel

    if host_group:
        distribution = data_parallel.distribute_over_hosts(host_group)
    else:
        distribution = data_parallel.distribute_over_devices(run_config.backend, len(device.gpus))
    check_devices(run_config, distribution.devices)
    if host_group:
        description += f", one of {distribution.hosts} hosts with {distribution.devices} devices in total"
    elif distribution.devices > 1 and not device.gpus:
        description += f", as {distribution.devices} devices"
    return description, distribution


def check_device_precision(run_config, description):
    """Raise UserError if a device, by its description, cannot compute in the precision of a RunConfig."""
    if run_config.precision == "float16" and description.startswith("CPU"):
        raise UserError("float16 requires a GPU, and this device is the CPU; give precision='bfloat16' or 'float32'")
