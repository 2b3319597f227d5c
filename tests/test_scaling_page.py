"""docs/scaling.md: its table is the output of docs/scaling.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_table():
    process = subprocess.run([sys.executable, "docs/scaling.py"], cwd=ROOT, capture_output=True, text=True, check=True,
                             env={"PYTHONPATH": str(ROOT)})
    page = (ROOT / "docs" / "scaling.md").read_text()
    assert f"<!-- python docs/scaling.py -->\n{process.stdout}<!-- end -->\n" in page


def test_a_row_by_hand():
    """vgg16: 138,357,544 parameters of 4 bytes; each of 8 devices sends 14/8 of that."""
    page = (ROOT / "docs" / "scaling.md").read_text()
    assert "| vgg16 | 138,357,544 | 553.4 | 968.5 |" in page
