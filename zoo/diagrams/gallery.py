"""Every network at every level in one folder, with a page that shows them."""

import html
import os

from zoo import registry
from zoo.diagrams.diagram import diagram, of_blueprint
from zoo.errors import UserError
from zoo.utils.io import expanded, write_text

STYLE = """
body { font: 15px/1.5 "DejaVu Sans", Verdana, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #1b1f24; background: #ffffff }
h2 { margin: 2.5rem 0 0.3rem } a { color: #2f58a8 } p { margin: 0.2rem 0 0.8rem; color: #5c6670 }
nav a { margin-right: 0.8em; white-space: nowrap } figure { margin: 0 0 1rem }
img { max-width: 100%; height: auto; border: 1px solid #c3cad2; border-radius: 4px }
"""


def checked(folder):
    """Return the folder's Path, made if it is not there; UserError where it cannot be."""
    place = expanded(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}; choose another --gallery") from None
    if not os.access(place, os.W_OK):
        raise UserError(f"cannot write to {folder}; choose another --gallery")
    return place


def draw(place, details, theme):
    """Draw the networks of the catalogue, with side classifiers, into the folder; yield each file's Path."""
    for spec in registry.SPECS.values():
        subject = of_blueprint(registry.blueprint(spec.name, aux=bool(spec.sides)))
        for detail in details:
            path = place / f"{spec.name}-{detail}.svg"
            diagram(subject, path, detail, theme)
            yield path
    path = place / "index.html"
    write_text(path, page(details))
    yield path


def page(details):
    """Return the page: each network with its paper, the picture of its modules, links to the other levels."""
    parts = ["<!doctype html>", '<html lang="en">', '<meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width">', "<title>The networks, drawn</title>",
             f"<style>{STYLE}</style>", "<h1>The networks, drawn</h1>", "<nav>"]
    parts += [f'<a href="#{name}">{name}</a>' for name in registry.SPECS]
    parts.append("</nav>")
    for spec in registry.SPECS.values():
        links = " ".join(f'<a href="{spec.name}-{detail}.svg">{detail}</a>' for detail in details)
        title = f'<a href="{spec.paper.url}">{html.escape(spec.paper.title)}</a>'
        paper = f"{spec.paper.authors} {spec.paper.year}, {title}"
        parts += [f'<h2 id="{spec.name}">{spec.name}</h2>', f"<p>{paper}. {links}</p>"]
        parts += [f'<figure><a href="{spec.name}-{detail}.svg"><img src="{spec.name}-{detail}.svg" loading="lazy" '
                  f'alt="{spec.name}, {detail}"></a></figure>' for detail in details if detail != "layers"]
    return "\n".join([*parts, ""])
