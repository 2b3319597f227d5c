"""docs/scaling.md has the right figures; test_tables.py compares the rest of its table with the program."""

from pathlib import Path


def test_a_row_by_hand():
    """vgg16: 138,357,544 parameters of 4 bytes; each of 8 devices sends 14/8 of that."""
    page = (Path(__file__).resolve().parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert "| vgg16 | 138,357,544 | 553.4 | 968.5 |" in page
