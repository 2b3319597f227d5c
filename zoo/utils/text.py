"""Text to show: names of users and files made safe for a terminal or a page, display names, and plurals."""

import re

# Control characters, unpaired surrogates and noncharacters, which XML excludes, the two separators of lines, and the
# marks that reorder what stands beside them. Letters of all scripts, joiners and emoji are not among them.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
WHITESPACE = "\t\n\v\f\r\x85\u2028\u2029"
SHORT_ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def escape_unprintable(text):
    r"""Return `text` with unprintable characters made visible as in Python's repr: \n, \x1b, \u202e.

    The result is one line. Everything else, backslashes included, stays as it is.

    >>> escape_unprintable("caf\u00e9\n\x1b[31m")
    'café\\n\\x1b[31m'
    """
    return UNPRINTABLE.sub(_escape_character, str(text))


def _escape_character(match):
    code = ord(match[0])
    return SHORT_ESCAPES.get(match[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def flatten_whitespace(text):
    """Return `text` as `escape_unprintable` does, but with tabs and line ends, which are zoo's own there, as spaces."""
    return escape_unprintable(text.translate(dict.fromkeys(map(ord, WHITESPACE), " ")))


def format_class_name(name):
    """Return the display name of a class: 'pickup_truck' becomes 'pickup truck'; line ends and the like are visible."""
    return " ".join(escape_unprintable(name).replace("_", " ").split())


def pluralize(count, noun):
    """Return '1 epoch', '2 epochs', '10,000 epochs'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_shape(shape):
    """Return a shape as text: '32x32x3'; a size that is not fixed is '?'."""
    return "x".join("?" if size is None else str(size) for size in shape)
