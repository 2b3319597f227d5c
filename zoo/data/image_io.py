"""People's own picture files, made into what a network takes. No backend is loaded."""

import os
import warnings
from collections import namedtuple
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.errors import UserError

ENDINGS = frozenset(".png .jpg .jpeg .jpe .gif .bmp .webp .tif .tiff .ppm .pgm .pbm .pnm .jp2 .ico .tga".split())
PAPER = (255, 255, 255, 255)  # what lies behind a transparent picture
AT_ONCE = 256  # images in memory
BRIGHT = 0.5  # of white: a border that is brighter is bright

Fitted = namedtuple("Fitted", "pixels done bright")  # uint8 (height, width, channels); words; see `fitted`


def find(paths):
    """Return the picture files that `paths` name: files as they are, of folders all pictures at any depth, by name.

    Raises UserError for a path that is not there, and for a folder without pictures.
    """
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
            pictures = sorted(file for file in inside if file.suffix.lower() in ENDINGS and file.name[0] != ".")
            if not pictures:
                raise UserError(f"{path} holds no pictures; those end in {', '.join(sorted(ENDINGS))}")
            found += pictures
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"there is no {path}; name picture files, or folders of them")
    return list(dict.fromkeys(found))


def opened(path):
    """Return the picture of a file as a Pillow image that is read to its end and stands upright.

    Of several frames the first. Raises UserError in one line for what is no whole picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd but can be read
        return decoded(path)


def decoded(path):
    """Do the work of opened(), in several threads at once: the filters of warnings, which all share, stay as is."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > Image.MAX_IMAGE_PIXELS:  # 89 million; Pillow refuses only twice as many
                raise Image.DecompressionBombError
            picture.load()
            return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError:
        raise UserError(f"{path} is no picture that can be read") from None
    except (Image.DecompressionBombError, MemoryError):
        raise UserError(f"{path} has too many pixels; make it smaller") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # what a decoder raises on damage is not told anywhere
        raise UserError(f"{path} is damaged: {' '.join(str(error).split()) or type(error).__name__}") from None


def check_beginning(path):
    """Raise UserError for a file that does not even begin as a picture does: next to no time, and little certainty."""
    try:
        Image.open(path).close()
    except Exception:  # whatever a decoder raises
        raise UserError(f"{path} is no picture that can be read") from None


def fitted(picture, shape):
    """Return a Pillow image as Fitted: what squeezed() says, and `bright`: the median of its border is."""
    pixels, done = squeezed(picture, shape)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return Fitted(pixels, done, bool(np.median(border) > BRIGHT * 255))


def fit_files(paths, shape):
    """Yield lists, up to AT_ONCE long, of (path, Fitted) of image files; of what cannot be read (path, UserError)."""
    chunk = []
    for path in paths:
        try:
            chunk.append((path, fitted(opened(path), shape)))
        except UserError as error:
            chunk.append((path, error))
        if len(chunk) == AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def squeezed(picture, shape):
    """Return (pixels, uint8 of `shape`; what was done to the Pillow image in words).

    Sixteen bits become eight, what is transparent is laid on white, colours become grey or grey colours by ITU-R
    601-2's luma, and the whole picture is squeezed into height and width, antialiased.
    """
    height, width, channels = shape
    done, grey = [], picture.mode not in ("P", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        picture, white = eight_bits(picture)
        done += [f"0..{white} to 0..255"] if white != 255 else []
    if picture.has_transparency_data:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, PAPER), picture.convert("RGBA"))
        done.append("laid on white")
    if grey != (channels == 1):
        done.append("grey to colour" if grey else "colour to grey")
    picture = picture.convert("RGB").convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        done.append(f"resized from {picture.height}x{picture.width} to {height}x{width}")
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(picture, np.uint8).reshape(shape), ", ".join(done)


def eight_bits(picture):
    """Return a picture of more than eight bits a pixel as a grey one of eight, and the value that became white.

    Whole numbers are 0 to 65535 where one is above 255; floats 0 to 1 where none is above.
    """
    values = np.nan_to_num(np.asarray(picture, np.float64))
    most = values.max()
    white = 65535 if most > 255 else 1 if picture.mode == "F" and most <= 1 else 255
    pixels = np.clip(np.rint(values / white * 255), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), white
