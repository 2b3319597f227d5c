"""The label of a class that is given by name, and class names in messages. Loads no backend."""

import difflib

import numpy as np

from zoo.errors import UserError

MAX_CLASSES_SHOWN = 10  # class names in a message


def find_class_label(key, names):
    """Return the label of a class given by its name or label; UserError for an unknown one.

    names: list of str. A number as text, such as "3", is a name where there is one like it, or else a label.
    """
    if isinstance(key, str) and key not in names and key.isdecimal():
        key = int(key)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and 0 <= key < len(names):
        return int(key)
    if key in names:
        return names.index(key)
    close = difflib.get_close_matches(str(key), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {format_class_names(names)}"
    raise UserError(f"there is no class {key!r}; {hint}")


def format_class_names(names):
    """Return the names, separated by commas; only the first few if there are many, and the number of the others."""
    more = f" and {len(names) - MAX_CLASSES_SHOWN} more" if len(names) > MAX_CLASSES_SHOWN else ""
    return ", ".join(names[:MAX_CLASSES_SHOWN]) + more
