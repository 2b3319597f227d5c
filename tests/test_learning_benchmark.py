"""benchmarks/learning.py: the summary of a run, and its rows."""

from pathlib import Path

import pytest
from helpers import module_at

from zoo import registry

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return module_at(ROOT / "benchmarks" / "learning.py")


def make_run(*seconds):
    history = [{"epoch": str(n), "accuracy": f"0.{n}", "val_accuracy": f"0.{n}5"} for n in range(1, len(seconds) + 1)]
    return history, [{"epoch": str(n), "seconds": str(value)} for n, value in enumerate(seconds, start=1)]


def test_the_last_epoch_within_ten_minutes_counts(benchmark):
    assert benchmark.summarize_run(*make_run(250.4, 250, 250)) == {"epochs": 2, "seconds": 500, "accuracy": 0.2,
                                                          "val_accuracy": 0.25}
    assert benchmark.summarize_run(*make_run(10, 10))["epochs"] == 2
    with pytest.raises(OSError, match="600"):
        benchmark.summarize_run(*make_run(700))


SLOW_MODELS = {"inception_v4": 3, "inception_resnet_v2": 2}  # the epoch in which they pass 50%, after ten minutes


def test_every_network_has_learned(benchmark):
    for row in benchmark.accuracy.read_rows(benchmark.CSV_PATH):
        assert row["model"] in registry.MODELS and int(row["seconds"]) <= 600
        if row["model"] not in SLOW_MODELS:
            assert float(row["val_accuracy"]) >= benchmark.MIN_ACCURACY[row["dataset"]], row["model"]


@pytest.mark.parametrize("name, epoch", SLOW_MODELS.items())
def test_the_two_that_need_more_time_pass_in_their_full_runs(benchmark, name, epoch):
    run_name = benchmark.accuracy.name_run(benchmark.accuracy.make_preset_command(name))
    history = benchmark.accuracy.read_rows(benchmark.accuracy.HISTORIES_DIR / f"{run_name}.csv")
    before, accuracy = (float(row["val_accuracy"]) for row in history[epoch - 2:epoch])
    assert before < 0.5 <= accuracy
    assert f"{accuracy:.1%}" in (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
