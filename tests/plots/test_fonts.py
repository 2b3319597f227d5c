"""Letters that the default font lacks use an installed font that has them; otherwise a note names them."""

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

from zoo.plots import figures, font_metrics, fonts

CAT, DOG = "\u732b", "\u72ac"


def write_font(path, family, letters):
    """Write a font in which each letter is a filled square of its own height."""
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    glyphs = {}
    for index, name in enumerate(names):
        pen = TTGlyphPen(None)
        height = 200 * (index + 1)
        pen.moveTo((0, 0))
        for corner in ((0, height), (900, height), (900, 0)):
            pen.lineTo(corner)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def install_fonts(monkeypatch):
    """Return a function that makes the given font files the only installed ones besides matplotlib's."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [
        entry for entry in font_manager.fontManager.ttflist if "matplotlib" in entry.fname])
    caches = (fonts.find_fallback_fonts, fonts.list_installed_fonts, fonts.get_font_characters)

    def set_fonts(*paths):
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [str(path) for path in paths])
        for cache in caches:
            cache.cache_clear()

    yield set_fonts
    for cache in caches:
        cache.cache_clear()


def test_latin_letters_use_the_default_font(install_fonts):
    install_fonts()
    assert fonts.choose_font_families("cat, \u00e9t\u00e9, \u03b1, \ufffd") == ["DejaVu Sans"]
    assert fonts.format_undrawable_note(["cat", "caf\ufffd"]) == ""


def test_an_installed_font_is_used_for_missing_letters(install_fonts, tmp_path):
    write_font(tmp_path / "animals.ttf", "Animals", CAT + DOG)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    install_fonts(tmp_path / "broken.ttf", tmp_path / "animals.ttf")
    assert fonts.choose_font_families(f"a {CAT}") == ["DejaVu Sans", "Animals"]
    assert fonts.format_undrawable_note([CAT, DOG, "a"]) == ""
    images = []
    for letter in (CAT, DOG):
        sheet = figures.create_figure(60, 40)
        figures.add_text(figures.add_full_axes(sheet), 10, 10, letter, 20)
        sheet.savefig(tmp_path / "x.png")
        images.append(Image.open(tmp_path / "x.png").tobytes())
    assert images[0] != images[1]  # squares of two heights, not the same box of a missing letter twice


def test_the_note_names_letters_without_a_font(install_fonts, tmp_path):
    write_font(tmp_path / "cats.ttf", "Cats", CAT)
    install_fonts(tmp_path / "cats.ttf")
    note = fonts.format_undrawable_note([CAT, DOG])
    assert DOG in note and CAT not in note and "report.html" in note


def test_last_resort_fonts_are_ignored(install_fonts, tmp_path):
    write_font(tmp_path / "all.ttf", "Last Resort", CAT)
    install_fonts(tmp_path / "all.ttf")
    assert CAT in fonts.format_undrawable_note([CAT])


def test_wide_letters_are_as_wide_as_high():
    assert font_metrics.measure_text_width(CAT * 3, 10) == 30
    assert font_metrics.measure_text_width(f"a{CAT}",
                                           10) == pytest.approx(font_metrics.measure_text_width("a", 10) + 10)


def test_lone_surrogates_are_drawn_visibly(tmp_path):
    sheet = figures.create_figure(60, 40)
    figures.add_text(figures.add_full_axes(sheet), 10, 10, "caf\udce9", 10)
    sheet.savefig(tmp_path / "x.png")  # FreeType takes no such letter
    assert (tmp_path / "x.png").stat().st_size > 0
