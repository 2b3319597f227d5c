"""The label of a class that is given by name. Loads no backend."""

import difflib

import numpy as np

from zoo.errors import UserError

MAX_NAMES = 8  # in a message


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
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names[:MAX_NAMES])}{more}"
    raise UserError(f"there is no class {key!r}; {hint}")
