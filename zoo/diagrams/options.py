"""The options of a diagram: their values, and which can be combined. Loads neither a backend nor matplotlib."""

from zoo.errors import UserError, unknown_name_error

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
