"""A scene goes to a file; the file's ending says which kind."""

from zoo.diagrams import raster
from zoo.diagrams.svg import svg
from zoo.errors import UserError
from zoo.utils.io import expanded, mistakes_told, writable, write_text, written_whole


def _write_svg(scene, path):
    write_text(path, svg(scene))


def _write_png(scene, path):
    with written_whole(path) as scratch:
        raster.write_png(scene, scratch)


def _write_pdf(scene, path):
    with written_whole(path) as scratch:
        raster.write_pdf(scene, scratch)


ENDINGS = {".svg": _write_svg, ".png": _write_png, ".pdf": _write_pdf}  # each writes (scene, path) whole or not at all


def write(scene, path, texts=None):
    """Write the scene to `path` (str or Path), as SVG, PNG or PDF by its ending; return the Path.

    `texts` are further formats, {ending: function without arguments that returns the file's text}.

    The file is written whole or not at all. Raises UserError for an ending that is not among ENDINGS and for a place
    where nothing can be written; a full disk stays an OSError.
    """
    texts = texts or {}
    target = checked(path, texts)
    ending = target.suffix.lower()
    with mistakes_told(path, _wanted(texts)):
        if ending in texts:
            write_text(target, texts[ending]())
        else:
            ENDINGS[ending](scene, target)
    return target


def checked(path, also=()):
    """Return `path` as the Path of a picture that can be asked for; UserError otherwise.

    `also` are endings of other formats that the caller writes.
    """
    if expanded(path).suffix.lower() not in (*ENDINGS, *also):
        raise UserError(f"the ending of a picture's name says its kind: {_listed(also)}; given {str(path)!r}")
    return writable(path, _wanted(also))


def _wanted(also):
    return f"the name of a file that ends in {_listed(also)}"


def _listed(also):
    *others, last = (*ENDINGS, *also)
    return f"{', '.join(others)} or {last}"
