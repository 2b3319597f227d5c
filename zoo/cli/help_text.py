"""Formatting of --help: how it is wrapped, and sections with models, model options and examples."""

import argparse
import re
import textwrap

from zoo import registry
from zoo.data.dataset_info import DATASETS


class HelpFormatter(argparse.HelpFormatter):
    """Wraps without breaking flags, names and quoted text; each line of an epilog is wrapped separately."""

    def _split_lines(self, text, width):
        return wrap_help_line(text, width)

    def _fill_text(self, text, width, indent):
        return "\n".join("\n".join(wrap_help_line(indent + line, width)) for line in text.splitlines())


def wrap_help_line(text, width):
    """Return the wrapped lines of a text, with hanging indent; quoted text such as '82 123' is not broken."""
    protected = re.sub(r"(?<!\w)'[^']*'(?!\w)", lambda match: match[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(protected, width, subsequent_indent=get_hanging_indent(text), break_long_words=False,
                          break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def get_hanging_indent(line):
    """Return the indent of continuation lines: that of the line, or of the second of its two columns."""
    return " " * re.match(r" *(?:(?<= )\S+ {2,})?", line).end()


def join_sections(*parts):
    """Return an epilog: the sections, separated by empty lines."""
    return "\n\n".join(parts)


def format_help_table(title, rows):
    """Return a section: a title, and a table of rows (name, text)."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{title}:", *(f"  {name:{width}}  {text}" for name, text in rows)])


def format_models():
    """Return the section that lists the names of the models."""
    return f"models (MODEL):\n  {', '.join(registry.MODELS)}"


def format_datasets():
    """Return the section that lists the names of the datasets."""
    return f"datasets:\n  {', '.join(DATASETS)}"


def format_model_options():
    """Return the section that lists the options of each model, with their defaults."""
    return format_help_table("options of the models, with their defaults (--model-option NAME=VALUE)", [
        (model_info.name, ", ".join(f"{name}={str(value).lower()}" for name, value in model_info.options.items()))
        for model_info in registry.MODELS.values() if model_info.options])


def format_examples(prog, command_lines):
    """Return the section of examples; command_lines: the arguments of each, without the program's name."""
    return "\n".join(["examples:", *(f"  {prog} {command_line}".rstrip() for command_line in command_lines)]) + "\n"
