"""Exceptions for user errors, with one-line messages."""

import difflib

from zoo.utils.text import escape_unprintable

MAX_NAMES_SHOWN = 20  # beside a suggestion
UNREADABLE_IMAGES = "could not be decoded as image data"  # in the message; TensorFlow passes on its text alone


class UserError(ValueError):
    """An invalid request: the message says what is wrong, what was received and what to type instead.

    The commands print it as one line and exit with status 2. Names in it that have line ends, terminal escapes or the
    like are shown as Python's repr shows them.
    """

    exit_status = 2

    def __str__(self):
        return escape_unprintable(super().__str__())


class RunLocked(UserError):
    """The run directory is locked by another process: exit status 6."""

    exit_status = 6


class OutOfMemory(UserError, MemoryError):
    """There is not enough memory: exit status 5."""

    exit_status = 5


def unknown_name_error(kind, name, valid_names):
    """Return the UserError for an unknown name, which suggests the closest valid one, and lists all others.

    A long list is left out beside a suggestion.

    >>> raise unknown_name_error("model", "resnet43", ["resnet34", "vgg16"])
    UserError: unknown model 'resnet43'; did you mean 'resnet34'? (available: resnet34, vgg16)
    """
    valid_names = sorted(valid_names)
    matches = difflib.get_close_matches(str(name).lower(), valid_names, n=1)
    available = f"available: {', '.join(valid_names) or 'none'}"
    if matches and len(valid_names) > MAX_NAMES_SHOWN:
        return UserError(f"unknown {kind} {name!r}; did you mean {matches[0]!r}?")
    return UserError(f"unknown {kind} {name!r}; " +
                     (f"did you mean {matches[0]!r}? ({available})" if matches else available))
