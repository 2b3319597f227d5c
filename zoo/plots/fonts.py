"""Letters that our font lacks, such as Chinese ones: the installed fonts that have them."""

import functools
import re

from matplotlib import font_manager

from zoo.plots.font_metrics import FONT, has_glyph

PLACEHOLDER_FONTS = re.compile("last ?resort|blank")  # fonts that have a box, or nothing, for every letter
MAX_CHARACTERS_SHOWN = 8  # letters in a note


def find_missing_characters(text):
    """Return the letters of a text that our font lacks, sorted, as text."""
    return "".join(sorted(letter for letter in set(text) if letter.isprintable() and not has_glyph(letter)))


def choose_font_families(text):
    """Return the names of the font families in which a text is written: ours, and others for the letters it lacks."""
    return [FONT, *find_fallback_fonts(find_missing_characters(text))[0]]


def find_undrawable_characters(texts):
    """Return the letters of some texts for which no installed font is found, as text."""
    return find_fallback_fonts(find_missing_characters("".join(texts)))[1]


def format_undrawable_note(texts, page="report.html"):
    """Return the line that says which letters of some texts the plots lack, and which page shows them; "" for none."""
    letters = find_undrawable_characters(texts)
    shown = letters[:MAX_CHARACTERS_SHOWN] + ("..." if len(letters) > MAX_CHARACTERS_SHOWN else "")
    return letters and (f"the plots have boxes for {shown}: no installed font has these letters; install one, such as "
                        f"Noto Sans (fonts-noto-cjk for Chinese, Japanese and Korean); {page} shows them")


@functools.lru_cache(maxsize=1024)
def find_fallback_fonts(characters):
    """Return (names of installed font families that have some letters, the letters that none has)."""
    names = []
    for letter in characters:
        if not any(letter in get_font_characters(name) for name in names):
            name = next((name for name in list_installed_fonts() if letter in get_font_characters(name)), None)
            names += [name] if name else []
    return tuple(names), "".join(letter for letter in characters
                                 if not any(letter in get_font_characters(name) for name in names))


@functools.cache
def list_installed_fonts():
    """Return {family name: path} of all fonts of this machine, those that matplotlib does not know yet among them."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(font_manager.findSystemFonts()):
        if path not in known:
            try:
                font_manager.fontManager.addfont(path)
            except Exception:  # whatever FreeType raises: a file that is no font, or one that it cannot read
                continue
    return {entry.name: entry.fname for entry in font_manager.fontManager.ttflist
            if entry.style == "normal" and entry.name != FONT and not PLACEHOLDER_FONTS.search(entry.name.lower())}


@functools.cache
def get_font_characters(family):
    """Return the letters that a font has, as a set."""
    try:
        return frozenset(map(chr, font_manager.get_font(list_installed_fonts()[family]).get_charmap()))
    except Exception:  # see installed()
        return frozenset()
