"""benchmarks/transfer.py: its commands are those of zoo finetune; the choice of learning rates."""

import json
from pathlib import Path

import pytest
from helpers import module_at

from zoo.cli import finetune

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """Import the module; redirect its outputs to a temporary folder, and load no dataset."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    module = module_at(BENCHMARKS / "transfer.py")
    monkeypatch.setattr(module, "CSV_PATH", tmp_path / "transfer.csv")
    monkeypatch.setattr(module, "load_dataset_by_name", lambda name, data_dir: None)
    monkeypatch.setattr(module, "prepare_folder", lambda root, dataset, classes, count, *_: root / str(count))
    return module


def test_every_command_is_one_of_zoo_finetune_and_every_run_a_row(benchmark, monkeypatch, tmp_path):
    namespaces = []

    def fake_run(command, check):
        assert command[1:4] == ["-m", "zoo", "finetune"]
        arguments = finetune.build_parser().parse_args(command[4:])
        namespaces.append(arguments)
        folder = Path(arguments.output_dir, arguments.name)
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"device": "CPU", "cpu": "a CPU", "versions": {"zoo": "1"},
                                                     "commit": "c0ffee"}))
        accuracy = 0.9 if "0.003" in arguments.name else 0.5
        (folder / "result.json").write_text(json.dumps({"val_accuracy_best": accuracy, "test_accuracy_best": accuracy,
                                                        "seconds": 1.0}))

    monkeypatch.setattr(benchmark.subprocess, "run", fake_run)
    benchmark.measure_all(benchmark.SMALL_SIZES, tmp_path, None, ())
    assert len(namespaces) == 1 + 3 * 3 + 3  # the source, three learning rates with the first seed, one with the other
    rows = benchmark.read_rows(benchmark.SMALL_SIZES)
    assert [(row["method"], row["learning_rate"]) for row in rows if row["seed"] == "1"] == [
        ("from scratch", "0.003"), ("head only", "0.003"), ("head, then fine-tune all layers", "0.003")]
    assert all(row[field] for row in rows for field in benchmark.FIELDS)
    assert {(row["model"], row["cpu"], row["source_images"], row["images"]) for row in rows} == {
        ("resnet18, width 0.25", "a CPU", "1000", "100")}
    benchmark.measure_all(benchmark.SMALL_SIZES, tmp_path / "again", None, ())
    assert len(namespaces) == 13 + 1  # methods that have rows are not measured again
