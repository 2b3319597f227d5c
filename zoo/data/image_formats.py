"""Which image files are read: raster formats alone, told by their content and never by what a file is called.

Pillow also opens formats that are programs or that hand the file to another program: PostScript (Ghostscript), Windows
metafiles, streams that wrap a file of any other format. None of them is ever tried here.
"""

import contextlib
import functools
import importlib
import os

from PIL import Image

from zoo.utils.io import open_regular_file

# Pillow's names. TGA, which has no signature, comes last. HEIF and JXL are there where a plugin has registered them.
RASTER_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "AVIF", "DDS", "DIB", "HEIF", "ICNS", "ICO",
                  "JPEG2000", "JXL", "PCX", "PSD", "QOI", "SGI", "SUN", "XBM", "XPM", "TGA")
PILLOW_PLUGINS = {"pillow_heif": ("register_heif_opener", ("pillow-heif", (".heic", ".heif", ".hif")))}


@functools.cache
def load_pillow_plugins():
    """Let Pillow know all of its formats, and those of the plugins that are installed."""
    Image.init()
    for module, (register, _) in PILLOW_PLUGINS.items():
        with contextlib.suppress(ImportError):
            getattr(importlib.import_module(module), register)()


def list_image_formats():
    """Return the names of the formats that can be read, in the order in which they are tried."""
    load_pillow_plugins()
    return [name for name in RASTER_FORMATS if name in Image.OPEN]


def list_image_extensions():
    """Return the endings, such as ".png", of the files that are taken for images."""
    formats = {*list_image_formats(), "MPO"}  # Pillow reads a .mpo file as the JPEG that it begins with
    return frozenset(ending for ending, name in Image.EXTENSION.items() if name in formats)


def find_plugin(extension):
    """Return what to install so that files of an ending are read, or None."""
    return next((package for _, (package, endings) in PILLOW_PLUGINS.values() if extension in endings), None)


def get_extension(name):
    return os.path.splitext(name)[1].lower()


@contextlib.contextmanager
def open_image_file(path):
    """Yield the Pillow image of a regular file, not decoded yet; OSError at once for a pipe or a device."""
    with open_regular_file(path) as file, Image.open(file, formats=list_image_formats()) as image:
        yield image
