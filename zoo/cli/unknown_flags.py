"""The reply to an unknown flag: what to type instead, by zoo.utils.synonyms and zoo.cli.flag_hints.

Standard library only.
"""

import re
import shlex

from zoo.cli.flag_hints import HINTS
from zoo.utils.flag_names import get_flag
from zoo.utils.synonyms import KEYWORDS_BY_SYNONYM, normalize


def has_hint(flag):
    """Return whether the tables have the flag."""
    return normalize(flag) in KEYWORDS_BY_SYNONYM or any(normalize(flag) in map(normalize, hint.flags.split())
                                                         for hint in HINTS)


def find_option(flag, options):
    """Return the flag among `options` that an unknown flag is a spelling or a synonym of; None if there is none."""
    spellings = {normalize(option): option for option in options if option.startswith("--")}  # --batch_size, -lr
    option = spellings.get(normalize(flag)) or get_flag(KEYWORDS_BY_SYNONYM.get(normalize(flag), ""))
    return option if option in options else None


def format_hint(command, flag, value, options, first=None, weights="FILE"):
    """Return the line that says what to type instead of `flag`, None if no hint applies.

    command: zoo.train, or zoo summary; value: the user's value of the flag, or None; options: {flag of the command:
    metavar}; first: metavar of the command's first argument; weights: value of
    --weights for the model on the command line.
    """
    option = find_option(flag, options)
    if option:
        metavar = options[option]
        return _format_reply(command, flag, f"--{option[2:]} {{{metavar}}}" if metavar else option, value)
    for hint in HINTS:
        if (normalize(flag) in map(normalize, hint.flags.split())
                and is_applicable(hint, command, value, options)):
            group = re.fullmatch(hint.value_pattern, value) if hint.value_pattern else None
            return _format_reply(command, flag, hint.reply, group[1] if group and group.groups() else value, first,
                                 weights)
    return None


def is_applicable(hint, command, value, options):
    """Return whether a hint applies to a command with `options`, and to the value."""
    if hint.value_pattern and not (value is not None and re.fullmatch(hint.value_pattern, value)):
        return False
    if is_replacement(hint):
        return all(word in options for word in hint.reply.split() if word.startswith("--"))
    return not hint.commands or re.split("[ .]", command)[-1] in hint.commands.split()


def is_replacement(hint):
    """Return whether the reply is what to type instead, rather than a sentence."""
    return hint.reply.startswith("--")


def _format_reply(command, flag, reply, value, first=None, weights="FILE"):
    replacements = {"PROG": f"python -m {command}", "FIRST": first if value is None else shlex.quote(value),
                    "WEIGHTS": weights}

    def fill_placeholder(match):
        return replacements.get(match[1]) or (match[1] if value is None else shlex.quote(value))

    unknown = flag if flag.startswith("-") else f"{flag}={value}"
    return f"{command} has no {unknown}" + ("; type " if reply.startswith("--") else ": ") + re.sub(
        r"\{([^}]*)\}", fill_placeholder, reply)
