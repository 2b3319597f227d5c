"""The text of --help around a command's arguments: how it is wrapped, and lists of what there is to choose from."""

import argparse
import re
import textwrap

from zoo import registry


class HelpFormatter(argparse.HelpFormatter):
    """Wraps so that flags, names and what stands in quotes stay whole; each line of an epilog is wrapped by itself."""

    def _split_lines(self, text, width):
        return wrap_help_line(text, width)

    def _fill_text(self, text, width, indent):
        return "\n".join("\n".join(wrap_help_line(indent + line, width)) for line in text.splitlines())


def wrap_help_line(text, width):
    """Return the lines of a text, of which '82 123' is one word; those after the first stand under its words."""
    joined = re.sub(r"(?<!\w)'[^']*'(?!\w)", lambda quoted: quoted[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(joined, width, subsequent_indent=get_hanging_indent(text), break_long_words=False,
                          break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def get_hanging_indent(line):
    """Return the spaces under which a line goes on: those before it, or before the second of its two columns."""
    return " " * re.match(r" *(?:(?<= )\S+ {2,})?", line).end()


def join_sections(*parts):
    """Return an epilog of sections with an empty line between them."""
    return "\n\n".join(parts)


def format_help_table(title, rows):
    """Return a section: a title, and rows of (name, text)."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{title}:", *(f"  {name:{width}}  {text}" for name, text in rows)])


def format_models():
    """Return the section of the names of the networks."""
    return f"networks (NET):\n  {', '.join(registry.MODELS)}"


def format_model_options():
    """Return the section of the options of each network, with their defaults."""
    return format_help_table("options of the networks, with their defaults (--option NAME=VALUE)", [
        (spec.name, ", ".join(f"{name}={str(value).lower()}" for name, value in spec.options.items()))
        for spec in registry.MODELS.values() if spec.options])


def format_examples(prog, command_lines):
    """Return the section of a command's examples; `words`: those after its name, of each."""
    return "\n".join(["examples:", *(f"  {prog} {each}".rstrip() for each in command_lines)]) + "\n"
