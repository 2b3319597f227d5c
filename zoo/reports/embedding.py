"""Pictures as addresses that a page carries inside."""

import base64
import io
import math

import numpy as np
from PIL import Image


def to_data_uri(content, mime_type):
    """Return bytes as an address that a page can use in place of a file's."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def make_sprite_sheet(images):
    """Return (address of one PNG, its columns) that holds all pictures, uint8 (k, h, w, 1 or 3), row by row."""
    count, height, width, channels = images.shape
    columns = max(math.ceil(math.sqrt(count * height / width)), 1)
    rows = math.ceil(count / columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:count] = images
    whole = tiles.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    whole = whole.reshape(rows * height, columns * width, channels)
    file = io.BytesIO()
    Image.fromarray(whole[..., 0] if channels == 1 else whole).save(file, "png", optimize=True)
    return to_data_uri(file.getvalue(), "image/png"), columns
