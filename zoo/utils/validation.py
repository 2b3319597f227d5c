"""Parsing and type checks of user input."""

import math
import numbers

from zoo.errors import UserError, unknown_name_error

BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MAX_MEMORY_GIB = 2**30  # larger values, such as infinity, are mistakes


def parse_value(name, text, default):
    """Convert `text` to the type of `default` (bool, int, float or str); `name` is used in the message."""
    if isinstance(default, bool):
        if text.lower() not in BOOLEANS:
            raise UserError(f"{name} must be true or false; got {text!r}")
        return BOOLEANS[text.lower()]
    if isinstance(default, str):
        return text
    kind, description = (int, "an integer") if isinstance(default, int) else (float, "a number")
    try:
        value = kind(text.replace("_", "?"))  # Python reads 1_0 as 10, people do not
    except ValueError:
        raise UserError(f"{name} must be {description}; got {text!r}") from None
    if kind is float and not math.isfinite(value):
        raise UserError(f"{name} must be a finite number; got {text!r}")
    return value


def unwrap_scalar(value):
    """Return a scalar of NumPy as one of Python; any other value unchanged."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def check_type(name, value, default):
    """Return `value` with the type of `default`; UserError if it has another.

    An int is accepted as a float, and NumPy's scalars as Python's.
    """
    value = unwrap_scalar(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise UserError(f"{name} must be of type {type(default).__name__}; got {value!r}")
    return value


def check_positive_integer(name, value):
    """Return `value` as an int; UserError unless it is an integer of 1 or more, also one of NumPy's."""
    if not is_integer(value) or value < 1:
        raise UserError(f"{name} must be an integer of 1 or more; got {value!r}")
    return int(value)


def is_integer(value):
    """Return whether `value` is an integer, also one of NumPy's, and not a bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def parse_assignments(flag, pairs, defaults):
    """Return {name: value} from ["NAME=VALUE", ...], with the types of `defaults`; UserError for unknown names."""
    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UserError(f"{flag} must be NAME=VALUE; got {pair!r}")
        if name not in defaults:
            raise unknown_name_error(f"{flag} name", name, defaults)
        if name in values:
            raise UserError(f"{flag} {name} is given twice; give it once")
        values[name] = parse_value(f"{flag} {name}", text, defaults[name])
    return values


def check_batch_and_memory(batch_size, memory_limit_gib):
    """Return the batch size and the memory limit in GiB if they are valid; UserError if not."""
    batch_size = check_positive_integer("batch_size", batch_size)
    if (isinstance(memory_limit_gib, bool) or not isinstance(memory_limit_gib, numbers.Real)
            or not 0 < memory_limit_gib < MAX_MEMORY_GIB):
        raise UserError(f"memory_limit_gib must be a positive number of GiB, such as 8; got {memory_limit_gib!r}")
    return batch_size, memory_limit_gib if isinstance(memory_limit_gib, int) else float(memory_limit_gib)
