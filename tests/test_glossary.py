"""The fields, flags, commands, functions and pages that docs/glossary.md mentions exist."""

import importlib
import re
from pathlib import Path

import pytest

import zoo
from zoo.__main__ import COMMANDS
from zoo.training.recipe import RECIPE_FIELDS

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^\*\*(.+?)\*\* · (.+)\n(.+)$", TEXT, re.MULTILINE)
CODE = " ".join(re.findall(r"`([^`]+)`", " ".join(where for _, _, where in TERMS)))


def test_forty_terms_in_alphabetical_order_of_two_lines_each():
    names = [name for name, _, _ in TERMS]
    assert len(names) == TEXT.count("\n**") >= 40
    assert names == sorted(names, key=str.lower)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term[0])
def test_the_references_of_a_term_exist(term):
    _, _, where = term
    fields = re.search(r"Recipe fields? ([^.;]*)", where)
    assert all(field in RECIPE_FIELDS for field in re.findall(r"`(\w+)`", fields[1] if fields else ""))
    assert all(hasattr(zoo, name) for name in re.findall(r"zoo\.(\w+)", where))
    assert all((DOCS / page).is_file() for page in re.findall(r"\]\((\S+?)\)", where))
    commands = {argument for code in re.findall(r"`([^`]+)`", where) for argument in [code.split()[0]]
                if argument in COMMANDS}
    assert fields or "zoo." in where or "--" in where or commands or "](" in where or "RUN/" in where


def test_its_flags_exist():
    parsers = [importlib.import_module(f"zoo.cli.{command.replace('-', '_')}").build_parser() for command in COMMANDS]
    flags = {flag for parser in parsers for flag in parser._option_string_actions}
    assert {*re.findall(r"--[a-z-]+", CODE)} <= flags
