"""Write a scene to a file, in the format that the suffix selects."""

from zoo.diagrams import raster
from zoo.diagrams.svg import to_svg
from zoo.errors import UserError
from zoo.utils.io import atomic_write, check_writable, convert_path_errors, expand_user, write_text


def _write_svg(scene, path):
    write_text(path, to_svg(scene))


def _write_png(scene, path):
    with atomic_write(path) as scratch:
        raster.write_png(scene, scratch)


def _write_pdf(scene, path):
    with atomic_write(path) as scratch:
        raster.write_pdf(scene, scratch)


SCENE_WRITERS = {".svg": _write_svg, ".png": _write_png, ".pdf": _write_pdf}  # atomic functions of (scene, path)


def save_scene(scene, path, text_writers=None):
    """Write the scene to `path` (str or Path) as SVG, PNG or PDF, by its suffix; return the Path.

    `text_writers` are other formats, {suffix: function without arguments that returns the text of the file}.
    Writing is atomic. Raises UserError for an unknown suffix and for a path that is not writable; a full disk is an
    OSError.
    """
    text_writers = text_writers or {}
    checked_path = check_scene_path(path, text_writers)
    suffix = checked_path.suffix.lower()
    with convert_path_errors(path, _describe_expected(text_writers)):
        if suffix in text_writers:
            write_text(checked_path, text_writers[suffix]())
        else:
            SCENE_WRITERS[suffix](scene, checked_path)
    return checked_path


def check_scene_path(path, other_suffixes=()):
    """Return `path` as a Path that a scene can be written to; UserError otherwise.

    `other_suffixes` are those of other formats that the caller writes.
    """
    if expand_user(path).suffix.lower() not in (*SCENE_WRITERS, *other_suffixes):
        raise UserError(f"the suffix of a diagram's file name selects its format: {_list_suffixes(other_suffixes)}; "
                        f"got {str(path)!r}")
    return check_writable(path, _describe_expected(other_suffixes))


def _describe_expected(other_suffixes):
    return f"the name of a file with the suffix {_list_suffixes(other_suffixes)}"


def _list_suffixes(other_suffixes):
    *others, last = (*SCENE_WRITERS, *other_suffixes)
    return f"{', '.join(others)} or {last}"
