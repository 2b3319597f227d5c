"""Every network at every level in one folder, with a page that shows them."""

import os

from zoo import registry
from zoo.diagrams.diagram import diagram, of_blueprint
from zoo.diagrams.html import read_text, render
from zoo.errors import UserError
from zoo.utils.io import expanded, write_text


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
    return render("zoo.diagrams", "gallery.html", style=read_text("zoo.diagrams", "gallery.css"), details=details,
                  specs=registry.SPECS.values())
