"""Regression tests of the faults in ../shared/reports/list.md; the inputs are those of make_inputs.py beside it.

The tests have the numbers of the list. Slow: most train for an epoch. Faults 12 and 13 need another system or disk,
and 26 other hardware: they are replayed as the list does. 31 is in test_hosts.py.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import check_message, check_text

import zoo
from zoo.cli import evaluate, export, finetune, predict, train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT.parent / "shared" / "reports"
CPU = ["--gpu", "none"]
FOLDER = ["--weights", "none", "--image-size", "28", "--epochs", "1", "-b", "8", *CPU]
WEIGHTS = ["--width", "0.0625", "--image-size", "32", "--epochs", "1", "-b", "8", *CPU]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory, real_data):
    """Write the folder of the inputs; a test that changes an input copies it."""
    if not REPORTS.exists():
        pytest.skip("the reports are not here: no ../shared/reports")
    folder = tmp_path_factory.mktemp("reports") / "made"
    mnist = next(path.parent for path in real_data.rglob("train-images-idx3-ubyte.gz"))
    subprocess.run([sys.executable, REPORTS / "make_inputs.py", folder, mnist], check=True, capture_output=True)
    return folder


@pytest.fixture
def run_at(tmp_path, capsys):
    """Return a function that runs a command with tmp_path as output folder and returns (output, run.json)."""
    def run(command, *arguments, status=0):
        if command in (finetune, train):
            arguments = (*arguments, "--output-dir", tmp_path, "--name", "run")
        assert command.main([*map(str, arguments)]) == status, capsys.readouterr().err
        output = capsys.readouterr()
        config = tmp_path / "run" / "run.json"
        return (output.err if status else output.out + output.err,
                json.loads(config.read_text(encoding="utf-8")) if config.exists() else None)

    return run


def count_images(config):
    dataset = config["dataset"]
    return dataset["train"] + dataset["validation"] + dataset["test"]


@pytest.mark.parametrize("folder, classes, images, held_out", [
    ("v01_capital_splits", ["oak", "pine"], 52, {"test": 12}),  # 1
    ("v02_valid", ["oak", "pine"], 66, {"train": 40, "validation": 14, "test": 12}),  # 2
    ("v03_hidden", ["oak", "pine"], 20, {}),  # 3
    ("v07_exif", ["oak", "pine"], 21, {}),  # 7
    ("v08_endings", ["oak", "pine"], 30, {}),  # 8
    ("v11_train", ["bus", "car", "train"], 60, {}),  # 11
    ("v27_macosx", ["oak", "pine"], 20, {}),  # 27
])
def test_1_2_3_7_8_11_27_classes_and_splits_of_folders(folder, classes, images, held_out, inputs, run_at):
    _, config = run_at(finetune, "lenet5", "--data", inputs / folder, *FOLDER)
    assert config["dataset"]["class_names"] == classes and count_images(config) == images
    assert {split: config["dataset"][split] for split in held_out} == held_out


def test_3_hidden_folders_are_not_classified_either(inputs, capsys):
    assert predict.main(["lenet5", "--weights", "mnist", str(inputs / "v03_hidden"), "--top-k", "1", *CPU]) == 0
    assert sum(".png" in line for line in capsys.readouterr().out.splitlines()) == 20


def test_4_one_scale_for_all_images_of_sixteen_bits(inputs, run_at):
    dataset = zoo.load_data(inputs / "v04_sixteen_bits", shape=(8, 8, 1))
    maxima = {int(split.images[index].max()) for split in (dataset.train, dataset.validation, dataset.test)
              for index in range(len(split))}
    assert maxima == {16, 255}  # 255 and 256 of 4095, and 4095
    printed, config = run_at(finetune, "lenet5", "--data", inputs / "v04_sixteen_bits", *FOLDER)
    assert config["dataset"]["white_levels"] == {"integer": 4095}
    check_text(printed, "0..4095", "0..255")


@pytest.mark.parametrize("file", ["control.pth", "control.h5", "v05_flat.h5", "v06_legacy.pth", "v15_prefix.pth",
                                  "v15_net.pth", "v22_of_2023.weights.h5", "v30_args.pth"])
def test_5_6_15_22_30_weights_of_other_programs_are_read(file, inputs, run_at):
    printed, _ = run_at(finetune, "vgg16", "--data", inputs / "pets", "--weights", inputs / "weights" / file, *WEIGHTS)
    check_text(printed, 13)  # layers of the backbone


def test_9_a_resumed_fine_tuning_refuses_renamed_classes(inputs, run_at, tmp_path):
    folder = shutil.copytree(inputs / "v09_renamed", tmp_path / "data")
    arguments = ["lenet5", "--data", folder, "--weights", "mnist", "--image-size", "28", "--freeze", "none",
                 "--two-stage",
                 "--head-epochs", "400", "--lr", "0.01", "--backbone-lr", "1e-4", "--epochs", "3", "-b", "8", *CPU]
    run_at(finetune, *arguments, "--max-seconds", "8", status=7)
    (folder / "cat").rename(folder / "zcat")
    message, _ = run_at(finetune, *arguments, status=2)
    check_text(message, "cat", "zcat")


def test_10_images_of_val_in_no_class_are_not_ignored_silently(inputs, tmp_path, capsys):
    assert finetune.main(["lenet5", "--data", str(inputs / "v10_flat_val"), *FOLDER, "--output-dir",
                          str(tmp_path)]) == 0
    output = capsys.readouterr()
    check_text(output.out + output.err, "val", 9)


def test_12_a_system_without_fcntl(tmp_path):
    program = ("import sys; sys.modules['fcntl'] = None; import runpy; sys.argv = ['zoo.train', 'lenet5', '--epochs', "
               "'1', '--limit', '100', '--gpu', 'none']; runpy.run_module('zoo.train', run_name='__main__')")
    process = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert "Traceback" not in process.stderr and len(list(tmp_path.glob("runs/*/result.json"))) == 1, process.stderr


def test_13_a_disk_without_locks(tmp_path):
    program = ("import fcntl, runpy, sys\ndef flock(*_): raise OSError(37, 'No locks available')\nfcntl.flock = flock\n"
               "sys.argv = ['zoo.train', 'lenet5', '--epochs', '1', '--limit', '100', '--gpu', 'none', '--name', 'x']\n"
               "runpy.run_module('zoo.train', run_name='__main__')")
    process = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (tmp_path / "runs/x/result.json").exists(), process.stderr


def test_14_classification_with_ten_classes(inputs, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    widths, sizes = (3, 64, 192, 384, 256, 256), (11, 5, 3, 3, 3)
    state = {}
    for index, (channels, filters, size) in zip((0, 3, 6, 8, 10), zip(widths, widths[1:], sizes)):
        state[f"features.{index}.weight"] = rng.normal(size=(filters, channels, size, size)) * 0.01
        state[f"features.{index}.bias"] = np.zeros(filters)
    for index, (inputs_, units) in zip((1, 4, 6), ((9216, 4096), (4096, 4096), (4096, 10))):
        state[f"classifier.{index}.weight"] = np.zeros((units, inputs_))
        state[f"classifier.{index}.bias"] = np.arange(units) / units
    torch.save({name: torch.from_numpy(array.astype(np.float32)) for name, array in state.items()},
               tmp_path / "ten.pth")
    image = next((inputs / "pets/oak").iterdir())
    assert predict.main(["alexnet_2014", "--weights", str(tmp_path / "ten.pth"), str(image), "--json", *CPU]) == 0
    assert len(json.loads(capsys.readouterr().out)[0]["predictions"]) == 5


def test_16_the_runs_are_not_a_class(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(shutil.copytree(inputs / "v16_here", tmp_path / "here"))
    for name in ("first", "second"):
        assert finetune.main(["lenet5", "--data", ".", *FOLDER, "--name", name]) == 0
        config = json.loads(Path("runs", name, "run.json").read_text())
        assert config["dataset"]["class_names"] == ["oak", "pine"] and count_images(config) == 40


@pytest.mark.parametrize("folder", ["v17_unpacked", "v18_dot"])
def test_17_18_mnist_unpacked_or_with_a_dot(folder, inputs, run_at):
    _, config = run_at(train, "lenet5", "--dataset", "mnist", "--data-dir", inputs / folder, "--limit", "100",
                       "--epochs", "1", *CPU)
    assert config["dataset"]["name"] == "mnist"


@pytest.mark.parametrize("flag", ["--data", "--dataset"])
def test_19_a_folder_trains_from_scratch(flag, inputs, run_at):
    _, config = run_at(train, "resnet18", flag, inputs / "pets", "--width", "0.0625", "--image-size", "32", "--epochs",
                       "1", *CPU)
    assert config["dataset"]["class_names"] == ["oak", "pine"]


def test_19_a_folder_is_no_data_dir(inputs, run_at):
    printed, _ = run_at(train, "lenet5", "--data-dir", inputs / "pets", "--limit", "50", "--epochs", "1", *CPU)
    check_text(printed, "note", "--dataset")


def test_20_validation_is_that_of_the_weights_after_few_steps(real_data, run_at, tmp_path):
    run_at(train, "xception", "--width", "0.0625", "--dataset", "mnist", "--data-dir", real_data, "--limit", "320",
           "-b", "32", "--epochs", "5", *CPU)
    result = zoo.Run(tmp_path / "run").result
    assert result["test_accuracy_best"] > 0.6  # 81.5% with statistics of the network, 14.7% with Keras's averages


def test_23_the_scaling_of_pixels_is_printed(inputs, tmp_path, capsys):
    lines = []
    for index, file in enumerate(("control.pth", "control.h5")):
        assert finetune.main(["vgg16", "--data", str(inputs / "pets"), "--weights", str(inputs / "weights" / file),
                              *WEIGHTS, "--output-dir", str(tmp_path), "--name", str(index)]) == 0
        lines += [line for line in capsys.readouterr().out.splitlines() if line.startswith("pixels")]
    assert len(lines) == 2 and lines[0] != lines[1] and "blue, green, red" in lines[1]


def test_24_a_weights_file_that_another_process_has_open(inputs, tmp_path, capsys):
    file = shutil.copy(inputs / "weights/control.h5", tmp_path)
    holder = subprocess.Popen([sys.executable, "-c", f"import h5py\nf = h5py.File({file!r}, 'a')\nprint(flush=True)\n"
                               "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        status = finetune.main(["vgg16", "--data", str(inputs / "pets"), "--weights", file, *WEIGHTS, "--output-dir",
                                str(tmp_path), "--name", "run"])
    finally:
        holder.communicate(b"\n")
    message = capsys.readouterr().err
    assert status == 2 and "damaged" not in message
    check_message(message.strip(), "process", file)


def test_25_other_labelled_images_are_evaluated_as_such(inputs, run_at, tmp_path):
    run_at(finetune, "lenet5", "--data", inputs / "v03_hidden", *FOLDER)
    printed, _ = run_at(evaluate, tmp_path / "run", "--data", inputs / "pets", *CPU)
    check_text(printed, 20, inputs / "pets")
    other = shutil.copytree(inputs / "v03_hidden", tmp_path / "other")
    for path in other.rglob("*.png"):
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)  # as many images of the same names
    message, _ = run_at(evaluate, tmp_path / "run", "--data-dir", other, *CPU, status=2)
    check_text(message, "--data")


def test_26_mig_devices(inputs, tmp_path):
    process = subprocess.run([sys.executable, "-m", "zoo.train", "lenet5", "--gpu", "0", "--epochs", "1", "--limit",
                              "100"],
                             cwd=tmp_path, capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": str(ROOT),
                                  "CUDA_VISIBLE_DEVICES": "MIG-c6d4f1ef-1111-2222-3333-444455556666",
                                  "PATH": f"{REPORTS / 'fake'}{os.pathsep}{os.environ['PATH']}"})
    assert (process.returncode, process.stdout) == (2, ""), process.stderr
    check_message(process.stderr, "GPU 0", "cnn-zoo[cuda]", "--gpu none")  # visible, but not usable without CUDA


def test_28_a_class_name_that_is_no_utf8(inputs, run_at, tmp_path):
    run_at(finetune, "lenet5", "--data", inputs / "v28_latin", *FOLDER)
    assert (tmp_path / "run/report.html").exists()
    run_at(export, tmp_path / "run", "--format", "keras", "-o", tmp_path / "model.keras")
    assert "caf" in (tmp_path / "model.labels.txt").read_text(encoding="utf-8", errors="replace")


def test_29_names_that_the_font_lacks(inputs, run_at, monkeypatch):
    from zoo.plots import fonts

    monkeypatch.setattr(fonts, "find_fallback_fonts", lambda characters: ((), characters))  # no font has them
    printed, _ = run_at(finetune, "lenet5", "--data", inputs / "v29_signs", *FOLDER)
    note = next(line for line in printed.splitlines() if "\u732b" in line and "report.html" in line)
    assert "\u72ac" in note
