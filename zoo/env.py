"""What the environment says about where things are: the only reader of such variables (GPUs: devices.py)."""

import json
import os
import re
import sys
from importlib.util import find_spec

from zoo.errors import UserError, unknown_name_error
from zoo.utils.io import expand_user

BACKENDS = ("tensorflow", "jax", "torch")

ONEDNN_ENV_VAR = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it once, when it is imported
X86_64_MACHINES = ("x86_64", "amd64")  # the machine's name on Linux and macOS, and on Windows, in lower case

_onednn_set_by = "default"  # "default", "user" or "zoo"; see enable_onednn


def get_data_dir():
    """Return the folder that ZOO_DATA names, or None."""
    folder = os.environ.get("ZOO_DATA")
    return expand_user(folder) if folder else None


def get_keras_home():
    """Return Keras's own folder: KERAS_HOME, or ~/.keras."""
    return expand_user(os.environ.get("KERAS_HOME") or "~/.keras")


def get_keras_datasets_dir():
    """Return the folder in which Keras keeps the data sets it has downloaded."""
    return get_keras_home() / "datasets"


def select_backend(requested=None):
    """Return the name of the backend that Keras is to load: `asked`, of --backend, else what the environment says.

    Keras, and the processes that we start, are told. UserError when there is no such one or it is missing.
    """
    name = _get_default_backend() if requested is None else requested
    if name not in BACKENDS:
        raise unknown_name_error("backend", name, BACKENDS)
    if not find_spec(name):
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise UserError(f"the backend {name} is not installed; pip install 'cnn-zoo{extra}', or take --backend "
                        f"{' or '.join(list_installed_backends()) or BACKENDS[0]}")
    if requested is not None:
        os.environ["KERAS_BACKEND"] = requested
    return name


def list_installed_backends():
    """Return the names of the backends that are there."""
    return [name for name in BACKENDS if find_spec(name)]


def enable_onednn():
    """Let TensorFlow, which is not imported yet, compute with oneDNN on every x86-64 CPU; the user's value stays.

    By itself TensorFlow does so only where the CPU has AVX512-VNNI or the like, although AVX2 is enough to make
    training up to twice as fast and more (docs/speed.md). `import zoo` calls this, so that it precedes every import
    of TensorFlow that zoo is the reason of.
    """
    global _onednn_set_by
    if ONEDNN_ENV_VAR in os.environ:
        if _onednn_set_by != "zoo":  # a second call finds the first one's value
            _onednn_set_by = "user"
        return
    import platform  # loads subprocess and more, which `import zoo` need not wait for where there is a value

    if "tensorflow" not in sys.modules and platform.machine().lower() in X86_64_MACHINES:
        os.environ[ONEDNN_ENV_VAR] = "1"
        _onednn_set_by = "zoo"


def get_onednn_setting():
    """Return (value of TF_ENABLE_ONEDNN_OPTS or None, who decided on oneDNN: "zoo", "user" or "default")."""
    return os.environ.get(ONEDNN_ENV_VAR), _onednn_set_by


def resolve_hosts(addresses, host_index):
    """Return ([HOST:PORT, ...], this host's number) of --hosts and --host-index, or None for a single host.

    Else as Keras's variables say, KERAS_DISTRIBUTION_JOB_ADDRESSES and _PROCESS_ID; --hosts slurm takes them from
    SLURM's, as `srun` sets them. UserError for what cannot be.
    """
    if addresses == "slurm":
        return _resolve_slurm_hosts()
    addresses = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES") if addresses is None else addresses
    host_index = os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID") if host_index is None else host_index
    if addresses is None:
        if host_index is not None:
            raise UserError("--host-index is for several hosts; give their addresses with --hosts")
        return None
    named = addresses.split(",")
    for each in named:
        if not re.fullmatch(r"[^\s:]+:\d{1,5}", each) or not 0 < int(each.rpartition(":")[2]) < 65535:
            raise UserError("--hosts takes HOST:PORT of each host, with commas between, such as a:9000,b:9000; given "
                            f"{each!r}")
    if len(named) < 2 or len(set(named)) < len(named):
        raise UserError(f"--hosts takes two or more hosts, each once; given {addresses!r}")
    if host_index is None or not host_index.isdecimal() or int(host_index) >= len(named):
        raise UserError(f"--host-index is which of the {len(named)} hosts this one is, from 0 to {len(named) - 1}; "
                        f"given {host_index or 'nothing'}")
    return named, int(host_index)


def _resolve_slurm_hosts():
    """The tasks of SLURM's job step; the first node's name is expanded from forms such as gpu[03-07,9],big1 and
    rack[1-2]node[3-4]."""
    told = {name: os.environ.get(f"SLURM_{name}") for name in ("STEP_NODELIST", "STEP_NUM_TASKS", "PROCID", "JOB_ID")}
    missing = [f"SLURM_{name}" for name, value in told.items() if not value]
    if missing:
        raise UserError(f"--hosts slurm is for commands that srun starts; {missing[0]} is not set")
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", told["STEP_NODELIST"])[0]  # up to a comma that is in no bracket
    node = re.sub(r"\[(\w+)[^\]]*\]", r"\1", first)
    port, count = 20_000 + int(told["JOB_ID"]) % 20_000 * 2, int(told["STEP_NUM_TASKS"])
    return ([f"{node}:{port}"] * count, int(told["PROCID"])) if count > 1 else None


def _get_default_backend():
    """KERAS_BACKEND, else keras.json's, else tensorflow: where Keras itself looks."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    try:
        return json.loads((get_keras_home() / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
