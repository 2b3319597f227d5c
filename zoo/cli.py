"""What all commands share: a parser that answers in one line, and the way out."""

import argparse
import difflib
import os
import re
import sys

from zoo.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is a UserError, with the nearest option for a mistyped one."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, allow_abbrev=False, **keywords)

    def error(self, message):
        unrecognized = re.fullmatch(r"unrecognized arguments: (\S+).*", message)
        if unrecognized:
            raise UserError(self._nearest(unrecognized[1]))
        raise UserError(f"{message}; see {self.prog} --help")

    def _nearest(self, given):
        known = [flag for action in self._actions for flag in action.option_strings]
        close = difflib.get_close_matches(given.partition("=")[0], known, n=1)
        return f"no option or argument {given!r} is known; " + (
            f"did you mean {close[0]}?" if close else f"see {self.prog} --help")


def run(command, argv=None):
    """Call `command(argv)` and return its exit status: 2 after a user's mistake, 4 a file that failed, 130 Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 gets question marks, not a traceback
    try:
        return command(argv) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as the shell reports a program that the closed pipe has ended
    except OSError as error:  # a full disk, a folder that went away
        print(f"error: {error}", file=sys.stderr)
        return 4


def whole_number(flag, text, least, most=None):
    """Return `text` as a whole number from `least` to `most`; UserError otherwise."""
    if not re.fullmatch(r"[+-]?\d{1,20}", text) or int(text) < least or (most is not None and int(text) > most):
        limits = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise UserError(f"{flag} is a whole number {limits}; given {text!r}")
    return int(text)
