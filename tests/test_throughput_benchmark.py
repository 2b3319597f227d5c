"""benchmarks/throughput.csv has a row for every case."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "throughput.py")


@pytest.fixture(scope="module")
def tables():
    return module_at(BENCHMARKS / "throughput_tables.py")


def test_every_case_was_measured(benchmark):
    rows = benchmark.read_medians()
    expected = {(case[0], metric, *implementation) for case in benchmark.CASES
                for implementation in benchmark.get_implementations(case[0]) for metric in ("training", "inference")
                if implementation[0] != "bare" or metric == "training"}
    omitted = {key for key in expected if (key[0], "left out", *key[2:]) in rows}
    assert expected - omitted <= set(rows)
    assert {(model, implementation) for model, metric, implementation, *_ in rows if metric == "build"} == {
        (model, implementation) for model, _ in benchmark.KERAS_APPLICATIONS
        for implementation in ("zoo.build", "keras.applications")}


@pytest.mark.parametrize("implementation", ["zoo", "bare", "tutorial"])
def test_each_implementation_runs_its_tasks(benchmark, implementation, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import implementations

    tasks = implementations.PREPARE_FUNCTIONS[implementation]("lenet5", 4, {}, 8, "float32")
    for task in sorted({"training", "inference"} & set(tasks)):
        num_images, seconds = tasks[task]()
        assert num_images == 8 and seconds > 0, task
    assert tasks["step"]() == 1
    if implementation == "zoo":
        num_images, seconds = tasks["first epoch"]()
        assert num_images == 8 and seconds > 0


CASE = ("lenet5", 4, 2, {})
FLOAT32, BFLOAT16 = ("zoo", "tensorflow", "float32"), ("zoo", "tensorflow", "bfloat16")


def list_left_out(rows):
    return [(row["precision"], row["unit"]) for row in rows if row["metric"] == "left out"]


def test_an_implementation_without_time_for_a_step_is_left_out(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(benchmark, "IMPLEMENTATIONS", (FLOAT32, BFLOAT16))
    monkeypatch.setattr(benchmark, "OTHER_BACKENDS", ())
    rows = list(benchmark.measure_case(CASE, 3, 0.1, 0.2))  # the import alone takes longer
    assert list_left_out(rows) == [("float32", "s"), ("bfloat16", "s")] and len(rows) == 2


class FakeWorker:
    """A Worker that returns immediately and reports steps of 100 seconds in bfloat16."""

    def __init__(self, case, implementation, backend, precision):
        self.step_seconds = 100.0 if precision == "bfloat16" else 0.001

    def request(self, task, timeout=None):
        return {"step": self.step_seconds, "training": 10.0, "inference": 30.0, "memory": 1.0}[task]

    def close(self):
        pass


@pytest.mark.parametrize("seconds, rounds", [(100, 3), (0, 1)])
def test_too_slow_implementations_are_left_out_and_the_rest_measured(benchmark, tables, monkeypatch, tmp_path, seconds,
                                                                         rounds):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import workers

    monkeypatch.setattr(workers, "Worker", FakeWorker)
    monkeypatch.setattr(benchmark, "IMPLEMENTATIONS", (FLOAT32, BFLOAT16))
    monkeypatch.setattr(benchmark, "OTHER_BACKENDS", ())
    rows = list(benchmark.measure_case(CASE, 3, seconds, 200))
    assert list_left_out(rows) == [("bfloat16", "s/step")]
    assert {row["metric"]: row["rounds"] for row in rows if row["precision"] == "float32"} == {
        "first round": 1, "training": rounds, "inference": rounds, "memory": 1}
    monkeypatch.setattr(benchmark, "CSV_PATH", tmp_path / "rows.csv")
    peak = benchmark.make_row([5.0], "GMAC/s", metric="peak", implementation="matmul", backend="torch",
                              precision="float32")
    benchmark.replace_rows([*rows, peak], lambda row: True)
    table = tables.format_markdown_table(benchmark.read_medians())
    assert "| lenet5, 4 | | tensorflow, bfloat16 | left out: too slow, 100 s per step | | | | |" in table
    assert len(table) == 2 + 3 and all(line.count("|") == 9 for line in table)
