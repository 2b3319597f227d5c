"""The table of what oneDNN gives is that of benchmarks/onednn.csv, which has a row for all that is to be measured."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "onednn.py")


def test_the_page_has_the_table(benchmark):
    text = (BENCHMARKS.parent / "docs" / "speed.md").read_text(encoding="utf-8")
    table = "\n".join(benchmark.format_markdown_table())
    assert f"<!-- python benchmarks/onednn.py --table -->\n{table}\n<!-- end -->" in text


def test_everything_was_measured(benchmark):
    expected = {(case[0], what, way) for case in benchmark.CASES for what in benchmark.get_tasks(case[0])
                for way in benchmark.get_variants(case[0])}
    expected |= {(case[0], "first epoch", way) for case in benchmark.CASES for way in benchmark.VARIANTS}
    assert {(row["model"], row["what"], row["way"]) for row in benchmark.read_rows()} == expected


def test_ratios_are_those_of_turns_beside_each_other(benchmark):
    speeds = {("training", "without"): [10.0, 20.0, 10.0], ("training", "AVX2"): [20.0, 60.0, 40.0],
              ("training", "PyTorch"): [10.0, 20.0, 40.0]}
    assert benchmark.compute_ratio(speeds, "training", "AVX2") == 3  # of 2, 3 and 4
    assert benchmark.compute_ratio(speeds, "training", "PyTorch") == 2  # zoo's to PyTorch's: of 2, 3 and 1
    rows = benchmark.make_rows(("lenet5", 128, 40, {}), speeds, {})
    assert [(row["way"], row["median"], row["ratio"]) for row in rows] == [
        ("without", 10, ""), ("AVX2", 40, 3), ("PyTorch", 20, 2)]


def test_the_ways_differ_in_the_environment_alone(benchmark):
    assert {subject for subject, _ in benchmark.VARIANTS.values()} == {benchmark.ZOO_IMPLEMENTATION}
    assert len({tuple(sorted(environment.items())) for _, environment in benchmark.VARIANTS.values()}) == 3
