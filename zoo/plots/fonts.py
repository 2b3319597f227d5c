"""Letters that our font lacks, such as Chinese ones: the installed fonts that have them."""

import functools
import re

from matplotlib import font_manager

from zoo.plots.font_metrics import FONT, has_letter

PLACEHOLDERS = re.compile("last ?resort|blank")  # fonts that have a box, or nothing, for every letter
SHOWN = 8  # letters in a note


def missing_letters(text):
    """Return the letters of a text that our font lacks, sorted, as text."""
    return "".join(sorted(letter for letter in set(text) if letter.isprintable() and not has_letter(letter)))


def families(text):
    """Return the names of the font families in which a text is written: ours, and others for the letters it lacks."""
    return [FONT, *fallbacks(missing_letters(text))[0]]


def undrawable(texts):
    """Return the letters of some texts for which no installed font is found, as text."""
    return fallbacks(missing_letters("".join(texts)))[1]


def note_undrawable(texts, page="report.html"):
    """Return the line that says which letters of some texts the plots lack, and which page shows them; "" for none."""
    letters = undrawable(texts)
    shown = letters[:SHOWN] + ("..." if len(letters) > SHOWN else "")
    return letters and (f"the plots have boxes for {shown}: no installed font has these letters; install one, such as "
                        f"Noto Sans (fonts-noto-cjk for Chinese, Japanese and Korean); {page} shows them")


@functools.lru_cache(maxsize=1024)
def fallbacks(letters):
    """Return (names of installed font families that have some letters, the letters that none has)."""
    names = []
    for letter in letters:
        if not any(letter in letters_of(name) for name in names):
            name = next((name for name in installed() if letter in letters_of(name)), None)
            names += [name] if name else []
    return tuple(names), "".join(letter for letter in letters if not any(letter in letters_of(name) for name in names))


@functools.cache
def installed():
    """Return {family name: path} of all fonts of this machine, those that matplotlib does not know yet among them."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(font_manager.findSystemFonts()):
        if path not in known:
            try:
                font_manager.fontManager.addfont(path)
            except Exception:  # whatever FreeType raises: a file that is no font, or one that it cannot read
                continue
    return {entry.name: entry.fname for entry in font_manager.fontManager.ttflist
            if entry.style == "normal" and entry.name != FONT and not PLACEHOLDERS.search(entry.name.lower())}


@functools.cache
def letters_of(family):
    """Return the letters that a font has, as a set."""
    try:
        return frozenset(map(chr, font_manager.get_font(installed()[family]).get_charmap()))
    except Exception:  # see installed()
        return frozenset()
