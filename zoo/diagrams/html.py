"""HTML pages from jinja2 templates: each is one file, with its style, script and data inside, and asks for nothing."""

import base64
import functools
import hashlib
import json
from importlib.resources import files

from zoo.utils.text import escape_unprintable


def render_template(package, template, *, style="", script="", data=None, **values):
    """Return the page that a template makes.

    Whatever a template shows is escaped, and its control characters are made visible; only Markup is taken as it is.

    Args:
        package: the package whose folder `templates` holds the template; "base.html" is found in that of zoo.diagrams.
        template: the template's file name.
        style: the page's style sheet, ours, as text.
        script: the page's script, ours, as text.
        data: what the script reads, as for json.dumps.
        **values: what the template shows.
    """
    from markupsafe import Markup

    return _get_environment(package).get_template(template).render(style=Markup(style),
                                                                   style_hash=compute_csp_hash(style),
                                                                   script=Markup(script),
                                                                   script_hash=compute_csp_hash(script),
                                                                   data=Markup(to_script_json(data)), **values)


@functools.cache
def _get_environment(package):
    import jinja2  # here, because help texts and drawings do without it

    loaders = [jinja2.PackageLoader(name) for name in dict.fromkeys((package, "zoo.diagrams"))]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, finalize=_escape_value)


def _escape_value(value):
    return value if hasattr(value, "__html__") else escape_unprintable(str(value))


def read_asset(package, name):
    """Return the text of a style sheet or script of a package, as it stands in a page: from a line of its own on."""
    return "\n" + files(package).joinpath(name).read_text("utf-8")


def to_script_json(data):
    """Return data as JSON that can stand inside a <script> element; control characters in it are made visible."""
    return json.dumps(_escape_strings(data), separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


def _escape_strings(data):
    if isinstance(data, str):
        return escape_unprintable(data)
    if isinstance(data, dict):
        return {key: _escape_strings(value) for key, value in data.items()}
    return [_escape_strings(value) for value in data] if isinstance(data, (list, tuple)) else data


def compute_csp_hash(text):
    """Return what a browser compares with before it runs or applies what stands in the page: nothing else does."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
