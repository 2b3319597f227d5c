"""Images embedded in a page as data URIs."""

import base64
import io
import math

import numpy as np
from PIL import Image


def to_data_uri(content, mime_type):
    """Return bytes as a data URI, for use in place of the URL of a file."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def make_sprite_sheet(images):
    """Return (data URI, columns) of one PNG with all images, uint8 (k, h, w, 1 or 3), row by row."""
    count, height, width, channels = images.shape
    columns = max(math.ceil(math.sqrt(count * height / width)), 1)
    rows = math.ceil(count / columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:count] = images
    sheet = tiles.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    sheet = sheet.reshape(rows * height, columns * width, channels)
    file = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(file, "png", optimize=True)
    return to_data_uri(file.getvalue(), "image/png"), columns
