"""benchmarks/kills.py: its commands, its comparison, and the table of docs/training.md."""

import json
import random
import shlex
from pathlib import Path

import numpy as np
import pytest

from helpers import module_at

from zoo.cli import finetune, train

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def benchmark():
    return module_at(ROOT / "benchmarks" / "kills.py")


def test_every_setting_is_a_command(benchmark):
    assert len(benchmark.SETTINGS) == len(benchmark.SHORT_NAMES) >= 6
    for text in benchmark.SETTINGS.values():
        command, *arguments = shlex.split(text.format(folder="images"))
        parser = {"train": train, "finetune": finetune}[command].build_parser()
        parser.parse_args([*arguments, "--gpu", "none", "--output-dir", "runs", "--name", "killed-1"])


def write_run(folder, *, kernel=1.0, seconds=3.0, accuracy=0.5):
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("last", "best"):
        np.savez(folder / "checkpoints" / f"{name}.npz", **{"weights/kernel": kernel, "progress/seconds": seconds})
    np.savez(folder / "predictions.npz", labels=np.arange(3))
    (folder / "history.csv").write_text("epoch,loss\n1,0.5\n")
    (folder / "result.json").write_text(json.dumps({"test_accuracy_best": accuracy, "seconds": seconds}))
    return folder


def test_seconds_may_differ_and_nothing_else(benchmark, tmp_path):
    expected = benchmark.read_results(write_run(tmp_path / "reference"))
    assert benchmark.read_results(write_run(tmp_path / "slower", seconds=4.0)) == expected
    assert benchmark.read_results(write_run(tmp_path / "weights", kernel=1.0 + 2**-52)) != expected
    assert benchmark.read_results(write_run(tmp_path / "result", accuracy=0.25)) != expected


def test_no_killed_run_differs(benchmark):
    rows = benchmark.csv_rows.read_rows(benchmark.CSV_PATH)
    assert [row["setting"] for row in rows] == [*benchmark.SETTINGS]
    assert all(int(row["different"]) == 0 and int(row["kills"]) > 0 for row in rows)


def test_kills_come_at_every_stage_of_a_run(benchmark):
    rng, saves, seconds = random.Random(0), [5.0, 6.0, 8.0], 9.0
    drawn = [benchmark.draw_kill(rng, saves, seconds, 0) for _ in range(400)]
    limits = {0: 5.0, 1: 1.0, 2: 2.0, 3: 1.0}  # seconds to the next checkpoint, or to the end
    assert {count for count, _ in drawn} == {*limits}
    assert all(limits[count] / 2 < max(delay for other, delay in drawn if other == count) < limits[count]
               for count in limits)
    assert {count for count, _ in (benchmark.draw_kill(rng, saves, seconds, 2) for _ in range(99))} == {0, 1}
    assert benchmark.draw_kill(rng, saves, seconds, 3)[0] == benchmark.draw_kill(rng, saves, seconds, 4)[0] == 0
