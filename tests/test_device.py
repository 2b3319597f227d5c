"""Which device: a stand-in for nvidia-smi, and the environment of a process that a backend would load in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message

import zoo
from zoo import devices
from zoo.devices import Device, Gpu, select_gpus, describe_device, list_gpus
from zoo.errors import UserError
from zoo.runs import session_device

ROOT = Path(__file__).resolve().parents[1]
QUERY = "--query-gpu=index,uuid,name,memory.total,memory.free --format=csv,noheader,nounits"
FOUR = """\
0, GPU-0a1b2c3d-0000-0000-0000-000000000000, NVIDIA H200, 143771, 143000
1, GPU-1a1b2c3d-1111-1111-1111-111111111111, NVIDIA H200, 143771, 1024
2, GPU-2a1b2c3d-2222-2222-2222-222222222222, NVIDIA A100-SXM4-40GB, 40960, 40000
3, GPU-2fffffff-3333-3333-3333-333333333333, NVIDIA A100-SXM4-40GB, 40960, 20480
"""
ONE = "0, GPU-5a1b2c3d-5555-5555-5555-555555555555, NVIDIA GB10, [N/A], [N/A]\n"
TABLES = {"none": "No devices were found\n", "one": ONE, "four": FOUR}


@pytest.fixture
def make_machine(tmp_path):
    """Return a function that puts a stand-in for nvidia-smi on an otherwise empty PATH and returns that PATH."""
    def put(table, status=0):
        lines = "".join(f"echo '{line}'\n" for line in table.splitlines())
        script = tmp_path / "nvidia-smi"
        script.write_text(f"#!/bin/sh\n[ \"$*\" = \"{QUERY}\" ] || exit 9\n{lines}exit {status}\n")
        script.chmod(0o755)
        return str(tmp_path)

    return put


@pytest.fixture
def four_gpus(make_machine, monkeypatch):
    monkeypatch.setenv("PATH", make_machine(FOUR))
    return list_gpus()


# ------------------------------------------------------------------------------------------------------ nvidia-smi

def test_list_gpus(four_gpus):
    assert four_gpus == [
        Gpu(0, "GPU-0a1b2c3d-0000-0000-0000-000000000000", "NVIDIA H200", 143_771, 143_000),
        Gpu(1, "GPU-1a1b2c3d-1111-1111-1111-111111111111", "NVIDIA H200", 143_771, 1_024),
        Gpu(2, "GPU-2a1b2c3d-2222-2222-2222-222222222222", "NVIDIA A100-SXM4-40GB", 40_960, 40_000),
        Gpu(3, "GPU-2fffffff-3333-3333-3333-333333333333", "NVIDIA A100-SXM4-40GB", 40_960, 20_480)]
    check_message(four_gpus[3], 3, "NVIDIA A100-SXM4-40GB", 20, 40, "GiB")


def test_a_gpu_that_does_not_report_its_memory(make_machine, monkeypatch):
    monkeypatch.setenv("PATH", make_machine(ONE))
    assert list_gpus() == [Gpu(0, "GPU-5a1b2c3d-5555-5555-5555-555555555555", "NVIDIA GB10", 0, 0)]


@pytest.mark.parametrize("table, status", [
    ("No devices were found", 0), ("", 0), (FOUR, 9),
    ("NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.", 9)])
def test_no_gpu_where_nvidia_smi_lists_none_or_fails(make_machine, monkeypatch, table, status):
    monkeypatch.setenv("PATH", make_machine(table, status))
    assert list_gpus() == []


def test_no_gpu_without_nvidia_smi(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list_gpus() == []


# --------------------------------------------------------------------------------- the environment of the process

CHILD = """
import json, os, sys
import zoo
from zoo import devices
before = dict(os.environ)
chosen = devices.select_gpus(json.loads(sys.argv[1]), devices.list_gpus(), devices.get_cuda_visible_devices())
devices.set_device_environment(chosen)
print(json.dumps({"gpus": [gpu.index for gpu in chosen.gpus],
                  "set": {name: value for name, value in os.environ.items() if before.get(name) != value},
                  "heavy": [name for name in ("keras", "tensorflow", "jax", "torch", "numpy") if name in sys.modules]}))
"""


def select_in_process(path, requested, **environment):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("CUDA_", "TF_", "XLA_", "JAX_"))}
    run = subprocess.run([sys.executable, "-c", CHILD, json.dumps(requested)], capture_output=True, text=True, cwd=ROOT,
                         env={**kept, "PATH": path, **environment})
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def expect_gpus(*indices):
    return {"gpus": [*indices], "heavy": [], "set": {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, indices)),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}}


def expect_mig():
    """A process sees one slice of a GPU, which is GPU 0 then."""
    expected = expect_gpus(0)
    del expected["set"]["CUDA_VISIBLE_DEVICES"]  # it is the UUID already
    return expected


CPU = {"gpus": [], "heavy": [], "set": {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}}
LEFT_ALONE = {"gpus": [], "heavy": [], "set": {"TF_FORCE_GPU_ALLOW_GROWTH": "true",
                                               "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}}


@pytest.mark.parametrize("machine_has, requested, visible, expected", [
    ("four", "3", None, expect_gpus(3)),
    ("four", "0", None, expect_gpus(0)),
    ("four", None, None, expect_gpus(0)),
    ("four", "none", None, CPU),
    ("four", None, "", LEFT_ALONE),
    ("four", None, "-1", LEFT_ALONE),
    ("four", None, "2,3", expect_gpus(2)),
    ("four", "3", "2,3", expect_gpus(3)),
    ("four", None, "GPU-2fffffff", expect_gpus(3)),
    ("four", "3", "GPU-2fffffff-3333-3333-3333-333333333333", expect_gpus(3)),
    ("one", "0", "MIG-c6d4f1ef-1111-2222-3333-444455556666", expect_mig()),
    ("four", None, "MIG-GPU-2fffffff-3333-3333-3333-333333333333/1/0", expect_mig()),
    ("none", "auto", "MIG-c6d4f1ef", expect_mig()),
    ("four", "GPU-1a1b2c3d-1111-1111-1111-111111111111", None, expect_gpus(1)),
    ("four", "GPU-2f", None, expect_gpus(3)),
    ("four", "gpu-2F", "2,3", expect_gpus(3)),
    ("four", "GPU-2f,GPU-0a,1", None, expect_gpus(3, 0, 1)),
    ("one", "GPU-5", None, expect_gpus(0)),
    ("four", "0,1", None, expect_gpus(0, 1)),
    ("four", "3,1", None, expect_gpus(3, 1)),
    ("four", "all", None, expect_gpus(0, 1, 2, 3)),
    ("four", "auto", None, expect_gpus(0)),
    ("four", "all", "GPU-2fffffff,GPU-1a", expect_gpus(3, 1)),
    ("four", "auto", "1,3", expect_gpus(3)),  # 20 GiB free against 1
    ("four", "3,2", "2,3", expect_gpus(3, 2)),
    ("one", "auto", None, expect_gpus(0)),  # which does not tell its memory
    ("one", "all", None, expect_gpus(0)),
    ("one", "0", None, expect_gpus(0)),
    ("one", None, None, expect_gpus(0)),
    ("one", "none", None, CPU),
    ("none", None, None, LEFT_ALONE),
    ("none", "none", None, CPU),
])
def test_what_the_backend_would_see(make_machine, machine_has, requested, visible, expected):
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert select_in_process(make_machine(TABLES[machine_has]), requested, **environment) == expected


def test_a_mig_device(four_gpus):
    """A queue names it in CUDA_VISIBLE_DEVICES, where it stays."""
    whole = "MIG-GPU-2fffffff-3333-3333-3333-333333333333/1/0"
    chosen = select_gpus("0", four_gpus, f"{whole},MIG-other")
    assert chosen.environment["CUDA_VISIBLE_DEVICES"] == whole
    assert "A100" in str(chosen.gpus[0]) and "GiB" not in str(chosen.gpus[0])
    with pytest.raises(UserError) as error:
        select_gpus("1", four_gpus, whole)
    check_message(error.value, "GPU 1", 0)


@pytest.mark.parametrize("uuid", ["MIG-c6d4f1ef-1111-2222-3333-444455556666",
                                  "MIG-GPU-2fffffff-3333-3333-3333-333333333333/1/0"])
def test_a_requested_mig_device(four_gpus, uuid):
    """Also where the queue lists it, and after zoo itself has set the variable."""
    for visible in (None, uuid, f"MIG-other,{uuid}"):
        chosen = select_gpus(uuid, four_gpus, visible)
        assert chosen.environment["CUDA_VISIBLE_DEVICES"] == uuid and chosen.is_explicit
    for requested, visible, parts in ((uuid, "0", ["CUDA_VISIBLE_DEVICES=0", uuid]), (f"{uuid},0", None, [f"{uuid},0"]),
                                  (uuid, "MIG-other", [uuid, "MIG-other"]),
                                  ("MIG-", None, ["'MIG-'", "nvidia-smi -L"])):
        with pytest.raises(UserError) as error:
            select_gpus(requested, four_gpus, visible)
        check_message(error.value, *parts)
    with pytest.raises(UserError) as error:
        describe_device(select_gpus(uuid, four_gpus), "TFRT_CPU_0", "jax")
    check_message(error.value, "jax", "nvidia-smi -L", "--gpu none")


@pytest.mark.parametrize("gpu, expected", [("GPU-2f", "3"), (["GPU-2f", 0], "3,0"), ("MIG-c6d4f1ef", "MIG-c6d4f1ef")])
def test_a_uuid_in_python(gpu, expected, make_machine):
    code = f"import os, zoo\nzoo.set_device({gpu!r})\nprint(os.environ['CUDA_VISIBLE_DEVICES'])"
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                             env={**environment, "PATH": make_machine(FOUR)})
    assert (process.stdout, process.stderr) == (f"{expected}\n", "")


LOUD = """
import os, sys
from zoo.devices import suppress_stderr
os.write(2, b"before ")
try:
    with suppress_stderr():
        os.write(2, b"from C ")
        print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
        if sys.argv[1] == "fails":
            raise ImportError
except ImportError:
    os.write(2, b"caught ")
os.write(2, b"after")
"""


@pytest.mark.parametrize("ends, level, stderr", [
    ("well", "", "before after"), ("fails", "", "before from C caught after"), ("well", "0", "before after")])
def test_stderr_of_a_backend_is_shown_only_if_loading_fails(ends, level, stderr):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    if level:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    run = subprocess.run([sys.executable, "-c", LOUD, ends], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert run.stderr == stderr
    assert run.stdout == f"{level or 3}\n"  # what the person has set stays


OVERLAPPING = """
import os, threading
from zoo.devices import suppress_stderr
first_inside, second_inside, first_outside = (threading.Event() for _ in range(3))

def first():
    with suppress_stderr():
        first_inside.set()
        second_inside.wait(0.3)
    first_outside.set()

def second():
    first_inside.wait()
    with suppress_stderr():
        second_inside.set()
        first_outside.wait()

threads = [threading.Thread(target=function) for function in (first, second)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.write(2, b"after")
"""


def test_two_threads_leave_stderr_as_it_was():
    run = subprocess.run([sys.executable, "-c", OVERLAPPING], capture_output=True, text=True, cwd=ROOT)
    assert (run.stdout, run.stderr) == ("", "after")


# -------------------------------------------------------------------------------------------- CUDA_VISIBLE_DEVICES

SHOWN = [  # CUDA_VISIBLE_DEVICES, the GPUs it leaves, the first of them first
    (None, [0, 1, 2, 3]),
    ("0,1,2,3", [0, 1, 2, 3]),
    ("", []),
    ("-1", []),
    ("2,3", [2, 3]),
    (" 3 , 1 ", [3, 1]),
    ("1,-1,2", [1]),  # CUDA stops at the first that it does not know
    ("7", []),
    ("GPU-2fffffff-3333-3333-3333-333333333333", [3]),
    ("GPU-1a,GPU-0a", [1, 0]),
    ("GPU-ffffffff", []),
]


@pytest.mark.parametrize("visible, shown", SHOWN)
def test_the_gpus_that_cuda_visible_devices_leaves(four_gpus, visible, shown):
    first = select_gpus(None, four_gpus, visible)
    assert [gpu.index for gpu in first.gpus] == shown[:1]
    assert first.is_explicit is False
    for index in range(4):
        if index in shown:
            assert select_gpus(str(index), four_gpus, visible).gpus == (four_gpus[index],)
        else:
            with pytest.raises(UserError) as caught:
                select_gpus(str(index), four_gpus, visible)
            check_message(caught.value, f"CUDA_VISIBLE_DEVICES={visible}", f"GPU {index}")


@pytest.mark.parametrize("requested, visible, parts", [
    ("1,0", "1", ["GPU 0"]), ("all", "-1", ["--gpu none"]), ("auto", "", ["--gpu none"])])
def test_what_cuda_visible_devices_hides(four_gpus, requested, visible, parts):
    with pytest.raises(UserError) as caught:
        select_gpus(requested, four_gpus, visible)
    check_message(caught.value, f"CUDA_VISIBLE_DEVICES={visible}", *parts)


@pytest.mark.parametrize("requested, gpus, parts", [
    ("4", None, ["GPU 4", 0, 1, "NVIDIA H200", 2, 3, "NVIDIA A100-SXM4-40GB"]),
    ("3", [], ["GPU 3", "nvidia-smi", "--gpu none"]),
    *((requested, None, ["--gpu", "all", "auto", "none", repr(requested)])
      for requested in ("-1", "cpu", "²", "", "0,", "0,,1", ",", "0-3", "0,all", "ALL", "0 1", 5000 * "9")),
    ("0,4", None, ["GPU 4", 0, 1, "NVIDIA H200", 2, 3, "NVIDIA A100-SXM4-40GB"]),
    ("1,0,1", None, ["--gpu 1,0,1", "GPU 1"]),
    ("1,01", None, ["--gpu 1,01", "GPU 1"]),
    ("GPU-2", None, ["several", 2, "GPU-2a1b2c3d-2222-2222-2222-222222222222", 3,
                     "GPU-2fffffff-3333-3333-3333-333333333333"]),
    ("GPU-9", None, ["GPU-9", 0, "GPU-0a1b2c3d-0000-0000-0000-000000000000", 3]),
    ("GPU-2f,3", None, ["--gpu GPU-2f,3", "GPU 3"]),
    ("GPU-2f", [], ["GPU-2f", "nvidia-smi", "--gpu none"]),
    ("MIG-c6d4f1ef", [], ["MIG-c6d4f1ef", "nvidia-smi", "--gpu none"]),
    *((name, None, ["--gpu", "UUID", repr(name)]) for name in ("GPU-", "GPU-xyz", "2fffffff-3333", "GPU 2")),
    ("0,1", [], ["GPU 0", "nvidia-smi", "--gpu none"]),
    ("auto", [], ["nvidia-smi", "--gpu none"]),
    ("all", [], ["nvidia-smi", "--gpu none"]),
])
def test_refusals(four_gpus, requested, gpus, parts):
    with pytest.raises(UserError) as caught:
        select_gpus(requested, four_gpus if gpus is None else gpus)
    check_message(caught.value, *parts)


# ------------------------------------------------------------------------------------------------------ the header

H200 = Gpu(3, "GPU-0", "NVIDIA H200", 143_360, 71_680)
A100 = Gpu(1, "GPU-1", "NVIDIA A100", 40_960, 20_480)
CORES = ("CPU", len(os.sched_getaffinity(0)))
ON_GPU = {"tensorflow": "/job:localhost/replica:0/task:0/device:GPU:0", "jax": "cuda:0", "torch": "cuda:0"}
ON_CPU = {"tensorflow": "/job:localhost/replica:0/task:0/device:CPU:0", "jax": "TFRT_CPU_0", "torch": "cpu"}
REMEDY = {"tensorflow": ("pip install 'cnn-zoo[cuda]'",), "jax": ("pip install 'jax[cuda13]'",),
          "torch": ("PyTorch", "CUDA")}


@pytest.mark.parametrize("backend", ON_GPU)
def test_describe(backend):
    here, there = ON_GPU[backend], ON_CPU[backend]
    for requested in (True, False):
        check_message(describe_device(Device((H200,), requested), here, backend), "GPU 3", "NVIDIA H200", 70, 140)
        cpu = describe_device(Device((), requested), there, backend)
        check_message(cpu, *CORES)
        assert "GPU" not in cpu
    check_message(describe_device(Device((H200, A100), True), here, backend),
                  "GPU 3", "NVIDIA H200", 70, 140, "GPU 1", "NVIDIA A100", 20, 40)
    check_message(describe_device(Device((), False), here, backend), "GPU", backend, here)

    missing = (backend, "GPU 3", "NVIDIA H200", "CUDA", *REMEDY[backend])
    check_message(describe_device(Device((H200,), False), there, backend), *CORES, *missing)
    with pytest.raises(UserError) as caught:
        describe_device(Device((H200, A100), True), there, backend)
    check_message(caught.value, *missing, "--gpu none")


def test_get_cuda_visible_devices(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.get_cuda_visible_devices() is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.get_cuda_visible_devices() == ""


# -------------------------------------------------------------------------------------- selecting again in one process

@pytest.mark.parametrize("selections, visible, expected", [
    ("gpu=1 gpu='all'", None, "0,1,2,3"),
    ("gpu=1 gpu=2", None, "2"),
    ("gpu='none' gpu='auto'", None, "0"),
    ("gpu=3 gpu='all'", "2,3", "2,3"),
    ("gpu=[1,2] backend='tensorflow'", None, "1,2"),
    ("backend='tensorflow'", None, "None"),
])
def test_another_selection_replaces_the_first(selections, visible, expected, make_machine):
    """Only the user's own CUDA_VISIBLE_DEVICES hides GPUs; without a GPU in the call, the variable is not touched."""
    calls = "".join(f"zoo.set_device({arguments})\n" for arguments in selections.split())
    code = f"import os, zoo\n{calls}print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ.get('JAX_PLATFORMS'))"
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS")}
    environment |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                             env={**environment, "PATH": make_machine(FOUR)})
    assert (process.stdout, process.stderr) == (f"{expected} None\n", "")


@pytest.fixture
def keras_on_gpu_1(four_gpus, monkeypatch):
    """Return the backend of Keras in the state of a process in which it was imported after zoo.set_device(gpu=1)."""
    import keras

    for name in ("CUDA_VISIBLE_DEVICES", "TF_DETERMINISTIC_OPS", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "keras")
    zoo.set_device(gpu=1)
    monkeypatch.setitem(sys.modules, "keras", keras)
    return keras.backend.backend()


def test_a_selection_stays_once_keras_is_loaded(keras_on_gpu_1, four_gpus):
    for gpu in (None, 1):
        assert session_device.prepare_device(gpu, keras_on_gpu_1, False).gpus == (four_gpus[1],)
    for gpu in ("all", "auto", 2):  # "auto" is GPU 0, with the most free memory
        with pytest.raises(UserError) as caught:
            zoo.set_device(gpu=gpu)
        check_message(caught.value, f"gpu={gpu!r}", "zoo.set_device(gpu)")


def test_determinism_is_not_changed_once_keras_is_loaded(keras_on_gpu_1, monkeypatch, tmp_path):
    settings = {"tensorflow": "TF_DETERMINISTIC_OPS=1", "jax": "XLA_FLAGS=--xla_gpu_deterministic_ops=true"}
    if keras_on_gpu_1 not in settings:
        pytest.skip("PyTorch's determinism can be switched at any time")
    name, _, value = settings[keras_on_gpu_1].partition("=")
    for deterministic, part in ((True, settings[keras_on_gpu_1]), (False, "deterministic=True")):
        with pytest.raises(UserError) as caught:
            zoo.fit("lenet5", "digits", limit=10, gpu=1, deterministic=deterministic,
                    output_dir=tmp_path / "runs")
        check_message(caught.value, part)
        monkeypatch.setenv(name, value)
    assert not (tmp_path / "runs").exists()
