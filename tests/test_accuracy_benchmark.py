"""benchmarks/accuracy.py: training and packing presets, and the plot of what they reach."""

import csv
import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import module_at

import zoo
from zoo import registry
from zoo.cli import train
from zoo.errors import UserError
from zoo.training import model_loading
from zoo.weights import pretrained

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """Import the module and redirect its outputs to a temporary folder."""
    module = module_at(BENCHMARKS / "accuracy.py")
    monkeypatch.setattr(module, "CSV_PATH", tmp_path / "accuracy.csv")
    monkeypatch.setattr(module, "HISTORIES_DIR", tmp_path / "histories")
    monkeypatch.setattr(pretrained, "BUNDLED_FOLDER", tmp_path / "package")
    pretrained.BUNDLED_FOLDER.mkdir()
    return module


@pytest.fixture(scope="module")
def packing():
    return module_at(BENCHMARKS / "packing.py")


@pytest.fixture(scope="module")
def plot():
    return module_at(BENCHMARKS / "accuracy_plot.py")


def make_row(model, command="--preset small", **other):
    return {"model": model, "width": 0.5, "parameters": 500_000, "multiply_adds": 20_000_000, "dataset": "cifar10",
            "test_accuracy_best": 0.85, "command": f"python -m zoo.train {model} {command} --seed 0", **other}


# --------------------------------------------------------------------------------------------------------------- rows

def test_the_rows_are_complete():
    """LeNet-5's multiply-adds, by hand: 28x28 positions of 5x5x1x6, 10x10 of 5x5x6x16, then 400-120-84-10."""
    with open(BENCHMARKS / "accuracy.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(0 < float(row["width"]) <= 1 and int(row["multiply_adds"]) > 0 for row in rows)
    by_hand = 784 * 25 * 6 + 100 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10
    assert {int(row["multiply_adds"]) for row in rows if (row["model"], row["dataset"]) == ("lenet5", "mnist")} == {
        by_hand}


def test_multiply_adds_are_those_of_the_run(benchmark):
    model_config = registry.resolve_model_config("vgg16", (32, 32, 3), 10, 0.125, options={"batch_norm": True})
    description = zoo.describe("vgg16", (32, 32, 3), 10, width=0.125, batch_norm=True)
    assert benchmark.count_multiply_adds(registry.serialize_model_config(model_config)) == description["multiply_adds"]


def test_the_table_has_presets_widths_and_cores(benchmark):
    common = {"recipe": "modern", "epochs": 20, "seconds": 60, "cpu": "2 x CPU", "device": "CPU, 2 cores"}
    rows = [make_row("nin", **common, width="0.1875"), make_row("nin", "--epochs 20", **common, width="0.5"),
            make_row("nin", "", **common | {"device": "CPU, 1 core"}, width="1.0")]
    cells = [line.strip("| ").split(" | ") for line in benchmark.format_markdown_table(rows)[2:]]
    assert [(row[0], row[-1]) for row in cells] == [
        ("nin, small preset, width 0.1875", "2 x CPU"), ("nin, width 0.5", "2 x CPU"), ("nin", "1 core of 2 x CPU")]


# ----------------------------------------------------------------------------------------------------------- training

@pytest.fixture
def fake_training(benchmark, monkeypatch):
    """Replace training and packing; return the commands trained, the runs packed, and `fail`, the models to fail."""
    calls = {"trained": [], "packed": [], "fail": set()}

    def train(command, data_dir, output_dir):
        if command[0] in calls["fail"]:
            raise subprocess.CalledProcessError(3, command)
        calls["trained"].append(command)
        return dict.fromkeys(benchmark.FIELDS, "") | {
            "model": command[0], "command": benchmark.format_command(command),
            "width": registry.get_model_info(command[0]).small_preset.width}

    def pack(command, check):
        run = Path(command[2])
        calls["packed"].append(run.name)
        pretrained.find_bundled_weights(run.name.partition("-")[0]).path.touch()

    monkeypatch.setattr(benchmark, "train_run", train)
    monkeypatch.setattr(benchmark.subprocess, "run", pack)
    return calls


def test_every_preset_is_trained_by_the_command_line(benchmark):
    for name, info in registry.select_models("image").items():
        command = benchmark.make_preset_command(name)
        assert command == [name, "--preset", "small", "--dataset", info.small_preset.dataset, "--epochs", "12",
                           "--seed", "0"]
        assert train.build_parser().parse_args(command).preset == "small"


def test_one_failure_does_not_stop_the_rest(benchmark, fake_training, tmp_path, capsys):
    fake_training["fail"].add("nin")
    assert benchmark.train_presets(["lenet5", "nin", "resnet18"], None, tmp_path) == ["nin"]
    assert [command[0] for command in fake_training["trained"]] == ["lenet5", "resnet18"]
    assert "nin failed" in capsys.readouterr().err
    assert [row["model"] for row in benchmark.read_rows()] == ["lenet5", "resnet18"]
    assert [name.partition("-")[0] for name in fake_training["packed"]] == ["lenet5", "resnet18"]


def test_all_are_trained_before_one_is_packed(benchmark, fake_training, tmp_path):
    """A run that starts after a new file is in the package would be recorded as one with uncommitted changes."""
    class Trained(list):
        def append(self, command):
            assert not fake_training["packed"]
            super().append(command)

    fake_training["trained"] = Trained()
    benchmark.train_presets(["lenet5", "resnet18"], None, tmp_path)
    assert len(fake_training["packed"]) == 2


def test_a_measured_preset_is_skipped(benchmark, fake_training, tmp_path, monkeypatch):
    benchmark.train_presets(["nin"], None, tmp_path)
    benchmark.train_presets(["nin"], None, tmp_path)
    assert len(fake_training["trained"]) == len(fake_training["packed"]) == 1
    pretrained.find_bundled_weights("nin").path.unlink()
    benchmark.train_presets(["nin"], None, tmp_path)  # packed again, not trained
    assert (len(fake_training["trained"]), len(fake_training["packed"])) == (1, 2)
    from dataclasses import replace

    nin = registry.get_model_info("nin")
    monkeypatch.setitem(registry.MODELS, "nin", replace(nin, small_preset=replace(nin.small_preset, width=0.75)))
    benchmark.train_presets(["nin"], None, tmp_path)  # another width
    assert len(fake_training["trained"]) == 2


def test_an_interrupted_run_stops_the_command(benchmark, monkeypatch, tmp_path):
    def interrupted(*_):
        raise subprocess.CalledProcessError(130, ["train"])

    monkeypatch.setattr(benchmark, "train_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        benchmark.train_presets(["nin", "vgg16"], None, tmp_path)


# ------------------------------------------------------------------------------------------------------------ packing

def write_run(run, model_name, aux):
    """Write a run directory of a freshly initialized small preset; return its weights by path."""
    bundled = pretrained.find_bundled_weights(model_name)
    model_config = {**registry.serialize_model_config(bundled.model_config), "aux": aux}
    model = model_loading.build_with_preprocessing(registry.resolve_model_config(**model_config), (0.5,) * 3,
                                                   (0.25,) * 3, None)
    arrays = {variable.path: np.asarray(variable) for variable in model.weights}
    (run / "checkpoints").mkdir(parents=True)
    np.savez(run / "checkpoints" / "best.npz", **{f"weights/{path}": array for path, array in arrays.items()})
    config = {"model": model_name, "model_config": {**model_config, "aux": False}, "precision": "float32",
              "limit": None,
              "dataset": {"name": "cifar10", "class_names": [*"0123456789"], "mean": [0.5] * 3, "std": [0.25] * 3}}
    (run / "run.json").write_text(json.dumps(config))
    return arrays


@pytest.mark.parametrize("model_name, aux", [("resnet18", False), ("googlenet", True)])
def test_packed_weights_are_float16_and_statistics_float32(model_name, aux, packing, tmp_path):
    arrays = write_run(tmp_path / "run", model_name, aux)
    assert any(path.startswith("aux1") for path in arrays) == aux
    packing.pack_weights(tmp_path / "run", tmp_path / "packed.npz")
    with np.load(tmp_path / "packed.npz") as file:
        packed = {name: file[name] for name in file.files}
    assert set(packed) == {path for path in arrays if not path.startswith("aux")}
    for path, array in packed.items():
        assert array.dtype == ("float32" if path.endswith(("moving_mean", "moving_variance")) else "float16"), path
        np.testing.assert_allclose(array, arrays[path], rtol=2**-10, atol=1e-7)
    assert any("moving_mean" in path for path in packed) == (model_name == "resnet18")


def test_a_value_beyond_float16_is_refused(packing, tmp_path):
    write_run(tmp_path / "run", "lenet5_bn", False)
    path = tmp_path / "run" / "checkpoints" / "best.npz"
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **{**arrays, "weights/conv1/bias": arrays["weights/conv1/bias"] + 1e5})
    with pytest.raises(UserError, match="conv1/bias"):
        packing.pack_weights(tmp_path / "run", tmp_path / "packed.npz")


@pytest.mark.slow
def test_a_real_run_is_packed_and_checked(packing, benchmark, real_data, tmp_path, monkeypatch):
    command = ["lenet5", "--preset", "small", "--dataset", "mnist", "--limit", "1000", "--epochs", "2", "--gpu", "none"]
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    row = benchmark.train_run(command, str(real_data), str(tmp_path))
    run = tmp_path / benchmark.name_run(command)
    result = json.loads((run / "result.json").read_text())
    assert [row[field] for field in ("model", "width", "parameters", "multiply_adds", "test_accuracy_best", "cpu")] == [
        "lenet5", 1, 61706, 416520, result["test_accuracy_best"], json.loads((run / "run.json").read_text())["cpu"]]
    path, accuracy = packing.bundle_weights(run, data_dir=real_data)
    assert path == pretrained.BUNDLED_FOLDER / "lenet5-mnist.npz" and [*pretrained.BUNDLED_FOLDER.iterdir()] == [path]
    assert abs(accuracy - result["test_accuracy_best"]) <= 0.001
    before = path.read_bytes()
    incorrect = {**result, "test_accuracy_best": result["test_accuracy_best"] - 0.01}
    (run / "result.json").write_text(json.dumps(incorrect))
    with pytest.raises(UserError, match=f"{incorrect['test_accuracy_best']:.4f}"):
        packing.bundle_weights(run, data_dir=real_data)
    assert path.read_bytes() == before and [*pretrained.BUNDLED_FOLDER.iterdir()] == [path]


def test_a_run_of_another_size_is_refused(packing, tmp_path):
    write_run(tmp_path / "run", "lenet5_bn", False)
    config = json.loads((tmp_path / "run" / "run.json").read_text())
    config["model_config"]["width"] = 0.75
    (tmp_path / "run" / "run.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="lenet5_bn"):
        packing.find_bundled_for_run(tmp_path / "run")


# --------------------------------------------------------------------------------------------------------------- plot

def test_the_plot_is_that_of_the_rows(plot, tmp_path):
    """python benchmarks/accuracy.py --plot docs/images/accuracy.svg redraws it."""
    with open(BENCHMARKS / "accuracy.csv", newline="", encoding="utf-8") as file:
        plot.draw_accuracy_plot(list(csv.DictReader(file)), tmp_path / "accuracy.svg")
    assert (ROOT / "docs" / "images" / "accuracy.svg").read_text() == (tmp_path / "accuracy.svg").read_text()


def test_one_bubble_per_model_of_its_preset(plot):
    rows = [make_row("nin"), make_row("nin", "--width 1"), make_row("resnet18", "--width 0.25"),
            make_row("lenet5", dataset="mnist"), make_row("lenet5", "--epochs 20"), make_row("vgg16", parameters=1),
            make_row("vgg16", parameters=2)]
    assert plot.select_rows(rows) == [rows[0], rows[2], rows[6]]
    labels = plot.build_plot_scene(rows)[1]
    assert {bubble.name for bubble in labels} == {"nin", "resnet18", "vgg16"}


def test_areas_follow_parameters_and_positions_follow_values(plot):
    rows = [make_row("nin", parameters=100_000, multiply_adds=10_000_000),
            make_row("vgg16", parameters=400_000, multiply_adds=20_000_000, test_accuracy_best=0.8),
            make_row("vgg19", multiply_adds=40_000_000)]
    nin, vgg16, vgg19 = (next(bubble for bubble in plot.build_plot_scene(rows)[1] if bubble.name == row["model"])
                         for row in rows)
    assert vgg16.radius == pytest.approx(2 * nin.radius)
    assert vgg16.x - nin.x == pytest.approx(vgg19.x - vgg16.x)  # equal factors
    assert vgg16.y > nin.y == vgg19.y  # y points downwards


@pytest.mark.parametrize("seed", range(2))
def test_no_label_covers_another(seed, plot):
    rng = np.random.default_rng(seed)
    rows = [make_row(name, parameters=int(10 ** rng.uniform(4.9, 6.1)), multiply_adds=int(10 ** rng.uniform(6.9, 7.6)),
                    test_accuracy_best=rng.uniform(0.75, 0.92))
            for name, info in registry.select_models("image").items() if info.small_preset.dataset == "cifar10"]
    labels = plot.build_plot_scene(rows)[1]
    assert len(labels) == len(rows)
    for first, second in itertools.combinations(labels.values(), 2):
        assert plot.compute_overlap(first, second) == 0
    for left, top, right, bottom in labels.values():
        assert plot.LEFT <= left and right <= plot.RIGHT and plot.TOP <= top and bottom <= plot.BOTTOM
