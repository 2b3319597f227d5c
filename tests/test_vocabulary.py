"""The words of the field: what docs/glossary.md calls a thing, everything calls it; words that are gone stay gone."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("zoo", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))
TEXTS = sorted([*SOURCES, ROOT / "README.md", ROOT / "setup.cfg", ROOT / "CITATION.cff",
                *(path for suffix in ("md", "ipynb") for path in (ROOT / "docs").glob(f"*.{suffix}")),
                *(path for suffix in ("js", "css", "html") for path in (ROOT / "zoo").rglob(f"*.{suffix}"))])
#  what is gone: the word for it now
GONE = {
    r"pictures?": "image; plot or diagram for what zoo draws",
    r"side[- ]classifiers?": "auxiliary classifier",
    r"blueprints?": "model config",
    r"(?:learn\w*|know\w*|known) by heart": "memorize, overfit",
    r"goes on|go on with|going on with|to go on": "resume, continue",
    r"worked out": "computed",
    r"departures?(?: from)?": "differences from the paper",
    r"(?<!standard )deviations?(?: over)": "standard deviation",
    r"the rate": "the learning rate",
    r"tells|told": "prints, shows, says",
    r"(?:measured|drawn|made) anew": "recomputed, redrawn",
    r"grids? of (?:features|maps)": "feature map",
    r"normalis\w+": "normalization",
    r"from nothing": "from scratch, with random weights",
    r"data sets?": "dataset",
    r"surer|sureness": "confidence",
    r"is not there|are not there": "is not found, does not exist",
}
PARTICIPLES = set("asked begun chosen drawn ended found given gone held kept known left made moved put read_in said "
                  "seen shown taken told wanted written".split())
GONE_IN_NAMES = re.compile(r"(?:^|_)(?:pictures?|blueprints?|told|said|asked|begun|departures|heart)(?:_|$)")
# Flags of other programs, which somebody may type; and a word of Python's own
EXCEPTIONS = {("zoo/cli/flag_hints.py", "picture")}


def find_gone_words(text):
    """Return [(line number, word, what to say instead)] of a text."""
    return [(number, match[0], instead) for number, line in enumerate(text.splitlines(), 1)
            for pattern, instead in GONE.items() for match in re.finditer(rf"\b(?:{pattern})\b", line, re.IGNORECASE)]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_words_that_are_gone(path):
    name = path.relative_to(ROOT).as_posix()
    gone = [f"line {number}: {word} ({instead})" for number, word, instead in
            find_gone_words(path.read_text(encoding="utf-8")) if (name, word) not in EXCEPTIONS]
    assert not gone, "\n".join(gone)


def list_names(tree):
    """Yield every name that a module binds: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [name for name in list_names(tree) if GONE_IN_NAMES.search(name.lower())] == []
    functions = {node.name.strip("_") for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not functions & PARTICIPLES  # a function is a verb in the imperative
    aliases = [alias.asname for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))
               for alias in node.names if alias.asname]
    assert {*aliases} <= {"np", "plt", "tf"} or not path.is_relative_to(ROOT / "zoo"), aliases


def test_the_test_finds_what_it_looks_for():
    assert [word for _, word, _ in find_gone_words("The pictures of a side classifier\nwere told.")] == [
        "pictures", "side classifier", "told"]
    assert not find_gone_words("the learning rate, images; a standard deviation over seeds")
