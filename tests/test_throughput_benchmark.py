"""The tables of speed are those of benchmarks/throughput.csv, and that has a row for all that is to be measured."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "throughput.py")


@pytest.mark.parametrize("page, flag, lines", [
    ("docs/speed.md", "--table", lambda each: [*each.table(), "", *each.start_table()]),
    ("README.md", "--readme", lambda each: each.readme())])
def test_the_pages_have_the_tables(benchmark, page, flag, lines):
    text = (BENCHMARKS.parent / page).read_text(encoding="utf-8")
    table = "\n".join(lines(benchmark))
    assert f"<!-- python benchmarks/throughput.py {flag} -->\n{table}\n<!-- end -->" in text


def test_everything_was_measured(benchmark):
    rows = benchmark.medians()
    asked = {(case[0], what, *subject) for case in benchmark.CASES for subject in benchmark.subjects_of(case[0])
             for what in ("training", "inference") if subject[0] != "bare" or what == "training"}
    assert asked <= set(rows)
    assert {(network, what, subject) for network, what, subject, *_ in rows if what == "build"} == {
        (ours, "build", subject) for ours, _ in benchmark.BUILT for subject in ("zoo.build", "keras.applications")}


@pytest.mark.parametrize("subject", ["zoo", "bare", "tutorial"])
def test_each_subject_does_what_it_is_asked(benchmark, subject, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import subjects

    for what, work in subjects.PREPARED[subject]("lenet5", 4, {}, 8, "float32").items():
        done, seconds = work()
        assert done == 8 and seconds > 0, what
