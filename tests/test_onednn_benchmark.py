"""benchmarks/onednn.csv has a row for every case."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "onednn.py")


def test_everything_was_measured(benchmark):
    expected = {(case[0], task, variant) for case in benchmark.CASES for task in benchmark.get_tasks(case[0])
                for variant in benchmark.get_variants(case[0])}
    expected |= {(case[0], "first epoch", variant) for case in benchmark.CASES for variant in benchmark.VARIANTS}
    assert {(row["model"], row["task"], row["variant"]) for row in benchmark.read_rows()} == expected


def test_a_ratio_is_the_median_of_the_rounds(benchmark):
    speeds = {("training", "without oneDNN"): [10.0, 20.0, 10.0], ("training", "oneDNN AVX2"): [20.0, 60.0, 40.0],
              ("training", "PyTorch AVX2"): [10.0, 20.0, 40.0]}
    assert benchmark.compute_ratio(speeds, "training", "oneDNN AVX2") == 3  # of 2, 3 and 4
    assert benchmark.compute_ratio(speeds, "training", "PyTorch AVX2") == 2  # zoo's to PyTorch's: of 2, 3 and 1
    rows = benchmark.make_rows(("lenet5", 128, 40, {}), speeds, {})
    assert [(row["variant"], row["median"], row["ratio"]) for row in rows] == [
        ("without oneDNN", 10, ""), ("oneDNN AVX2", 40, 3), ("PyTorch AVX2", 20, 2)]


def test_the_variants_differ_only_in_the_environment(benchmark):
    assert {implementation for implementation, _ in benchmark.VARIANTS.values()} == {benchmark.ZOO_IMPLEMENTATION}
    assert len({tuple(sorted(environment.items())) for _, environment in benchmark.VARIANTS.values()}) == 3
