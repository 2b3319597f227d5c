"""Which devices a command uses, decided before a backend loads: that is the only time when it can be.

Standard library only. GPUs are counted as `nvidia-smi` lists them: physical ones, in PCI order.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import UserError

NVIDIA_SMI_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total,memory.free",
                    "--format=csv,noheader,nounits")

GPU_KEYWORDS = ("all", "auto")  # beside numbers, of --gpu

MEMORY_GROWTH_ENV = {"TF_FORCE_GPU_ALLOW_GROWTH": "true",
                     "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # memory as it is needed


@dataclass(frozen=True)
class Gpu:
    index: int  # in PCI order
    uuid: str
    name: str
    total_memory: int  # MiB
    free_memory: int  # MiB

    def __str__(self):
        memory = f", {self.free_memory / 1024:.0f} of {self.total_memory / 1024:.0f} GiB free" if self.total_memory else ""
        return f"GPU {self.index}, {self.name}{memory}"


@dataclass(frozen=True)
class Device:
    """What was chosen: `gpus` is empty for the CPU; `environment` is what to set before the backend loads."""

    gpus: tuple  # of Gpu, in the order in which the backend will number them
    is_explicit: bool  # the person named them, so nothing else will do
    environment: dict = field(default_factory=dict)


def list_gpus():
    """Return the machine's GPUs as nvidia-smi lists them; none where there is no driver."""
    if not shutil.which("nvidia-smi"):
        return []
    try:
        answer = subprocess.run(NVIDIA_SMI_QUERY, capture_output=True, text=True, errors="replace", timeout=20,
                                check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines() if line.count(",") == 4]
    return [Gpu(int(index), uuid, name, _parse_mebibytes(total), _parse_mebibytes(free))
            for index, uuid, name, total, free in rows if index.isdigit()]


def check_nvidia_driver():
    """Return (version of NVIDIA's driver, what is wrong with it): each "" where there is none."""
    if not shutil.which("nvidia-smi"):
        there = Path("/proc/driver/nvidia/version").exists()
        lacking = "NVIDIA's driver is loaded, but nvidia-smi is not on the PATH: install it with the driver"
        return "", lacking if there else ""
    try:
        run = subprocess.run(("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"), capture_output=True,
                             text=True, errors="replace", timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return "", f"nvidia-smi cannot be run: {error}"
    first = ((run.stdout or run.stderr).strip().splitlines() or ["nothing"])[0]
    return (first, "") if run.returncode == 0 else ("", f"nvidia-smi fails, and says: {first}")


CUDA_LIBRARIES = ("cudart", "cublas", "cublasLt", "cudnn", "cufft", "cusolver", "cusparse", "nvJitLink")


def find_missing_cuda_libraries():
    """Return the names of CUDA's libraries that are neither in a package of pip's nor where the system looks."""
    folders = [folder for path in sys.path for folder in Path(path or ".").glob("nvidia/*/lib")]
    folders += [Path(path) for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
    folders += Path("/usr/local").glob("cuda*/lib64")
    names = {path.name for folder in folders for path in folder.glob("lib*.so*")}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        cache = subprocess.run(("/sbin/ldconfig", "-p"), capture_output=True, text=True, timeout=20).stdout
        names |= {line.split()[0] for line in cache.splitlines() if line.strip()}
    return [f"lib{name}.so" for name in CUDA_LIBRARIES if not any(each.startswith(f"lib{name}.so") for each in names)]


def select_gpus(requested, gpus, visible_devices=None):
    """Return the Device for `--gpu ASKED`: numbers with commas between, "all", "auto" (the one with the most free
    memory), "none", or None for the first GPU that is there.

    `visible` is CUDA_VISIBLE_DEVICES as it was when the command began, or None: numbers, UUIDs or a MIG device, which
    then is GPU 0. UserError when a GPU asked for is not there, or is hidden.
    """
    if requested == "none":
        return Device((), True, {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"})
    if visible_devices is not None and visible_devices.strip().startswith("MIG-"):
        gpus, visible_devices = _get_mig_gpus(gpus, visible_devices), None
    shown = gpus if visible_devices is None else _filter_visible_gpus(gpus, visible_devices)
    if requested is None:
        return Device((shown[0],), False,
                      _build_environment(shown[:1])) if shown else Device((), False, MEMORY_GROWTH_ENV)
    numbers = requested.split(",")
    if requested not in GPU_KEYWORDS and not all(number.isdecimal() and number.isascii() for number in numbers):
        raise UserError("--gpu takes the number of a GPU, several with commas between, such as 0,1, or all, auto, "
                        f"none; given {requested!r}")
    if not gpus:
        named = "no GPU" if requested in GPU_KEYWORDS else f"no GPU {numbers[0]}"
        raise UserError(f"there is {named}: this machine has none that nvidia-smi lists; use --gpu none")
    if requested in GPU_KEYWORDS:
        if not shown:
            raise UserError(f"CUDA_VISIBLE_DEVICES={visible_devices} hides every GPU; unset it, or use --gpu none")
        found = shown if requested == "all" else [max(shown, key=lambda gpu: (gpu.free_memory, -gpu.index))]
        return Device(tuple(found), True, _build_environment(found))
    found = [_get_gpu_by_index(number, gpus, shown, visible_devices) for number in numbers]
    for gpu in found:
        if found.count(gpu) > 1:
            raise UserError(f"--gpu {requested} names GPU {gpu.index} more than once; name each once")
    return Device(tuple(found), True, _build_environment(found))


def _get_gpu_by_index(index, gpus, visible_gpus, visible_devices):
    """Return the Gpu of a number; UserError when it is not there, or hidden."""
    found = [gpu for gpu in gpus if gpu.index == int(index)]
    if not found:
        raise UserError(f"there is no GPU {int(index)}; there are: "
                        f"{'; '.join(f'{gpu.index} ({gpu.name})' for gpu in gpus)}")
    if found[0] not in visible_gpus:
        raise UserError(f"CUDA_VISIBLE_DEVICES={visible_devices} hides GPU {found[0].index}; unset it, or ask for one that "
                        "it shows")
    return found[0]


def get_cuda_visible_devices():
    """Return CUDA_VISIBLE_DEVICES, or None where it is not set."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


DETERMINISTIC_ENV = {"TF_DETERMINISTIC_OPS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
XLA_DETERMINISTIC_FLAG = "--xla_gpu_deterministic_ops=true"


def set_device_environment(device, deterministic=False):
    """Set the environment so that the backend, once loaded, sees just this device.

    deterministic: and so that it uses only what gives the same bits each time.
    """
    os.environ.update(device.environment)
    if deterministic:
        os.environ.update(DETERMINISTIC_ENV,
                          XLA_FLAGS=f"{os.environ.get('XLA_FLAGS', '')} {XLA_DETERMINISTIC_FLAG}".strip())


def is_device_environment_set(device):
    """Return whether the environment is what `set_device_environment` makes of it for this device."""
    return all(os.environ.get(name) == value for name, value in device.environment.items())


@contextlib.contextmanager
def suppress_stderr():
    """Keep from the terminal what a backend's C++ writes to stderr while it loads; shown after all if that fails.

    TensorFlow reports its oneDNN and a missing CUDA before any setting of its own can silence it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def describe_device(device, backend_device, backend):
    """Return the header's words for the device; `used` is the one the backend put a tensor on, in its own words.

    UserError when the person asked for a GPU and the backend cannot use it.
    """
    on_gpu = any(word in backend_device.lower() for word in ("gpu", "cuda"))
    if not device.gpus:
        return f"GPU as {backend} sees it ({backend_device})" if on_gpu else f"CPU, {os.cpu_count()} cores"
    if on_gpu:
        return "; ".join(map(str, device.gpus))
    first = device.gpus[0]
    missing = (f"{backend} cannot use GPU {first.index} ({first.name}): its CUDA libraries are missing; "
               f"{INSTALL_HINTS[backend]}")
    if device.is_explicit:
        raise UserError(f"{missing}, or use --gpu none")
    return f"CPU, {os.cpu_count()} cores ({missing})"


INSTALL_HINTS = {"tensorflow": "pip install 'cnn-zoo[cuda]'", "jax": "pip install 'jax[cuda13]'",
                 "torch": "install PyTorch for CUDA"}


def _build_environment(gpus):
    """The environment that shows these GPUs, numbered in PCI order."""
    names = [gpu.uuid if gpu.uuid.startswith("MIG-") else str(gpu.index) for gpu in gpus]
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(names), **MEMORY_GROWTH_ENV}


def _get_mig_gpus(gpus, visible_devices):
    """The slice of a GPU (Multi-Instance GPU) that CUDA_VISIBLE_DEVICES names first, as GPU 0: a process sees no other.

    MIG-UUID, or in older drivers MIG-GPU-UUID/..., which names the whole GPU too. How much of its memory is free,
    nvidia-smi's table of GPUs does not say.
    """
    token = visible_devices.split(",")[0].strip()
    whole = [gpu for gpu in gpus if token.startswith(f"MIG-{gpu.uuid}/")] or (gpus if len(gpus) == 1 else [])
    return [Gpu(0, token, f"{token[:12]}{f' of {whole[0].name}' if whole else ''}", 0, 0)]


def _filter_visible_gpus(gpus, visible_devices):
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order: numbers or starts of UUIDs, up to the first unknown."""
    shown = []
    for token in (part.strip() for part in visible_devices.split(",")):
        match = [gpu for gpu in gpus
                 if token == str(gpu.index) or (token.startswith("GPU-") and gpu.uuid.startswith(token))]
        if not match:
            break
        shown += match[:1]
    return shown


def _parse_mebibytes(text):
    return int(text) if text.isdigit() else 0
