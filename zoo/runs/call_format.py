"""A call of the API as text, as which run.json records how a run was started from Python. Loads no backend."""

import inspect
import os

from zoo.utils.text import escape_unprintable
from zoo.utils.validation import unwrap_scalar

MAX_ITEMS = 20  # of a list or dict that is written out


def format_call(name, function, arguments):
    """Return a call as text that can be repeated, but for arrays, models and other objects, which are described.

    Args:
        name: str, the function's name in the text.
        function: the function, whose first two parameters are written without their names.
        arguments: dict, the local variables at its start: all of its parameters, those of **keywords in a dict.

    Example:

    >>> format_call("zoo.fit", fit, {"model": "lenet5", "dataset": "digits", "seed": 1, ...})
    "zoo.fit('lenet5', 'digits', seed=1)"
    """
    parts = []
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        value = arguments[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            parts += [f"{keyword}={format_value(item)}" for keyword, item in value.items()]
        elif index < 2:
            parts.append(format_value(value))
        elif format_value(value) != format_value(parameter.default):
            parts.append(f"{parameter.name}={format_value(value)}")
    return f"{name}({', '.join(parts)})"


def format_value(value):
    """Return a value as Python writes it; an array, a model or another object as what it is, in angle brackets."""
    value = unwrap_scalar(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, dict) and len(value) <= MAX_ITEMS:
        return f"{{{', '.join(f'{format_value(key)}: {format_value(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        items = ", ".join(map(format_value, value))
        return f"[{items}]" if isinstance(value, list) else f"({items}{',' if len(value) == 1 else ''})"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"<{value.dtype} {tuple(value.shape)}>"
    size = f" of {len(value):,}" if isinstance(value, (list, tuple, dict)) else ""
    return escape_unprintable(f"<{getattr(value, 'name', type(value).__name__)}{size}>")
