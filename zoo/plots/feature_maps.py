"""What one layer makes of one picture: its feature maps, which of them are dead, and how they look."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from zoo.plots import colormaps

MAX_TILE_SIZE = 150  # pixels: larger maps are drawn smaller
CONSTANT_TOLERANCE = 1e-6  # of its largest value: a map that differs by less is constant
DEAD_COLOR, CONSTANT_COLOR = np.uint8((222, 222,
                                       222)), np.uint8((190, 200, 210))  # colours of maps with nothing in them


@dataclass(frozen=True)
class FeatureMaps:
    """Feature maps (rows, columns, maps), or numbers (1, 1, numbers) where a layer has no grid."""

    name: str
    description: str  # what the layer does
    values: np.ndarray
    dead: np.ndarray  # (maps,) bool: zero all over this picture
    constant: np.ndarray  # (maps,) bool: the same all over this picture, and not zero
    num_nonfinite: int  # values that are not finite

    @property
    def is_spatial(self):
        return self.values.shape[0] * self.values.shape[1] > 1

    @property
    def num_maps(self):
        return self.values.shape[2]

    @property
    def summary(self):
        """The layer's output in words: 14x14, 512 maps: 31 dead, 2 constant."""
        rows, columns, count = self.values.shape
        what = f"{rows}x{columns}, {count:,} map{'s' * (count != 1)}" if self.is_spatial else f"{count:,} numbers"
        dead, constant = int(self.dead.sum()), int(self.constant.sum())
        found = [f"{dead:,} {'dead' if self.is_spatial else 'zero'}"] if dead or self.is_spatial else []
        found += [f"{constant:,} constant"] if self.is_spatial else []
        found += [f"{self.num_nonfinite:,} values not finite"] if self.num_nonfinite else []
        return f"{what}: {', '.join(found)}" if found else what

    def get_status(self, index):
        """Return what is to be said of a map: dead, constant, or nothing."""
        return "dead" if self.dead[index] else "constant" if self.constant[index] and self.is_spatial else ""


def analyze_output(name, description, output):
    """Return the Maps of a layer's output (1, ...) for one picture."""
    values = output[0] if output.ndim == 4 else output.reshape(1, 1, -1)
    finite = np.isfinite(values)
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    most = np.maximum(np.abs(low), np.abs(high))
    dead = most == 0
    constant = finite.all(axis=(0, 1)) & ~dead & (high - low <= CONSTANT_TOLERANCE * most)
    return FeatureMaps(name, description, values, dead, constant, int((~finite).sum()))


def draw_map_tiles(maps, num_maps):
    """Return the first `count` maps as pictures uint8 (count, rows, columns, 3), each from its least to its greatest.

    Those larger than SIDE are made smaller. Dead and constant ones have one colour each, greys.
    """
    rows, columns = maps.values.shape[:2]
    share = min(1, MAX_TILE_SIZE / max(rows, columns))
    shape = max(1, round(rows * share)), max(1, round(columns * share))
    made = []
    for place in range(min(num_maps, maps.num_maps)):
        if maps.get_status(place):
            tile = np.broadcast_to(DEAD_COLOR if maps.dead[place] else CONSTANT_COLOR, (*shape, 3))
        else:
            shares = colormaps.normalize_values(maps.values[..., place])
            tile = colormaps.apply_colormap(shares if share == 1 else colormaps.resize_bilinear(shares, shape))
        made.append(tile)
    return np.stack(made)


def draw_vector_strip(maps):
    """Return the numbers of a layer without a grid as a picture uint8 (1, numbers, 3), from least to greatest."""
    return colormaps.apply_colormap(colormaps.normalize_values(maps.values[0, 0]))[None]


def compute_hypercolumn(layer_maps, shape):
    """Return (means of the maps of each layer, mean of all maps) enlarged to `shape`: float32 (height, width) of 0..1.

    The hypercolumn of a pixel is what all maps, enlarged to the picture, hold at it: Hariharan, Arbelaez, Girshick and
    Malik 2014, arXiv:1411.5752. Each map counts from its least to its greatest value; dead ones are 0.
    """
    means = []
    for maps in layer_maps:
        values = np.nan_to_num(maps.values, posinf=0, neginf=0)
        low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
        scaled = (values - low) / np.where(high > low, high - low, 1)
        means.append(colormaps.resize_bilinear(scaled.mean(axis=-1), shape))
    counts = [maps.num_maps for maps in layer_maps]
    return means, np.average(np.stack(means), axis=0, weights=counts).astype(np.float32)


def get_first_filters(model):
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


def draw_filter_tiles(kernels):
    """Return kernels as pictures uint8 (filters, rows, columns, 3): grey is 0, all on one scale."""
    most = max(np.abs(kernels).max(), np.finfo("float32").tiny)
    pictures = np.uint8(np.rint(127.5 + 127.5 * kernels / most))
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))
