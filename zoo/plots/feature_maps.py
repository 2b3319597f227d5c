"""What one layer makes of one picture: its feature maps, which of them are dead, and how they look."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from zoo.plots import colormaps

SIDE = 150  # pixels: larger maps are drawn smaller
FLAT = 1e-6  # of its largest value: a map that differs by less is constant
DEAD, CONSTANT = np.uint8((222, 222, 222)), np.uint8((190, 200, 210))  # colours of maps with nothing in them


@dataclass(frozen=True)
class Maps:
    """Feature maps (rows, columns, maps), or numbers (1, 1, numbers) where a layer has no grid."""

    name: str
    words: str  # what the layer does
    values: np.ndarray
    dead: np.ndarray  # (maps,) bool: zero all over this picture
    constant: np.ndarray  # (maps,) bool: the same all over this picture, and not zero
    infinite: int  # values that are not finite

    @property
    def is_grid(self):
        return self.values.shape[0] * self.values.shape[1] > 1

    @property
    def count(self):
        return self.values.shape[2]

    @property
    def said(self):
        """The layer's output in words: 14x14, 512 maps: 31 dead, 2 constant."""
        rows, columns, count = self.values.shape
        what = f"{rows}x{columns}, {count:,} map{'s' * (count != 1)}" if self.is_grid else f"{count:,} numbers"
        dead, constant = int(self.dead.sum()), int(self.constant.sum())
        found = [f"{dead:,} {'dead' if self.is_grid else 'zero'}"] if dead or self.is_grid else []
        found += [f"{constant:,} constant"] if self.is_grid else []
        found += [f"{self.infinite:,} values not finite"] if self.infinite else []
        return f"{what}: {', '.join(found)}" if found else what

    def mark(self, place):
        """Return what is to be said of a map: dead, constant, or nothing."""
        return "dead" if self.dead[place] else "constant" if self.constant[place] and self.is_grid else ""


def judged(name, words, output):
    """Return the Maps of a layer's output (1, ...) for one picture."""
    values = output[0] if output.ndim == 4 else output.reshape(1, 1, -1)
    finite = np.isfinite(values)
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    most = np.maximum(np.abs(low), np.abs(high))
    dead = most == 0
    constant = finite.all(axis=(0, 1)) & ~dead & (high - low <= FLAT * most)
    return Maps(name, words, values, dead, constant, int((~finite).sum()))


def tiles(maps, count):
    """Return the first `count` maps as pictures uint8 (count, rows, columns, 3), each from its least to its greatest.

    Those larger than SIDE are made smaller. Dead and constant ones have one colour each, greys.
    """
    rows, columns = maps.values.shape[:2]
    share = min(1, SIDE / max(rows, columns))
    shape = max(1, round(rows * share)), max(1, round(columns * share))
    made = []
    for place in range(min(count, maps.count)):
        if maps.mark(place):
            tile = np.broadcast_to(DEAD if maps.dead[place] else CONSTANT, (*shape, 3))
        else:
            shares = colormaps.between(maps.values[..., place])
            tile = colormaps.coloured(shares if share == 1 else colormaps.enlarged(shares, shape))
        made.append(tile)
    return np.stack(made)


def strip(maps):
    """Return the numbers of a layer without a grid as a picture uint8 (1, numbers, 3), from least to greatest."""
    return colormaps.coloured(colormaps.between(maps.values[0, 0]))[None]


def hypercolumn(each, shape):
    """Return (means of the maps of each layer, mean of all maps) enlarged to `shape`: float32 (height, width) of 0..1.

    The hypercolumn of a pixel is what all maps, enlarged to the picture, hold at it: Hariharan, Arbelaez, Girshick and
    Malik 2014, arXiv:1411.5752. Each map counts from its least to its greatest value; dead ones are 0.
    """
    means = []
    for maps in each:
        values = np.nan_to_num(maps.values, posinf=0, neginf=0)
        low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
        scaled = (values - low) / np.where(high > low, high - low, 1)
        means.append(colormaps.enlarged(scaled.mean(axis=-1), shape))
    counts = [maps.count for maps in each]
    return means, np.average(np.stack(means), axis=0, weights=counts).astype(np.float32)


def first_filters(model):
    """Return (layer's name, kernels float32 (filters, rows, columns, 1 or 3)) of the layer that reads the picture.

    None where the first layer with a kernel reads no grey or RGB picture.
    """
    for layer in model.layers:
        for name in ("kernel", "depthwise_kernel"):
            kernel = getattr(layer, name, None)
            if kernel is None:
                continue
            kernel = ops.convert_to_numpy(ops.cast(kernel, "float32"))
            if kernel.ndim != 4 or kernel.shape[2] not in (1, 3):
                return None
            if name == "depthwise_kernel":  # (rows, columns, channels, multiplier): each reads one channel
                kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
            return layer.name, kernel.transpose(3, 0, 1, 2)
    return None


def filter_tiles(kernels):
    """Return kernels as pictures uint8 (filters, rows, columns, 3): grey is 0, all on one scale."""
    most = max(np.abs(kernels).max(), np.finfo("float32").tiny)
    pictures = np.uint8(np.rint(127.5 + 127.5 * kernels / most))
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))
