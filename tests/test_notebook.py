"""docs/example.ipynb: it runs, and what it shows is what it gave."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "docs" / "example.ipynb"
CELLS = [cell for cell in json.loads(BOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def told(cells, start):
    """Return what the cell wrote whose code begins with `start`."""
    [cell] = [each for each in cells if "".join(each["source"]).startswith(start)]
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def accuracies(cells):
    """Return the three accuracies by the best epoch, %: of the digits, of the transfer and from nothing."""
    return [float(re.search(r"test accuracy ([\d.]+)%", told(cells, start))[1]) for start in (
        "%%bash\npython -m zoo.train lenet5", "%%bash\npython -m zoo finetune lenet5 --data holes --weights runs",
        "%%bash\npython -m zoo finetune lenet5 --data holes --weights none")]


def test_it_was_run_from_top_to_bottom():
    assert [cell["execution_count"] for cell in CELLS] == [*range(1, len(CELLS) + 1)]
    kinds = [output["output_type"] for cell in CELLS for output in cell["outputs"]]
    assert "error" not in kinds and {"stream", "execute_result", "display_data"} == {*kinds}
    digits, transfer, nothing = accuracies(CELLS)
    assert digits > 95 and transfer > nothing


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(BOOK, 4)
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3",
                            resources={"metadata": {"path": str(tmp_path)}}).execute()
    now = [cell for cell in book.cells if cell["cell_type"] == "code"]
    digits, transfer, nothing = accuracies(now)
    assert digits > 95 and transfer > nothing + 5
    assert (tmp_path / "gradcam.png").exists()
