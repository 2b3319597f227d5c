"""Preparing users' image files as model input. No backend is loaded."""

import os
import warnings
from collections import namedtuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.data import bit_depth, sixteen_bits
from zoo.data.image_formats import open_image_file
from zoo.errors import UserError

WHITE_BACKGROUND = (255, 255, 255, 255)  # behind transparent images
MAX_IMAGES_PER_CHUNK = 256  # images in memory
EXIF_ORIENTATION_TAG = 0x0112  # EXIF tag of the rotation or flip to apply
EXIF_TRANSPOSES = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
                   4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
                   7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
COLOR_MODES = ("P", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")  # of Pillow; all others are grayscale
BRIGHT_THRESHOLD = 0.5  # fraction of white above which a border is bright

ROTATED_ORIENTATIONS = (5, 6, 7, 8)  # of EXIF: height and width are swapped

FRAME_FORMATS = ("TIFF", "GIF", "WEBP", "PNG", "AVIF", "HEIF")  # others have layers, sizes or previews of one image
SEVERAL_FRAMES = "several_frames"  # key of Image.info: of the first frame of several

# The kind of the pixels (see bit_depth), the size (height, width), whether the image is grayscale, has transparency and
# several frames
ImageHeader = namedtuple("ImageHeader", "pixel_kind size is_grayscale has_alpha has_frames")
# uint8 (height, width, channels), a str and a bool; see `prepare_image`
PreparedImage = namedtuple("PreparedImage", "pixels transformations has_bright_border")


def load_image(path):
    """Return the image in a file as a fully decoded Pillow image, with its EXIF orientation applied.

    Of several frames the first is used. Raises UserError, in one line, for an invalid or truncated image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files that are unusual but readable
        return decode_image(path)


def decode_image(path):
    """Do the work of load_image, thread-safely: the warning filters, which all threads share, are not changed."""
    try:
        with open_image_file(path) as image:
            check_pixel_count(image)
            sixteen_bits.check_planes(image, path)
            raw_mode = sixteen_bits.get_raw_mode(image)
            if not raw_mode:
                image.load()
                return mark_frames(apply_exif_orientation(bit_depth.mark_inverted(image)), image)
        upper, lower = (decode_raw_mode(path, byte_mode) for byte_mode in sixteen_bits.list_byte_modes(raw_mode))
        return sixteen_bits.join_bytes(upper, lower, raw_mode)
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a readable image file") from None
    except (Image.DecompressionBombError, MemoryError):
        raise make_size_error(path) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # which exceptions decoders raise for damaged files is undocumented
        raise UserError(f"{path} is damaged: {' '.join(str(error).split()) or type(error).__name__}") from None


def check_pixel_count(image):
    """Raise DecompressionBombError for an image of more than 89 million pixels; Pillow only refuses twice as many."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise Image.DecompressionBombError


def make_size_error(path):
    return UserError(f"{path} has too many pixels; reduce its size")


def has_several_frames(image):
    """Return whether the file of a Pillow image has further frames, such as those of a stack or an animation."""
    try:
        return image.format in FRAME_FORMATS and bool(getattr(image, "is_animated", False))
    except Exception:  # Pillow raises anything for damaged data
        return False


def mark_frames(copy, image):
    """Return the copy of an image, with SEVERAL_FRAMES in its info if the image is the first of several frames."""
    if has_several_frames(image):
        copy.info[SEVERAL_FRAMES] = True
    return copy


def prepare_pil_image(image, name):
    """Return a Pillow image of the user's as load_image returns that of a file; name: of the image in messages.

    Raises UserError, in one line, for an image that cannot be decoded, or of which Pillow decodes only the upper bits.
    """
    if is_deep_file(image):
        raise UserError(f"{name} has 16 bits per color channel, of which Pillow decodes 8; give the path of its file")
    try:
        image.load()
        return apply_exif_orientation(bit_depth.mark_inverted(image))
    except Exception as error:  # which exceptions decoders raise for damaged files is undocumented
        raise UserError(f"{name} cannot be read: {' '.join(str(error).split())}") from None


def is_deep_file(image):
    """Return whether a Pillow image, decoded or not, is that of a file of which Pillow decodes only the upper bits."""
    path = getattr(image, "filename", "")
    if not sixteen_bits.get_raw_mode(image) and image.format in sixteen_bits.FORMATS and os.path.isfile(path):
        try:  # once an image is decoded, only its file shows this
            with open_image_file(path) as file:
                return bool(sixteen_bits.get_raw_mode(file))
        except Exception:  # a file that was replaced by another
            return False
    return bool(sixteen_bits.get_raw_mode(image))


def decode_raw_mode(path, raw_mode):
    """Return the image in a file, decoded by one of Pillow's raw modes, with its EXIF orientation applied."""
    with open_image_file(path) as image:
        sixteen_bits.set_raw_mode(image, raw_mode)
        image.load()
        return mark_frames(apply_exif_orientation(image), image)


def apply_exif_orientation(image):
    """Return a copy of a Pillow image with its EXIF orientation applied."""
    transpose = EXIF_TRANSPOSES.get(get_exif_orientation(image))
    return image.copy() if transpose is None else image.transpose(transpose)


def get_exif_orientation(image):
    """Return the EXIF orientation of a Pillow image, which can be in its XMP data, too; None for invalid data."""
    try:
        return image.getexif().get(EXIF_ORIENTATION_TAG)
    except Exception:  # Pillow raises anything for damaged data
        return None


def check_image_header(path):
    """Return the ImageHeader of a file; raise UserError if it does not begin with a valid image header.

    This is fast, and does not check the rest of the file.
    """
    try:
        with open_image_file(path) as image:
            check_pixel_count(image)
            sixteen_bits.check_planes(image, path)
            header = get_image_header(image)
            has_orientation = {"exif", "xmp"} & {*image.info}  # without them, getexif decodes a PNG
            if has_orientation and get_exif_orientation(image) in ROTATED_ORIENTATIONS:
                header = header._replace(size=header.size[::-1])
            return header
    except Image.DecompressionBombError:
        raise make_size_error(path) from None
    except Exception:  # decoders raise anything
        raise UserError(f"{path} is not a readable image file") from None


def get_image_header(image):
    """Return the ImageHeader of a Pillow image, without applying its EXIF orientation."""
    return ImageHeader(bit_depth.get_pixel_kind(image), (image.height, image.width), image.mode not in COLOR_MODES,
                       image.has_transparency_data, SEVERAL_FRAMES in image.info or has_several_frames(image))


def prepare_image(image, shape, white_levels=None):
    """Return a PreparedImage: the results of resize_image, and whether the median of the border is bright."""
    pixels, transformations = resize_image(image, shape, white_levels)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return PreparedImage(pixels, transformations, bool(np.median(border) > BRIGHT_THRESHOLD * 255))


def prepare_image_files(paths, shape, white_levels=None):
    """Yield lists of (path, PreparedImage), or (path, UserError) for unreadable files, of up to MAX_IMAGES_PER_CHUNK.

    white_levels: how images of more than eight bits are scaled, as stored in run.json's dataset; see bit_depth.
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
    """Return (pixels, uint8 of `shape`; description of the transformations) of a Pillow image.

    16 bits are converted to 8, transparent images are composited over white, RGB and grayscale are converted into each
    other (ITU-R 601-2 luma), and the whole image is resized to height and width, with antialiasing.
    """
    height, width, channels = shape
    is_grayscale = get_image_header(image).is_grayscale
    transformations = ["the first of several frames"] if SEVERAL_FRAMES in image.info else []
    if bit_depth.get_pixel_kind(image):
        transformations += ["values below 0 become 0"] if bit_depth.get_pixel_range(image)[0] < 0 else []
        target = "255..0" if image.info.get(bit_depth.WHITE_IS_ZERO) else "0..255"
        image, white_level = bit_depth.convert_to_8_bits(image, white_levels)
        transformations += [f"0..{white_level} to {target}"] if f"0..{white_level}" != target else []
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE_BACKGROUND), image.convert("RGBA"))
        transformations.append("composited over white")
    if is_grayscale != (channels == 1):
        transformations.append("grayscale converted to RGB" if is_grayscale else "color converted to grayscale")
    image = image.convert("RGB").convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        transformations.append(f"resized from {image.height}x{image.width} to {height}x{width}")
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(image, np.uint8).reshape(shape), ", ".join(transformations)
