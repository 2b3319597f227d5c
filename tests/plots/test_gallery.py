"""The gallery in docs is what the command draws, and the page about diagrams shows what is there."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from subjects import make_source

from zoo import registry
from zoo.diagrams.diagram import build_scene
from zoo.diagrams.gallery import render_gallery_page
from zoo.diagrams.options import DETAILS
from zoo.diagrams.svg import to_svg

DOCS = Path(__file__).parents[2] / "docs"


def extract_texts(text):
    """What a drawing says, without its places: another release of the font may move them by a hair."""
    elements = [element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()]
    words = ["".join(element.itertext()) for element in ElementTree.fromstring(text).iter() if "text" in element.tag]
    return words, {tag: elements.count(tag) for tag in set(elements)}


def test_every_network_is_there_at_every_level_and_nothing_else():
    drawings = {f"{name}-{detail}.svg" for name in registry.MODELS for detail in DETAILS}
    assert {path.name for path in (DOCS / "gallery").iterdir()} == {*drawings, "index.html"}
    assert (DOCS / "gallery" / "index.html").read_text("utf-8") == render_gallery_page()
    assert sum(path.stat().st_size for path in (DOCS / "gallery").iterdir()) < 9e6


QUICK = ("lenet5_1998", "googlenet")


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in registry.MODELS])
def test_the_gallery_is_up_to_date(name):
    """Else: python -m zoo diagram --gallery docs/gallery"""
    for detail in DETAILS:
        assert extract_texts((DOCS / "gallery" / f"{name}-{detail}.svg").read_text("utf-8")) == extract_texts(
            to_svg(build_scene(make_source(name), detail)))


def test_the_page_about_diagrams_shows_what_is_there():
    text = (DOCS / "diagrams.md").read_text("utf-8")
    shown = [*re.findall(r'src="([^"]+)"', text), *re.findall(r"\]\(((?!#)[^)]+)\)", text)]
    assert len(shown) > 3 * len(registry.MODELS) and all((DOCS / each).is_file() for each in shown)
