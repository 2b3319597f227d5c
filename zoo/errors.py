"""What a person did wrong, told in one line."""

import difflib

UNREADABLE_IMAGES = "could not be decoded as image data"  # in the message; TensorFlow passes on its text alone


class UserError(ValueError):
    """A mistake of the user's: the message says what was wrong, what was given and what to type instead.

    The commands print it as one line and leave with exit status 2.
    """

    exit_status = 2


class RunLocked(UserError):
    """Another process has the run: exit status 6."""

    exit_status = 6


def unknown_name_error(kind, name, valid_names):
    """Return the UserError for a name that does not exist, with the nearest one that does.

    >>> raise unknown_name_error("network", "resnet43", ["resnet34", "vgg16"])
    UserError: no network is called 'resnet43'; did you mean 'resnet34'? (there are: resnet34, vgg16)
    """
    valid_names = sorted(valid_names)
    close = difflib.get_close_matches(str(name).lower(), valid_names, n=1)
    there = f"there are: {', '.join(valid_names) or 'none'}"
    return UserError(f"no {kind} is called {name!r}; " + (f"did you mean {close[0]!r}? ({there})" if close else there))
