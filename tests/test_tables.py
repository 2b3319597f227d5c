"""The tables of README.md and docs/ are what their commands print; docs/tables.py writes them."""

import re
from pathlib import Path

import pytest
from helpers import module_at

TABLES = module_at(Path(__file__).resolve().parents[1] / "docs" / "tables.py")
PAGES = {page.name: page.read_text(encoding="utf-8") for page in TABLES.PAGES}
MARKED = [(name, command) for name, text in PAGES.items() for _, command, _ in TABLES.TABLE.findall(text)]


@pytest.mark.parametrize("page, command", MARKED)
def test_a_table_is_what_its_command_prints(page, command):
    table = re.search(rf"<!-- {re.escape(command)} -->\n(.*?)<!-- end -->", PAGES[page], re.DOTALL)[1]
    assert table == TABLES.run_command(command)


def test_every_program_with_a_table_has_it_on_a_page():
    programs = {path.name for path in (TABLES.ROOT / "benchmarks").glob("*.py")
                if '"--table"' in path.read_text(encoding="utf-8")}
    assert programs <= {Path(command.split()[1]).name for _, command in MARKED}


def test_only_the_table_is_rewritten():
    text = "before\n<!-- python docs/scaling.py -->\nold\n<!-- end -->\nafter <!-- end --> <!-- tests -->\n"
    start, rest = TABLES.rewrite_tables(text).split("-->\n", 1)
    table, end = rest.split("<!-- end -->\n", 1)
    assert start == "before\n<!-- python docs/scaling.py " and end == "after <!-- end --> <!-- tests -->\n"
    assert table == TABLES.run_command("python docs/scaling.py")
