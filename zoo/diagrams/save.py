"""A scene goes to a file; the file's ending says which kind."""

from zoo.diagrams import raster
from zoo.diagrams.svg import to_svg
from zoo.errors import UserError
from zoo.utils.io import expand_user, convert_path_errors, check_writable, write_text, atomic_write


def _write_svg(scene, path):
    write_text(path, to_svg(scene))


def _write_png(scene, path):
    with atomic_write(path) as scratch:
        raster.write_png(scene, scratch)


def _write_pdf(scene, path):
    with atomic_write(path) as scratch:
        raster.write_pdf(scene, scratch)


SCENE_WRITERS = {".svg": _write_svg, ".png": _write_png,
                 ".pdf": _write_pdf}  # each writes (scene, path) whole or not at all


def save_scene(scene, path, text_writers=None):
    """Write the scene to `path` (str or Path), as SVG, PNG or PDF by its ending; return the Path.

    `texts` are further formats, {ending: function without arguments that returns the file's text}.

    The file is written whole or not at all. Raises UserError for an ending that is not among ENDINGS and for a place
    where nothing can be written; a full disk stays an OSError.
    """
    text_writers = text_writers or {}
    target = check_scene_path(path, text_writers)
    ending = target.suffix.lower()
    with convert_path_errors(path, _describe_expected(text_writers)):
        if ending in text_writers:
            write_text(target, text_writers[ending]())
        else:
            SCENE_WRITERS[ending](scene, target)
    return target


def check_scene_path(path, other_suffixes=()):
    """Return `path` as the Path of a picture that can be asked for; UserError otherwise.

    `also` are endings of other formats that the caller writes.
    """
    if expand_user(path).suffix.lower() not in (*SCENE_WRITERS, *other_suffixes):
        raise UserError(f"the ending of a picture's name says its kind: {_list_suffixes(other_suffixes)}; got {str(path)!r}")
    return check_writable(path, _describe_expected(other_suffixes))


def _describe_expected(other_suffixes):
    return f"the name of a file that ends in {_list_suffixes(other_suffixes)}"


def _list_suffixes(other_suffixes):
    *others, last = (*SCENE_WRITERS, *other_suffixes)
    return f"{', '.join(others)} or {last}"
