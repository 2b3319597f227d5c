"""Which image files are read: only raster formats, detected from the contents and never from the file name.

Pillow also opens formats that are programs or that pass the file to another program: PostScript (Ghostscript), Windows
metafiles, and streams that wrap a file of any other format. None of these is ever tried here.
"""

import contextlib
import functools
import importlib
import os

from PIL import Image

from zoo.utils.io import open_regular_file

# Pillow's names. TGA, which has no signature, comes last. HEIF needs a plugin, see PILLOW_PLUGINS; so
# does JXL, which the user imports.
RASTER_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "AVIF", "DDS", "DIB", "HEIF", "ICNS", "ICO",
                  "JPEG2000", "JXL", "PCX", "PSD", "QOI", "SGI", "SUN", "XBM", "XPM", "TGA")
PILLOW_PLUGINS = {"pillow_heif": ("register_heif_opener", ("pillow-heif", (".heic", ".heif", ".hif")))}


@functools.cache
def load_pillow_plugins():
    """Register all of Pillow's formats, and those of the installed plugins."""
    Image.init()
    for module, (register, _) in PILLOW_PLUGINS.items():
        with contextlib.suppress(ImportError):
            getattr(importlib.import_module(module), register)()


def list_image_formats():
    """Return the names of the readable formats, in the order in which they are tried."""
    load_pillow_plugins()
    return [name for name in RASTER_FORMATS if name in Image.OPEN]


def list_image_extensions():
    """Return the file extensions, such as ".png", that are treated as images."""
    formats = {*list_image_formats(), "MPO"}  # Pillow reads a .mpo file as the JPEG that it begins with
    return frozenset(extension for extension, name in Image.EXTENSION.items() if name in formats)


def find_plugin(extension):
    """Return the package to install for reading files with this extension, or None."""
    return next((package for _, (package, extensions) in PILLOW_PLUGINS.values() if extension in extensions), None)


def get_extension(name):
    return os.path.splitext(name)[1].lower()


@contextlib.contextmanager
def open_image_file(path):
    """Yield the Pillow image of a regular file, not yet decoded; raise OSError immediately for a pipe or a device."""
    with open_regular_file(path) as file, Image.open(file, formats=list_image_formats()) as image:
        yield image
