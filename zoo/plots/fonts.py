"""Fallback fonts: installed fonts with characters that the default font lacks, such as Chinese ones."""

import functools
import re

from matplotlib import font_manager

from zoo.plots.font_metrics import FONT, has_glyph

PLACEHOLDER_FONTS = re.compile("last ?resort|blank")  # fonts with a box, or nothing, for every character
MAX_CHARACTERS_SHOWN = 8  # characters listed in a note


def find_missing_characters(text):
    """Return the characters of a text that the default font lacks, as a sorted string."""
    return "".join(sorted(character for character in set(text) if character.isprintable() and not has_glyph(character)))


def choose_font_families(text):
    """Return the font families for a text: the default font, and fallback fonts for the characters it lacks."""
    return [FONT, *find_fallback_fonts(find_missing_characters(text))[0]]


def format_undrawable_note(texts, page="report.html"):
    """Return the note on the characters that plots cannot draw, and the page that shows them; "" if there are none."""
    _, characters = find_fallback_fonts(find_missing_characters("".join(texts)))
    shown = characters[:MAX_CHARACTERS_SHOWN] + ("..." if len(characters) > MAX_CHARACTERS_SHOWN else "")
    return characters and (f"the plots show boxes for {shown}: no installed font has these characters; install one, "
                           "such as Noto Sans (fonts-noto-cjk for Chinese, Japanese and Korean); "
                           f"{page} shows them")


@functools.lru_cache(maxsize=1024)
def find_fallback_fonts(characters):
    """Return (names of installed font families that have the characters, the characters that none has)."""
    names = []
    for character in characters:
        if not any(character in get_font_characters(name) for name in names):
            name = next((name for name in list_installed_fonts() if character in get_font_characters(name)), None)
            names += [name] if name else []
    return tuple(names), "".join(character for character in characters
                                 if not any(character in get_font_characters(name) for name in names))


@functools.cache
def list_installed_fonts():
    """Return {family name: path} of all fonts of this machine, including those that matplotlib has not indexed."""
    known_paths = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(font_manager.findSystemFonts()):
        if path not in known_paths:
            try:
                font_manager.fontManager.addfont(path)
            except Exception:  # whatever FreeType raises for a file that is not a font or not readable
                continue
    return {entry.name: entry.fname for entry in font_manager.fontManager.ttflist
            if entry.style == "normal" and entry.name != FONT and not PLACEHOLDER_FONTS.search(entry.name.lower())}


@functools.cache
def get_font_characters(family):
    """Return the set of characters that a font has."""
    try:
        return frozenset(map(chr, font_manager.get_font(list_installed_fonts()[family]).get_charmap()))
    except Exception:  # see list_installed_fonts
        return frozenset()
