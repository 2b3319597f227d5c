"""People's own picture files, made into what a network takes. No backend is loaded."""

import warnings
from collections import namedtuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.data import bit_depth
from zoo.data.image_formats import open_image_file
from zoo.errors import UserError

WHITE_BACKGROUND = (255, 255, 255, 255)  # what lies behind a transparent picture
MAX_IMAGES_PER_CHUNK = 256  # images in memory
EXIF_ORIENTATION_TAG = 0x0112  # in EXIF; its values say how an image is to be turned
EXIF_TRANSPOSES = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
                   4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
                   7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
COLOR_MODES = ("P", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")  # of Pillow; the others are grayscale
BRIGHT_THRESHOLD = 0.5  # of white: a border that is brighter is bright

ROTATED_ORIENTATIONS = (5, 6, 7, 8)  # of EXIF: height and width change places

# What a file holds: its kind as bit_depth has it, size (height, width), and whether it is grayscale
ImageHeader = namedtuple("ImageHeader", "pixel_kind size is_grayscale")
# Uint8 (height, width, channels); words; see `prepare_image`
PreparedImage = namedtuple("PreparedImage", "pixels transformations has_bright_border")


def load_image(path):
    """Return the picture of a file as a Pillow image that is read to its end and stands upright.

    Of several frames the first. Raises UserError in one line for what is no whole picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd but can be read
        return decode_image(path)


def decode_image(path):
    """Do the work of opened(), in several threads at once: the filters of warnings, which all share, stay as is."""
    try:
        with open_image_file(path) as picture:
            limit = Image.MAX_IMAGE_PIXELS  # 89 million; Pillow refuses only twice as many
            if limit is not None and picture.width * picture.height > limit:
                raise Image.DecompressionBombError
            picture.load()
            return apply_exif_orientation(picture)
    except UnidentifiedImageError:
        raise UserError(f"{path} is no image that can be read") from None
    except (Image.DecompressionBombError, MemoryError):
        raise UserError(f"{path} has too many pixels; make it smaller") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # what a decoder raises on damage is not told anywhere
        raise UserError(f"{path} is damaged: {' '.join(str(error).split()) or type(error).__name__}") from None


def apply_exif_orientation(image):
    """Return a copy of a Pillow image, turned as its EXIF says; what is odd or damaged there turns nothing."""
    try:
        turn = EXIF_TRANSPOSES.get(image.getexif().get(EXIF_ORIENTATION_TAG))
    except Exception:  # whatever Pillow raises on damage
        turn = None
    return image.copy() if turn is None else image.transpose(turn)


def check_image_header(path):
    """Return the ImageHeader of a file; UserError for one that does not even begin as an image does.

    It takes next to no time, and says little about what follows in the file.
    """
    try:
        with open_image_file(path) as picture:
            header = get_image_header(picture)
            if "exif" in picture.info and picture.getexif().get(EXIF_ORIENTATION_TAG) in ROTATED_ORIENTATIONS:
                header = header._replace(size=header.size[::-1])
            return header
    except Exception:  # whatever a decoder raises
        raise UserError(f"{path} is no image that can be read") from None


def get_image_header(image):
    """Return the ImageHeader of a Pillow image as it is."""
    return ImageHeader(bit_depth.get_pixel_kind(image), (image.height, image.width), image.mode not in COLOR_MODES)


def prepare_image(image, shape, white_levels=None):
    """Return a Pillow image as Fitted: what squeezed() says, and `bright`: the median of its border is."""
    pixels, done = resize_image(image, shape, white_levels)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return PreparedImage(pixels, done, bool(np.median(border) > BRIGHT_THRESHOLD * 255))


def prepare_image_files(paths, shape, white_levels=None):
    """Yield lists, up to AT_ONCE long, of (path, Fitted) of image files; of what cannot be read (path, UserError).

    white: how those of more than eight bits are scaled, as run.json's dataset has it; see deep_images.
    """
    chunk = []
    for path in paths:
        try:
            chunk.append((path, prepare_image(load_image(path), shape, white_levels)))
        except UserError as error:
            chunk.append((path, error))
        if len(chunk) == MAX_IMAGES_PER_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def resize_image(image, shape, white_levels=None):
    """Return (pixels, uint8 of `shape`; what was done to the Pillow image in words).

    Sixteen bits become eight, what is transparent is laid on white, colours become grey or grey colours by ITU-R
    601-2's luma, and the whole picture is squeezed into height and width, antialiased.
    """
    height, width, channels = shape
    done, is_grayscale = [], get_image_header(image).is_grayscale
    if bit_depth.get_pixel_kind(image):
        image, highest = bit_depth.convert_to_8_bits(image, white_levels)
        done += [f"0..{highest} to 0..255"] if highest != 255 else []
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE_BACKGROUND), image.convert("RGBA"))
        done.append("laid on white")
    if is_grayscale != (channels == 1):
        done.append("grayscale converted to RGB" if is_grayscale else "colour converted to grayscale")
    image = image.convert("RGB").convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        done.append(f"resized from {image.height}x{image.width} to {height}x{width}")
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(image, np.uint8).reshape(shape), ", ".join(done)
