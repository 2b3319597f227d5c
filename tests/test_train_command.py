"""zoo.train, zoo list, zoo report and the `zoo` command, run in processes of their own."""

import contextlib
import csv
import io
import json
import math
import os
import re
import shlex
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message

import zoo
from zoo import devices as device
from zoo.__main__ import COMMANDS
from zoo.cli import multi_seed, train
from zoo.training.recipe import Recipe, serialize_recipe

ROOT = Path(__file__).resolve().parents[1]
LENET = ("lenet5", "--limit", "200", "--epochs", "2")
# Runs zoo.train with each list of arguments, and prints its status and the modules loaded by then
SEVERAL = """
import json, sys
from zoo.train import main
for arguments in json.loads(sys.argv[1]):
    print(main(arguments), *sorted({"keras", "tensorflow", "jax", "torch", "numpy", "matplotlib"} & set(sys.modules)))
"""
# Runs the command that is named first, then prints the modules that it has loaded
LOADED = """
import importlib, sys
module, *arguments = sys.argv[1:]
status = importlib.import_module(module).main(arguments)
print("loaded:", *sorted({"keras", "tensorflow", "jax", "torch", "numpy", "matplotlib"} & set(sys.modules)))
sys.exit(status)
"""


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory):
    """Return an environment without the user's data and GPUs, in which zoo can be imported from every folder."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("ZOO_DATA", "KERAS_BACKEND", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
                                  "JAX_PLATFORMS", "TF_CPP_MIN_LOG_LEVEL", "NO_PROXY", *device.MEMORY_GROWTH_ENV)}
    return {**environment, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "CUDA_VISIBLE_DEVICES": "-1",
            "KERAS_HOME": str(tmp_path_factory.mktemp("keras-home")),
            "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}


@pytest.fixture
def python(clean_environment, tmp_path):
    """Return a function that runs Python with arguments in an empty folder, tmp_path / "here"."""
    (tmp_path / "here").mkdir()

    def run(*arguments, **environment):
        return run_python(clean_environment, tmp_path / "here", *arguments, **environment)

    run.folder = tmp_path / "here"
    return run


def run_python(environment, folder, *arguments, **changes):
    environment = {key: value for key, value in {**environment, **changes}.items() if value is not None}
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True,
                          text=True, encoding="utf-8", timeout=300)


@pytest.fixture(scope="session")
def first_run(clean_environment, tmp_path_factory):
    """Train the run that most tests inspect; return (finished process, run directory)."""
    folder = tmp_path_factory.mktemp("first")
    process = run_python(clean_environment, folder, "-m", "zoo.train", *LENET, "--name", "x", "--output-dir", "out")
    assert process.returncode == 0, process.stderr
    return process, folder / "out" / "x"


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def refuse(python, monkeypatch, capsys):
    """Return a function that runs zoo.train in this process, in the folder of `python`, and returns its error line."""
    monkeypatch.chdir(python.folder)

    def run(*arguments):
        assert train.main([*arguments]) == 2
        out, err = capsys.readouterr()
        assert out == "" and len(err.splitlines()) == 1 and err.startswith("error: "), out + err
        return err

    return run


def get_error_line(process, status=2):
    """Return the error of a command, which must be one line on stderr and no other output."""
    assert process.returncode == status, process.stdout + process.stderr
    assert process.stdout == ""
    lines = process.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), process.stderr
    return lines[0]


def list_files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Output and files of a run

def test_the_header(first_run):
    lines = first_run[0].stdout.splitlines()
    for line, parts in zip(lines, (
            ("lenet5", "28x28x1", "10", "61,706"),
            ("digits", "200", "zoo/data/digits.npz"),
            ("CPU", len(os.sched_getaffinity(0)), "tensorflow"),
            ("optimizer", "nesterov", "learning_rate", "0.05", "batch_size", "32", "epochs", "2"),
            ("out/x", "seed", "0")), strict=False):
        check_message(line, *parts)
    assert len(re.findall(r"\b200\b", lines[1])) == 3  # training, validation and test images


def test_a_line_per_epoch_and_a_final_line(first_run):
    process, run = first_run
    result = json.loads((run / "result.json").read_text())
    lines = process.stdout.splitlines()
    assert len(lines) == 8
    for line, row, progress in zip(lines[5:7], read_csv(run / "history.csv"), ("1/2", "2/2"), strict=True):
        losses = (f"{float(row[name]):.4f}" for name in ("loss", "val_loss"))
        accuracies = (f"{float(row[name]):.2%}" for name in ("accuracy", "val_accuracy"))
        check_message(line, progress, *losses, *accuracies)
    times = [len(re.findall(r"\d (?:s|min)\b", line)) for line in lines[5:7]]
    assert times == [2, 1]  # time of the epoch, and of the remaining epochs
    check_message(lines[7], f"{result['test_accuracy_best']:.2%}", "out/x")
    assert "\r" not in process.stdout and "\033" not in process.stdout  # the bar is for terminals


def test_stderr_is_empty(first_run):
    assert first_run[0].stderr == ""


def test_the_files_of_a_run(first_run):
    assert list_files(first_run[1]) == [
        ".lock", "checkpoints", "checkpoints/best.npz", "checkpoints/last.npz", "history.csv", "plots",
        "plots/architecture.svg", "plots/confusion.png", "plots/curves.png", "plots/misclassified.png",
        "plots/samples.png", "predictions.npz", "report.html", "result.json", "run.json", "samples.npz", "timings.csv"]
    assert list_files(first_run[1].parent.parent)[:2] == ["out", "out/x"]


def test_run_json(first_run):
    config = json.loads((first_run[1] / "run.json").read_text())
    assert [*config][0] == "format" and config["format"] == 1
    assert config["command"] == "python -m zoo.train lenet5 --limit 200 --epochs 2 --name x --output-dir out"
    assert config["model"] == "lenet5" and config["parameters"] == 61706
    assert config["model_config"] == {"name": "lenet5", "input_shape": [28, 28, 1], "classes": 10, "width": 1.0,
                                  "stem": "paper", "options": {}, "aux": False}
    assert config["recipe"] == serialize_recipe(Recipe(learning_rate=0.05, batch_size=32, epochs=2,
                                                       augmentation="rotation=10 shift=0.07"))
    assert config["deterministic"] is False
    data = config["dataset"]
    assert (data["name"], data["shape"], data["classes"]) == ("digits", [28, 28, 1], 10)
    assert (data["mean"], data["std"]) == ([0.1313], [0.3085])
    assert (data["train"], data["validation"], data["test"]) == (200, 200, 200)
    assert data["class_names"] == [*"0123456789"]
    assert (config["seed"], config["limit"], config["backend"]) == (0, 200, "tensorflow")
    assert config["device"].startswith("CPU")
    assert {"zoo", "python", "keras", "tensorflow", "numpy"} <= set(config["versions"])
    assert config["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "commit" in config


def test_history_and_timings(first_run):
    rows, times = read_csv(first_run[1] / "history.csv"), read_csv(first_run[1] / "timings.csv")
    assert [*rows[0]] == ["epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert [row["epoch"] for row in rows] == [row["epoch"] for row in times] == ["1", "2"]
    # 7 steps per epoch: the end of the linear warmup, then 6/7 of the half cosine
    falling = 0.05 * (1 + math.cos(math.pi * 6 / 7)) / 2
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.05 * 6 / 7, falling], rel=1e-5)
    for row in rows:
        for name in ("accuracy", "val_accuracy"):  # of 200 images
            assert float(row[name]) * 200 == pytest.approx(round(float(row[name]) * 200), abs=1e-4)
        assert 0 < float(row["loss"]) < 3 and 0 < float(row["val_loss"]) < 3
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])  # it learns
    assert all(0 < float(row["seconds"]) for row in times)


def test_result_json(first_run):
    result = json.loads((first_run[1] / "result.json").read_text())
    assert {"test_accuracy_last", "test_accuracy_best", "best_epoch", "val_accuracy_best", "seconds", "per_class",
            "ece", "macro_precision", "macro_recall", "macro_f1", "per_class_metrics", "peak_memory",
            "epochs", "max_epochs"} == set(result)
    rows = read_csv(first_run[1] / "history.csv")
    best = max(rows, key=lambda row: (float(row["val_accuracy"]), -float(row["val_loss"])))
    assert result["best_epoch"] == int(best["epoch"])
    assert result["val_accuracy_best"] == float(best["val_accuracy"])
    assert 0.2 < result["test_accuracy_best"] <= 1  # twice the accuracy of guessing
    assert result["seconds"] > 0 and 100 < result["peak_memory"] < 100_000


def test_predictions_and_samples(first_run):
    from zoo.data.datasets import load_dataset_by_name

    result = json.loads((first_run[1] / "result.json").read_text())
    digits = load_dataset_by_name("digits", limit=200)
    predictions, samples = np.load(first_run[1] / "predictions.npz"), np.load(first_run[1] / "samples.npz")
    labels, probabilities = predictions["labels"], predictions["probabilities"]
    assert labels.dtype == np.int64 and np.array_equal(labels, digits.test.labels)
    assert probabilities.dtype == np.float32 and probabilities.shape == (200, 10)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    correct = probabilities.argmax(axis=1) == labels
    assert correct.sum() == round(result["test_accuracy_best"] * 200)
    errors = sorted(np.flatnonzero(~correct), key=lambda index: (-probabilities[index].max(), index))[:100]
    assert samples["misclassified_indices"].tolist() == errors
    assert np.array_equal(samples["misclassified_images"], digits.test.batch(errors)[0])
    assert samples["train_images"].dtype == np.uint8 and samples["train_images"].shape == (64, 28, 28, 1)
    images, labels = digits.train.batch(range(64))
    assert np.array_equal(samples["train_images"], images) and np.array_equal(samples["train_labels"], labels)


def test_the_plots_are_png_files(first_run):
    for path in (first_run[1] / "plots").glob("*.png"):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n") and data.rstrip().endswith(b"IEND\xaeB`\x82")
        width, height = struct.unpack(">II", data[16:24])
        assert min(width, height) >= 300


def test_a_loaded_run_reproduces_its_predictions_from_raw_pixels(first_run):
    from zoo.data.datasets import load_dataset_by_name

    split = load_dataset_by_name("digits", limit=200).test
    images, labels = split.batch(range(200))
    assert images.dtype == np.uint8
    predictions = np.load(first_run[1] / "predictions.npz")["probabilities"]
    probabilities = zoo.load(first_run[1]).predict(images, verbose=0)
    assert np.abs(probabilities - predictions).max() < 1e-6
    result = json.loads((first_run[1] / "result.json").read_text())
    assert (probabilities.argmax(axis=1) == labels).mean() == pytest.approx(result["test_accuracy_best"])
    last = zoo.load(first_run[1], "last").predict(images, verbose=0)
    assert (last.argmax(axis=1) == labels).mean() == pytest.approx(result["test_accuracy_last"])


# Repeated and different runs

@pytest.fixture(scope="session")
def several_runs(tmp_path_factory):
    """Train several runs in this process; return (statuses, stdout, stderr, folder).

    `again` repeats `first_run` after another run, which must leave no state behind. `fair` and `noise` have the same
    training images; their test split is similar, or it is noise with random labels.
    """
    folder, rng = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    write_idx(folder / "fair-data", make_stripes(220, 1), make_stripes(40, 2))
    write_idx(folder / "noise-data", make_stripes(220, 1),
              (rng.integers(0, 256, (60, 28, 28)), rng.integers(0, 10, 60)))
    mnist = ("--dataset", "mnist", "--epochs", "2", "-b", "16")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        statuses = [train.main(["lenet5", "--output-dir", ".", "--gpu", "none", *arguments]) for arguments in (
            ("--name", "other", "--limit", "200", "--epochs", "2", "--seed", "1"),
            ("--name", "again", "--limit", "200", "--epochs", "2"),
            ("--name", "fair", *mnist, "--data-dir", "fair-data"),
            ("--name", "noise", *mnist, "--data-dir", "noise-data"),
            ("--name", "tiny", "--limit", "1", "--epochs", "1"),
            ("--name", "burst", "--limit", "50", "--epochs", "3", "--lr", "1e6", "--set", "warmup_epochs=0"))]
    return statuses, out.getvalue(), err.getvalue(), folder


def test_the_status_of_each_run(several_runs):
    assert several_runs[0] == [0, 0, 0, 0, 0, 3]


def read_arrays(run, name="last"):
    with np.load(run / "checkpoints" / f"{name}.npz") as file:
        return {path: file[path] for path in file.files}


def arrays_equal(first, second):
    assert first.keys() == second.keys()
    return all(np.array_equal(first[path], second[path]) for path in first)


def test_the_same_command_gives_the_same_run_and_another_seed_does_not(first_run, several_runs):
    run, other_seed, repeated = first_run[1], several_runs[3] / "other", several_runs[3] / "again"
    assert (repeated / "history.csv").read_bytes() == (run / "history.csv").read_bytes()
    for name in ("last", "best"):
        assert arrays_equal(read_arrays(repeated, name), read_arrays(run, name))
        assert not arrays_equal(read_arrays(other_seed, name), read_arrays(run, name))
    assert (other_seed / "history.csv").read_bytes() != (run / "history.csv").read_bytes()
    assert json.loads((other_seed / "run.json").read_text())["seed"] == 1
    a, b = (np.load(folder / "predictions.npz")["probabilities"] for folder in (repeated, run))
    assert np.array_equal(a, b)


def write_idx(folder, train, test):
    """Write images and labels as MNIST's four files."""
    folder.mkdir()
    for name, (images, labels) in (("train", train), ("t10k", test)):
        header = struct.pack(">4I", 2051, len(images), 28, 28)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + images.astype(np.uint8).tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 2049, len(labels)) + labels.astype(np.uint8).tobytes())


def make_stripes(count, seed):
    """Return images of noise with a bright bar at the position of the class, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = rng.integers(0, 120, (count, 28, 28))
    images[np.arange(count), 2 * labels + 3] += 120
    return images, labels


def test_the_test_split_does_not_influence_training(several_runs):
    _, out, _, folder = several_runs
    assert re.search(r"mnist\b.*\b220\b.*\b60,000\b", out)
    fair, noise = folder / "fair", folder / "noise"
    assert (fair / "history.csv").read_bytes() == (noise / "history.csv").read_bytes()
    for name in ("last", "best"):
        assert arrays_equal(read_arrays(fair, name), read_arrays(noise, name))
    results = [json.loads((run / "result.json").read_text()) for run in (fair, noise)]
    assert results[0]["best_epoch"] == results[1]["best_epoch"]
    assert results[0]["val_accuracy_best"] == results[1]["val_accuracy_best"]
    assert [len(np.load(run / "predictions.npz")["labels"]) for run in (fair, noise)] == [40, 60]
    notes = json.loads((fair / "run.json").read_text())["dataset"]["notes"]
    assert len(notes) == 2
    check_message(notes[0], "mnist", "220", "60,000")
    check_message(notes[1], "mnist", "40", "10,000")


def test_the_smallest_run(several_runs):
    """One image, one step, one epoch."""
    assert (several_runs[3] / "tiny" / "plots" / "curves.png").exists()
    assert len(np.load(several_runs[3] / "tiny" / "predictions.npz")["labels"]) == 1


def test_a_loss_that_is_not_finite(several_runs):
    _, _, err, folder = several_runs
    line = err.splitlines()[-1]
    assert line.startswith("error: ")
    check_message(line, "loss", "epoch 1", "--lr")
    assert not (folder / "burst" / "history.csv").exists()
    assert not (folder / "burst" / "result.json").exists()


@pytest.mark.slow
def test_ctrl_c(clean_environment, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo.train", "lenet5", "--limit", "200", "--epochs", "500", "--name", "x"],
        cwd=tmp_path, env=clean_environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        for line in process.stdout:
            if " 1/500" in line:
                break
        process.send_signal(signal.SIGINT)
        lines = process.communicate(timeout=60)[1].splitlines()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert len(lines) == 2  # immediately, and when everything is saved
    check_message(lines[1], "epoch", "python -m zoo.train --resume runs/x")
    run = tmp_path / "runs" / "x"
    assert len(read_csv(run / "history.csv")) >= 1 and not (run / "result.json").exists()
    assert [name for name in list_files(run) if "/." in name or name.startswith(".")] == [".lock"]  # no scratch files
    assert read_arrays(run)["weights/C1/kernel"].shape == (5, 5, 1, 6)


COUNT_INTERRUPTS = """
import signal, time
from types import SimpleNamespace
state = SimpleNamespace(count=0)
def count(*_):
    state.count += 1
signal.signal(signal.SIGINT, count)
print("ready", flush=True)
while not state.count:
    time.sleep(0.1)
time.sleep(0.5)
print("interrupts:", state.count, flush=True)
"""
RUN_CHILD = f"""
import sys, time
from zoo.cli import multi_seed
forward = multi_seed.forward_signal
def forward_later(*arguments):  # two signals at the same time count as one
    time.sleep(0.2)
    forward(*arguments)
multi_seed.forward_signal = forward_later
sys.exit(multi_seed.run_child_process([sys.executable, "-c", {COUNT_INTERRUPTS!r}]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals")
@pytest.mark.parametrize("has_terminal", [True, False])
def test_ctrl_c_reaches_the_training_of_a_seed_once(has_terminal, clean_environment, tmp_path):
    """From a terminal, which sends it to both processes, although stdin is redirected; or by a signal to the first."""
    command = [sys.executable, "-c", RUN_CHILD]
    if has_terminal:
        shell = f"exec {shlex.join(command)} < /dev/null"
        command = [sys.executable, "-c", "import pty, sys; pty.spawn(['sh', '-c', sys.argv[1]])", shell]
    process = subprocess.Popen(command, cwd=tmp_path, env=clean_environment, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, start_new_session=True)
    with process:
        assert process.stdout.readline().strip() == b"ready"
        if has_terminal:
            process.stdin.write(b"\x03")
            process.stdin.flush()
        else:
            process.send_signal(signal.SIGINT)
        assert b"interrupts: 1" in process.stdout.read()


def test_the_status_of_a_training_that_a_signal_killed():
    assert multi_seed.run_child_process([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), 9)"]) == 137
    assert multi_seed.run_child_process([sys.executable, "-c", "raise SystemExit(7)"]) == 7


# Errors

INVALID_ARGUMENTS = [
    ("", "lenet5 lenet5_1998 xception --help"),
    ("resnet43", "resnet43 resnet44"),
    ("lenet5 --dataset cifar11", "cifar11 cifar10"),
    ("lenet5 --label-mode coarse", "digits coarse"),
    ("vgg16 --dataset cifar100 --label-mode rough", "rough fine coarse"),
    ("lenet5 --epochs 0", "epochs 1 1,000,000 0"),
    ("lenet5 -b -8", "batch_size 1 1,000,000 -8"),
    ("lenet5 -b 1.5", "--batch-size 1.5"),
    ("lenet5 --lr nan", "--lr nan"),
    ("lenet5 --lr", "--lr --help"),
    ("lenet5 --set ephocs=3", "--set ephocs epochs"),
    ("lenet5 --set epochs=many", "--set epochs many"),
    ("lenet5 --set epochs=3 --epochs 4", "--set epochs=3 --epochs 4"),
    ("lenet5 --seed -1", "--seed 0 4294967295 -1"),
    ("lenet5 --seed 4294967296", "--seed 0 4294967295 4294967296"),
    ("lenet5 --seed " + 5000 * "9", "--seed 0 4294967295"),
    ("lenet5 --limit 0", "--limit 1 0"),
    ("lenet5 --width 0", "width 100 0.0"),
    ("lenet5 --width wide", "--width wide"),
    ("lenet5 --stem tiny", "stem auto paper small tiny"),
    ("lenet5 --stem small", "lenet5 stem small auto paper"),
    ("lenet5 --model-option batch_norm=true", "--model-option batch_norm"),
    ("vgg16 --model-option batch_norm=perhaps", "--model-option batch_norm true false perhaps"),
    ("vgg16 --model-option batchnorm=true", "--model-option batchnorm batch_norm"),
    ("vgg16 --model-option dropout=1", "dropout 0 1 1.0"),
    ("lenet5 --epcohs 3", "--epcohs --epochs"),
    ("lenet5 vgg16", "vgg16 --help"),
    ("lenet5 --gpu 0,,1", "--gpu all auto none 0,,1"),
    ("lenet5 --backend pytorch", "pytorch torch tensorflow jax"),
    ("lenet5 --gpu -1", "--gpu -1"),
    ("lenet5 --momentum 0.5 --optimizer adam", "momentum optimizer adam"),
    ("lenet5 --gamma 0.5", "gamma lr_schedule cosine"),
    ("lenet5 --early-stopping-min-delta 0.1", "early_stopping_min_delta early_stopping_patience"),
    ("lenet5 --preprocessing none", "preprocessing weights"),
    ("lenet5 --runs 10 --seed 4294967290", "--runs 10 --seed 4294967290 4294967295"),
]


def test_invalid_arguments_get_one_line_before_anything_is_loaded(python):
    process = python("-c", SEVERAL, json.dumps([arguments.split() for arguments, _ in INVALID_ARGUMENTS]))
    assert process.stdout.splitlines() == ["2"] * len(INVALID_ARGUMENTS), process.stdout + process.stderr
    for line, (_, parts) in zip(process.stderr.splitlines(), INVALID_ARGUMENTS, strict=True):
        assert line.startswith("error: ")
        check_message(line, *parts.split())
    assert list_files(python.folder) == []


@pytest.mark.parametrize("flag", ["--max-seconds", "--weights", "--recipe", "--data-dir", "--output-dir", "--epochs",
                                  "--lr", "--class-weight", "--head-layers", "--freeze", "--dataset", "-b"])
def test_a_flag_without_a_value(flag, capsys):
    """An empty value is usually that of a shell variable which is not set: nothing is trained without it."""
    arguments = [[f"{flag}=--"] if flag.startswith("--") else [f"{flag}--"]]
    if flag not in ("--epochs", "--lr", "-b"):  # these have messages of their own
        arguments += [[flag, ""], [f"{flag}="]]
    for words in arguments:
        assert train.main(["lenet5", *words]) == 2
        check_message(capsys.readouterr().err.removeprefix("error: ").strip(), flag)


@pytest.mark.parametrize("flag", ["--name", "--dataset", "--weights", "--output-dir", "--resume"])
def test_a_name_that_no_file_can_have(flag, capsys):
    assert train.main([*([] if flag == "--resume" else ["lenet5"]), flag, "x" * 300]) == 2
    check_message(capsys.readouterr().err.removeprefix("error: ").strip(), 255)


def test_train_reports_an_error_in_one_line(python):
    check_message(get_error_line(python("-m", "zoo.train", "resnet43")), "resnet43", "resnet44")
    assert list_files(python.folder) == []


def test_an_unknown_backend(python):
    line = get_error_line(python("-m", "zoo.train", "lenet5", KERAS_BACKEND="tensorfow"))
    check_message(line, "tensorfow", "tensorflow")
    assert list_files(python.folder) == []


@pytest.mark.parametrize("arguments, parts", [
    (["--output-dir", "file/runs"], ["file/runs", "Not a directory", "--output-dir"]),
    (["--output-dir", "file"], ["file", "Not a directory", "--output-dir"]),
    (["--name", "file/x"], ["--name", "file/x"]),
    (["--name", ".."], ["--name", ".."]),
    (["--name", ""], ["--name", "''"]),
    (["--name", 300 * "a"], [40 * "a", "255"]),
    (["--output-dir", ".", "--name", "taken"], ["taken", "--name"]),
    (["--output-dir", "/".join(60 * ["a" * 100])], ["/".join(60 * ["a" * 100]), "--output-dir"]),
    (["--output-dir", "~nobody-of-this-name/runs"], ["~nobody-of-this-name/runs"]),
])
def test_unwritable_output_paths(python, refuse, arguments, parts):
    (python.folder / "file").write_text("kept")
    (python.folder / "taken").mkdir()
    (python.folder / "taken" / "diary").touch()
    check_message(refuse("lenet5", *arguments), *parts)
    assert list_files(python.folder) == ["file", "taken", "taken/diary"]
    assert (python.folder / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_an_output_directory_without_permission(python, mode):
    (python.folder / "locked").mkdir(mode=mode)
    try:
        for arguments in ([], ["--name", "x"]):
            process = python("-m", "zoo.train", "lenet5", "--output-dir", "locked/runs", *arguments)
            check_message(get_error_line(process), "locked/runs", "Permission denied", "--output-dir")
    finally:
        (python.folder / "locked").chmod(0o700)
    assert list_files(python.folder) == ["locked"]


def test_a_max_norm_for_a_missing_layer(python, refuse):
    line = refuse(*LENET, "--set", "max_norm=1.9 conv1=0.9")
    check_message(line, "max_norm", "lenet5", "conv1", "C1", "C3", "C5", "F6", "output")
    assert list_files(python.folder) == []


@pytest.mark.parametrize("name, parts", [
    ("not-there", "not-there"),
    ("empty", "empty mnist"),
    ("cut", "cut/train-images-idx3-ubyte"),
    ("labels", "labels/t10k-labels-idx1-ubyte"),
])
def test_data_that_cannot_be_used(python, refuse, name, parts):
    (python.folder / "empty").mkdir()
    write_idx(python.folder / "cut", make_stripes(60, 1), make_stripes(20, 2))
    images = python.folder / "cut" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-100])
    write_idx(python.folder / "labels", make_stripes(60, 1), (make_stripes(20, 2)[0], np.full(20, 10)))
    before = list_files(python.folder)
    check_message(refuse("lenet5", "--dataset", "mnist", "--data-dir", name), *parts.split())
    assert list_files(python.folder) == before


def test_a_download_without_a_network(python, clean_environment):
    line = get_error_line(python("-m", "zoo.train", "lenet5", "--dataset", "mnist"))
    check_message(line, "mnist.npz", "--data-dir")
    assert list_files(python.folder) == []


# GPUs

@pytest.fixture
def driver_path(tmp_path):
    """Write a stand-in for nvidia-smi that lists four GPUs; return the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    rows = "".join(f"{n}, GPU-0000000{n}-1111-2222-3333-444444444444, NVIDIA Stand-in, 81920, 81000\n"
                   for n in range(4))
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<'ROWS'\n{rows}ROWS\n")
    (folder / "nvidia-smi").chmod((folder / "nvidia-smi").stat().st_mode | stat.S_IXUSR)
    return f"{folder}{os.pathsep}{os.defpath}"


@pytest.fixture
def witness_path(tmp_path):
    """Write a stand-in for keras that prints its environment when it is imported, and exits; return the PYTHONPATH."""
    folder = tmp_path / "witness"
    (folder / "keras").mkdir(parents=True)
    (folder / "keras" / "__init__.py").write_text(
        "import os, sys\n"
        "values = {name: os.environ.get(name) for name in ('CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER',\n"
        "        'TF_FORCE_GPU_ALLOW_GROWTH')}\n"
        "print(values, 'tensorflow' in sys.modules, flush=True)\n"
        "os._exit(7)\n")
    return f"{folder}{os.pathsep}{ROOT}"


@pytest.mark.parametrize("arguments, visible_before, visible", [
    (["--gpu", "3"], None, "3"),
    (["--gpu", "2"], "3,2", "2"),
    ([], None, "0"),
    (["--gpu", "0,3", "--batch-size", "64"], None, "0,3"),
    (["--gpu", "all", "--batch-size", "64"], None, "0,1,2,3"),
    (["--gpu", "auto"], None, "0"),
    ([], "GPU-00000002", "2"),
    (["--gpu", "none"], "1", "-1"),
])
def test_the_backend_sees_exactly_the_requested_gpus(python, driver_path, witness_path, arguments, visible_before,
                                                     visible):
    process = python("-m", "zoo.train", "resnet34", *arguments, PATH=driver_path, PYTHONPATH=witness_path,
                     CUDA_VISIBLE_DEVICES=visible_before)
    assert process.returncode == 7, process.stderr
    order, growth = (None, None) if visible == "-1" else ("PCI_BUS_ID", "true")
    assert process.stdout == (f"{{'CUDA_VISIBLE_DEVICES': {visible!r}, 'CUDA_DEVICE_ORDER': {order!r}, "
                              f"'TF_FORCE_GPU_ALLOW_GROWTH': {growth!r}}} False\n")


def test_a_missing_gpu(python, driver_path, tmp_path):
    command = ("-m", "zoo.train", "resnet34", "--gpu")
    line = get_error_line(python(*command, "4", PATH=driver_path, CUDA_VISIBLE_DEVICES=None))
    check_message(line, "GPU", 4, *(f"{n} (NVIDIA Stand-in)" for n in range(4)))
    line = get_error_line(python(*command, "1", PATH=driver_path, CUDA_VISIBLE_DEVICES="3,2"))
    check_message(line, "GPU", 1, "CUDA_VISIBLE_DEVICES=3,2")
    line = get_error_line(python(*command, "3", PATH=str(tmp_path), CUDA_VISIBLE_DEVICES=None))
    check_message(line, "GPU", 3, "nvidia-smi", "--gpu none")
    assert list_files(python.folder) == []


@pytest.mark.parametrize("arguments, parts", [
    ("train lenet5 --gpu 0,1,2 --batch-size 100", "100 3 --batch-size 99 102"),
    ("train lenet5 --gpu all --batch-size 2", "2 4 --batch-size"),
    ("train lenet5 --gpu 1,1", "--gpu 1,1 1"),
])
def test_invalid_selections_of_gpus(python, driver_path, arguments, parts):
    command, *arguments = arguments.split()
    line = get_error_line(python("-m", f"zoo.{command}", *arguments, PATH=driver_path, CUDA_VISIBLE_DEVICES=None))
    check_message(line, *parts.split())
    assert list_files(python.folder) == []


@pytest.mark.slow
def test_a_gpu_that_the_backend_cannot_use(python, driver_path):
    """The driver lists the GPU, TensorFlow does not: an error if requested; otherwise the CPU, noted in the header.

    GPU 3, so that no real GPU is used instead.
    """
    line = get_error_line(python("-m", "zoo.train", *LENET, "--gpu", "3", PATH=driver_path, CUDA_VISIBLE_DEVICES=None))
    check_message(line, "GPU", 3, "cnn-zoo[cuda]", "--gpu none")
    assert list_files(python.folder) == []
    process = python("-m", "zoo.train", "lenet5", "--limit", "20", "--epochs", "1", PATH=driver_path,
                     CUDA_VISIBLE_DEVICES="3")
    assert (process.returncode, process.stderr) == (0, "")
    device_line = process.stdout.splitlines()[2]
    check_message(device_line, "CPU", "3 (NVIDIA Stand-in)")


# The other commands

def test_report_redraws_the_plots_without_a_backend(first_run, python, clean_environment):
    _, run = first_run
    plots = [*sorted((run / "plots").glob("*.png")), run / "report.html"]  # the architecture plot needs the model
    before = {path: path.read_bytes() for path in plots}
    for path in plots:
        path.unlink()
    process = python("-c", LOADED, "zoo.cli.report", run)
    assert (process.returncode, process.stderr) == (0, "")
    *printed_paths, loaded = process.stdout.splitlines()
    assert sorted(printed_paths) == [str(path) for path in plots]
    assert loaded == "loaded: matplotlib numpy"
    assert {path: path.read_bytes() for path in plots} == before


def test_report_requires_a_run(python):
    check_message(get_error_line(python("-m", "zoo", "report", "not-there")), "not-there")
    check_message(get_error_line(python("-m", "zoo", "report", ".")), "run.json")
    check_message(get_error_line(python("-m", "zoo", "report")), "RUN")
    assert list_files(python.folder) == []


def test_list(python):
    process = python("-m", "zoo", "list")
    lines = process.stdout.splitlines()
    assert (process.returncode, process.stderr) == (0, "")
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows["lenet5_1998"] == ["lenet5_1998", "LeCun", "et", "al.", "1998", "32x32x1", "10", "60,840", "mnist"]
    assert " ".join(rows["lenet5"]).startswith("lenet5 after LeCun et al., with ReLU and max pooling 1998 28x28x1 ")
    assert rows["vgg16"][:8] == ["vgg16", "Simonyan", "and", "Zisserman", "2014", "224x224x3", "1000", "138,357,544"]
    assert rows["vgg16"][8].rstrip(",") == "imagenet"
    assert rows["vgg19"][7] == "143,667,240" and rows["resnet34"][4:9] == [
        "al.,", "pre-activation", "2016", "224x224x3", "1000"]
    assert [*rows] == zoo.list_models()


def test_list_as_json(python):
    process = python("-c", LOADED, "zoo.cli.list", "--json")
    text, _, loaded = process.stdout.rpartition("loaded:")
    assert loaded.strip() == ""
    networks = {network["name"]: network for network in json.loads(text)}
    assert [*networks] == zoo.list_models()
    resnet = networks["resnet34"]
    assert (resnet["parameters"], resnet["trainable_parameters"]) == (21811112, 21795880)
    assert networks["lenet5"]["weights"] == ["mnist"] and networks["xception"]["weights"][0] == "imagenet"
    assert resnet["input_shape"] == [224, 224, 3] and resnet["classes"] == 1000
    assert resnet["stems"] == ["paper", "small"] and networks["vgg16"]["stems"] == ["paper"]
    assert networks["vgg16"]["options"] == {"batch_norm": False, "dropout": 0.5}
    assert resnet["paper"]["year"] == 2016 and resnet["paper"]["identifier"] == "arXiv:1603.05027"
    assert resnet["paper"]["url"] == "https://arxiv.org/abs/1603.05027" and resnet["aux_loss_weights"] == {}
    assert networks["googlenet"]["aux_loss_weights"] == {"aux1": 0.3, "aux2": 0.3}
    assert networks["googlenet"]["options"] == {"dropout": 0.4, "aux_dropout": 0.7}
    assert networks["alexnet"]["choices"] == {"groups": [1, 2]}
    assert (networks["lenet5_1998"]["max_size"], networks["lenet5_1998"]["max_classes"]) == (32, 10)
    assert (resnet["max_size"], resnet["max_classes"]) == (None, None)


def test_the_zoo_command(python, first_run):
    list_process = python("-m", "zoo", "list")
    assert list_process.returncode == 0 and list_process.stdout == python("-m", "zoo", "list").stdout
    help_process = python("-m", "zoo", "--help")
    assert (help_process.returncode, help_process.stderr) == (0, "")
    assert all(f"\n  {name} " in help_process.stdout for name in ("train", "list", "summary", "report"))
    version_process = python("-m", "zoo", "--version")
    assert (version_process.returncode, version_process.stdout, version_process.stderr) == (0, "cnn-zoo 0.1.0\n", "")
    train_help_process = python("-m", "zoo", "train", "--help")
    assert train_help_process.returncode == 0 and train_help_process.stdout == python("-m", "zoo.train",
                                                                                      "--help").stdout


@pytest.mark.parametrize("arguments, parts", [
    ([], [*COMMANDS, "--help"]),
    (["trian"], ["trian", "train"]),
    (["train"], ["lenet5", "vgg16", "--help"]),
    (["train", "lenet6"], ["lenet6", "lenet5"]),
    (["show", "lenet5"], ["show", "python -m zoo summary", "python -m zoo visualize"]),
    (["info", "lenet5"], ["info", "python -m zoo summary", "python -m zoo visualize"]),
    (["list", "--jsn"], ["--jsn", "--json"]),
    (["report", "nowhere"], ["nowhere"]),
])
def test_invalid_arguments_of_the_zoo_command(python, arguments, parts):
    check_message(get_error_line(python("-m", "zoo", *arguments)), *parts)
    assert list_files(python.folder) == []


def test_a_closed_output_pipe_is_not_an_error(clean_environment):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken_pipe:
        process = subprocess.run([sys.executable, "-m", "zoo", "list", "--json"], cwd=ROOT, env=clean_environment,
                                 stdout=broken_pipe, stderr=subprocess.PIPE, text=True)
    assert process.stderr == ""
