"""The tables of speed are those of benchmarks/throughput.csv, and that has a row for all that is to be measured."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "throughput.py")


@pytest.mark.parametrize("page, flag, lines", [
    ("docs/speed.md", "--table", lambda each: [*each.format_markdown_table(), "", *each.format_start_table()]),
    ("README.md", "--readme", lambda each: each.format_readme_table())])
def test_the_pages_have_the_tables(benchmark, page, flag, lines):
    text = (BENCHMARKS.parent / page).read_text(encoding="utf-8")
    table = "\n".join(lines(benchmark))
    assert f"<!-- python benchmarks/throughput.py {flag} -->\n{table}\n<!-- end -->" in text


def test_everything_was_measured(benchmark):
    rows = benchmark.read_medians()
    asked = {(case[0], what, *subject) for case in benchmark.CASES for subject in benchmark.get_implementations(case[0])
             for what in ("training", "inference") if subject[0] != "bare" or what == "training"}
    left_out = {key for key in asked if (key[0], "left out", *key[2:]) in rows}
    assert asked - left_out <= set(rows)
    assert {(network, what, subject) for network, what, subject, *_ in rows if what == "build"} == {
        (ours, "build",
         subject) for ours, _ in benchmark.KERAS_APPLICATIONS for subject in ("zoo.build", "keras.applications")}


@pytest.mark.parametrize("subject", ["zoo", "bare", "tutorial"])
def test_each_subject_does_what_it_is_asked(benchmark, subject, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import implementations

    works = implementations.PREPARE_FUNCTIONS[subject]("lenet5", 4, {}, 8, "float32")
    for what in sorted({"training", "inference"} & set(works)):
        images, seconds = works[what]()
        assert images == 8 and seconds > 0, what
    assert works["step"]() == 1
    if subject == "zoo":
        images, seconds = works["first epoch"]()
        assert images == 8 and seconds > 0


CASE = ("lenet5", 4, 2, {})
ONE, OTHER = ("zoo", "tensorflow", "float32"), ("zoo", "tensorflow", "bfloat16")


def left_out(rows):
    return [(row["precision"], row["unit"]) for row in rows if row["what"] == "left out"]


def test_what_has_no_time_for_a_step_is_left_out(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(benchmark, "IMPLEMENTATIONS", (ONE, OTHER))
    monkeypatch.setattr(benchmark, "OTHER_BACKENDS", ())
    rows = list(benchmark.measure_case(CASE, 3, 0.1, 0.2))  # the import alone takes longer
    assert left_out(rows) == [("float32", "s"), ("bfloat16", "s")] and len(rows) == 2


class StandIn:
    """A Worker that answers in no time: its steps in bfloat16 take 100 seconds, as it says."""

    def __init__(self, case, subject, backend, precision):
        self.step = 100.0 if precision == "bfloat16" else 0.001

    def request(self, task, timeout=None):
        return {"step": self.step, "training": 10.0, "inference": 30.0, "memory": 1.0}[task]

    def close(self):
        pass


@pytest.mark.parametrize("seconds, turns", [(100, 3), (0, 1)])
def test_what_is_hopeless_is_left_out_and_the_rest_measured(benchmark, monkeypatch, tmp_path, seconds, turns):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import workers

    monkeypatch.setattr(workers, "Worker", StandIn)
    monkeypatch.setattr(benchmark, "IMPLEMENTATIONS", (ONE, OTHER))
    monkeypatch.setattr(benchmark, "OTHER_BACKENDS", ())
    rows = list(benchmark.measure_case(CASE, 3, seconds, 200))
    assert left_out(rows) == [("bfloat16", "s a step")]
    assert {row["what"]: row["turns"] for row in rows if row["precision"] == "float32"} == {
        "first turn": 1, "training": turns, "inference": turns, "memory": 1}
    monkeypatch.setattr(benchmark, "CSV_PATH", tmp_path / "rows.csv")
    benchmark.replace_rows([*rows, benchmark.make_row([5.0], "10^9/s", what="peak", subject="product", backend="torch",
                                          precision="float32")], lambda row: True)
    table = benchmark.format_markdown_table()
    assert "| lenet5, 4 | | tensorflow, bfloat16 | left out: no time for steps of 100 s | | | | |" in table
    assert len(table) == 2 + 3 and all(line.count("|") == 9 for line in table)
