"""The notebooks in docs/ run, and their committed outputs are those of a run."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("example", "search")


def cells_of(name):
    """Return the code cells of a committed notebook."""
    book = json.loads((ROOT / "docs" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", NAMES)
def test_it_was_run_from_top_to_bottom(name):
    cells = cells_of(name)
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs and {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert {output["name"] for output in outputs if output["output_type"] == "stream"} <= {"stdout"}
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_python_alone_small_and_of_no_machine(name):
    sources = ["".join(cell["source"]) for cell in cells_of(name)]
    assert not [source for source in sources for line in source.splitlines() if line.lstrip().startswith(("!", "%"))]
    text = (ROOT / "docs" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text) < 400_000
    assert not re.findall(r"""(?<=["'\s(=`:])/(?!/)[\w.-]+/[\w./-]+|/home/|/tmp/|/Users/|site-packages""", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if name == "search":
        pytest.importorskip("optuna")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(ROOT / "docs" / f"{name}.ipynb", 4)
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3",
                            resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []  # nor does a backend log

    import zoo

    best = {"example": "digits", "search": "best"}[name]
    assert zoo.Run(tmp_path / name / best).result["test_accuracy_best"] > 0.95
    if name == "search":
        assert len([*(tmp_path / "search").iterdir()]) == 21  # the trials, and a run with the best settings
    else:
        assert (tmp_path / "example" / "digits.keras").is_file()
