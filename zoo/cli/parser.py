"""The parser of all commands: it answers a mistake in one line, and its help ends with examples."""

import argparse
import difflib
import re
import sys

from zoo.cli import help_text, unknown_flags
from zoo.errors import UserError

FLAG = re.compile(r"--?[A-Za-z][\w.-]*")  # a word that argparse takes for a flag; -1 is a number


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is a UserError, and a flag from elsewhere is answered with what to type here.

    examples: tuple of command lines, without the program's name, which end the help.
    """

    def __init__(self, *arguments, examples=(), **keywords):
        super().__init__(*arguments, allow_abbrev=False, formatter_class=help_text.Formatter, **keywords)
        self.examples = examples
        self._words = []

    def format_help(self):
        return "\n".join([super().format_help(), *([help_text.examples(self.prog, self.examples)]
                                                   if self.examples else [])])

    def parse_args(self, args=None, namespace=None):
        return self._all_known(self.parse_known_args, args, namespace)

    def parse_intermixed_args(self, args=None, namespace=None):
        return self._all_known(self.parse_known_intermixed_args, args, namespace)

    def _all_known(self, parse, args, namespace):
        self._words = sys.argv[1:] if args is None else [*args]
        arguments, left = parse(args, namespace)
        if left:
            raise UserError(self._unrecognized(left[0]))
        return arguments

    def error(self, message):
        for flag, value in self._unknown_flags():  # --onnx in place of --format, which is required
            hint = self._hint(flag, value)
            if hint:
                raise UserError(hint)
        raise UserError(f"{message}; see {self.prog} --help")

    def _unrecognized(self, left):
        """Return the answer to the first flag that is unknown; where there is none, to a word that is left over."""
        flag, value = next(self._unknown_flags(), (left, None))
        if flag == left and "=" in left:  # epochs=5, without dashes
            flag, _, value = left.partition("=")
        return self._hint(flag, value) or self._nearest(flag)

    def _unknown_flags(self):
        """Yield (flag, value or None) of each flag on the command line that this parser does not have."""
        known = self._option_string_actions
        words = self._words[:self._words.index("--")] if "--" in self._words else self._words
        for word, following in zip(words, [*words[1:], None], strict=False):
            flag, equals, value = word.partition("=")
            glued = flag[:2] in known and not unknown_flags.has(flag)  # -b32
            if FLAG.fullmatch(flag) and flag not in known and (flag.startswith("--") or not glued):
                after = following if following and not FLAG.fullmatch(following.partition("=")[0]) else None
                yield flag, value if equals else after

    def _hint(self, flag, value):
        options = {flag: action.metavar for flag, action in self._option_string_actions.items()}
        first = next((action.metavar for action in self._actions if not action.option_strings), None)
        return unknown_flags.answer(self.prog.removeprefix("python -m "), flag, value, options, first)

    def _nearest(self, given):
        known = [flag for action in self._actions for flag in action.option_strings]
        close = difflib.get_close_matches(given, known, n=1)
        return f"no option or argument {given!r} is known; " + (
            f"did you mean {close[0]}?" if close else f"see {self.prog} --help")
