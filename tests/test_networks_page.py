"""docs/networks.md is the output of docs/networks.py for the networks and the papers' facts."""

import re
from pathlib import Path

import pytest
from helpers import module_at
from test_model_summary import FACTS, describe_cached

from zoo.catalogue import MODELS

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def networks():
    return module_at(DOCS / "networks.py")


@pytest.fixture(scope="module")
def page():
    return (DOCS / "networks.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date(networks, page):
    generated = networks.page(describe_cached)
    assert generated.splitlines() == page.splitlines(), "run python docs/networks.py"
    assert generated == page


def test_every_paper_has_its_text(networks):
    assert sorted(networks.BROUGHT) == sorted({spec.module for spec in MODELS.values()})


def test_every_network_has_its_table(page):
    headings = re.findall(r"^##+ (\S+)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(MODELS)
    assert [*re.findall(r"^\| \[(\S+)\]\(#\1\) \|", page, re.MULTILINE)] == [*MODELS]
    for name, facts in FACTS.items():
        section = page.split(f"# {name}\n", 1)[1]
        rows = re.findall(r"^\| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", section.split("\n#", 1)[0],
                          re.MULTILINE)
        assert [row[0] for row in rows if row[0] in facts.stages] == [*facts.stages]
        assert all(paper == computed for stage, paper, computed, *_ in rows if stage in facts.stages)


def test_the_check_option(networks, page, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(networks, "page", lambda: page)
    assert networks.main(["--check"]) == 0
    monkeypatch.setattr(networks, "PAGE", tmp_path / "networks.md")
    assert networks.main(["--check"]) == 1 and "networks.md" in capsys.readouterr().err
    assert networks.main([]) == 0 and networks.main(["--check"]) == 0
    assert networks.main(["--chek"]) == 2
