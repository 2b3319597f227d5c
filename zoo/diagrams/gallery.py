"""Every network at every level in one folder, with a page that shows them."""

import os

from zoo import registry
from zoo.diagrams.diagram import draw_diagram, make_source_from_config
from zoo.diagrams.html import read_asset, render_template
from zoo.errors import UserError
from zoo.utils.io import expand_user, write_text


def prepare_gallery_folder(folder):
    """Return the folder's Path, made if it is not there; UserError where it cannot be."""
    place = expand_user(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}; choose another --gallery") from None
    if not os.access(place, os.W_OK):
        raise UserError(f"cannot write to {folder}; choose another --gallery")
    return place


def write_gallery(folder, details, theme):
    """Draw the networks of the catalogue, with side classifiers, into the folder; yield each file's Path."""
    for spec in registry.MODELS.values():
        subject = make_source_from_config(registry.resolve_model_config(spec.name, aux=bool(spec.aux_loss_weights)))
        for detail in details:
            path = folder / f"{spec.name}-{detail}.svg"
            draw_diagram(subject, path, detail, theme)
            yield path
    path = folder / "index.html"
    write_text(path, render_gallery_page(details))
    yield path


def render_gallery_page(details):
    """Return the page: each network with its paper, the picture of its modules, links to the other levels."""
    return render_template("zoo.diagrams", "gallery.html", style=read_asset("zoo.diagrams", "gallery.css"),
                           details=details, specs=registry.MODELS.values())
