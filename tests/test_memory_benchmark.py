"""benchmarks/memory.csv: complete, and with the current estimates."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "memory.py")


def test_the_estimates_in_the_file_are_current(benchmark):
    """python benchmarks/memory.py --estimate updates them."""
    for row in benchmark.read_rows():
        estimate = benchmark.estimate_memory(*benchmark.parse_case(row))
        assert estimate == float(row["estimated_mib"]), benchmark.get_row_key(row)


def test_every_case_was_measured(benchmark):
    assert [benchmark.get_row_key(row)
            for row in benchmark.read_rows()] == [(*case[:3], case[5]) for case in benchmark.list_cases(())]
