"""The parser of all commands: it answers a mistake in one line, and its help ends with examples."""

import argparse
import difflib
import re
import sys

from zoo.cli import help_text, unknown_flags
from zoo.errors import UserError

FLAG_PATTERN = re.compile(r"--?[A-Za-z][\w.-]*")  # a word that argparse takes for a flag; -1 is a number


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is a UserError, and a flag from elsewhere is answered with what to type here.

    examples: tuple of command lines, without the program's name, which end the help.
    """

    def __init__(self, *arguments, examples=(), **keywords):
        super().__init__(*arguments, allow_abbrev=False, formatter_class=help_text.HelpFormatter, **keywords)
        self.examples = examples
        self._argv = []

    def format_help(self):
        return "\n".join([super().format_help(), *([help_text.format_examples(self.prog, self.examples)]
                                                   if self.examples else [])])

    def parse_args(self, args=None, namespace=None):
        return self._require_all_known(self.parse_known_args, args, namespace)

    def parse_intermixed_args(self, args=None, namespace=None):
        return self._require_all_known(self.parse_known_intermixed_args, args, namespace)

    def _require_all_known(self, parse, args, namespace):
        self._argv = sys.argv[1:] if args is None else [*args]
        arguments, left = parse(args, namespace)
        if left:
            raise UserError(self._format_unrecognized(left[0]))
        return arguments

    def error(self, message):
        for flag, value in self._find_unknown_flags():  # --onnx in place of --format, which is required
            hint = self._find_hint(flag, value)
            if hint:
                raise UserError(hint)
        raise UserError(f"{message}; see {self.prog} --help")

    def _format_unrecognized(self, unknown):
        """Return the answer to the first flag that is unknown; where there is none, to a word that is left over."""
        flag, value = next(self._find_unknown_flags(), (unknown, None))
        if flag == unknown and "=" in unknown:  # epochs=5, without dashes
            flag, _, value = unknown.partition("=")
        return self._find_hint(flag, value) or self._suggest_flag(flag)

    def _find_unknown_flags(self):
        """Yield (flag, value or None) of each flag on the command line that this parser does not have."""
        known = self._option_string_actions
        words = self._argv[:self._argv.index("--")] if "--" in self._argv else self._argv
        for word, following in zip(words, [*words[1:], None], strict=False):
            flag, equals, value = word.partition("=")
            glued = flag[:2] in known and not unknown_flags.has_hint(flag)  # -b32
            if FLAG_PATTERN.fullmatch(flag) and flag not in known and (flag.startswith("--") or not glued):
                after = following if following and not FLAG_PATTERN.fullmatch(following.partition("=")[0]) else None
                yield flag, value if equals else after

    def _find_hint(self, flag, value):
        options = {flag: action.metavar for flag, action in self._option_string_actions.items()}
        first = next((action.metavar for action in self._actions if not action.option_strings), None)
        return unknown_flags.format_hint(self.prog.removeprefix("python -m "), flag, value, options, first)

    def _suggest_flag(self, given):
        known = [flag for action in self._actions for flag in action.option_strings]
        close = difflib.get_close_matches(given, known, n=1)
        return f"no option or argument {given!r} is known; " + (
            f"did you mean {close[0]}?" if close else f"see {self.prog} --help")
