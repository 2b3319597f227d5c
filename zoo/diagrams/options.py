"""The options of a diagram: their values, and which can be combined. Loads neither a backend nor matplotlib."""

import inspect

from zoo.errors import UserError, unknown_name_error
from zoo.utils.keyword_hints import check_keywords
from zoo.utils.synonyms import find_keyword

DETAILS = ("stages", "blocks", "layers")
STYLES = ("boxes", "volumes")
THEME_NAMES = ("light", "dark")
RANKDIRS = ("TB", "LR")  # top to bottom, left to right; Graphviz's words
DEFAULT_RANKDIRS = {"stages": "LR", "blocks": "TB", "layers": "TB"}  # by level of detail


def check_diagram_options(**options):
    """Raise UserError for an invalid detail, theme, rankdir or style, or an invalid combination."""
    for name, valid_values in (("detail", DETAILS), ("theme", THEME_NAMES), ("rankdir", (None, *RANKDIRS)),
                               ("style", STYLES)):
        if name in options and options[name] not in valid_values:
            raise unknown_name_error(name, options[name], [value for value in valid_values if value])
    if options.get("style") == "volumes" and options.get("detail") != "blocks":
        raise UserError("volumes have a single level of detail; omit detail=..., or use style='boxes'")
    if options.get("style") == "volumes" and options.get("rankdir") == "TB":
        raise UserError("volumes are drawn from left to right; omit rankdir=..., or use style='boxes'")


def refuse_build_arguments(function, arguments, options):
    """Raise UserError for the first argument of `zoo.build` that is given with a keras.Model, or for an unknown option.

    function: `zoo.diagram`. arguments: {name: value} of those that it has from `zoo.build`. options: {name: value} of
    the keywords that it does not have.
    """
    parameters = inspect.signature(function).parameters
    for name, value in arguments.items():
        if value != parameters[name].default:
            raise UserError(f"{name}={value!r} is only for a model's name; a keras.Model is already built: omit it")
    valid_names = [name for name in parameters if name not in (*arguments, "source", "options")]
    synonyms = {name: value for name, value in options.items() if find_keyword(name, valid_names)}
    check_keywords("zoo.diagram", synonyms, valid_names)
    if options:
        raise unknown_name_error("argument of zoo.diagram for a keras.Model", next(iter(options)), valid_names)
