"""What the environment says about where things are: the only reader of such variables (GPUs: devices.py)."""

import json
import os
import re
import sys
from importlib.util import find_spec

from zoo.errors import UserError, unknown
from zoo.utils.io import expanded

BACKENDS = ("tensorflow", "jax", "torch")

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it once, when it is imported
X86_64 = ("x86_64", "amd64")  # the machine's name on Linux and macOS, and on Windows, in lower case

_onednn_set_by = "default"  # "default", "user" or "zoo"; see enable_onednn


def data_dir():
    """Return the folder that ZOO_DATA names, or None."""
    folder = os.environ.get("ZOO_DATA")
    return expanded(folder) if folder else None


def keras_home():
    """Return Keras's own folder: KERAS_HOME, or ~/.keras."""
    return expanded(os.environ.get("KERAS_HOME") or "~/.keras")


def keras_datasets():
    """Return the folder in which Keras keeps the data sets it has downloaded."""
    return keras_home() / "datasets"


def backend(asked=None):
    """Return the name of the backend that Keras is to load: `asked`, of --backend, else what the environment says.

    Keras, and the processes that we start, are told. UserError when there is no such one or it is missing.
    """
    name = _backend_named() if asked is None else asked
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    if not find_spec(name):
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise UserError(f"the backend {name} is not installed; pip install 'cnn-zoo{extra}', or take --backend "
                        f"{' or '.join(installed()) or BACKENDS[0]}")
    if asked is not None:
        os.environ["KERAS_BACKEND"] = asked
    return name


def installed():
    """Return the names of the backends that are there."""
    return [name for name in BACKENDS if find_spec(name)]


def enable_onednn():
    """Let TensorFlow, which is not imported yet, compute with oneDNN on every x86-64 CPU; the user's value stays.

    By itself TensorFlow does so only where the CPU has AVX512-VNNI or the like, although AVX2 is enough to make
    training up to twice as fast and more (docs/speed.md). `import zoo` calls this, so that it precedes every import
    of TensorFlow that zoo is the reason of.
    """
    global _onednn_set_by
    if ONEDNN in os.environ:
        if _onednn_set_by != "zoo":  # a second call finds the first one's value
            _onednn_set_by = "user"
        return
    import platform  # loads subprocess and more, which `import zoo` need not wait for where there is a value

    if "tensorflow" not in sys.modules and platform.machine().lower() in X86_64:
        os.environ[ONEDNN] = "1"
        _onednn_set_by = "zoo"


def onednn():
    """Return (value of TF_ENABLE_ONEDNN_OPTS or None, who decided on oneDNN: "zoo", "user" or "default")."""
    return os.environ.get(ONEDNN), _onednn_set_by


def hosts(addresses, index):
    """Return ([HOST:PORT, ...], this host's number) of --hosts and --host-index, or None for a single host.

    Else as Keras's variables say, KERAS_DISTRIBUTION_JOB_ADDRESSES and _PROCESS_ID; --hosts slurm takes them from
    SLURM's, as `srun` sets them. UserError for what cannot be.
    """
    if addresses == "slurm":
        return _slurm()
    addresses = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES") if addresses is None else addresses
    index = os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID") if index is None else index
    if addresses is None:
        if index is not None:
            raise UserError("--host-index is for several hosts; give their addresses with --hosts")
        return None
    named = addresses.split(",")
    for each in named:
        if not re.fullmatch(r"[^\s:]+:\d{1,5}", each) or not 0 < int(each.rpartition(":")[2]) < 65535:
            raise UserError("--hosts takes HOST:PORT of each host, with commas between, such as a:9000,b:9000; given "
                            f"{each!r}")
    if len(named) < 2 or len(set(named)) < len(named):
        raise UserError(f"--hosts takes two or more hosts, each once; given {addresses!r}")
    if index is None or not index.isdecimal() or int(index) >= len(named):
        raise UserError(f"--host-index is which of the {len(named)} hosts this one is, from 0 to {len(named) - 1}; "
                        f"given {index or 'nothing'}")
    return named, int(index)


def _slurm():
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


def _backend_named():
    """KERAS_BACKEND, else keras.json's, else tensorflow: where Keras itself looks."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    try:
        return json.loads((keras_home() / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
