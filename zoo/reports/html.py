"""Words of files as a page can hold them, and a section of a page."""

from html import escape

from zoo.plots.font_metrics import printable


def text(words):
    """Return what a file said, as it can stand in a page."""
    return escape(printable(str(words)))


def percent(share):
    return f"{100 * share:.2f} %"


def section(name, title, *parts):
    return "\n".join([f'<section id="{name}"><h2>{title}</h2>', *filter(None, parts), "</section>"])
