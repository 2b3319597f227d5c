"""HTML pages from jinja2 templates. A page is one file with its style, script and data, and makes no requests."""

import base64
import functools
import hashlib
import json
from importlib.resources import files

from zoo.utils.text import escape_unprintable


def render_template(package, template, *, style="", script="", data=None, **values):
    """Return the page rendered from a template.

    Values are escaped, and their control characters made visible; only Markup is inserted unchanged.

    Args:
        package: package whose folder `templates` contains the template; "base.html" is in that of zoo.diagrams.
        template: file name of the template.
        style: our style sheet, as text.
        script: our script, as text.
        data: what the script reads, serializable by json.dumps.
        **values: variables of the template.
    """
    from markupsafe import Markup

    return _get_environment(package).get_template(template).render(style=Markup(style),
                                                                   style_hash=compute_csp_hash(style),
                                                                   script=Markup(script),
                                                                   script_hash=compute_csp_hash(script),
                                                                   data=Markup(to_script_json(data)), **values)


@functools.cache
def _get_environment(package):
    import jinja2  # here: help texts and images do not need it

    loaders = [jinja2.PackageLoader(name) for name in dict.fromkeys((package, "zoo.diagrams"))]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, finalize=_escape_value)


def _escape_value(value):
    return value if hasattr(value, "__html__") else escape_unprintable(str(value))


def read_asset(package, name):
    """Return the text of a style sheet or script of a package, beginning on a new line as in a page."""
    return "\n" + files(package).joinpath(name).read_text("utf-8")


def to_script_json(data):
    """Return data as JSON for a <script> element, with control characters made visible."""
    return json.dumps(_escape_strings(data), separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


def _escape_strings(data):
    if isinstance(data, str):
        return escape_unprintable(data)
    if isinstance(data, dict):
        return {key: _escape_strings(value) for key, value in data.items()}
    return [_escape_strings(value) for value in data] if isinstance(data, (list, tuple)) else data


def compute_csp_hash(text):
    """Return the Content-Security-Policy hash of an inline script or style: browsers run or apply only these."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
