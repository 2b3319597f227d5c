"""Running out of memory: status 5 and advice, wherever it occurs, also if native code crashes."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import check_message

from zoo.analysis.memory import MemoryEstimate
from zoo.errors import OutOfMemory, UserError
from zoo.runs import fitting
from zoo.training import backend, failures
from zoo.training.recipe import Recipe
from zoo.utils import process_memory
from zoo.utils.process_memory import MemoryLimit

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
GIB = 2**30

CRASHES = {
    "abort": "os.abort()",
    "null": "ctypes.string_at(0)",
    "abort in another thread": "libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.abort, None)\n"
                               "while True: pass",
    "std::bad_alloc": "ctypes.CDLL('libstdc++.so.6')._Znwm(ctypes.c_size_t(2**62))",
}


def run_script(script):
    """Run a Python script in a process of its own, which leaves no core file; return (status, stderr)."""
    preamble = ("import ctypes, os, resource, signal\nfrom zoo.utils.crashes import explain_crashes, is_bad_alloc\n"
                "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nlibc = ctypes.CDLL(None)\n")
    process = subprocess.run([sys.executable, "-c", preamble + script], env=ENVIRONMENT, capture_output=True, text=True,
                             timeout=30)
    return process.returncode, process.stderr


def run_crashing_code(code, explanation):
    """Run code that crashes, with `explanation` as its message, while stderr is redirected; return (status, stderr)."""
    script = f"with explain_crashes(lambda name: {explanation}):\n    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)\n"
    return run_script(script + "".join(f"    {line}\n" for line in code.splitlines()))


@pytest.mark.parametrize("kind", CRASHES)
def test_a_crash_is_explained_on_the_real_stderr(kind):
    expected = "SIGSEGV" if kind == "null" else "SIGABRT"
    explanation = "(f'{name} {is_bad_alloc()}', 5)"
    assert run_crashing_code(CRASHES[kind], explanation) == (5, f"{expected} {kind == 'std::bad_alloc'}\n")


def test_a_crash_without_an_explanation_is_a_crash():
    assert run_crashing_code(CRASHES["abort"], "None") == (-signal.SIGABRT, "")
    assert run_crashing_code(CRASHES["null"], "None") == (-signal.SIGSEGV, "")
    assert run_crashing_code("pass", "('never', 5)") == (0, "")


def test_a_crash_that_leaves_python_too_little_memory():
    explanation = "('nothing left', 5) if not name else bytes(2**62)"
    assert run_crashing_code(CRASHES["abort in another thread"], explanation) == (5, "nothing left\n")
    message, status = failures.explain_crash("", Recipe(batch_size=64), Path("runs/a"))
    assert status == 5
    check_message(message, "error: ", "memory", "--batch-size 32", "runs/a")


@pytest.mark.slow  # it has hung at the end of the whole suite: perhaps SIGABRT was blocked, which is undone by now
def test_a_crash_in_a_thread_when_the_heap_is_full():
    """The handler runs on this thread, which Python does not know yet."""
    assert run_script("resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n"
                      "thread, libc.malloc.restype = ctypes.c_ulong(), ctypes.c_void_p\n"
                      "with explain_crashes(lambda name: (name, 5)):\n"
                      "    libc.pthread_create(ctypes.byref(thread), None, libc.pause, None)\n"
                      "    while libc.malloc(2**17): pass\n"
                      "    libc.pthread_kill(thread, 6)\n"
                      "    while True: pass") == (5, "SIGABRT\n")


def test_signals_that_the_parent_process_has_blocked():
    """Programs inherit the signals that are blocked; a crash in another thread would wait for ever."""
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    code = ("    libc.pthread_create(ctypes.byref(thread), None, libc.pause, None)\n"
            "    libc.pthread_kill(thread, 6)\n    while True: pass")
    assert run_script(f"{blocked}thread = ctypes.c_ulong()\nwith explain_crashes(lambda name: (name, 5)):\n{code}") == (
        5, "SIGABRT\n")
    assert run_script(f"{blocked}with explain_crashes(lambda name: (name, 5)):\n    {CRASHES['null']}") == (
        5, "SIGSEGV\n")
    assert run_script(f"{blocked}with explain_crashes(lambda name: (name, 5)):\n    pass\n"
                      "assert signal.SIGABRT in signal.pthread_sigmask(signal.SIG_BLOCK, [])") == (0, "")


def test_an_uncaught_exception_under_a_limit_is_one_line():
    """C++'s own lines on it are left out."""
    assert run_script("resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
                      "library = ctypes.CDLL('libstdc++.so.6')\n"
                      "with explain_crashes(lambda name: (f'{name} {is_bad_alloc()}', 5)):\n"
                      "    library._Znwm(ctypes.c_size_t(2**62))") == (5, "SIGABRT True\n")


def test_a_crash_after_the_block_is_not_explained():
    status, _ = run_script("with explain_crashes(lambda name: ('never', 5)):\n    pass\nos.abort()")
    assert status == -signal.SIGABRT


def test_a_crash_is_out_of_memory_only_where_memory_is_short(monkeypatch):
    monkeypatch.setattr(process_memory, "describe_shortage", lambda: "3 of 4 GiB in use")
    message, status = failures.explain_crash("SIGABRT", Recipe(batch_size=64), Path("runs/a"))
    assert status == 5
    check_message(message, "error: ", "SIGABRT", "3 of 4 GiB", "--batch-size 32", "runs/a")
    message, status = failures.explain_crash("SIGSEGV")
    check_message(message, "SIGSEGV", "ulimit -v", "--width")
    assert status == 5 and "--batch-size" not in message
    monkeypatch.setattr(process_memory, "describe_shortage", lambda: "")
    assert failures.explain_crash("SIGSEGV") is None


@pytest.mark.parametrize("used, expected", [(3 * GIB, "3.0 GiB of the 4.0 GiB"), (GIB, "")])
def test_a_shortage_under_ulimit(used, expected, monkeypatch):
    monkeypatch.setattr(process_memory, "get_address_space_limit", lambda: MemoryLimit("ulimit -v", 4 * GIB, used))
    monkeypatch.setattr(process_memory, "_read_meminfo", lambda name,
                        default: {"MemAvailable": 9, "MemTotal": 10}[name])
    assert process_memory.describe_shortage()[:len(expected) or None] == expected
    monkeypatch.setattr(process_memory, "get_address_space_limit", lambda: None)
    monkeypatch.setattr(process_memory, "_read_meminfo", lambda name,
                        default: {"MemAvailable": 4, "MemTotal": 100}[name] * GIB)
    check_message(process_memory.describe_shortage(), "4.0 GiB")


def test_the_limit_of_ulimit_is_read():
    script = ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n"
              "from zoo.utils import process_memory\nlimit = process_memory.get_address_space_limit()\n"
              "free = process_memory.get_free_memory()\n"
              "print(limit.limit, 2**22 < limit.used < 2**30, free <= limit.limit - limit.used)")
    out = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True).stdout
    assert out == f"{2**32} True True\n"
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert process_memory.get_address_space_limit() is None


@pytest.mark.parametrize("line, folder, names, unlimited", [
    ("0::/job/step", "", ("memory.max", "memory.current", "inactive_file"), "max"),
    ("4:cpu,memory:/job/step", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
     "9223372036854771712"),
])
def test_the_limits_of_control_groups(line, folder, names, unlimited, tmp_path, monkeypatch):
    (tmp_path / "self").write_text(f"9:name=systemd:/\n{line}\n")
    for group, limit, used in (("job/step", unlimited, 5), ("job", 100, 70)):
        directory = tmp_path / folder / group
        directory.mkdir(parents=True, exist_ok=True)
        for name, value in zip(names, (limit, used, None), strict=True):
            if value is not None:
                (directory / name).write_text(f"{value}\n")
        (directory / "memory.stat").write_text(f"anon 3\n{names[2]} 20\n")
    limits = process_memory.list_cgroup_limits(tmp_path, tmp_path / "self")
    assert (100, 50) in [(limit.limit, limit.used) for limit in limits]
    monkeypatch.setattr(process_memory, "list_cgroup_limits", lambda: limits)
    monkeypatch.setattr(process_memory, "get_address_space_limit", lambda: None)
    assert [limit.limit for limit in process_memory.list_memory_limits()] == [100]
    assert process_memory.get_free_memory() == 50


def test_impossible_batches_are_refused_and_doubtful_ones_give_a_warning(monkeypatch):
    estimate = MemoryEstimate(parameters=0, trainable_parameters=0, largest_weight=0, saved_activations=GIB,
                              training_peak=GIB, inference_peak=GIB)
    group = MemoryLimit("of the control group or container", 4 * GIB, 3 * GIB)
    monkeypatch.setattr(process_memory, "list_cgroup_limits", lambda: [group])
    monkeypatch.setattr(process_memory, "get_address_space_limit", lambda: None)
    monkeypatch.setattr(process_memory, "_read_meminfo", lambda name, default: 0)  # no swap
    message = failures.predict_out_of_memory(estimate, Recipe(batch_size=6), 3 * GIB)  # 1.2 GiB per image
    check_message(message, 6, "7.2 GiB", "3.0 GiB", "batch_size=2")
    with pytest.raises(OutOfMemory) as error:
        failures.predict_out_of_memory(estimate, Recipe(batch_size=7), 3 * GIB)
    check_message(error.value, 7, "8.4 GiB", "control group", "4.0 GiB", "batch_size=2")
    assert failures.explain_failure(error.value, Recipe()) == (5, str(error.value))
    monkeypatch.setattr(process_memory, "_read_meminfo", lambda name, default: GIB)  # swap
    assert failures.predict_out_of_memory(estimate, Recipe(batch_size=7), 3 * GIB)
    monkeypatch.setattr(process_memory, "get_address_space_limit", lambda: MemoryLimit("ulimit -v", 8 * GIB, 4 * GIB))
    assert failures.predict_out_of_memory(estimate, Recipe(batch_size=6), 3 * GIB)
    with pytest.raises(OutOfMemory) as error:
        failures.predict_out_of_memory(estimate, Recipe(batch_size=7), 3 * GIB)
    check_message(error.value, 7, "8.4 GiB", "ulimit -v", "8.0 GiB", "batch_size=2")


@pytest.mark.parametrize("error", [
    RuntimeError("Status: 1, message: could not create a primitive, in file mkl_conv.cc:685"),
    ImportError("libx.so: failed to map segment from shared object"), RuntimeError("can't start new thread"),
    OSError(errno.ENOMEM, "Cannot allocate memory"), OSError(errno.ENOMEM, "no words that say it"),
])
def test_errors_that_mean_out_of_memory(error):
    assert failures.explain_failure(error, Recipe(batch_size=8))[0] == 5
    try:
        try:
            raise error
        except Exception:
            raise AttributeError("partially initialized module")  # noqa: B904  as imports raise it
    except AttributeError as outer:
        assert failures.is_out_of_memory(outer)
    assert not failures.is_out_of_memory(AttributeError("partially initialized module"))


def test_a_failed_import_is_out_of_memory_only_where_memory_is_short(monkeypatch):
    def load():
        with backend.convert_memory_errors("jax"):
            raise AttributeError("partially initialized module")

    monkeypatch.setattr(process_memory, "describe_shortage", lambda: "")
    with pytest.raises(AttributeError):
        load()
    monkeypatch.setattr(process_memory, "describe_shortage", lambda: "3 of 4 GiB in use")
    with pytest.raises(OutOfMemory) as error:
        load()
    check_message(error.value, "jax", "3 of 4 GiB", "ulimit -v")


def test_in_python_it_is_a_memory_error():
    def work():
        raise RuntimeError("RESOURCE_EXHAUSTED: 7 bytes")

    with pytest.raises(MemoryError) as error:
        fitting.run_work(None, work, Path("runs/a"), Recipe(batch_size=8), None, "", None)
    assert isinstance(error.value, UserError)
    check_message(error.value, 8, "batch_size=4", "runs/a")


def train_with_memory_limit(limit_kib, folder, *arguments):
    """Run zoo.train under `ulimit -v`; return (status, stdout, stderr)."""
    command = f'ulimit -c 0; ulimit -v {limit_kib}; exec "$0" -m zoo.train "$@" --gpu none --epochs 1'
    process = subprocess.run(["bash", "-c", command, sys.executable, *arguments], cwd=folder, env=ENVIRONMENT,
                             text=True, capture_output=True, timeout=300)
    return process.returncode, process.stdout, process.stderr


def test_a_backend_that_does_not_fit_into_memory(tmp_path):
    status, out, err = train_with_memory_limit(200_000, tmp_path, "lenet5")
    assert (status, out, len(err.splitlines())) == (5, "", 1)
    check_message(err, "error: ", "tensorflow", "ulimit -v", "0.2 GiB")


@pytest.mark.slow
@pytest.mark.parametrize("limit_kib", [1_200_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 4_000_000])
def test_out_of_memory_is_status_5_wherever_it_occurs(limit_kib, tmp_path):
    """While TensorFlow loads, weights are initialized, or the first step runs: an error, an abort, or a crash."""
    status, _, err = train_with_memory_limit(limit_kib, tmp_path, "vgg16", "--batch-size", "512", "--max-seconds", "60")
    assert (status, len(err.splitlines())) == (5, 1), err
    check_message(err, "error: ", "memory")
    assert re.search(r"--batch-size \d+|ulimit -v", err)


@pytest.mark.slow
@pytest.mark.parametrize("backend_name, limit_kib", [("jax", 1_200_000), ("jax", 2_000_000), ("jax", 3_000_000),
                                                     ("torch", 1_200_000), ("torch", 2_500_000)])
def test_out_of_memory_of_other_backends(backend_name, limit_kib, tmp_path):
    """Threads of JAX abort in native code, whose own lines come first."""
    pytest.importorskip(backend_name)
    status, _, err = train_with_memory_limit(limit_kib, tmp_path, "vgg16", "--batch-size", "512", "--max-seconds", "60",
                                             "--backend", backend_name)
    assert status == 5, err
    check_message(err.splitlines()[-1], "error: ", "memory")
