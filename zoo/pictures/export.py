"""A scene goes to a file; the file's ending says which kind."""

import contextlib
import errno
import os
import tempfile

from zoo.errors import UserError
from zoo.files import expanded, write_text, written_whole
from zoo.pictures import raster
from zoo.pictures.svg import svg


def _write_svg(scene, path):
    write_text(path, svg(scene))


def _write_png(scene, path):
    with written_whole(path) as scratch:
        raster.write_png(scene, scratch)


def _write_pdf(scene, path):
    with written_whole(path) as scratch:
        raster.write_pdf(scene, scratch)


ENDINGS = {".svg": _write_svg, ".png": _write_png, ".pdf": _write_pdf}  # each writes (scene, path) whole or not at all
MISTAKES = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
            errno.EOPNOTSUPP}


def write(scene, path, texts=None):
    """Write the scene to `path` (str or Path), as SVG, PNG or PDF by its ending; return the Path.

    `texts` are further formats, {ending: function without arguments that returns the file's text}.

    The file is written whole or not at all. Raises UserError for an ending that is not among ENDINGS and for a place
    where nothing can be written; a full disk stays an OSError.
    """
    texts = texts or {}
    target = checked(path, texts)
    ending = target.suffix.lower()
    with _mistakes_told(path, texts):
        if ending in texts:
            write_text(target, texts[ending]())
        else:
            ENDINGS[ending](scene, target)
    return target


def checked(path, also=()):
    """Return `path` as the Path of a picture that can be asked for; UserError otherwise.

    Nothing is left in the folder: that it takes a file is tried with one that has no name there.
    `also` are endings of other formats that the caller writes.

    A command calls this first: a mistyped name is then told before a network is built.
    """
    target = expanded(path)
    if os.path.isdir(target):
        raise UserError(f"{path} is a folder; give the name of a file that ends in {_listed(also)}")
    if target.suffix.lower() not in (*ENDINGS, *also):
        raise UserError(f"the ending of a picture's name says its kind: {_listed(also)}; given {str(path)!r}")
    if not os.path.isdir(target.parent):
        raise UserError(f"cannot write {path}: there is no folder {target.parent}; make it first, or give another "
                        f"file that ends in {_listed(also)}")
    with _mistakes_told(path, also), tempfile.TemporaryFile(dir=target.parent):
        pass
    return target


@contextlib.contextmanager
def _mistakes_told(path, also):
    """Raise a UserError for the OSErrors that come of a name where nothing can be written; a full disk is none."""
    try:
        yield
    except OSError as error:
        if error.errno not in MISTAKES:
            raise
        raise UserError(f"cannot write {path}: {error.strerror}; give the name of a file in a folder of yours that "
                        f"ends in {_listed(also)}") from None


def _listed(also=()):
    *others, last = (*ENDINGS, *also)
    return f"{', '.join(others)} or {last}"
