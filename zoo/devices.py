"""Device selection, which must happen before a backend loads.

Standard library only. GPU indices are those of `nvidia-smi`: physical GPUs, in PCI order.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import UserError
from zoo.utils.process import count_cores

NVIDIA_SMI_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total,memory.free",
                    "--format=csv,noheader,nounits")

GPU_KEYWORDS = ("all", "auto")  # values of --gpu besides names
GPU_NAME = re.compile(r"[0-9]{1,9}|(?i:GPU)-[0-9A-Fa-f-]{1,36}|MIG-[0-9A-Za-z/-]{1,60}")  # an index or a UUID

MEMORY_GROWTH_ENV = {"TF_FORCE_GPU_ALLOW_GROWTH": "true",
                     "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # allocate memory as needed


@dataclass(frozen=True)
class Gpu:
    index: int  # in PCI order
    uuid: str
    name: str
    total_memory: int  # MiB
    free_memory: int  # MiB

    def __str__(self):
        if not self.total_memory:
            return f"GPU {self.index}, {self.name}"
        memory = f"{self.free_memory / 1024:.0f} of {self.total_memory / 1024:.0f} GiB free"
        return f"GPU {self.index}, {self.name}, {memory}"


@dataclass(frozen=True)
class Device:
    """The selected device: the CPU if `gpus` is empty."""

    gpus: tuple  # of Gpu, in the order in which the backend numbers them
    is_explicit: bool  # requested by the user, so there is no fallback
    environment: dict = field(default_factory=dict)  # variables to set before the backend loads


def list_gpus():
    """Return the machine's GPUs as nvidia-smi lists them; an empty list without a driver."""
    if not shutil.which("nvidia-smi"):
        return []
    try:
        output = subprocess.run(NVIDIA_SMI_QUERY, capture_output=True, text=True, errors="replace", timeout=20,
                                check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in output.splitlines() if line.count(",") == 4]
    return [Gpu(int(index), uuid, name, _parse_mebibytes(total), _parse_mebibytes(free))
            for index, uuid, name, total, free in rows if index.isdigit()]


def check_nvidia_driver():
    """Return (version of the NVIDIA driver, problem), each "" if there is none."""
    if not shutil.which("nvidia-smi"):
        is_loaded = Path("/proc/driver/nvidia/version").exists()
        problem = "the NVIDIA driver is loaded, but nvidia-smi is not on the PATH: install it with the driver"
        return "", problem if is_loaded else ""
    try:
        process = subprocess.run(("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
                                 capture_output=True, text=True, errors="replace", timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return "", f"nvidia-smi cannot be run: {error}"
    first_line = ((process.stdout or process.stderr).strip().splitlines() or ["nothing"])[0]
    return (first_line, "") if process.returncode == 0 else ("", f"nvidia-smi failed with the output: {first_line}")


CUDA_LIBRARIES = ("cudart", "cublas", "cublasLt", "cudnn", "cufft", "cusolver", "cusparse", "nvJitLink")


def find_missing_cuda_libraries():
    """Return the names of the CUDA libraries found neither in pip packages nor in the system's library paths."""
    folders = [folder for path in sys.path for folder in Path(path or ".").glob("nvidia/*/lib")]
    folders += [Path(path) for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
    folders += Path("/usr/local").glob("cuda*/lib64")
    names = {path.name for folder in folders for path in folder.glob("lib*.so*")}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        cache = subprocess.run(("/sbin/ldconfig", "-p"), capture_output=True, text=True, timeout=20).stdout
        names |= {line.split()[0] for line in cache.splitlines() if line.strip()}
    return [f"lib{library}.so" for library in CUDA_LIBRARIES
            if not any(name.startswith(f"lib{library}.so") for name in names)]


def select_installed_gpus(requested):
    """Return the Device for a value of --gpu, out of the GPUs of this machine; see `select_gpus`."""
    return select_gpus(requested, list_gpus(), get_cuda_visible_devices())


def select_gpus(requested, gpus, visible_devices=None):
    """Return the Device for a value of --gpu; UserError if a requested GPU does not exist or is hidden.

    Args:
        requested: comma-separated GPU indices or UUIDs, as nvidia-smi -L shows them and of which the beginning is
            enough, the UUID of a MIG device, "all", "auto" (the GPU with the most free memory), "none", or None for the
            first available GPU.
        gpus: the machine's GPUs, as `list_gpus` returns them.
        visible_devices: the user's value of CUDA_VISIBLE_DEVICES, or None: indices, UUIDs or a MIG device, which then
            is GPU 0.
    """
    if requested == "none":
        return Device((), True, {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"})
    if visible_devices is not None and visible_devices.strip().startswith("MIG-"):
        is_listed = requested in [token.strip() for token in visible_devices.split(",")]
        gpus, visible_devices = _get_mig_gpus(gpus, requested if is_listed else visible_devices), None
    elif requested is not None and requested.startswith("MIG-") and gpus:
        _check_mig_request(requested, visible_devices)
        gpus = _get_mig_gpus(gpus, requested)
    visible_gpus = gpus if visible_devices is None else _filter_visible_gpus(gpus, visible_devices)
    if requested is None:
        if not visible_gpus:
            return Device((), False, MEMORY_GROWTH_ENV)
        return Device((visible_gpus[0],), False, _build_environment(visible_gpus[:1]))
    names = requested.split(",")
    if requested not in GPU_KEYWORDS and not all(map(GPU_NAME.fullmatch, names)):
        raise UserError(f"gpu={requested!r} is not a GPU; give an index, a UUID such as GPU-8932f937-d72c "
                        "(nvidia-smi -L lists them), several such as 0,1, or all, auto or none")
    if not gpus:
        missing = "no GPU" if requested in GPU_KEYWORDS else f"no GPU {names[0]}"
        raise UserError(f"there is {missing}: nvidia-smi lists no GPU on this machine; use gpu='none'")
    if requested in GPU_KEYWORDS:
        if not visible_gpus:
            raise UserError(f"CUDA_VISIBLE_DEVICES={visible_devices} hides all GPUs; unset it, or use gpu='none'")
        selected = (visible_gpus if requested == "all"
                    else [max(visible_gpus, key=lambda gpu: (gpu.free_memory, -gpu.index))])
        return Device(tuple(selected), True, _build_environment(selected))
    selected = [_find_gpu(name, gpus, visible_gpus, visible_devices) for name in names]
    for gpu in selected:
        if selected.count(gpu) > 1:
            raise UserError(f"gpu={requested!r} lists GPU {gpu.index} more than once; list each GPU once")
    return Device(tuple(selected), True, _build_environment(selected))


def _find_gpu(name, gpus, visible_gpus, visible_devices):
    """Return the Gpu of a GPU_NAME; UserError if it does not exist or is hidden, or if the name is not unique."""
    if name.isdigit():
        matches, labels = [gpu for gpu in gpus if gpu.index == int(name)], {gpu: gpu.name for gpu in gpus}
    else:
        matches = [gpu for gpu in gpus if gpu.uuid.lower().startswith(name.lower())]
        labels = {gpu: f"{gpu.name}, {gpu.uuid}" for gpu in gpus}
    if not matches:
        raise UserError(f"there is no GPU {int(name) if name.isdigit() else name}; available: "
                        f"{'; '.join(f'{gpu.index} ({label})' for gpu, label in labels.items())}")
    if len(matches) > 1:
        raise UserError(f"gpu={name!r} is the beginning of several UUIDs; give more of one: "
                        f"{'; '.join(f'{gpu.index} ({labels[gpu]})' for gpu in matches)}")
    if matches[0] not in visible_gpus:
        raise UserError(f"CUDA_VISIBLE_DEVICES={visible_devices} hides GPU {matches[0].index}; unset it, or select a "
                        "GPU that it lists")
    return matches[0]


def _check_mig_request(requested, visible_devices):
    """Raise UserError unless the requested MIG device is a single one, and CUDA_VISIBLE_DEVICES is not set."""
    if "," in requested or not GPU_NAME.fullmatch(requested):
        raise UserError(f"gpu={requested!r} is not one MIG device; a process can use only one: give its UUID, which "
                        "nvidia-smi -L lists")
    if visible_devices is not None:
        raise UserError(f"CUDA_VISIBLE_DEVICES={visible_devices} hides {requested}; unset it, or select a GPU that it "
                        "lists")


def get_cuda_visible_devices():
    """Return the user's value of CUDA_VISIBLE_DEVICES, or None if the user has not set it."""
    return _get_user_value("CUDA_VISIBLE_DEVICES")


DETERMINISTIC_ENV = {"TF_DETERMINISTIC_OPS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
XLA_DETERMINISTIC_FLAG = "--xla_gpu_deterministic_ops=true"
# Read when the backend is loaded; PyTorch's deterministic operations can be switched at any time
DETERMINISTIC_SETTINGS = {"tensorflow": "TF_DETERMINISTIC_OPS=1", "jax": f"XLA_FLAGS={XLA_DETERMINISTIC_FLAG}"}

_replaced_values = {}  # {variable: (value that set_device_environment has given it, the user's value or None)}


def set_device_environment(device, deterministic=False):
    """Set the environment so that the backend, once loaded, sees this device only.

    Variables that were set for another device get the user's values back.

    deterministic: also select deterministic kernels, which give bitwise reproducible results.
    """
    environment = dict(device.environment)
    if deterministic:
        xla_flags = f"{_get_user_value('XLA_FLAGS') or ''} {XLA_DETERMINISTIC_FLAG}".strip()
        environment.update(DETERMINISTIC_ENV, XLA_FLAGS=xla_flags)
    for name in {*_replaced_values, *environment}:
        user_value = _get_user_value(name)
        value = environment.get(name, user_value)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
        _replaced_values[name] = value, user_value


def _get_user_value(name):
    """Return the value that the user has given an environment variable, None without one."""
    value = os.environ.get(name)
    set_value, user_value = _replaced_values.get(name, (None, None))
    return user_value if value == set_value else value


def is_device_environment_set(device):
    """Return whether `set_device_environment` has been applied for this device."""
    return all(os.environ.get(name) == value for name, value in device.environment.items())


def is_deterministic(backend):
    """Return whether the environment selects the deterministic GPU operations of TensorFlow or JAX."""
    name, _, value = DETERMINISTIC_SETTINGS[backend].partition("=")
    return value in os.environ.get(name, "")


_stderr_lock = threading.RLock()  # stderr belongs to the whole process: its threads redirect it one at a time


@contextlib.contextmanager
def suppress_stderr():
    """Suppress what a backend's C++ code writes to stderr while it loads; print it if loading fails.

    TensorFlow reports oneDNN and missing CUDA libraries before any setting of its own can silence it.
    """
    with _stderr_lock, tempfile.TemporaryFile() as captured:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except UserError:  # explains itself
            raise
        except Exception:
            captured.seek(0)
            os.write(terminal, captured.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def describe_cpu():
    """Return the CPU as the header shows it: with other cores, sums are added in another order."""
    cores = count_cores()
    return f"CPU, {cores} core{'s' * (cores > 1)}"


def describe_device(device, backend_device, backend):
    """Return the device as the header shows it; UserError if the user requested a GPU that the backend cannot use.

    backend_device: the backend's name for the device on which it placed a tensor.
    """
    on_gpu = any(word in backend_device.lower() for word in ("gpu", "cuda"))
    if not device.gpus:
        return f"GPU as {backend} sees it ({backend_device})" if on_gpu else describe_cpu()
    if on_gpu:
        return "; ".join(map(str, device.gpus))
    gpu = device.gpus[0]
    unlisted = "nvidia-smi -L does not list it, or " if gpu.uuid.startswith("MIG-") else ""
    problem = (f"{backend} cannot use GPU {gpu.index} ({gpu.name}): {unlisted}its CUDA libraries are missing; "
               f"{INSTALL_HINTS[backend]}")
    if device.is_explicit:
        raise UserError(f"{problem}, or use gpu='none'")
    return f"{describe_cpu()} ({problem})"


INSTALL_HINTS = {"tensorflow": "pip install 'cnn-zoo[cuda]'", "jax": "pip install 'jax[cuda13]'",
                 "torch": "install PyTorch for CUDA"}


def _build_environment(gpus):
    """Return the environment that makes these GPUs visible, numbered in PCI order."""
    identifiers = [gpu.uuid if gpu.uuid.startswith("MIG-") else str(gpu.index) for gpu in gpus]
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(identifiers), **MEMORY_GROWTH_ENV}


def _get_mig_gpus(gpus, visible_devices):
    """Return the MIG (Multi-Instance GPU) slice that CUDA_VISIBLE_DEVICES lists first, as GPU 0.

    A process sees no other slice. Its name is MIG-UUID or, with older drivers, MIG-GPU-UUID/..., which also identifies
    the full GPU. nvidia-smi's list of GPUs does not report the free memory of a slice.
    """
    token = visible_devices.split(",")[0].strip()
    full_gpus = [gpu for gpu in gpus if token.startswith(f"MIG-{gpu.uuid}/")] or (gpus if len(gpus) == 1 else [])
    return [Gpu(0, token, f"{token[:12]}{f' of {full_gpus[0].name}' if full_gpus else ''}", 0, 0)]


def _filter_visible_gpus(gpus, visible_devices):
    """Return the GPUs that CUDA_VISIBLE_DEVICES lists by index or UUID prefix, in its order, up to an unknown one."""
    visible_gpus = []
    for token in (part.strip() for part in visible_devices.split(",")):
        matches = [gpu for gpu in gpus
                   if token == str(gpu.index) or (token.startswith("GPU-") and gpu.uuid.startswith(token))]
        if not matches:
            break
        visible_gpus += matches[:1]
    return visible_gpus


def _parse_mebibytes(text):
    return int(text) if text.isdigit() else 0
