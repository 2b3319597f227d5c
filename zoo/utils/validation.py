"""Text that a person typed, turned into the type that a default has."""

import math
import numbers

from zoo.errors import UserError, unknown_name_error

BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MAX_MEMORY_GIB = 2**30  # GiB: more is a mistake, infinity among them


def parse_value(name, text, default):
    """Return `text` as the type of `default` (bool, int, float or str); `what` names it in the error."""
    if isinstance(default, bool):
        if text.lower() not in BOOLEANS:
            raise UserError(f"{name} is true or false; given {text!r}")
        return BOOLEANS[text.lower()]
    if isinstance(default, str):
        return text
    kind, words = (int, "a whole number") if isinstance(default, int) else (float, "a number")
    try:
        value = kind(text.replace("_", "?"))  # Python reads 1_0 as 10, people do not
    except ValueError:
        raise UserError(f"{name} is {words}; given {text!r}") from None
    if kind is float and not math.isfinite(value):
        raise UserError(f"{name} is a finite number; given {text!r}")
    return value


def check_type(name, value, default):
    """Return `value` if it has the type of `default`; a whole number passes for a float."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise UserError(f"{name} is of type {type(default).__name__}; given {value!r}")
    return value


def parse_assignments(flag, pairs, defaults):
    """Return {name: value} from ["NAME=VALUE", ...], typed as `defaults` are; unknown names are refused."""
    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UserError(f"{flag} takes NAME=VALUE; given {pair!r}")
        if name not in defaults:
            raise unknown_name_error(f"{flag} name", name, defaults)
        if name in values:
            raise UserError(f"{flag} {name} is given twice; give it once")
        values[name] = parse_value(f"{flag} {name}", text, defaults[name])
    return values


def check_batch_and_memory(batch_size, memory_limit_gib):
    """Check a batch, pictures, and a memory, GiB, and return them; UserError says what they can be."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, numbers.Integral) or batch_size < 1:
        raise UserError(f"batch is a whole number of 1 or more; given {batch_size!r}")
    if isinstance(memory_limit_gib,
                  bool) or not isinstance(memory_limit_gib, numbers.Real) or not 0 < memory_limit_gib < MAX_MEMORY_GIB:
        raise UserError(f"memory is a number of GiB above 0, such as 8; given {memory_limit_gib!r}")
    return int(batch_size), memory_limit_gib if isinstance(memory_limit_gib, int) else float(memory_limit_gib)
