"""benchmarks/streaming.csv: complete, and its images the same on every machine."""

from pathlib import Path

import pytest
from helpers import module_at

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    return module_at(BENCHMARKS / "streaming.py")


def test_every_case_was_measured(benchmark):
    assert [(row["images"], row["mode"]) for row in benchmark.read_rows()] == benchmark.list_cases()


def test_memory_is_flat(benchmark):
    """A hundred times as many images need less than a tenth more memory; in memory, they need their pixels' size."""
    rows = {(row["images"], row["mode"]): row["peak_mib"] for row in benchmark.read_rows() if row["mode"] != "photos"}
    assert rows[100_000, "streamed"] < 1.1 * rows[1_000, "streamed"]
    pixels = 99_000 * 96 * 96 * 3 / 2**20
    assert rows[100_000, "in memory"] - rows[1_000, "in memory"] == pytest.approx(pixels, rel=0.1)


def test_images_depend_only_on_their_index(benchmark, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        benchmark.add_images(tmp_path / name, 0, 3)
        benchmark.add_images(tmp_path / name, 3, 12)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.jpg"))
    assert len(files) == 12 and str(files[0]) == "class0/000000.jpg" and str(files[1]) == "class0/000010.jpg"
    contents = [(tmp_path / name / file).read_bytes() for name in ("one", "other") for file in files]
    assert contents[:12] == contents[12:] and len(set(contents)) == 12
