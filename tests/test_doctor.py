"""python -m zoo doctor: a stand-in for nvidia-smi, and the real backend of this machine."""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from helpers import check_message

from zoo import devices, env
from zoo.cli import doctor
from zoo.data.dataset_info import DATASETS

ROOT = Path(__file__).resolve().parents[1]
QUICK = "import sys\nfrom zoo.cli import doctor\ndoctor.BENCHMARK_SECONDS = 0.1\nsys.exit(doctor.main(sys.argv[1:]))"
GPUS = "0, GPU-0a1b2c3d-0000-0000-0000-000000000000, NVIDIA Stand-in, 81920, 40960\n"


@pytest.fixture
def install_smi(tmp_path):
    """Return a function that writes a stand-in for nvidia-smi, with one GPU and a driver, and returns the PATH."""
    def put(driver="echo 570.86.15"):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "nvidia-smi").write_text(
            f"#!/bin/sh\ncase \"$1\" in\n--query-gpu=driver_version) {driver};;\n*) echo '{GPUS.strip()}';;\nesac\n")
        (folder / "nvidia-smi").chmod(0o755)
        return f"{folder}{os.pathsep}{os.defpath}"

    return put


def run_doctor(folder, *arguments, **environment):
    base_environment = {name: value for name, value in os.environ.items()
                        if not name.startswith(("CUDA_", "ZOO_", "KERAS_", "JAX_", "XLA_", "LD_", env.ONEDNN_ENV_VAR))}
    return subprocess.run([sys.executable, "-c", QUICK, *arguments], capture_output=True, text=True, cwd=folder,
                          timeout=300,
                          env={**base_environment, "PYTHONPATH": str(ROOT), "KERAS_HOME": str(folder / "keras"),
                               **environment})


def parse_lines(process):
    return [(line[:9].strip(), line[10:]) for line in process.stdout.splitlines()]


def find_listed_datasets(lines, folder):
    """Return the names of the datasets in the line about a folder."""
    [text] = [text for label, text in lines if label == "data" and re.match(rf"{folder}(?![\w/])", text)]
    return {*re.findall(r"\w+", text.removeprefix(str(folder)))} & {*DATASETS}


def test_a_machine_without_a_gpu(tmp_path):
    process = run_doctor(tmp_path, PATH=os.defpath, ZOO_DATA=str(tmp_path))
    assert (process.returncode, process.stderr) == (0, "")
    rows = dict(parse_lines(process))
    check_message(rows["backends"], "tensorflow", version("tensorflow"))
    if platform.machine() == "x86_64":
        check_message(rows["onednn"], "on", "zoo", "TF_ENABLE_ONEDNN_OPTS=1")
    assert not re.search(r"\d", rows["driver"] + rows["gpu"]) and "cuda" not in rows
    assert find_listed_datasets(parse_lines(process), tmp_path) == set()
    assert re.match(rf"{tmp_path}/runs\b.*\b\d+ GiB\b", rows["runs"])
    check_message(rows["keras"], version("keras"), "CPU", len(os.sched_getaffinity(0)))
    check_message(rows["speed"], "CPU")
    speeds = dict(re.findall(r"\b(b?float\d\d) (\d+\.\d+) TFLOP/s", rows["speed"]))
    assert [*speeds] == ["float32", "bfloat16"] and all(0 < float(speed) < 1000 for speed in speeds.values())
    better = float(speeds["bfloat16"]) / float(speeds["float32"])
    if "--precision bfloat16" in rows["advice"]:  # from 1.2; the printed speeds are rounded
        assert better > 1.15
    else:
        assert "--precision float32" in rows["advice"] and better < 1.25
    assert process.stdout.splitlines()[-1].endswith("python -m zoo.train lenet5")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_gpu_that_the_backend_cannot_use(tmp_path, install_smi):
    process = run_doctor(tmp_path, PATH=install_smi())
    assert (process.returncode, process.stderr) == (1, "")
    rows = dict(parse_lines(process))
    check_message(rows["driver"], "570.86.15")
    check_message(rows["gpu"], 0, "NVIDIA Stand-in", 40, 80)
    assert "libcudnn.so" in rows["cuda"]
    assert "speed" in rows  # of the CPU
    check_message(process.stdout.splitlines()[-1], "tensorflow", "pip install 'cnn-zoo[cuda]'")
    assert sum(line.startswith("- ") for line in process.stdout.splitlines()) == 1


def test_a_backend_that_cannot_be_loaded(tmp_path):
    (tmp_path / "broken" / "keras").mkdir(parents=True)
    (tmp_path / "broken" / "keras" / "__init__.py").write_text("raise ImportError('libsomething.so: cannot open')\n")
    process = run_doctor(tmp_path, "--gpu", "none", PYTHONPATH=f"{tmp_path / 'broken'}{os.pathsep}{ROOT}")
    assert process.returncode == 1 and "Traceback" not in process.stderr
    check_message(process.stdout.splitlines()[-1], "Keras", "libsomething.so: cannot open",
                  "pip install --force-reinstall keras tensorflow")


def test_a_backend_of_another_distribution(tmp_path, monkeypatch):
    for path, text in (("tensorflow/__init__.py", ""), ("tensorflow_cpu-9.8.7.dist-info/top_level.txt", "tensorflow\n"),
                       ("tensorflow_cpu-9.8.7.dist-info/METADATA", "Metadata-Version: 2.1\nName: tensorflow_cpu\n"
                                                                   "Version: 9.8.7\n"),
                       ("jax/__init__.py", "")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("tensorflow", "jax", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    line = doctor.format_backends("tensorflow")
    check_message(line, "tensorflow", "9.8.7", "tensorflow_cpu", "jax", "torch", "pip install 'cnn-zoo[torch]'")
    assert doctor.format_backends("jax") != line  # it marks the one in use


@pytest.mark.parametrize("value, set_by, parts", [
    ("1", "zoo", ["on", "zoo", "TF_ENABLE_ONEDNN_OPTS=1"]),
    ("0", "user", ["off", "TF_ENABLE_ONEDNN_OPTS=0"]),
    ("True", "user", ["on", "TF_ENABLE_ONEDNN_OPTS=True"]),
    ("yes", "user", ["TensorFlow", "TF_ENABLE_ONEDNN_OPTS=yes"]),
    (None, "default", ["TensorFlow", "TF_ENABLE_ONEDNN_OPTS=1"]),
])
def test_the_onednn_setting_and_its_origin(monkeypatch, value, set_by, parts):
    monkeypatch.setattr(env, "get_onednn_setting", lambda: (value, set_by))
    check_message(doctor.format_onednn(), *parts)
    assert ("zoo" in doctor.format_onednn()) == (set_by == "zoo")


def test_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mnist.npz").write_bytes(b"")
    (tmp_path / "file").write_text("")
    rows, problems = doctor.check_folders(tmp_path / "file" / "runs")
    assert find_listed_datasets(rows, tmp_path / "datasets") == {"mnist"}
    data_problem, runs_problem = problems
    check_message(data_problem, "ZOO_DATA", tmp_path / "nowhere")
    check_message(runs_problem, tmp_path / "file" / "runs")


@pytest.mark.parametrize("name, labels", [("mnist", (5, 0, 4, 1, 9, 2, 1, 3, 1, 4)),
                                          ("fashion_mnist", (9, 0, 0, 3, 0, 2, 7, 2, 5, 5))])
def test_data_sets_with_the_same_file_names(tmp_path, monkeypatch, name, labels):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    for split in ("train", "t10k"):
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(b"")
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x0a" + bytes(labels))
    rows, _ = doctor.check_folders(tmp_path / "runs")
    assert find_listed_datasets(rows, tmp_path) == {name}


def test_the_driver(monkeypatch, install_smi):
    monkeypatch.setenv("PATH", install_smi())
    assert devices.check_nvidia_driver() == ("570.86.15", "")


@pytest.mark.parametrize("driver, parts", [
    ("echo 'NVIDIA-SMI has failed because it could not communicate.'; exit 9",
     ["NVIDIA-SMI has failed because it could not communicate."]),
    ("exit 6", []),
])
def test_a_driver_that_does_not_answer(monkeypatch, install_smi, driver, parts):
    monkeypatch.setenv("PATH", install_smi(driver))
    driver_version, problem = devices.check_nvidia_driver()
    assert driver_version == ""
    check_message(problem, "nvidia-smi", *parts)


def test_libraries_that_are_missing(tmp_path, monkeypatch):
    packages = tmp_path / "nvidia" / "cudnn" / "lib"
    packages.mkdir(parents=True)
    (packages / "libcudnn.so.9").write_text("")
    (tmp_path / "own").mkdir()
    for name in ("libcublas.so.12", "libcudart.so.12", "libcusolver.so"):
        (tmp_path / "own" / name).write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setenv("LD_LIBRARY_PATH", f":{tmp_path / 'own'}")
    missing = devices.find_missing_cuda_libraries()
    assert not {"libcudnn.so", "libcublas.so", "libcudart.so", "libcusolver.so"} & set(missing)
    if "libcublas" in subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout:
        return  # a machine with CUDA: nothing is missing
    assert "libcublasLt.so" in missing  # libcublas does not stand in for it
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    assert {"libcublas.so", "libcusolver.so"} <= set(devices.find_missing_cuda_libraries())
