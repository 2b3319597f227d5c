"""A scene as a file: the same drawing in SVG, PNG and PDF, whole or not at all, byte for byte the same again."""

import contextlib
import re
import signal
import subprocess
import sys
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.textpath import text_to_path
from helpers import check_text
from PIL import Image
from text_boxes import ASCENT, DESCENT, measure_text_box

from zoo.diagrams import paths, raster, save
from zoo.diagrams.save import save_scene
from zoo.diagrams.scene import Box, Line, Polygon, Scene, Text, translate_item, scale_scene
from zoo.diagrams.svg import format_number, to_svg
from zoo.errors import UserError
from zoo.plots.font_metrics import get_font_properties, measure_text_width

SVG = "{http://www.w3.org/2000/svg}"


def make_scene(background="#ffffff"):
    """A scene with every kind of item in it."""
    return Scene(200, 120, background, title='A <net> & its "parts"', items=[
        Box(10, 10, 80, 24, "#0072b2", "#003050", 1.5, 6, name="conv1", tooltip="9,408 <weights>"),
        Text(50, 22, "conv1 7×7/2", 9, "#ffffff", bold=True),
        Box(10, 60, 80, 24, "#ffffff", "#d55e00", radius=0, dashed=True, name="pool&1"),
        Text(50, 72, "max pool <3×3>", 8),
        Box(110, 90, 60, 20, "#bbddbb", radius=99),
        Line(((50, 34), (50, 60)), "#222222", arrow=True),
        Line(((90, 22), (120, 22), (120, 72), (90, 72)), "#cc3311", 2, dashed=True, arrow=True),
        Polygon(((140, 40), (160, 20), (160, 60), (140, 80)), "#88bbdd", "#335577"),
        Text(150, 50, "56 × 56", 7, rotated=True),
        Text(112, 104, "$x^2$  → end", 6, "#666666", anchor="start"),
    ])


def parsed(scene):
    return ElementTree.fromstring(to_svg(scene))


def test_the_svg_has_its_shapes_where_the_scene_has_them():
    root = parsed(make_scene())
    boxes = [[float(box.get(key, 0)) for key in ("x", "y", "width", "height", "rx")] for box in root.iter(f"{SVG}rect")]
    assert boxes == [[0, 0, 200, 120, 0], [10, 10, 80, 24, 6], [10, 60, 80, 24, 0],
                     [110, 90, 60, 20, 10]]  # a corner is at most half as large as the box
    assert [(box.get("fill"), box.get("stroke")) for box in root.iter(f"{SVG}rect")] == [
        ("#ffffff", None), ("#0072b2", "#003050"), ("#ffffff", "#d55e00"), ("#bbddbb", None)]
    assert [box.get("stroke-dasharray") is not None for box in root.iter(f"{SVG}rect")] == [False, False, True, False]
    lines = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    assert [re.match(r"M([\d ]+)", line)[1] for line in lines] == ["50 34", "90 22"]
    assert "M140 40L160 20L160 60L140 80Z" in [path.get("d") for path in root.iter(f"{SVG}path")]


def test_every_text_stands_in_the_svg_as_text():
    root = parsed(make_scene())
    assert [element.text for element in root.iter(f"{SVG}text")] == [
        "conv1 7×7/2", "max pool <3×3>", "56 × 56", "$x^2$  → end"]
    assert root.findtext(f"{SVG}title") == 'A <net> & its "parts"'
    assert root.get("role") == "img"


def test_a_box_bears_its_name_and_its_tip_in_the_svg():
    root = parsed(make_scene())
    named = {element.get("data-name"): element for element in root.iter() if element.get("data-name")}
    assert set(named) == {"conv1", "pool&1"}
    assert named["conv1"].findtext(f"{SVG}title") == "9,408 <weights>"
    # The words over a box leave the mouse to it.
    assert root.get("pointer-events") == "none" and named["conv1"].get("pointer-events") == "all"


def test_a_scene_without_tips_lets_its_words_be_marked_with_the_mouse():
    root = parsed(Scene(50, 20, items=[Box(0, 0, 50, 20, "#eeeeee", name="a"), Text(25, 10, "a")]))
    assert not [element for element in root.iter() if element.get("pointer-events")]


def test_a_scene_without_background_is_transparent(tmp_path):
    scene = Scene(20, 10, "", [Box(0, 0, 10, 10, "#ff0000", radius=0)])
    assert len(parsed(scene)) == 1
    pixels = pixels_of(scene, tmp_path, "RGBA")
    assert pixels[10, 5].tolist() == [255, 0, 0, 255] and pixels[10, 30, 3] == 0


@pytest.mark.parametrize(("value", "text"), [
    (1, "1"), (1.0, "1"), (0.1 + 0.2, "0.3"), (2.346, "2.35"), (-0.001, "0"), (100, "100"), (-1.5, "-1.5"),
    (np.float32(0.25), "0.25"), (1e6, "1000000"), (np.int64(30), "30"),
])
def test_numbers_are_short(value, text):
    assert format_number(value) == text


def test_characters_that_xml_forbids_are_made_visible():
    scene = Scene(90, 20, title="a\x00b\udc80", items=[Text(45, 10, "c\x07\nd"), Box(0, 0, 1, 1, "", tooltip="e\x1bf")])
    root = parsed(scene)
    assert [root.findtext(f"{SVG}title"), root.findtext(f"{SVG}text")] == [r"a\x00b\udc80", r"c\x07 d"]


WORDS = ["conv1", "Inception-ResNet v2: WAVE To Yo", "7×7/2, 64", "112 × 112 × 64 → 56 ⊕ · −", "AVAToT. P,", "", " a "]


@pytest.mark.parametrize("bold", [False, True], ids=["regular", "bold"])
@pytest.mark.parametrize("words", WORDS)
def test_words_are_as_wide_as_matplotlib_sets_them(words, bold):
    width, _, _ = text_to_path.get_text_width_height_descent(words, get_font_properties(100, bold),
                                                             ismath=False)
    assert measure_text_width(words, 9, bold) == pytest.approx(width * 0.09, abs=0.01)


def test_words_are_as_wide_as_the_font_says():
    assert measure_text_width("1234567890", 10) == pytest.approx(63.6, abs=0.1)  # DejaVu's digits are 0.636 of its size
    assert measure_text_width("m", 10, bold=True) > measure_text_width("m", 10) > measure_text_width("i", 10)


def test_text_boxes():
    high = measure_text_box(Text(50, 20, "HHHH", 10))
    length = measure_text_width("HHHH", 10)
    assert high == pytest.approx((50 - length / 2, 16.05, 50 + length / 2, 26.01))
    turned = measure_text_box(Text(50, 20, "HHHH", 10, anchor="start", rotated=True))
    assert turned == pytest.approx((46.05, 20 - length, 56.01, 20))


def pixels_of(scene, folder, mode="RGB", dpi=144):
    """Return the PNG of a scene as uint8 (height, width, channels), two pixels to the point."""
    raster.write_png(scene, folder / "scene.png", dpi)
    with Image.open(folder / "scene.png") as image:
        return np.asarray(image.convert(mode))


@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
@pytest.mark.parametrize("turned", [False, True], ids=["level", "turned"])
def test_the_png_has_its_letters_where_they_are_measured(tmp_path, anchor, turned):
    text = Text(150, 150, "Household & AVg: gjpqy <3×3>", 8, anchor=anchor, rotated=turned)
    rows, columns = np.nonzero(pixels_of(Scene(300, 300, items=[text]), tmp_path).min(axis=2) < 128)
    ink = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 2
    assert np.abs(ink - measure_text_box(text)).max() < 1.2  # points; a letter has some air at its sides


def test_the_svg_has_its_letters_where_they_are_measured():
    texts = [Text(100, 100, "AVg", 11, anchor=anchor, rotated=turned, bold=True)
             for anchor in ("start", "middle", "end") for turned in (False, True)]
    for text, element in zip(texts, parsed(Scene(200, 200, items=texts)).iter(f"{SVG}text"), strict=True):
        x, y, length = (float(element.get(key)) for key in ("x", "y", "textLength"))
        left = x - {None: 0, "middle": 0.5, "end": 1}[element.get("text-anchor")] * length
        box = left, y - ASCENT * 11, left + length, y + DESCENT * 11
        if text.rotated:  # (x, y) turns to (y, -x) about the middle that the SVG names
            assert element.get("transform") == "rotate(-90 100 100)"
            box = box[1], 200 - box[2], box[3], 200 - box[0]
        assert box == pytest.approx(measure_text_box(text), abs=0.02)


@pytest.mark.parametrize("background", ["#ffffff", "#101820"], ids=["light", "dark"])
def test_the_png_has_its_colors_where_the_scene_has_them(tmp_path, background):
    pixels = pixels_of(make_scene(background), tmp_path)
    assert pixels.shape == (240, 400, 3)

    def color(x, y):
        return "#" + pixels[round(2 * y), round(2 * x)].tobytes().hex()

    assert [color(*point) for point in ((1, 1), (199, 119), (100, 50), (170, 91))] == [background] * 4  # round corner
    assert color(15, 30) == "#0072b2" and color(15, 65) == "#ffffff" and color(140, 92) == "#bbddbb"
    assert color(112, 92) == background and color(113.5, 93.5) == "#bbddbb"  # a corner is a quarter of a circle
    assert color(10, 22) == "#003050"  # an outline
    assert [color(x, 22) for x in (92, 95.5, 99, 102.5)] == ["#cc3311", background] * 2  # 4 points on, 3 off
    assert color(92.5, 72) == "#cc3311" and color(50, 57) == "#222222"  # heads of arrows
    assert color(143, 70) == "#88bbdd"


@pytest.mark.parametrize(("size", "pixels"), [
    ((72, 36), (200, 100)),
    ((100.3, 50.7), (279, 141)),
    ((0.1, 0.1), (1, 1)),
    ((300, 30000), (120, 12000)),
])
def test_a_png_has_200_pixels_to_the_inch_but_is_never_too_large(tmp_path, size, pixels):
    raster.write_png(Scene(*size, "#102030"), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == pixels
        assert {image.getpixel((x, y)) for x in (0, pixels[0] - 1) for y in (0, pixels[1] - 1)} == {(16, 32, 48, 255)}


def test_the_pixels_of_a_large_scene_are_limited():
    assert raster.choose_dpi(Scene(1000, 2000)) == 200
    assert raster.choose_dpi(Scene(9000, 500)) == pytest.approx(96)
    dpi = raster.choose_dpi(Scene(4000, 4000))
    assert (4000 / 72 * dpi) ** 2 == pytest.approx(60e6)


def strings_of(pdf):
    """Return what the strings in a PDF's pages say, one after the other, as far as it is ASCII."""
    pages = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):  # a table that is not compressed
            pages.append(zlib.decompress(stream))
    shown = [part for page in pages for line in re.findall(rb"\[(.*?)\] TJ", page, re.DOTALL)
             for part in re.findall(rb"\(((?:\\.|[^\\)])*)\)", line, re.DOTALL)]
    return b"".join(shown).replace(b"\\", b"").replace(b"\0", b"").decode("latin-1")


def test_the_words_of_a_pdf_can_be_searched(tmp_path):
    pdf = save_scene(make_scene(), tmp_path / "a.pdf").read_bytes()
    text = strings_of(pdf)
    assert all(words in text for words in ("conv1 7×7/2", "max pool <3×3>", "56 × 56", "$x^2$"))
    assert b"/CIDFontType2" in pdf and b"/ToUnicode" in pdf and b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert b"/MediaBox [ 0 0 200 120 ]" in pdf


def test_a_pdf_is_no_larger_than_readers_go(tmp_path):
    """PDF 1.7, annex C: a page of at most 14,400 points; a drawing of twice that is drawn at half the size."""
    scene = Scene(28_800, 1000, items=[Text(14_400, 500, "middle", 20)])
    pdf = save_scene(scene, tmp_path / "a.pdf").read_bytes()
    assert b"/MediaBox [ 0 0 14400 500 ]" in pdf
    assert scale_scene(scene, 0.5).items == [Text(7200, 250, "middle", 10)]


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf", ".PNG"])
def test_the_same_scene_gives_the_same_file(tmp_path, ending):
    first = save_scene(make_scene(), tmp_path / f"a{ending}")
    second = save_scene(make_scene(), str(tmp_path / f"b{ending}"))
    assert first.read_bytes() == second.read_bytes() and second == tmp_path / f"b{ending}"
    assert sorted(tmp_path.iterdir()) == [first, second]  # no scratch file is left


@pytest.mark.parametrize("ending", [".png", ".pdf"])
def test_a_file_contains_no_date_or_program(tmp_path, ending):
    data = save_scene(make_scene(), tmp_path / f"a{ending}").read_bytes()
    assert not re.search(rb"CreationDate|[Mm]atplotlib|Software", data)


@pytest.mark.parametrize("title", ["", "é → 中", "a\udc80\x00b"], ids=["none", "foreign", "damaged"])
@pytest.mark.parametrize("ending", list(save.SCENE_WRITERS))
def test_any_title_can_be_written(tmp_path, ending, title):
    assert save_scene(Scene(20, 20, title=title), tmp_path / f"a{ending}").stat().st_size > 100


def path_of(*points, **how):
    return paths.compute_line_path(Line(points, "#000000", **how))


def test_a_line_bends_at_its_corners():
    path, head = path_of((0, 0), (20, 0), (20, 30), radius=5)
    assert path == [("M", (0, 0)), ("L", (15, 0)), ("Q", (20, 0), (20, 5)), ("L", (20, 30))] and head == ()
    assert path_of((0, 0), (20, 0), (20, 30), radius=0)[0] == [("M", (0, 0)), ("L", (20, 0)), ("L", (20, 30))]
    assert path_of((0, 0), (20, 0), (30, 0))[0] == [("M", (0, 0)), ("L", (20, 0)), ("L", (30, 0))]


def test_two_corners_share_the_length_between_them():
    path, _ = path_of((0, 0), (20, 0), (20, 6), (40, 6), radius=5)
    assert [step for step in path if step[0] == "Q"] == [("Q", (20, 0), (20, 3)), ("Q", (20, 6), (23, 6))]


@pytest.mark.parametrize("width", [0.5, 1, 3])
def test_an_arrow_ends_at_its_point_and_its_line_within_its_head(width):
    path, head = path_of((0, 0), (0, 40), width=width, arrow=True)
    foot = head[1][1]
    assert head[0] == (0, 40) and head[2][1] == foot and foot < path[-1][1][1] < 40
    assert head[2][0] == -head[1][0] and abs(head[1][0]) > width / 2  # the head is broader than the line
    room = abs(head[1][0]) * (40 - path[-1][1][1]) / (40 - foot)
    assert room >= width / 2  # the end of the line is hidden in the head


def test_a_line_without_length_is_nothing():
    scene = Scene(9, 9, "", [Line(points, "#000000", arrow=True) for points in ((), ((1, 1),), ((1, 1), (1, 1)))])
    assert len(parsed(scene)) == 0
    assert path_of((0, 0), (0, 0), (5, 0), (5, 0))[0] == [("M", (0, 0)), ("L", (5, 0))]


def test_a_short_arrow_keeps_its_direction():
    path, head = path_of((0, 0), (10, 0), (10, 2), arrow=True)
    assert head[0] == (10, 2) and path[-1][1][0] == 10 and 0 < path[-1][1][1] < 2


def test_moving_a_scene_moves_its_drawing(tmp_path):
    scene = make_scene()
    there = Scene(220, 130, items=[translate_item(item, 20, 10) for item in scene.items])
    np.testing.assert_array_equal(pixels_of(there, tmp_path)[20:, 40:], pixels_of(scene, tmp_path))


def refused(path):
    with pytest.raises(UserError) as caught:
        save_scene(make_scene(), path)
    message = str(caught.value)
    assert "\n" not in message
    check_text(message, ".svg", ".png", ".pdf", str(path))
    return message


def test_invalid_paths_are_reported_in_one_line(tmp_path):
    (tmp_path / "folder.svg").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    for name in ("net.gif", "net"):
        check_text(refused(tmp_path / name), repr(str(tmp_path / name)))
    for folder in ("nowhere", "file"):
        check_text(refused(tmp_path / folder / "net.svg").replace(str(tmp_path / folder / "net.svg"), ""),
                     str(tmp_path / folder))
    refused(tmp_path / "folder.svg")
    with pytest.raises(UserError) as error:
        save_scene(make_scene(), tmp_path / ("n" * 300 + ".svg"))
    check_text(str(error.value), "255")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unwritable_folder_is_reported_in_one_line(tmp_path, monkeypatch):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(save.SCENE_WRITERS, ".svg", closed)
    assert "Permission denied" in refused(tmp_path / "net.svg")


def test_a_full_disk_is_no_mistake_and_leaves_the_old_file(tmp_path, monkeypatch):
    def fill(scene, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for name in ("write_png", "write_pdf"):
        monkeypatch.setattr(raster, name, fill)
    for ending in (".png", ".pdf"):
        old = tmp_path / f"net{ending}"
        old.write_bytes(b"old")
        with pytest.raises(OSError, match="No space"):
            save_scene(make_scene(), old)
        assert old.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_killed_write_leaves_the_old_file(tmp_path):
    old = tmp_path / "net.svg"
    old.write_text("old")
    code = ("import os, signal\n"
            "from zoo.diagrams import save\n"
            "from zoo.diagrams.scene import Scene\n"
            "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"  # all is written, but not yet named
            f"save.save_scene(Scene(9, 9), {str(old)!r})")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert old.read_text() == "old"


def test_writing_leaves_the_settings_alone_and_minds_none_of_them(tmp_path):
    code = ("import sys, matplotlib\n"
            "from zoo.diagrams.save import save_scene\n"
            "from zoo.diagrams.scene import Scene, Text\n"
            "scene = Scene(90, 30, items=[Text(45, 15, 'a $b$')])\n"
            "def written(name):\n"
            "    return [save_scene(scene, f'{sys.argv[1]}/{name}{ending}').read_bytes()\n"
            "            for ending in ('.png', '.pdf')]\n"
            "first = written('a')\n"
            "matplotlib.rcParams.update({'text.usetex': True, 'savefig.bbox': 'tight', 'pdf.fonttype': 3,\n"
            "                            'path.sketch': (1, 100, 2), 'text.antialiased': False})\n"
            "before = dict(matplotlib.rcParams.copy())\n"
            "assert written('b') == first\n"
            "assert dict(matplotlib.rcParams.copy()) == before\n"
            "print({'matplotlib.pyplot', 'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], capture_output=True, text=True,
                          check=False)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
