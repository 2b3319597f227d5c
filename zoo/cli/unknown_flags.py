"""The answer to a flag that a command does not have: what to type instead, by zoo.flag_hints. Standard library only."""

import re
import shlex

from zoo.cli.flag_hints import HINTS


def key(flag):
    """Return what is compared of a flag: `--Num_Epochs` and `--num-epochs` are the same."""
    return re.sub("[-_.]", "", flag).lower()


def has(flag):
    """Return whether the table has the flag."""
    return any(key(flag) in map(key, hint.flags.split()) for hint in HINTS)


def answer(command, flag, value, options, first=None):
    """Return the line that says what to type in place of `flag`, None where the table does not know.

    command: zoo.train, or zoo info; value: what the user gave the flag, or None; options: {each flag of the command:
    its metavar}; first: metavar of the command's first argument.
    """
    typed = {key(option): option for option in options if option.startswith("--")}
    if key(flag) in typed:  # --batch_size, -lr
        option = typed[key(flag)]
        metavar = options[option]
        return _line(command, flag, f"--{option[2:]} {{{metavar}}}" if metavar else option, value)
    for hint in HINTS:
        if key(flag) in map(key, hint.flags.split()) and applies(hint, command, value, options):
            group = re.fullmatch(hint.value, value) if hint.value else None
            return _line(command, flag, hint.reply, group[1] if group and group.groups() else value, first)
    return None


def applies(hint, command, value, options):
    """Return whether a hint is for a command with `options`, and for the value."""
    if hint.value and not (value is not None and re.fullmatch(hint.value, value)):
        return False
    if is_replacement(hint):
        return all(word in options for word in hint.reply.split() if word.startswith("--"))
    return not hint.commands or re.split("[ .]", command)[-1] in hint.commands.split()


def is_replacement(hint):
    """Return whether the hint's reply is what to type, and not a sentence."""
    return hint.reply.startswith("--")


def _line(command, flag, reply, value, first=None):
    fixed = {"PROG": f"python -m {command}", "FIRST": first if value is None else shlex.quote(value)}

    def filled(match):
        return fixed.get(match[1]) or (match[1] if value is None else shlex.quote(value))

    said = flag if flag.startswith("-") else f"{flag}={value}"
    return f"{command} has no {said}" + ("; type " if reply.startswith("--") else ": ") + re.sub(
        r"\{([^}]*)\}", filled, reply)
