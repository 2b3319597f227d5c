"""benchmarks/learning.py: the summary of a run, and its table in the docs, which must match its rows."""

import re
import subprocess
import sys
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


def test_the_table_is_that_of_the_rows_and_all_have_learned(benchmark):
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- python benchmarks/learning.py --table -->\n(.*?)\n<!-- end -->", page, re.DOTALL)[1]
    printed = subprocess.run([sys.executable, "benchmarks/learning.py", "--table"], cwd=ROOT, capture_output=True,
                             text=True, check=True).stdout.strip()
    assert table == printed
    for row in benchmark.accuracy.read_rows(benchmark.CSV_PATH):
        assert row["model"] in registry.MODELS and int(row["seconds"]) <= 600
        assert float(row["val_accuracy"]) >= {"cifar10": 0.5, "mnist": 0.97}[row["dataset"]], row["model"]
