"""Every diagram of the catalogue on the sheet it is made for: large enough letters, nothing over anything else."""

import functools
import itertools

import pytest
from helpers import slow_if_sibling
from subjects import make_source
from text_boxes import measure_text_box

from zoo import registry
from zoo.diagrams.diagram import build_scene
from zoo.diagrams.scene import Box, Line, Text

NETWORKS = slow_if_sibling(sorted(registry.MODELS))
WAYS = ([("stages", way) for way in ("LR", "TB")] + [("blocks", way) for way in ("TB", "LR")]
        + [("layers", way) for way in ("TB", "LR")])

INCH, MM = 72.0, 72.0 / 25.4
SLIDE = [(13.33 * INCH, 7.5 * INCH)]  # 16:9, as PowerPoint and others have it
A4 = [(180 * MM, 267 * MM), (267 * MM, 180 * MM)]  # 210 x 297 mm with margins of 15 mm, upright and across
# A slide is read from across a room: 8 points at its own 13.33 inches are 24 on a screen of 40. Print is read from 40
# centimetres: 6 points are the minimum of many publishers for figures.
MIN_TEXT_SIZE = {"stages": (SLIDE, 8.0), "blocks": (A4, 6.0)}


@functools.cache
def draw_scene(name, detail, rankdir):
    return build_scene(make_source(name), detail, rankdir=rankdir)


def items_of(scene, kind):
    return [item for item in scene.items if isinstance(item, kind)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("detail, rankdir", [("stages", "LR"), ("blocks", "TB")])
def test_texts_are_large_enough_on_the_sheet(name, detail, rankdir):
    scene = draw_scene(name, detail, rankdir)
    sheets, least = MIN_TEXT_SIZE[detail]
    scale = max(min(width / scene.width, height / scene.height) for width, height in sheets)
    assert scale * min(text.size for text in items_of(scene, Text)) >= least


@pytest.mark.parametrize("detail, rankdir", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_texts_are_complete_and_do_not_overlap(name, detail, rankdir):
    scene = draw_scene(name, detail, rankdir)
    found = sorted((shrink(measure_text_box(text), 1.0), text.text) for text in items_of(scene, Text) if text.text)
    for number, (one, words) in enumerate(found):
        assert 0 <= one[0] and one[2] <= scene.width and 0 <= one[1] and one[3] <= scene.height, words
        for other, others in found[number + 1:]:
            if other[0] > one[2]:
                break
            assert not do_overlap(one, other), (words, others)


@pytest.mark.parametrize("detail, rankdir", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_do_not_overlap_and_no_line_crosses_texts_or_boxes(name, detail, rankdir):
    scene = draw_scene(name, detail, rankdir)
    boxes = [(edges(box), box.name) for box in items_of(scene, Box) if box.name]
    words = [(shrink(measure_text_box(text), 1.5), text.text) for text in items_of(scene, Text) if text.text]
    for (one, name_of_one), (other, name_of_other) in itertools.combinations(boxes, 2):
        assert not do_overlap(one, other), (name_of_one, name_of_other)
    for line in items_of(scene, Line):
        for (x1, y1), (x2, y2) in itertools.pairwise(line.points):
            piece = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
            for place, what in [*((shrink(box, 1.0), name) for box, name in boxes), *words]:
                assert not do_cross(piece, place), (what, line.points)


@pytest.mark.parametrize("detail, rankdir", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_lines_do_not_cross(name, detail, rankdir):
    """All of these networks can be drawn without."""
    level, upright = [], []
    for line in items_of(draw_scene(name, detail, rankdir), Line):
        for (x1, y1), (x2, y2) in itertools.pairwise(line.points):
            (level if abs(y1 - y2) < 0.01 else upright).append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
            assert abs(x1 - x2) < 0.01 or abs(y1 - y2) < 0.01, line.points  # no line is slanting
    for (left, y, right, _), (x, top, _, bottom) in itertools.product(level, upright):
        assert not (left + 1 < x < right - 1 and top + 1 < y < bottom - 1), (x, y)


@pytest.mark.parametrize("detail, rankdir", WAYS)
def test_the_flow_has_the_direction(detail, rankdir):
    heads = [(x2 - x1, y2 - y1) for line in items_of(draw_scene("vgg16", detail, rankdir), Line)
             for (x1, y1), (x2, y2) in [line.points[-2:]]]
    ahead = sum((across if rankdir == "LR" else down) > 0 for across, down in heads)
    assert ahead == len(heads) > 5


def edges(box):
    return box.x, box.y, box.x + box.width, box.y + box.height


def shrink(box, by):
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by


def do_overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def do_cross(piece, box):
    """Whether a level or upright piece of a line goes through a box."""
    return piece[0] <= box[2] and box[0] <= piece[2] and piece[1] <= box[3] and box[1] <= piece[3]
