"""The reply to an unknown flag: what to type instead, by zoo.cli.flag_hints. Standard library only."""

import re
import shlex

from zoo.cli.flag_hints import HINTS


def normalize_flag(flag):
    """Return the form of a flag in which `--Num_Epochs` and `--num-epochs` are the same."""
    return re.sub("[-_.]", "", flag).lower()


def has_hint(flag):
    """Return whether the table of hints has the flag."""
    return any(normalize_flag(flag) in map(normalize_flag, hint.flags.split()) for hint in HINTS)


def format_hint(command, flag, value, options, first=None, weights="FILE"):
    """Return the line that says what to type instead of `flag`, None if no hint applies.

    command: zoo.train, or zoo summary; value: the user's value of the flag, or None; options: {flag of the command:
    metavar}; first: metavar of the command's first argument; weights: value of
    --weights for the model on the command line.
    """
    flags = {normalize_flag(option): option for option in options if option.startswith("--")}
    if normalize_flag(flag) in flags:  # --batch_size, -lr
        option = flags[normalize_flag(flag)]
        metavar = options[option]
        return _format_reply(command, flag, f"--{option[2:]} {{{metavar}}}" if metavar else option, value)
    for hint in HINTS:
        if (normalize_flag(flag) in map(normalize_flag, hint.flags.split())
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
