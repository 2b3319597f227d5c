"""Files of 16 bits per channel, which Pillow cannot write: by the specifications of PNG, TIFF and PPM."""

import struct
import zlib

import numpy as np


def make_png(values):
    """Return a PNG of uint16 (height, width) or (height, width, 1 to 4): gray, gray and alpha, RGB or RGBA."""
    height, width, channels = np.atleast_3d(values).shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">2I5B", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data
                                            + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)


def make_tiff(values, photometric, order="<", deflate=False, planar=False, alpha=None):
    """Return a TIFF of uint16 or float32 (height, width) or (height, width, channels).

    photometric: 0: 0 is white, 1: 0 is black, 2: RGB, 5: CMYK. order: "<" or ">". planar: one channel after the other.
    alpha: what the last channel is, 1: alpha that the colors are multiplied by, 2: independent alpha.
    """
    height, width, channels = np.atleast_3d(values).shape
    planes = np.moveaxis(np.atleast_3d(values), 2, 0) if planar else [values]
    strips = [plane.astype(values.dtype.newbyteorder(order)).tobytes() for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    offsets = [8 + sum(map(len, strips[:index])) for index in range(len(strips) + 1)]
    tags = {256: [width], 257: [height], 258: [values.dtype.itemsize * 8] * channels, 259: [8 if deflate else 1],
            262: [photometric], 273: offsets[:-1], 277: [channels], 278: [height], 279: [*map(len, strips)],
            284: [2 if planar else 1], 339: [3 if values.dtype.kind == "f" else 1] * channels}
    tags |= {338: [alpha]} if alpha is not None else {}
    directory, extra = struct.pack(f"{order}H", len(tags)), b""
    end = offsets[-1] + 2 + 12 * len(tags) + 4
    for tag, numbers in sorted(tags.items()):  # all of type 4, a 32-bit integer
        data = struct.pack(f"{order}{len(numbers)}I", *numbers)
        directory += struct.pack(f"{order}2HI", tag, 4, len(numbers))
        directory += data if len(numbers) == 1 else struct.pack(f"{order}I", end + len(extra))
        extra += data if len(numbers) > 1 else b""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", offsets[-1])
    return start + b"".join(strips) + directory + b"\0\0\0\0" + extra


def make_ppm(values):
    """Return a binary PPM of uint16 (height, width, 3)."""
    return b"P6\n%d %d\n65535\n" % (values.shape[1], values.shape[0]) + values.astype(">u2").tobytes()
