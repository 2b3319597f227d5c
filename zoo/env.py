"""The only reader of the environment variables for folders, backend, hosts and loggers (GPUs: devices.py)."""

import json
import os
import re
import sys
from importlib.util import find_spec

from zoo.errors import OutOfMemory, UserError, unknown_name_error
from zoo.utils.io import expand_user
from zoo.utils.process_memory import format_gib, get_address_space_limit

BACKENDS = ("tensorflow", "jax", "torch")

ONEDNN_ENV_VAR = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it once, when it is imported
TOKEN_ENV_VAR, BIND_ENV_VAR = "ZOO_HOSTS_TOKEN", "ZOO_HOSTS_BIND"
X86_64_MACHINES = ("x86_64", "amd64")  # the machine name on Linux and macOS, and on Windows, in lower case

MIN_BACKEND_BYTES = 2**30  # address space that every backend takes, and more: PyTorch 1.2 GiB, TensorFlow 2.2

_onednn_set_by = "default"  # "default", "user" or "zoo"; see enable_onednn


def get_data_dir():
    """Return the folder in ZOO_DATA, or None."""
    folder = os.environ.get("ZOO_DATA")
    return expand_user(folder) if folder else None


def get_keras_home():
    """Return Keras's home folder: KERAS_HOME, or ~/.keras."""
    return expand_user(os.environ.get("KERAS_HOME") or "~/.keras")


def get_keras_datasets_dir():
    """Return the folder in which Keras stores downloaded datasets."""
    return get_keras_home() / "datasets"


def select_backend(requested=None):
    """Return the name of the backend to load: `requested` (--backend), or else the one that Keras is configured for.

    UserError for an unknown backend, or one that is not installed.
    """
    name = _get_default_backend() if requested is None else requested
    if name not in BACKENDS:
        raise unknown_name_error("backend", name, BACKENDS)
    if not find_spec(name):
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise UserError(f"the backend {name} is not installed; pip install 'cnn-zoo{extra}', or use backend="
                        f"{' or '.join(map(repr, list_installed_backends() or BACKENDS[:1]))}")
    limit = get_address_space_limit()
    if limit and limit.limit < MIN_BACKEND_BYTES:
        raise OutOfMemory(f"{name} cannot be loaded: the limit ({limit.name}) is {format_gib(limit.limit)} of memory, "
                          f"and no backend loads with less than {format_gib(MIN_BACKEND_BYTES)}; raise the limit")
    return name


def export_backend(name):
    """Set KERAS_BACKEND, for Keras and for child processes, unless Keras is loaded already."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name


def list_installed_backends():
    """Return the names of the installed backends."""
    return [name for name in BACKENDS if find_spec(name)]


def enable_onednn():
    """Make TensorFlow, if it is not imported yet, use oneDNN on every x86-64 CPU; a value set by the user is kept.

    By default TensorFlow does so only on CPUs with AVX512-VNNI or similar, although AVX2 is enough to make training
    up to twice as fast and more (docs/speed.md). `import zoo` calls this, so that it precedes every import of
    TensorFlow by zoo.
    """
    global _onednn_set_by
    if ONEDNN_ENV_VAR in os.environ:
        if _onednn_set_by != "zoo":  # a second call finds the value that the first one set
            _onednn_set_by = "user"
        return
    import platform  # loads subprocess and more, which `import zoo` need not wait for if the variable is set

    if "tensorflow" not in sys.modules and platform.machine().lower() in X86_64_MACHINES:
        os.environ[ONEDNN_ENV_VAR] = "1"
        _onednn_set_by = "zoo"


def get_onednn_setting():
    """Return (value of TF_ENABLE_ONEDNN_OPTS or None, who set it: "zoo", "user" or "default")."""
    return os.environ.get(ONEDNN_ENV_VAR), _onednn_set_by


def get_wandb_project():
    """Return the project of Weights & Biases that runs are logged to."""
    return os.environ.get("WANDB_PROJECT") or "zoo"


def resolve_hosts(addresses, host_index):
    """Return ([HOST:PORT, ...], index of this host) from --hosts and --host-index, or None for a single host.

    The defaults are Keras's variables KERAS_DISTRIBUTION_JOB_ADDRESSES and KERAS_DISTRIBUTION_PROCESS_ID;
    --hosts slurm reads the SLURM variables that `srun` sets. UserError for invalid values.
    """
    if addresses == "slurm":
        return _resolve_slurm_hosts()
    addresses = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES") if addresses is None else addresses
    host_index = os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID") if host_index is None else host_index
    if addresses is None:
        if host_index is not None:
            raise UserError("host_index=... requires several hosts; give their addresses with hosts=...")
        return None
    hosts = addresses.split(",")
    for host in hosts:
        if not re.fullmatch(r"[^\s:]+:\d{1,5}", host) or not 0 < int(host.rpartition(":")[2]) < 65535:
            raise UserError("hosts=... must be HOST:PORT for each host, separated by commas, such as a:9000,b:9000; "
                            f"got {host!r}")
    if len(hosts) < 2 or len(set(hosts)) < len(hosts):
        raise UserError(f"hosts=... must list two or more hosts, each once; got {addresses!r}")
    if host_index is None or not re.fullmatch("[0-9]{1,9}", host_index) or int(host_index) >= len(hosts):
        raise UserError(f"host_index=... must be the index of this host among the {len(hosts)} hosts, from 0 to "
                        f"{len(hosts) - 1}; got {host_index or 'nothing'}")
    return hosts, int(host_index)


def get_hosts_token():
    """Return the bytes that all hosts of a run must know: those of ZOO_HOSTS_TOKEN; no secret without it."""
    return (os.environ.get(TOKEN_ENV_VAR) or "zoo").encode()


def get_bind_address(host):
    """Return the address at which host 0 listens: ZOO_HOSTS_BIND, or else `host`, by which the others know it."""
    return os.environ.get(BIND_ENV_VAR) or host


def _resolve_slurm_hosts():
    """Return the tasks of the SLURM job step; the first node's name is expanded from forms such as
    gpu[03-07,9],big1 and rack[1-2]node[3-4]."""
    variables = {name: os.environ.get(f"SLURM_{name}")
                 for name in ("STEP_NODELIST", "STEP_NUM_TASKS", "PROCID", "JOB_ID")}
    missing = [f"SLURM_{name}" for name, value in variables.items() if not value]
    if missing:
        raise UserError(f"hosts='slurm' requires a command started with srun; {missing[0]} is not set")
    for name in ("STEP_NUM_TASKS", "PROCID", "JOB_ID"):
        if not re.fullmatch("[0-9]{1,18}", variables[name]):
            raise UserError(f"SLURM_{name} must be a number; got {variables[name]!r}; start the command with srun")
    if int(variables["PROCID"]) >= int(variables["STEP_NUM_TASKS"]) > 1:
        raise UserError(f"SLURM_PROCID is {variables['PROCID']}, but SLURM_STEP_NUM_TASKS is "
                        f"{variables['STEP_NUM_TASKS']}; start the command with srun")
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", variables["STEP_NODELIST"])[0]  # up to a comma outside brackets
    node = re.sub(r"\[(\w+)[^\]]*\]", r"\1", first)
    port, num_tasks = 20_000 + int(variables["JOB_ID"]) % 20_000 * 2, int(variables["STEP_NUM_TASKS"])
    return ([f"{node}:{port}"] * num_tasks, int(variables["PROCID"])) if num_tasks > 1 else None


def _get_default_backend():
    """Return the backend that Keras itself would load: KERAS_BACKEND, or else keras.json's, or else tensorflow."""
    name = os.environ.get("KERAS_BACKEND")
    if name:
        return name
    try:
        return json.loads((get_keras_home() / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
