"""All models at all levels of detail in one folder, with a page that shows them."""

import os

from zoo import registry
from zoo.diagrams.diagram import draw_diagram, make_source_from_config
from zoo.diagrams.html import read_asset, render_template
from zoo.diagrams.options import DETAILS
from zoo.errors import UserError
from zoo.utils.io import expand_user, write_text


def prepare_gallery_folder(folder):
    """Return the folder's Path after creating it if necessary; UserError if that is not possible."""
    path = expand_user(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot create {folder}: {error.strerror}; choose another folder") from None
    if not os.access(path, os.W_OK):
        raise UserError(f"cannot write to {folder}; choose another folder")
    return path


def write_gallery(folder, theme):
    """Draw all models, with auxiliary classifiers, into the folder; yield the Path of each file."""
    for model_info in registry.MODELS.values():
        source = make_source_from_config(registry.resolve_model_config(model_info.name,
                                                                       aux=bool(model_info.aux_loss_weights)))
        for detail in DETAILS:
            path = folder / f"{model_info.name}-{detail}.svg"
            draw_diagram(source, path, detail, theme)
            yield path
    path = folder / "index.html"
    write_text(path, render_gallery_page())
    yield path


def render_gallery_page():
    """Return the page: each model with its paper, its diagrams, and links to all levels of detail."""
    return render_template("zoo.diagrams", "gallery.html", style=read_asset("zoo.diagrams", "gallery.css"),
                           details=DETAILS, model_infos=registry.MODELS.values())
