"""The argument parser of all commands: errors are one line, and --help ends with examples."""

import argparse
import difflib
import re
import shlex
import sys
from os.path import isdir

from zoo import registry
from zoo.cli import help_text, unknown_flags
from zoo.data.dataset_info import DATASETS
from zoo.errors import UserError
from zoo.weights import pretrained

FLAG_PATTERN = re.compile(r"--?[A-Za-z][\w.-]*")  # an argument that argparse takes for a flag; -1 is a number


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are UserErrors, and which suggests what to type instead of an unknown flag.

    examples: tuple of command lines, without the program's name, shown at the end of --help.
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
        self._refuse_dashes_as_value()
        arguments, unrecognized = parse(args, namespace)
        if unrecognized:
            raise UserError(self._format_unrecognized(unrecognized[0]))
        self._refuse_empty_values(arguments)
        return arguments

    @property
    def _argv_before_dashes(self):
        """The command line up to `--`, after which nothing is a flag."""
        return self._argv[:self._argv.index("--")] if "--" in self._argv else self._argv

    def _refuse_dashes_as_value(self):
        """Raise UserError for --flag=-- and -f--, whose value argparse would read as an empty list."""
        for argument in self._argv_before_dashes:
            flag = argument.removesuffix("--").removesuffix("=")
            if argument.endswith("--") and flag in self._option_string_actions:
                raise UserError(f"{flag} needs a value; got '--'; see {self.prog} --help")

    def _refuse_empty_values(self, arguments):
        """Raise UserError for --flag "", which is usually --flag "$VARIABLE" without such a variable.

        Fields of a recipe, whose empty values have a meaning, are not stored as strings.
        """
        for action in self._actions:
            if action.option_strings and action.default != "" and getattr(arguments, action.dest, None) == "":
                raise UserError(f"{action.option_strings[0]} needs a value; got ''; see {self.prog} --help")

    def error(self, message):
        for flag, value in self._find_unknown_flags():  # --onnx instead of --format, which is required
            hint = self._find_hint(flag, value)
            if hint:
                raise UserError(hint)
        raise UserError(f"{message}; see {self.prog} --help")

    def _format_unrecognized(self, unknown):
        """Return the message on the first unknown flag, or, if there is none, on an unrecognized argument."""
        flag, value = next(self._find_unknown_flags(), (unknown, None))
        if flag == unknown and "=" in unknown:  # epochs=5, without dashes
            flag, _, value = unknown.partition("=")
        return self._find_hint(flag, value) or self._find_data_hint(flag) or self._suggest_flag(flag)

    def _find_data_hint(self, argument):
        """Return the message on data given without --data, None if the argument looks like something else."""
        is_data = argument in DATASETS or "/" in argument or argument.endswith((".npz", ".csv")) or isdir(argument)
        if "--data" not in self._option_string_actions or argument.startswith("-") or not is_data:
            return None
        return f"unrecognized argument {argument!r}; data are given with a flag: --data {shlex.quote(argument)}"

    def _find_unknown_flags(self):
        """Yield (flag, value or None) for each unknown flag on the command line."""
        known = self._option_string_actions
        arguments = self._argv_before_dashes
        for argument, following in zip(arguments, [*arguments[1:], None], strict=False):
            flag, equals, value = argument.partition("=")
            has_glued_value = flag[:2] in known and not unknown_flags.has_hint(flag)  # -b32
            if FLAG_PATTERN.fullmatch(flag) and flag not in known and (flag.startswith("--") or not has_glued_value):
                has_value = following and not FLAG_PATTERN.fullmatch(following.partition("=")[0])
                yield flag, value if equals else following if has_value else None

    def _find_hint(self, flag, value):
        options = {flag: action.metavar for flag, action in self._option_string_actions.items()}
        first = next((action.metavar for action in self._actions if not action.option_strings), None)
        model_name = next((argument for argument in self._argv if argument in registry.MODELS), None)
        weights = [*pretrained.list_weights_names(model_name), "FILE"][0] if model_name else "imagenet"
        return unknown_flags.format_hint(self.prog.removeprefix("python -m "), flag, value, options, first, weights)

    def _suggest_flag(self, given):
        flags = [flag for action in self._actions for flag in action.option_strings]
        closest = difflib.get_close_matches(given, flags, n=1)
        return f"unrecognized option or argument {given!r}; " + (
            f"did you mean {closest[0]}?" if closest else f"see {self.prog} --help")
